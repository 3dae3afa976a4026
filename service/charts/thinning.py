"""Fewer points, same shape: a chart is some thousand pixels wide, and a run may have any number of steps."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from service.core import Floats

from .curves import AnySteps, Series


def thin(values: Floats, max_points: int) -> NDArray[np.intp]:
    """Choose at most ``max_points`` points that keep every visible extreme.

    The points between the first and the last are cut into equal buckets, and of each bucket the lowest and
    the highest value stay.

    Parameters
    ----------
    values : ``(n,)``, finite.
    max_points : at least 4.

    Returns
    -------
    indices : increasing, of the points to keep; the first and the last are always among them.
    """
    if len(values) <= max_points:
        return np.arange(len(values))
    kept = [0, len(values) - 1]
    n_buckets = (max_points - 2) // 2
    for number in range(n_buckets):
        start = 1 + (len(values) - 2) * number // n_buckets
        bucket = values[start : 1 + (len(values) - 2) * (number + 1) // n_buckets]
        kept += [start + int(bucket.argmin()), start + int(bucket.argmax())]
    return np.unique(kept)


def block_statistics(steps: AnySteps, values: Series, length: int) -> tuple[Series, Series, Series]:
    """Cut a series into blocks of ``length`` and describe each; a last short block is left out.

    Returns
    -------
    middle, mean, deviation : ``(n_blocks,)`` each: the mean step, and the mean and the standard deviation of
        the values.
    """
    n_blocks = len(values) // length
    shape = n_blocks, length
    blocks = values[: n_blocks * length].reshape(shape)
    return steps[: n_blocks * length].reshape(shape).mean(axis=1), blocks.mean(axis=1), blocks.std(axis=1)
