"""Images and a model to digits with their probabilities, the same bits in every company."""

from collections.abc import Iterable, Mapping
from typing import Any

import numpy as np

from service.core import N_PIXELS, Floats, Ints, design_matrix
from service.core import Model as Function
from service.core.tables import csv_text
from service.registry import Model

from .mnist_form import Bytes

_BLOCK_SIZE = 256
"""Images scaled at a time: their 800 KB stay in the cache until they are multiplied."""


CSV_COLUMNS = ("name", "digit", "probability", "verdict", "warnings", "error")


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
    table = block_probabilities(model.function, model.parameters, images)
    return model.classes[table.argmax(axis=1)], table


def block_probabilities(function: Function, parameters: Floats, images: Bytes) -> Floats:
    """Return the probability of each class, (n_images, n_classes), of the parameters' dtype, block by block."""
    rows = images.reshape(-1, N_PIXELS)
    parts = [
        function.probabilities(
            parameters, design_matrix(rows[start : start + _BLOCK_SIZE], parameters.dtype, function.scaling)
        )
        for start in range(0, max(1, len(rows)), _BLOCK_SIZE)
    ]
    return parts[0] if len(parts) == 1 else np.concatenate(parts)


def predictions_csv(rows: Iterable[Mapping[str, Any]]) -> str:
    """Return predictions as CSV, one a line.

    Parameters
    ----------
    rows : predictions as `service.inference.answer` has them, each with its ``name``; or a ``name`` and an ``error``,
        a sentence.
    """
    return csv_text(CSV_COLUMNS, map(_csv_row, rows))


def _csv_row(row: Mapping[str, Any]) -> Mapping[str, Any]:
    if "error" in row:
        return row
    return {**row, "probability": max(row["probabilities"].values()), "warnings": " ".join(row["warnings"])}
