"""All numbers of a report, as one frozen value: a function of the records of its runs, and of the data set.

Gradients are checked by central differences.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from functools import lru_cache
from typing import Any

import numpy as np

from service import __version__
from service.core import Floats, Ints, Model, TrainingConfig, TrainingData, TrainingState, train
from service.datasets import Dataset, load_dataset, split
from service.jobs import JobState

from .report import ReportOptions, Run, RunNumbers, Runs, numbers_of
from .spikes import Spikes

N_IMAGES = 32
STEP_WIDTH = 1e-5
_SELECTED = 500
"""Among so many training images there are enough of any two classes."""

_ENTRIES = 256
"""Moved side by side: 16 MB of parameters."""


@dataclass(frozen=True, slots=True, kw_only=True)
class GradientCheck:
    """The differences between the gradient of a training step and central differences, in float64, over all entries.

    ``largest_relative_error`` is in units of the largest entry of the gradient.
    """

    model: str
    l2_penalty: float
    n_entries: int
    n_images: int
    step_width: float
    largest_gradient: float
    largest_error: float
    largest_relative_error: float


@lru_cache(32)
def check_gradient(dataset: Dataset, model: Any, *, l2_penalty: float, seed: int, classes: Any = ()) -> GradientCheck:
    """Make one step of training with learning rate 1 from random weights, and compare it with the objective.

    The objective is C + l2_penalty * ||W||^2. Its derivative by each entry of W is taken as
    (J(W + h) - J(W - h)) / 2h on real images. No run is needed, so this can be done while they train.
    """
    config = TrainingConfig(
        model=model,
        classes=classes,
        learning_rate=1,
        epochs=1,
        batch_size=N_IMAGES,
        train_size=_SELECTED,
        validation_size=_SELECTED,
        shuffle=False,
        l2_penalty=l2_penalty,
        dtype="float64",
    )
    selected = split(dataset, config)
    x, y = selected.x_train[:N_IMAGES], selected.y_train[:N_IMAGES]
    function = config.build_model()
    parameters = np.random.default_rng(seed).normal(scale=0.05, size=function.layout.size)
    data = TrainingData(x_train=x, y_train=y, x_validation=x, y_validation=y)
    gradient = parameters - train(config, data, resume_from=TrainingState.at_start(parameters, None)).last
    numerical = _central_differences(function, parameters, x, y, l2_penalty)
    error, largest = float(np.abs(gradient - numerical).max()), float(np.abs(gradient).max())
    return GradientCheck(
        model=model,
        l2_penalty=l2_penalty,
        n_entries=parameters.size,
        n_images=len(x),
        step_width=STEP_WIDTH,
        largest_gradient=largest,
        largest_error=error,
        largest_relative_error=error / largest,
    )


def _central_differences(function: Model, parameters: Floats, x: Floats, y: Ints, l2_penalty: float) -> Floats:
    """Return dJ/dtheta entry by entry."""
    numerical = np.empty_like(parameters)
    squares = np.square(parameters)
    for start in range(0, len(parameters), _ENTRIES):
        entries = np.arange(start, min(start + _ENTRIES, len(parameters)))
        ends = []
        for h in (STEP_WIDTH, -STEP_WIDTH):
            moved = np.repeat(parameters[np.newaxis], len(entries), axis=0)
            moved[np.arange(len(entries)), entries] += h
            losses = function.output.losses(function.joint_logits(moved, x), y).mean(axis=1)
            penalties = squares.sum() - squares[entries] + (parameters[entries] + h) ** 2
            ends.append(losses + l2_penalty * penalties)
        numerical[entries] = (ends[0] - ends[1]) / (2 * STEP_WIDTH)
    return numerical


N_BLOCKS = 10
"""The number of blocks into which the checks of a run are cut, so that the gap grows visibly in spite of the noise."""

SEED_REPORT, TABLE = "seed report", "reference table"
_NORMS = {1.0: (0.602, 3), 0.1: (1.655, 12), 0.01: (3.268, 39), 0.001: (4.621, None)}
"""By penalty: the published norm, and the epoch in which early stopping ended the run, if it did."""


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
class WeightStatistics:
    """The appearance of the weights of a run, in two correlations.

    ``neighbours`` is that of all weights with those of the next pixels, right and below: the smoother the closer to 1.
    ``mean_images`` is that of each digit's weights with its mean training image less the mean of all, on average.
    """

    neighbours: float
    mean_images: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Comparison:
    """One number of this report beside a published one.

    Attributes
    ----------
    ours, low, high : this run's, and the published range; both ends are the same for an exact number.
    difference : of ours from the nearer end of the range, 0 within it.
    agrees : whether that is within the tolerance.
    note : why it does not, where the runs show the reason.
    """

    quantity: str
    source: str
    ours: float
    low: float
    high: float
    difference: float
    agrees: bool
    note: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Findings:
    """All results of a report. `to_dict` is its JSON file."""

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
    looks: Sequence[WeightStatistics]
    overfitting: Overfitting
    comparison: Sequence[Comparison]
    seconds_of_training: float

    @property
    def plain(self) -> RunNumbers:
        """Softmax regression without a penalty."""
        return self.softmax[0]

    @classmethod
    def of(cls, runs: Runs, spikes: Spikes | None) -> Findings:
        """Compute everything but the spikes of the run in file order, which are found before all runs have ended."""
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
            looks=[_weight_statistics(run, means) for run in runs.softmax[:2]],
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


def compare(
    options: ReportOptions, in_order: RunNumbers, shuffled: RunNumbers, softmax: Sequence[RunNumbers]
) -> list[Comparison]:
    """Compare the numbers of a report with the published ones, as far as its options are the same."""
    rows: list[Comparison] = []

    def row(
        quantity: str,
        ours: float,
        low: float,
        high: float | None = None,
        *,
        source: str = TABLE,
        tolerance: float,
        note: str = "",
    ) -> None:
        high = low if high is None else high
        difference = ours - min(max(ours, low), high)
        agrees = abs(difference) <= tolerance
        rows.append(
            Comparison(
                quantity=quantity,
                source=source,
                ours=ours,
                low=low,
                high=high,
                difference=difference,
                agrees=agrees,
                note="" if agrees else note,
            )
        )

    if options.dataset == "mnist" and options.classes == (2, 3):
        last = in_order.last
        row("training images of 2 and 3", in_order.n_train, 4005, tolerance=0)
        row("validation images of 2 and 3", in_order.n_validation, 2042, tolerance=0)
        row("early stopping, epoch counted from 0", last.epoch, 33, source=SEED_REPORT, tolerance=0)
        row("early stopping, epoch counted from 1", last.epoch + 1, 34, source=SEED_REPORT, tolerance=0)
        row("validation loss there", last.validation_loss, 0.0658, source=SEED_REPORT, tolerance=5e-5)
        row("step of early stopping", last.step, 1038, tolerance=0)
        row("validation loss there", last.validation_loss, 0.06577, tolerance=5e-6)
        row("lowest validation loss", in_order.best.validation_loss, 0.06569, tolerance=5e-6)
        row("validation accuracy there", last.validation_accuracy, 0.97943, tolerance=5e-6)
        row("training accuracy there", last.train_accuracy, 0.97578, tolerance=5e-6)
        earlier = "stops earlier than in file order, as published" if shuffled.last.step < last.step else "stops later"
        note = f"{earlier}; the epoch depends on the seed"
        row("epoch of early stopping if shuffled", shuffled.last.epoch, 11, 26, tolerance=0, note=note)
    if options.dataset == "mnist":
        plain = softmax[0].last
        row("softmax: validation loss", plain.validation_loss, 0.298, 0.301, tolerance=0)
        row("softmax: validation accuracy", plain.validation_accuracy, 0.914, 0.918, tolerance=0)
        row("softmax: training accuracy", plain.train_accuracy, 0.922, 0.925, tolerance=0)
        row("softmax: norm", softmax[0].norm, 4.89, tolerance=0.01 * 4.89)
        for run in softmax:
            if run.l2_penalty not in _NORMS:
                continue
            published, stop_epoch = _NORMS[run.l2_penalty]
            ours = f"stopped in epoch {run.last.epoch}" if run.stopped_early else "made all its epochs"
            theirs = f"stopped after about {stop_epoch}" if stop_epoch else "made all its epochs"
            row(
                f"norm at λ = {run.l2_penalty:g}",
                run.norm,
                published,
                tolerance=0.01 * published,
                note=f"this run {ours}, the published one {theirs}",
            )
    return rows


def _noise(run: Run) -> float:
    """Return the standard deviation of the change in validation accuracy from check to check, second half."""
    changes = np.diff(run.curves.checks["validation_accuracy"])
    return float(changes[len(changes) // 2 :].std())


def _overfitting(run: Run) -> Overfitting:
    steps = run.curves.check_steps
    gap = run.curves.checks["train_accuracy"] - run.curves.checks["validation_accuracy"]
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
    """Return each digit's mean training image less the mean of all, (n_classes, n_pixels); it needs no run."""
    data = split(dataset, config)
    x = data.x_train[:, :-1]
    of_digits = [x[data.y_train == digit].mean(axis=0) for digit in range(config.task.n_classes)]
    means: Floats = np.array(of_digits) - x.mean(axis=0)
    return means


def _weight_statistics(run: Run, means: Floats) -> WeightStatistics:
    tiles = run.job.config.build_model().tiles(run.last.astype(np.float64))
    pairs = [(tiles[:, :, :-1], tiles[:, :, 1:]), (tiles[:, :-1], tiles[:, 1:])]
    here, beside = (np.concatenate([pair[side].ravel() for pair in pairs]) for side in (0, 1))
    alike = [np.corrcoef(tile.ravel(), mean)[0, 1] for tile, mean in zip(tiles, means, strict=True)]
    return WeightStatistics(neighbours=float(np.corrcoef(here, beside)[0, 1]), mean_images=float(np.mean(alike)))


def _training_s(runs: Runs) -> float:
    """Return the time from the first start of a run to the last end."""
    jobs = [run.job for run in (runs.in_order, runs.shuffled, *runs.softmax)]
    starts = [job.started_at for job in jobs if job.started_at]
    ends = [job.finished_at for job in jobs if job.finished_at and job.state is JobState.SUCCEEDED]
    return (max(ends) - min(starts)).total_seconds()
