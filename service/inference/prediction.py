"""Images and a model to digits with their probabilities, the same bits in every company."""

from __future__ import annotations

import numpy as np

from service.core import N_PIXELS, Floats, Ints, design_matrix, probabilities
from service.registry import Model

from .mnist_form import Bytes

_BLOCK_SIZE = 256
"""Images scaled at a time: their 800 KB stay in the cache until they are multiplied."""


def predict(model: Model, images: Bytes) -> tuple[Ints, Floats]:
    """Tell digits. Memory is bounded: images go through in blocks.

    Parameters
    ----------
    images : (n_images, 28, 28) or (n_images, 784) uint8, light ink on black.

    Returns
    -------
    labels : (n_images,) int64, the class of the highest probability; the first of those that are equally so.
    probabilities : (n_images, n_classes), in the order of ``model.manifest.classes``, of the weights' dtype.
    """
    manifest = model.manifest
    rows = images.reshape(-1, N_PIXELS)
    parts = [
        probabilities(manifest.model, model.weights, design_matrix(rows[start : start + _BLOCK_SIZE], manifest.dtype))
        for start in range(0, max(1, len(rows)), _BLOCK_SIZE)
    ]
    table = parts[0] if len(parts) == 1 else np.concatenate(parts)
    return model.classes[table.argmax(axis=1)], table
