"""What a model says of a batch of images, in the shape in which the HTTP API and the command line give it."""

from __future__ import annotations

from typing import Any

from service.registry import Model

from .model_inputs import ModelInputs
from .prediction import predict_inputs


def answer(model: Model, inputs: ModelInputs) -> dict[str, Any]:
    """Let a model speak.

    Returns
    -------
    ``model`` and ``version``, which spoke; and ``predictions``, one for each image, in order: ``digit``,
    ``probabilities`` of all classes by label, ``preprocessing`` and ``warnings``. Plain data, ready for JSON.
    """
    labels = [str(label) for label in model.manifest.classes]
    return {
        "model": model.manifest.name,
        "version": model.manifest.version,
        "predictions": [
            {
                "digit": prediction.digit,
                "probabilities": dict(zip(labels, prediction.probabilities, strict=True)),
                "preprocessing": list(prediction.steps),
                "warnings": list(prediction.warnings),
            }
            for prediction in predict_inputs(model, inputs)
        ],
    }
