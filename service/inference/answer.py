"""What a model says of a batch of images, in the shape in which the HTTP API and the command line give it."""

from __future__ import annotations

from typing import Any

from service.core import Floats, Ints
from service.registry import Model

from .model_inputs import ModelInputs
from .prediction import predict


def answer(model: Model, inputs: ModelInputs, told: tuple[Ints, Floats] | None = None) -> dict[str, Any]:
    """Let a model speak.

    Parameters
    ----------
    told : what `predict` said of these images, where somebody has asked already.

    Returns
    -------
    ``model`` and ``version``, which spoke; and ``predictions``, one for each image, in order: ``digit``,
    ``class_name``, ``probabilities`` of all classes by label, ``preprocessing`` and ``warnings``; ready for JSON.
    """
    digits, table = predict(model, inputs.images) if told is None else told
    return {
        "model": model.manifest.name,
        "version": model.manifest.version,
        "predictions": [
            {
                "digit": digit,
                "class_name": model.name_of[digit],
                "probabilities": dict(zip(model.labels, row, strict=True)),
                "preprocessing": list(steps),
                "warnings": list(warnings),
            }
            for digit, row, steps, warnings in zip(
                digits.tolist(), table.tolist(), inputs.steps, inputs.warnings, strict=True
            )
        ],
    }
