"""Recorded values over steps, as arrays ready to be drawn: of one run, and of runs to compare.

All raise `ValueError` for arrays that differ in length, or steps that do not increase or do not agree.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, TypeAlias

import numpy as np
from numpy.typing import NDArray

from service.core import Floats, Ints

Series: TypeAlias = NDArray[np.float64]
Steps: TypeAlias = NDArray[np.int64]
MAX_POINTS = 2_000
"""Of a line: more than a chart can show."""
AVERAGED_STEPS = 10

AnySteps: TypeAlias = NDArray[np.int64] | NDArray[np.float64]  # means of several steps are not whole


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Curves:
    """The recorded history of a run; steps count from 0 and increase.

    Parameters
    ----------
    check_steps : ``(n_checks,)``, the step after which each validation check was made.
    checks : ``(n_checks,)`` for each of `service.core.METRICS`, by name.
    train_loss_steps, train_loss : ``(n_steps,)``, the loss on the batch of each step; of a long history the mean of
        every ``n_averaged`` steps, at the middle of them.
    train_loss_band : of a long history, the edges of a band of one standard deviation to each side.
    best_step : the check with the lowest validation loss, if there is one.
    stop_step : the step at which early stopping ended the run, if it did.
    batches_per_epoch : when given, charts also show epochs.
    """

    check_steps: Steps
    checks: Mapping[str, Series]
    train_loss_steps: AnySteps
    train_loss: Series
    n_averaged: int = 1
    train_loss_band: tuple[Series, Series] | None = None
    best_step: int | None = None
    stop_step: int | None = None
    batches_per_epoch: int | None = None

    def __post_init__(self) -> None:
        """Check that the arrays fit together."""
        _check(self.check_steps, *self.checks.values())
        _check(self.train_loss_steps, self.train_loss, *(self.train_loss_band or ()))

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
    band : ``(n,)`` each, its lower and upper edge.
    meaning : of line and band, written once in the legend: ``mean of 5 seeds, band from min to max``.
    """

    label: str
    steps: Steps
    values: Series
    band: tuple[Series, Series] | None = None
    meaning: str = ""

    def __post_init__(self) -> None:
        """Check that the arrays fit together."""
        _check(self.steps, self.values, *(self.band or ()))

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
        if len(values) == 1:
            return cls(label=label, steps=steps, values=values[0])
        band, meaning = (values.min(axis=0), values.max(axis=0)), f"mean of {len(values)} seeds, band from min to max"
        return cls(label=label, steps=steps, values=values.mean(axis=0), band=band, meaning=meaning)


class Thinning:
    """Chooses points of one or more columns, which come in pieces, that keep every visible extreme of each.

    The points between the first and the last are cut into equal buckets, and of each bucket the lowest and
    the highest value of each column stay.

    Parameters
    ----------
    length : of the whole series.
    max_points : how many may stay, at least 4; one bucket is kept also if it holds more.
    dtype : of the items that stand for the points.
    n_columns : how many there are.
    """

    def __init__(self, length: int, max_points: int, dtype: Any, n_columns: int = 1) -> None:
        n_buckets = max(1, (max_points - 2) // (2 * n_columns))
        inner = 1 + (length - 2) * np.arange(n_buckets + 1, dtype=np.int64) // n_buckets
        self._edges = np.append(inner, length)  # where each bucket ends; the first and the last hold one point
        self._is_whole = length <= max(max_points, 2)
        self._kept = np.zeros(length if self._is_whole else 2 * n_columns * len(self._edges), dtype)
        self._n_kept = self._n_seen = self._bucket = 0
        self._open: tuple[list[Floats], NDArray[Any]] | None = None
        """Values and items of the extremes so far of a bucket that has not ended."""

    def add(self, columns: Sequence[Floats], items: NDArray[Any]) -> None:
        """Take the next values of each column, ``(n,)`` and finite, and their items, ``(n,)``."""
        self._n_seen += len(items)
        if self._open is not None:
            columns = [np.concatenate(pair) for pair in zip(self._open[0], columns, strict=True)]
            items = np.concatenate([self._open[1], items])
        if self._is_whole or not len(items):
            return self._keep(items)
        n_ended = int(np.searchsorted(self._edges, self._n_seen, side="right"))
        ends = self._edges[self._bucket : n_ended] - (self._n_seen - len(items))
        starts = np.append(0, ends)
        starts = starts[starts < len(items)]
        extremes = [_first_in_each(column, starts, of) for column in columns for of in (np.minimum, np.maximum)]
        places = np.unique(np.concatenate(extremes))
        n_kept = int(np.searchsorted(places, ends[-1])) if len(ends) else 0
        self._keep(items[places[:n_kept]])
        self._open = [column[places[n_kept:]] for column in columns], items[places[n_kept:]]
        self._bucket = n_ended
        return None

    def items(self) -> NDArray[Any]:
        """Return the items of the points that stay, in order; the first and the last are always among them."""
        return self._kept[: self._n_kept]

    def _keep(self, items: Any) -> None:
        end = self._n_kept + np.size(items)
        self._kept[self._n_kept : end] = items
        self._n_kept = end


def _first_in_each(values: Floats, starts: Ints, extreme: np.ufunc) -> Ints:
    """Return the place of the first lowest or highest value in each of the buckets that begin at ``starts``."""
    lengths = np.diff(starts, append=len(values))
    places = np.flatnonzero(values == np.repeat(extreme.reduceat(values, starts), lengths))
    return places[np.diff(np.searchsorted(starts, places, side="right"), prepend=0) > 0]


def thin(values: Floats, max_points: int) -> NDArray[np.intp]:
    """Return the indices, increasing, of the points of ``(n,)`` finite values that a `Thinning` keeps."""
    thinning = Thinning(len(values), max_points, np.intp)
    thinning.add([values], np.arange(len(values)))
    return thinning.items()


def steps_averaged(n_steps: int) -> int:
    """Return over how many steps the training loss of a run is averaged in a chart."""
    return max(AVERAGED_STEPS, -(-n_steps // MAX_POINTS))


class BlockAverage:
    """Mean and standard deviation of each block of a long series that comes in pieces; a last short block is left out.

    Parameters
    ----------
    length : of a block.

    Attributes
    ----------
    lowest : of all values so far.
    """

    def __init__(self, length: int) -> None:
        self.length = length
        self.lowest = np.inf
        self._rest = np.zeros(0), np.zeros(0)
        self._parts: list[tuple[Series, Series, Series]] = []

    def add(self, steps: AnySteps, values: Floats) -> None:
        """Take the next steps and values, ``(n,)`` each; what is not finite is left out."""
        finite = np.isfinite(values)
        at = np.concatenate([self._rest[0], steps[finite]])
        series = np.concatenate([self._rest[1], values[finite]])
        whole = len(series) - len(series) % self.length
        self.lowest = min(self.lowest, series.min(initial=np.inf))
        self._parts.append(block_statistics(at, series, self.length))
        self._rest = at[whole:].copy(), series[whole:].copy()

    def statistics(self) -> tuple[Series, Series, Series]:
        """Return as `block_statistics`."""
        middle, mean, deviation = (np.concatenate(series) for series in zip(*self._parts, strict=True))
        return middle, mean, deviation


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


def _check(steps: AnySteps, *together: Series) -> None:
    if steps.ndim != 1 or any(series.shape != steps.shape for series in together):
        raise ValueError("steps and values differ in length")
    if (np.diff(steps) <= 0).any():
        raise ValueError("steps must increase")
