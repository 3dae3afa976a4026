"""All numbers of a report, as one frozen value: a function of what its runs recorded, and of the data set."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from functools import lru_cache
from typing import Any

import numpy as np

from service import __version__
from service.core import IMAGE_SIDE_PX, N_PIXELS, Floats, TrainingConfig
from service.datasets import Dataset, load_dataset, split
from service.jobs import JobState

from .gradients import GradientCheck, check_gradient
from .options import ReportOptions
from .reference import Comparison, compare
from .run_numbers import RunNumbers, numbers_of
from .runs import Run, Runs
from .spikes import Spikes

N_BLOCKS = 10
"""Into how many blocks of checks a run is cut to see its gap grow through the noise."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Overfitting:
    """The gap between training and validation accuracy of a run, in its first block of checks and in its last.

    Attributes
    ----------
    grows_from : the step of the lowest gap in the block from which on, to the end, no block has a smaller mean gap
        than the one before; None if the last block is already smaller.
    positive_from : the step from which on the gap is above 0 to the end. Both look at means of an epoch's checks.
    """

    first_gap: float
    last_gap: float
    n_checks_a_block: int
    grows_from: int | None
    positive_from: int | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Look:
    """What the weights of a run look like, in two correlations.

    ``neighbours`` is that of all weights with those of the next pixels, right and below: the smoother the closer to 1.
    ``mean_images`` is that of each digit's weights with its mean training image less the mean of all, on average.
    """

    neighbours: float
    mean_images: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Findings:
    """Everything a report knows. `to_dict` is its JSON file."""

    report: str
    inkling: str
    options: Mapping[str, Any]
    dataset: Mapping[str, str]
    gradients: Sequence[GradientCheck]
    penalised_gradient: GradientCheck
    in_order: RunNumbers
    shuffled: RunNumbers
    spikes: Spikes | None
    shuffle_noise: float
    in_order_noise: float
    softmax: Sequence[RunNumbers]
    looks: Sequence[Look]
    overfitting: Overfitting
    comparison: Sequence[Comparison]
    seconds_of_training: float

    @property
    def plain(self) -> RunNumbers:
        """Softmax regression without a penalty."""
        return self.softmax[0]

    @classmethod
    def of(cls, runs: Runs, spikes: Spikes | None) -> Findings:
        """Work out everything but the spikes of the run in file order, which can be found before all runs are over."""
        options, dataset = runs.options, load_dataset(runs.options.dataset)
        in_order, shuffled = numbers_of(runs.in_order), numbers_of(runs.shuffled)
        softmax = [numbers_of(run) for run in runs.softmax]

        means = mean_images(dataset, runs.plain.job.config)  # all runs of softmax regression share their images
        *gradients, penalised_gradient = check_gradients(options)
        return cls(
            report=runs.report_id,
            inkling=__version__,
            options=options.to_dict(),
            dataset={"name": dataset.name, "title": dataset.title, "sha256": dataset.sha256},
            gradients=gradients,
            penalised_gradient=penalised_gradient,
            in_order=in_order,
            shuffled=shuffled,
            spikes=spikes,
            in_order_noise=_noise(runs.in_order),
            shuffle_noise=_noise(runs.shuffled),
            softmax=softmax,
            looks=[_look(run, means) for run in runs.softmax[:2]],
            overfitting=_overfitting(runs.plain),
            comparison=compare(options, in_order, shuffled, softmax),
            seconds_of_training=_training_s(runs),
        )

    def to_dict(self) -> dict[str, Any]:
        """Return plain data, ready for JSON."""
        return asdict(self)


def check_gradients(options: ReportOptions) -> list[GradientCheck]:
    """Check the gradients of tasks 1a, 1b and 4a."""
    dataset, largest = load_dataset(options.dataset), max(options.l2_penalties)
    return [
        check_gradient(dataset, "logistic", l2_penalty=0.0, seed=options.seed, classes=options.classes),
        check_gradient(dataset, "softmax", l2_penalty=0.0, seed=options.seed),
        check_gradient(dataset, "softmax", l2_penalty=largest, seed=options.seed),
    ]


def _noise(run: Run) -> float:
    """Return the standard deviation of the change in validation accuracy from check to check, second half."""
    changes = np.diff(run.curves.validation_accuracy)
    return float(changes[len(changes) // 2 :].std())


def _overfitting(run: Run) -> Overfitting:
    steps = run.curves.check_steps
    gap = run.curves.train_accuracy - run.curves.validation_accuracy
    width = min(run.job.config.checks_per_epoch, len(gap))
    blocks = np.array_split(np.arange(len(gap)), max(1, min(N_BLOCKS, len(gap) // width)))
    means = np.array([gap[block].mean() for block in blocks])
    start = len(means) - 1
    while start > 0 and means[start] >= means[start - 1]:
        start -= 1
    smooth = np.convolve(gap, np.ones(width) / width, mode="valid")
    grows_from = None
    if start < len(means) - 1:
        first, end = blocks[start][0], blocks[start][-1] + 1
        grows_from = int(steps[first + smooth[first:end].argmin() + width // 2])
    not_positive = np.flatnonzero(smooth <= 0)
    positive_from = int(not_positive[-1]) + 1 if len(not_positive) else 0
    return Overfitting(
        first_gap=float(means[0]),
        last_gap=float(means[-1]),
        n_checks_a_block=len(blocks[0]),
        grows_from=grows_from,
        positive_from=int(steps[positive_from + width // 2]) if positive_from < len(smooth) else None,
    )


@lru_cache(4)
def mean_images(dataset: Dataset, config: TrainingConfig) -> Floats:
    """Return each digit's mean training image less the mean of all, (n_classes, 784); no run is needed for it."""
    data = split(dataset, config)
    x = data.x_train[:, :N_PIXELS]
    of_digits = [x[data.y_train == digit].mean(axis=0) for digit in range(config.n_outputs)]
    means: Floats = np.array(of_digits) - x.mean(axis=0)
    return means


def _look(run: Run, means: Floats) -> Look:
    tiles = run.last[:N_PIXELS].T.astype(np.float64).reshape(-1, IMAGE_SIDE_PX, IMAGE_SIDE_PX)
    pairs = [(tiles[:, :, :-1], tiles[:, :, 1:]), (tiles[:, :-1], tiles[:, 1:])]
    here, beside = (np.concatenate([pair[side].ravel() for pair in pairs]) for side in (0, 1))
    alike = [np.corrcoef(tile.ravel(), mean)[0, 1] for tile, mean in zip(tiles, means, strict=True)]
    return Look(neighbours=float(np.corrcoef(here, beside)[0, 1]), mean_images=float(np.mean(alike)))


def _training_s(runs: Runs) -> float:
    """Return the time from the first start of a run to the last end."""
    jobs = [run.job for run in (runs.in_order, runs.shuffled, *runs.softmax)]
    starts = [job.started_at for job in jobs if job.started_at]
    ends = [job.finished_at for job in jobs if job.finished_at and job.state is JobState.SUCCEEDED]
    return (max(ends) - min(starts)).total_seconds()
