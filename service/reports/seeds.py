"""What the runs of a report say over several seeds: means with intervals, and of how many seeds a statement holds."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

from service.inference import SIGNIFICANT

from .claims import Cost, GapTest
from .wording import count, listed, signed

_T_QUANTILES = (12.706, 4.303, 3.182, 2.776, 2.571, 2.447, 2.365, 2.306, 2.262)
"""Of Student's t at 0.975, for 1 to 9 degrees of freedom. Source: any table of it, as NIST/SEMATECH 1.3.6.7.2."""

INTERVAL = "mean and 95% confidence interval"


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
        return tuple(_cell(value, form) for value in (self.mean, self.half_width, min(self.values), max(self.values)))


def _cell(value: float, form: str) -> str:
    return format(value, form).replace("-", "−")


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
    def words(self) -> str:
        """The seeds, to begin a sentence with."""
        return f"Over the {count(len(self.seeds), 'seed')} from {self.seeds[0]} to {self.seeds[-1]}"

    @property
    def stop_sentence(self) -> str:
        """Where early stopping ends shuffled training, and how often before that in file order."""
        stopped = [epoch for epoch in self.stop_epochs if epoch is not None]
        if not stopped:
            return f"{self.words} early stopping never ends the run with shuffling."
        others = f", and not at all with {len(self.stop_epochs) - len(stopped)}" if None in self.stop_epochs else ""
        compared = ""
        if self.in_order_epoch is not None:
            earlier = sum(epoch < self.in_order_epoch for epoch in stopped)
            compared = f": before epoch {self.in_order_epoch}, where it ends the run in file order, with {earlier} of "
            compared += count(len(self.seeds), "seed")
        where = listed(list(map(str, stopped)))
        return f"{self.words} early stopping ends the run with shuffling in epoch {where}{others}{compared}."

    @property
    def gap_sentence(self) -> str:
        """The gap at the last check, and how often it is more than chance."""
        spread = Spread.of([gap.gap for gap in self.gaps])
        significant = sum(gap.p < SIGNIFICANT for gap in self.gaps)
        return (
            f"{self.words} the gap at the last check is {spread.change} percentage points ({INTERVAL}); by the same "
            f"test it is more than chance explains with {significant} of {count(len(self.seeds), 'seed')}."
        )

    @property
    def cost_sentences(self) -> list[str]:
        """Each cost, and for which penalties the validation accuracy does not differ from that without one."""
        costs = sorted(self.costs, key=lambda cost: cost.l2_penalty)
        each = [f"{cost.validation.change} and {cost.train.change} with λ = {cost.l2_penalty:g}" for cost in costs]
        unclear = [f"λ = {cost.l2_penalty:g}" for cost in costs if not cost.validation.differs_from_0]
        within = f"With {listed(unclear)} the interval of the validation accuracy contains 0." if unclear else ""
        return [
            f"{self.words} these changes of validation and training accuracy are {listed(each)} ({INTERVAL}).",
            *filter(None, [within or "No interval of the validation accuracy contains 0."]),
        ]


@dataclass(frozen=True, slots=True, kw_only=True)
class ChangeOverSeeds:
    """What a change to a network brings to the lowest validation loss and the last accuracy, by seed.

    ``loss`` and ``accuracy`` are differences: with the change minus without it, each pair with the same seed.
    """

    loss: Spread
    accuracy: Spread

    @property
    def sentence(self) -> str:
        """Both differences, and with how many seeds the loss falls."""
        n = len(self.loss.values)
        lower = sum(value < 0 for value in self.loss.values)
        loss = f"{self.loss.mean:+.4f}".replace("-", "−")
        return (
            f"Over {count(n, 'seed')}, each run beside the other with the same seed ({INTERVAL}), the lowest "
            f"validation loss changes by {loss} ± {self.loss.half_width:.4f} and the validation accuracy at the last "
            f"check by {self.accuracy.change} percentage points; the loss is lower with {lower} of {count(n, 'seed')}."
        )
