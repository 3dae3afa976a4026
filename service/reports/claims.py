"""What the sentences of a report claim: each a frozen value computed from a history.

A claim keeps every number that its sentences print, so that whoever has the history can compute it again; the sentences
themselves are in `templates/claims.txt`. Steps, epochs and batches count from 0; shares are fractions.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise

import numpy as np

from service.charts import Curves
from service.core import Floats

N_BLOCKS = 10
"""The number of blocks into which the checks of a run are cut, since single checks are noisy."""

TESTED_STEP = 2500
"""From here on, the seed report says, the validation accuracy is significantly lower than the training accuracy."""


@dataclass(frozen=True, slots=True, kw_only=True)
class LossCourse:
    """The validation loss of a run over its checks; its largest training loss, and the mean of the last epoch.

    ``highest`` is the largest validation loss before the lowest one; the first of equal ones counts in both.
    """

    start: float
    n_checks: int
    highest: float
    highest_step: int
    lowest: float
    lowest_step: int
    last: float
    last_step: int
    last_training: float
    n_last: int
    largest_training: float
    largest_step: int

    @classmethod
    def of(cls, curves: Curves) -> LossCourse:
        """Compute it of a run with a check."""
        steps, losses = curves.check_steps, curves.checks["validation_loss"]
        lowest = int(losses.argmin())
        highest = int(losses[: lowest + 1].argmax())
        n_last = min(curves.batches_per_epoch or 1, len(curves.train_loss))
        return cls(
            start=float(curves.train_loss[0]),
            n_checks=len(steps),
            highest=float(losses[highest]),
            highest_step=int(steps[highest]),
            lowest=float(losses[lowest]),
            lowest_step=int(steps[lowest]),
            last=float(losses[-1]),
            last_step=int(steps[-1]),
            last_training=float(curves.train_loss[-n_last:].mean()),
            n_last=n_last,
            largest_training=float(curves.train_loss.max()),
            largest_step=int(curves.train_loss_steps[curves.train_loss.argmax()]),
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class Fluctuation:
    """The standard deviation of the change of accuracy from check to check, in the second half of each run."""

    in_order: float
    shuffled: float

    @classmethod
    def of(cls, in_order: Curves, shuffled: Curves) -> Fluctuation | None:
        """Compute it; None if a run has fewer than two checks."""
        found = []
        for curves in (in_order, shuffled):
            changes = np.diff(curves.checks["validation_accuracy"])
            if len(changes) == 0:
                return None
            found.append(float(changes[len(changes) // 2 :].std()))
        return cls(in_order=found[0], shuffled=found[1])


@dataclass(frozen=True, slots=True, kw_only=True)
class Outcome:
    """How a run went: where its validation loss is lowest, and what its last check found."""

    title: str
    stopped_early: bool
    lowest: float
    lowest_step: int
    last_step: int
    accuracy: float
    train_accuracy: float

    @classmethod
    def of(cls, title: str, curves: Curves) -> Outcome:
        """Compute it of a run with a check."""
        losses = curves.checks["validation_loss"]
        return cls(
            title=title,
            stopped_early=curves.stop_step is not None,
            lowest=float(losses.min()),
            lowest_step=int(curves.check_steps[losses.argmin()]),
            last_step=int(curves.check_steps[-1]),
            accuracy=float(curves.checks["validation_accuracy"][-1]),
            train_accuracy=float(curves.checks["train_accuracy"][-1]),
        )

    @property
    def gap(self) -> float:
        """Training minus validation accuracy at the last check."""
        return self.train_accuracy - self.accuracy


@dataclass(frozen=True, slots=True, kw_only=True)
class Change:
    """What a change brought: a run beside the one without it.

    ``reached`` is the step of the first check at which the run with it has a validation loss no higher than the lowest
    of the other; None if there is none.
    """

    before: Outcome
    after: Outcome
    reached: int | None

    @classmethod
    def of(cls, titles: tuple[str, str], before: Curves, after: Curves) -> Change:
        """Compare two runs."""
        one, other = (Outcome.of(title, curves) for title, curves in zip(titles, (before, after), strict=True))
        low = np.flatnonzero(after.checks["validation_loss"] <= one.lowest)
        return cls(before=one, after=other, reached=int(after.check_steps[low[0]]) if len(low) else None)


@dataclass(frozen=True, slots=True, kw_only=True)
class GapTest:
    """A z-test whether training and validation accuracy differ at a check, as two independent proportions would.

    ``p`` is two-sided: 2 (1 - Phi(|gap| / s)) with s^2 = q (1 - q) (1/n_train + 1/n_validation), q the pooled share.
    """

    step: int
    gap: float
    p: float

    @classmethod
    def of(cls, step: int, train: float, validation: float, n_train: int, n_validation: int) -> GapTest:
        """Test the accuracies of one check."""
        pooled = (train * n_train + validation * n_validation) / (n_train + n_validation)
        variance = pooled * (1 - pooled) * (1 / n_train + 1 / n_validation)
        gap = train - validation
        p = math.erfc(abs(gap) / math.sqrt(2 * variance)) if variance > 0 else 1.0
        return cls(step=step, gap=gap, p=p)


@dataclass(frozen=True, slots=True, kw_only=True)
class Gap:
    """Training minus validation accuracy of a run, in blocks of its checks, and at single ones.

    Attributes
    ----------
    first, last : its mean over the first and the last block.
    lowest, lowest_from, lowest_to : the lowest mean of a block, and that block's first and last step.
    n_later, n_rises : the blocks after that, and those of them with a larger mean than the block before.
    positive_from : the step of the first check from which on the gap is above 0 at every one; None if it is not at
        the last.
    tests : at the last check not after `TESTED_STEP`, if the run is longer, and at the last of all.
    """

    n_blocks: int
    n_checks_a_block: int
    first: float
    last: float
    lowest: float
    lowest_from: int
    lowest_to: int
    n_later: int
    n_rises: int
    positive_from: int | None
    tests: Sequence[GapTest]

    @classmethod
    def of(cls, curves: Curves, *, n_train: int, n_validation: int) -> Gap:
        """Compute it of a run with a check; the last block takes the checks that do not fill another."""
        steps, train, validation = (
            curves.check_steps,
            curves.checks["train_accuracy"],
            curves.checks["validation_accuracy"],
        )
        gap = train - validation
        n_blocks = min(N_BLOCKS, len(gap))
        width = len(gap) // n_blocks
        starts = np.arange(n_blocks) * width
        ends = np.append(starts[1:], len(gap))
        means = np.array([gap[start:end].mean() for start, end in zip(starts, ends, strict=True)])
        lowest = int(means.argmin())
        not_positive = np.flatnonzero(gap <= 0)
        positive = int(not_positive[-1]) + 1 if len(not_positive) else 0
        tested = [len(gap) - 1]
        if steps[-1] > TESTED_STEP:
            tested.insert(0, max(0, int(np.searchsorted(steps, TESTED_STEP, side="right")) - 1))
        return cls(
            n_blocks=n_blocks,
            n_checks_a_block=width,
            first=float(means[0]),
            last=float(means[-1]),
            lowest=float(means[lowest]),
            lowest_from=int(steps[starts[lowest]]),
            lowest_to=int(steps[ends[lowest] - 1]),
            n_later=n_blocks - 1 - lowest,
            n_rises=int((np.diff(means[lowest:]) > 0).sum()),
            positive_from=int(steps[positive]) if positive < len(gap) else None,
            tests=[
                GapTest.of(int(steps[at]), float(train[at]), float(validation[at]), n_train, n_validation)
                for at in dict.fromkeys(tested)
            ],
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class Trend:
    """A number of each run, as it is printed, by penalty."""

    penalties: Sequence[float]
    printed: Sequence[str]
    values: Sequence[float]

    @classmethod
    def of(cls, values: Sequence[tuple[float, float]], form: str) -> Trend:
        """Compute it of (penalty, value) in any order; values that print alike count as equal."""
        values = sorted(values)
        return cls(
            penalties=[penalty for penalty, _ in values],
            printed=[format(value, form) for _, value in values],
            values=[float(format(value, form).rstrip("%")) for _, value in values],
        )

    @property
    def courses(self) -> list[tuple[str, float, float]]:
        """Whether the value falls or rises with larger penalties, and from which penalty to which."""
        courses: list[tuple[str, float, float]] = []
        for (a, before), (b, after) in pairwise(zip(self.penalties, self.values, strict=True)):
            kind = "falls" if after < before else "rises" if after > before else "stays the same"
            start = courses.pop()[1] if courses and courses[-1][0] == kind else a
            courses.append((kind, start, b))
        return courses

    @property
    def falls(self) -> list[bool]:
        """Whether each penalty has a smaller value than the one before."""
        return [after < before for before, after in pairwise(self.values)]


@dataclass(frozen=True, slots=True, kw_only=True)
class Slopes:
    """The slope of log norm over log penalty between neighbouring penalties above 0, rising."""

    penalties: Sequence[float]
    slopes: Sequence[float]

    @classmethod
    def of(cls, norms: Sequence[tuple[float, float]]) -> Slopes | None:
        """Compute it of (penalty, norm) in any order; None for fewer than two penalties above 0, or a norm of 0."""
        norms = sorted((penalty, norm) for penalty, norm in norms if penalty > 0)
        if len(norms) < 2 or any(norm <= 0 for _, norm in norms):
            return None
        return cls(
            penalties=[penalty for penalty, _ in norms],
            slopes=[math.log(n / m) / math.log(b / a) for (a, m), (b, n) in pairwise(norms)],
        )

    @property
    def proportional(self) -> bool:
        """Whether every slope is that of a norm inversely proportional to the penalty, to a tenth."""
        return all(abs(slope + 1) <= 0.1 for slope in self.slopes)


@dataclass(frozen=True, slots=True, kw_only=True)
class Cost:
    """The accuracy that a penalty costs: that without less that with it, each at its lowest validation loss."""

    l2_penalty: float
    validation: float
    train: float

    @property
    def underfits(self) -> bool:
        """Whether both fall."""
        return self.validation > 0 and self.train > 0


@dataclass(frozen=True, slots=True, kw_only=True)
class WeightStatistics:
    """The appearance of weights, in two correlations.

    ``neighbours`` is that of all weights with those of the next pixels, right and below: the smoother the closer to 1.
    ``mean_images`` is that of each digit's weights with its mean training image less the mean of all, on average.
    """

    neighbours: float
    mean_images: float

    @classmethod
    def of(cls, tiles: Floats, means: Floats) -> WeightStatistics:
        """Compute it of (n_classes, height, width) weights and (n_classes, n_pixels) images."""
        pairs = [(tiles[:, :, :-1], tiles[:, :, 1:]), (tiles[:, :-1], tiles[:, 1:])]
        here, beside = (np.concatenate([pair[side].ravel() for pair in pairs]) for side in (0, 1))
        alike = [np.corrcoef(tile.ravel(), mean)[0, 1] for tile, mean in zip(tiles, means, strict=True)]
        return cls(neighbours=float(np.corrcoef(here, beside)[0, 1]), mean_images=float(np.mean(alike)))


@dataclass(frozen=True, slots=True, kw_only=True)
class WeightComparison:
    """The weights with a penalty beside those without one: at its end, and after as many steps as with the penalty."""

    l2_penalty: float
    n_steps: int
    n_plain_steps: int
    penalised: WeightStatistics
    plain: WeightStatistics
    plain_as_long: WeightStatistics
