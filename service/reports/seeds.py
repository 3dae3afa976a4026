"""What the runs of a report say over several seeds: means with intervals, and of how many seeds a statement holds."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

from .claims import Cost, GapTest
from .wording import minus, signed

_T_QUANTILES = (12.706, 4.303, 3.182, 2.776, 2.571, 2.447, 2.365, 2.306, 2.262)
"""Of Student's t at 0.975, for 1 to 9 degrees of freedom. Source: any table of it, as NIST/SEMATECH 1.3.6.7.2."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Spread:
    """A number over several seeds; ``half_width`` is that of the 95% interval of its mean, by Student's t."""

    values: Sequence[float]
    mean: float
    half_width: float

    @classmethod
    def of(cls, values: Sequence[float]) -> Spread:
        """Compute it of 2 to 10 values, in the order of the seeds."""
        n, mean = len(values), math.fsum(values) / len(values)
        deviation = math.sqrt(math.fsum((value - mean) ** 2 for value in values) / (n - 1))
        return cls(values=values, mean=mean, half_width=_T_QUANTILES[n - 2] * deviation / math.sqrt(n))

    @property
    def differs_from_0(self) -> bool:
        """Whether 0 is outside of the interval."""
        return abs(self.mean) > self.half_width

    @property
    def change(self) -> str:
        """The mean of differences of shares and its interval, in percentage points."""
        return f"{signed(self.mean)} ± {100 * self.half_width:.2f}"

    def cells(self, form: str) -> tuple[str, ...]:
        """Mean, interval, least and greatest, for a table."""
        numbers = self.mean, self.half_width, min(self.values), max(self.values)
        return tuple(minus(format(number, form)) for number in numbers)


@dataclass(frozen=True, slots=True, kw_only=True)
class CostOverSeeds:
    """The accuracy that a penalty costs, as `Cost`, over the seeds."""

    l2_penalty: float
    validation: Spread
    train: Spread

    @classmethod
    def of(cls, costs: Sequence[Cost]) -> CostOverSeeds:
        """Compute it of the costs of one penalty, one for each seed."""
        return cls(
            l2_penalty=costs[0].l2_penalty,
            validation=Spread.of([-cost.validation for cost in costs]),
            train=Spread.of([-cost.train for cost in costs]),
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class OverSeeds:
    """What the runs of the first assignment say over the seeds.

    Attributes
    ----------
    in_order_epoch : in which early stopping ends the run in file order, which has no seed; None if it does not.
    stop_epochs : the same of the shuffled runs.
    gaps : of softmax regression without a penalty, at the last check of each seed.
    costs : of each penalty above 0, falling.
    numbers : what else the table shows: quantity, format, spread.
    """

    seeds: Sequence[int]
    in_order_epoch: int | None
    stop_epochs: Sequence[int | None]
    gaps: Sequence[GapTest]
    costs: Sequence[CostOverSeeds]
    numbers: Sequence[tuple[str, str, Spread]]

    @property
    def gap(self) -> Spread:
        """The gaps alone."""
        return Spread.of([test.gap for test in self.gaps])


@dataclass(frozen=True, slots=True, kw_only=True)
class ChangeOverSeeds:
    """What a change to a network brings to the lowest validation loss and the last accuracy, by seed.

    ``loss`` and ``accuracy`` are differences: with the change minus without it, each pair with the same seed.
    """

    loss: Spread
    accuracy: Spread
