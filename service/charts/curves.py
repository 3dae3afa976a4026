"""Recorded values over steps, as arrays ready to be drawn: of one run, and of runs to compare.

All raise `ValueError` for arrays that differ in length, or steps that do not increase or do not agree.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray

from service.core import Floats

Series: TypeAlias = NDArray[np.float64]
Steps: TypeAlias = NDArray[np.int64]
AnySteps: TypeAlias = NDArray[np.int64] | NDArray[np.float64]  # means of several steps are not whole


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Curves:
    """The recorded history of a run; steps count from 0 and increase.

    Parameters
    ----------
    check_steps : ``(n_checks,)``, the step after which each validation check was made.
    checks : ``(n_checks,)`` for each of `service.core.METRICS`, by name.
    train_loss_steps, train_loss : ``(n_steps,)``, the loss on the batch of each step.
    best_step : the check with the lowest validation loss, if there is one.
    stop_step : the step at which early stopping ended the run, if it did.
    batches_per_epoch : when given, charts also show epochs.
    """

    check_steps: Steps
    checks: Mapping[str, Series]
    train_loss_steps: Steps
    train_loss: Series
    best_step: int | None = None
    stop_step: int | None = None
    batches_per_epoch: int | None = None

    def __post_init__(self) -> None:
        """Check that the arrays fit together."""
        _check(self.check_steps, *self.checks.values())
        _check(self.train_loss_steps, self.train_loss)

    def __len__(self) -> int:
        """Return the number of validation checks."""
        return len(self.check_steps)


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Line:
    """One line of a chart, with a band around it if there is a spread to show.

    Parameters
    ----------
    label : what the line stands for; lines with the same label have the same colour.
    steps : ``(n,)``, increasing.
    values : ``(n,)``.
    lower, upper : ``(n,)``, the edges of the band; both or neither.
    meaning : of line and band, written once in the legend: ``mean of 5 seeds, band from min to max``.
    """

    label: str
    steps: Steps
    values: Series
    lower: Series | None = None
    upper: Series | None = None
    meaning: str = ""

    def __post_init__(self) -> None:
        """Check that the arrays fit together."""
        edges = [edge for edge in (self.lower, self.upper) if edge is not None]
        if len(edges) == 1:
            raise ValueError("a line has both edges of its band or neither")
        _check(self.steps, self.values, *edges)

    @classmethod
    def mean(cls, label: str, repeats: Sequence[tuple[Steps, Series]]) -> Line:
        """Make one line of runs that differ only in their seed: their mean in a band from the smallest to the largest.

        The line ends with the run that stopped first: a mean of fewer runs would not be the same quantity.

        Parameters
        ----------
        repeats : steps and values of each run, which must be checked at the same steps.
        """
        if not repeats:
            raise ValueError("a mean needs at least one run")
        length = min(len(steps) for steps, _ in repeats)
        steps = repeats[0][0][:length]
        if any((other[:length] != steps).any() for other, _ in repeats):
            raise ValueError("runs must be checked at the same steps to have a mean")
        values = np.stack([series[:length] for _, series in repeats])
        mean = values.mean(axis=0)
        if len(values) == 1:
            return cls(label=label, steps=steps, values=mean)
        lower, upper = values.min(axis=0), values.max(axis=0)
        meaning = f"mean of {len(values)} seeds, band from min to max"
        return cls(label=label, steps=steps, values=mean, lower=lower, upper=upper, meaning=meaning)


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


def _check(steps: Steps, *together: Series) -> None:
    if steps.ndim != 1 or any(series.shape != steps.shape for series in together):
        raise ValueError("steps and values differ in length")
    if (np.diff(steps) <= 0).any():
        raise ValueError("steps must increase")
