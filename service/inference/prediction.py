"""Images and a model to digits with their probabilities, the same bits in every company."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from service.core import N_PIXELS, Floats, Ints, design_matrix, probabilities
from service.registry import Model

from .mnist_form import Bytes
from .model_inputs import ModelInputs

BLOCK_SIZE = 64
"""Images a matrix product. A BLAS chooses its way by the shapes it is given, and each way rounds differently;
with one shape for ever, an image gets the same bits alone and among ten thousand, wherever it stands."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Prediction:
    """What a model says of one image.

    Parameters
    ----------
    digit : the label of the most probable class; the first of those that are equally so.
    probabilities : of each class, in the order of the model's classes.
    steps, warnings : how the image came about, and what may make the answer wrong.
    """

    digit: int
    probabilities: tuple[float, ...]
    steps: tuple[str, ...]
    warnings: tuple[str, ...]


def predict(model: Model, images: Bytes) -> tuple[Ints, Floats]:
    """Tell digits. Memory is bounded: images go through in blocks of 64, the last one filled up with zeros.

    Parameters
    ----------
    images : (n_images, 28, 28) or (n_images, 784) uint8, light ink on black.

    Returns
    -------
    labels : (n_images,) int64, the class of the highest probability.
    probabilities : (n_images, n_classes), in the order of ``model.manifest.classes``, of the weights' dtype.
    """
    manifest = model.manifest
    rows = images.reshape(-1, N_PIXELS)
    table = np.empty((len(rows), len(manifest.classes)), dtype=manifest.dtype)
    block = np.zeros((BLOCK_SIZE, N_PIXELS), np.uint8)
    for start in range(0, len(rows), BLOCK_SIZE):
        part = rows[start : start + BLOCK_SIZE]
        block[: len(part)] = part
        x = design_matrix(block, manifest.dtype)
        table[start : start + len(part)] = probabilities(manifest.model, model.weights, x)[: len(part)]
    return np.array(manifest.classes, np.int64)[table.argmax(axis=1)], table


def predict_inputs(model: Model, inputs: ModelInputs) -> tuple[Prediction, ...]:
    """Tell the digit of each image of a batch, with its story."""
    labels, table = predict(model, inputs.images)
    return tuple(
        Prediction(digit=digit, probabilities=tuple(row), steps=steps, warnings=warnings)
        for digit, row, steps, warnings in zip(
            labels.tolist(), table.tolist(), inputs.steps, inputs.warnings, strict=True
        )
    )
