"""Images and a model to digits with their probabilities, the same bits in every company."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

import numpy as np

from service.core import N_PIXELS, Floats, Ints, design_matrix
from service.core.tables import csv_text
from service.registry import Model

from .mnist_form import Bytes
from .model_inputs import ModelInputs

_BLOCK_SIZE = 256
"""Images scaled at a time: their 800 KB stay in the cache until they are multiplied."""


CSV_COLUMNS = ("name", "digit", "probability", "warnings", "error")


def predict(model: Model, images: Bytes) -> tuple[Ints, Floats]:
    """Classify images. Memory is bounded: they go through in blocks.

    Parameters
    ----------
    images : (n_images, 28, 28) or (n_images, 784) uint8, light ink on black.

    Returns
    -------
    labels : (n_images,) int64, the class of the highest probability; the first of those that are equally so.
    probabilities : (n_images, n_classes), in the order of ``model.manifest.classes``, of the weights' dtype.
    """
    function, dtype, rows = model.function, model.manifest.dtype, images.reshape(-1, N_PIXELS)
    parts = [
        function.probabilities(
            model.parameters, design_matrix(rows[start : start + _BLOCK_SIZE], dtype, function.scaling)
        )
        for start in range(0, max(1, len(rows)), _BLOCK_SIZE)
    ]
    table = parts[0] if len(parts) == 1 else np.concatenate(parts)
    return model.classes[table.argmax(axis=1)], table


def answer(model: Model, inputs: ModelInputs, predicted: tuple[Ints, Floats] | None = None) -> dict[str, Any]:
    """Return predictions in the shape in which the HTTP API and the command line give them.

    Parameters
    ----------
    predicted : what `predict` returned for these images, where it was called already.

    Returns
    -------
    ``model`` and ``version``, which predicted; and ``predictions``, one for each image, in order: ``digit``,
    ``class_name``, ``probabilities`` of all classes by label, ``preprocessing`` and ``warnings``; ready for JSON.
    """
    digits, table = predict(model, inputs.images) if predicted is None else predicted
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


def predictions_csv(rows: Iterable[Mapping[str, Any]]) -> str:
    """Return predictions as CSV, one a line.

    Parameters
    ----------
    rows : predictions as `answer` has them, each with its ``name``; or a ``name`` and an ``error``, a sentence.
    """
    return csv_text(CSV_COLUMNS, map(_csv_row, rows))


def _csv_row(row: Mapping[str, Any]) -> Mapping[str, Any]:
    if "error" in row:
        return row
    return {**row, "probability": max(row["probabilities"].values()), "warnings": " ".join(row["warnings"])}
