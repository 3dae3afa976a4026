"""Histograms of 256 levels, and the level that divides one best."""

import numpy as np
from numpy.typing import NDArray

from .mnist_form import Bytes

Counts = NDArray[np.int64]

_LEVELS = np.arange(256)


def level_counts(levels: Bytes) -> Counts:
    """Return how often each level occurs, (256,)."""
    return np.bincount(levels.ravel(), minlength=256)


def otsu(counts: Counts) -> int:
    """Return the level that divides a histogram best: the lower class is at it or below.

    Otsu (1979) makes w (1 - w) (mean above - mean below)^2 largest, w being the fraction in the lower class.
    Between two classes that do not touch every level is as good, and the middle one is taken. If only one
    level occurs, it is the upper class.
    """
    n_below = np.cumsum(counts)
    sum_below = np.cumsum(counts * _LEVELS)
    n_above = n_below[-1] - n_below
    divided = (n_below > 0) & (n_above > 0)
    if not divided.any():
        return int(counts.argmax()) - 1
    distance = (sum_below[-1] * n_below - n_below[-1] * sum_below)[divided].astype(np.float64)
    spread = np.zeros(256)
    spread[divided] = distance**2 / (n_below * n_above)[divided]
    best = np.flatnonzero(spread >= spread.max() * (1 - 1e-12))
    return int(best[0] + best[-1]) // 2
