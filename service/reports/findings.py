"""All numbers of a report, as one frozen value: a function of the records of its runs, and of the data set.

Gradients are checked by central differences.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import lru_cache
from itertools import pairwise
from typing import Any

import numpy as np

from service.core import Floats, Ints, Model, TrainingConfig, TrainingData, TrainingState, train, train_stack
from service.datasets import Dataset, load_dataset, split

from .claims import Cost, Fluctuation, Gap, LossCourse, Slopes, Trend, WeightComparison, WeightStatistics
from .holdout import Holdout
from .report import ReportFindings, ReportOptions, Run, RunNumbers, Runs, numbers_of
from .seeds import CostOverSeeds, OverSeeds, Spread
from .spikes import Spikes

N_IMAGES = 32
STEP_WIDTH = 1e-5
_SELECTED = 500
"""Among so many training images there are enough of any two classes."""

_MOVED = 500_000
"""Parameters that are moved side by side: 4 MB."""

_ENTRIES_OF_LAYER = 200
"""So many entries of each layer of a network are compared."""


@dataclass(frozen=True, slots=True, kw_only=True)
class GradientCheck:
    """The differences between the gradient of a training step and central differences, in float64.

    ``largest_relative_error`` is in units of the largest entry of the gradient.
    """

    model: str
    l2_penalty: float
    n_parameters: int
    n_entries: int
    n_layers: int
    n_images: int
    step_width: float
    largest_gradient: float
    largest_error: float
    largest_relative_error: float


@lru_cache(32)
def check_gradient(
    dataset: Dataset,
    model: Any,
    *,
    seed: int,
    l2_penalties: Sequence[float] = (0.0,),
    classes: Any = (),
    hidden_layers: Any = (),
) -> list[GradientCheck]:
    """For each penalty make a step of training with learning rate 1 from random weights, and compare it.

    It is compared with the objective, whose cross-entropy is computed once for all penalties.

    The objective is C + l2_penalty * ||W||^2. Its derivative by each entry of W is taken as
    (J(W + h) - J(W - h)) / 2h on real images: all of a linear model, and some drawn of each layer of a network with
    the improved sigmoid. No run is needed, so this can be done while they train.
    """
    network: dict[str, Any] = {
        "activation": "improved_sigmoid",
        "initialization": "xavier",
        "input_scaling": "standard",
    }
    plain: dict[str, Any] = {"momentum": 0.0, "learning_rate_schedule": "constant", "augmentation": "none"}
    config = TrainingConfig(
        model=model,
        classes=classes,
        learning_rate=1,
        epochs=1,
        batch_size=N_IMAGES,
        train_size=_SELECTED,
        validation_size=_SELECTED,
        shuffle=False,
        dtype="float64",
        hidden_layers=hidden_layers,
        **(network if hidden_layers else {}),
        **plain,
    )
    selected = split(dataset, config)
    x, y = selected.x_train[:N_IMAGES], selected.y_train[:N_IMAGES]
    function = config.build_model()
    rng = np.random.default_rng(seed)
    parameters = rng.normal(scale=0.05, size=function.layout.size)
    entries = np.arange(parameters.size)
    if hidden_layers:
        parameters += function.initial(rng)
        ends = np.cumsum([np.prod(tensor.shape) for tensor in function.layout.tensors]).tolist()
        layers = [
            rng.choice(np.arange(a, b), min(_ENTRIES_OF_LAYER, b - a), replace=False) for a, b in pairwise([0, *ends])
        ]
        entries = np.concatenate(layers)
    data = TrainingData(x_train=x, y_train=y, x_validation=x, y_validation=y)
    after, before = (_losses_of_moved(function, parameters, (x, y), entries, h) for h in (STEP_WIDTH, -STEP_WIDTH))
    squares = np.square(parameters).sum() - np.square(parameters[entries])
    checks = []
    for l2_penalty in l2_penalties:
        penalised = replace(config, l2_penalty=l2_penalty)
        gradient = parameters - train(penalised, data, resume_from=TrainingState.at_start(parameters, None)).state.last
        plus, minus = (
            losses + l2_penalty * (squares + (parameters[entries] + h) ** 2)
            for losses, h in ((after, STEP_WIDTH), (before, -STEP_WIDTH))
        )
        numerical = (plus - minus) / (2 * STEP_WIDTH)
        error, largest = float(np.abs(gradient[entries] - numerical).max()), float(np.abs(gradient).max())
        checks.append(
            GradientCheck(
                model=model,
                l2_penalty=l2_penalty,
                n_parameters=parameters.size,
                n_entries=entries.size,
                n_layers=len(function.layout.tensors),
                n_images=len(x),
                step_width=STEP_WIDTH,
                largest_gradient=largest,
                largest_error=error,
                largest_relative_error=error / largest,
            )
        )
    return checks


def _losses_of_moved(
    function: Model, parameters: Floats, images: tuple[Floats, Ints], chosen: Ints, h: float
) -> Floats:
    """Return the cross-entropy with each of the chosen entries moved by h, (n_chosen,)."""
    x, y = images
    found = []
    if function.is_linear:  # all are chosen, and each moves one logit: the others need not be computed again
        logits = function.joint_logits(parameters[np.newaxis], x)
        for output, weights in enumerate(function.layout.views(parameters)["W"].T):
            of_moved = logits.repeat(len(weights), axis=0)
            of_moved[:, output] = (weights + h * np.eye(len(weights))) @ x.T
            found.append(function.output.losses(of_moved, y).mean(axis=1))
        return np.concatenate(found)
    n_moved = max(1, _MOVED // len(parameters))
    for start in range(0, len(chosen), n_moved):
        entries = chosen[start : start + n_moved]
        moved = np.repeat(parameters[np.newaxis], len(entries), axis=0)
        moved[np.arange(len(entries)), entries] += h
        found.append(function.output.losses(function.joint_logits(moved, x), y).mean(axis=1))
    return np.concatenate(found)


SEED_REPORT, TABLE = "seed report", "reference table"
_NORMS = {0.0: 4.89, 1.0: 0.60199, 0.1: 1.6573, 0.01: 3.2589, 0.001: 4.5067}
"""By penalty, of the last weights with seed 0; other seeds are within 3%, without a penalty within 5%."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Comparison:
    """One number of this report beside one of the seed report, or of the reference table measured with its method.

    Attributes
    ----------
    ours, low, high : this run's, and the range of the source; both ends are the same for an exact number.
    difference : of ours from the nearer end of the range, 0 within it.
    agrees : whether that is within the tolerance.
    """

    quantity: str
    source: str
    ours: float
    low: float
    high: float
    difference: float
    agrees: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class Findings(ReportFindings):
    """All results of a report. They are its JSON file."""

    gradients: Sequence[GradientCheck]
    penalised_gradient: GradientCheck
    in_order: RunNumbers
    shuffled: RunNumbers
    in_order_loss: LossCourse
    shuffled_loss: LossCourse
    holdout: Holdout
    spikes: Spikes | None
    fluctuation: Fluctuation | None
    softmax: Sequence[RunNumbers]
    softmax_loss: LossCourse
    gap: Gap
    weights: WeightComparison
    accuracy_trend: Trend
    costs: Sequence[Cost]
    norm_trend: Trend
    slopes: Slopes | None
    over_seeds: OverSeeds | None
    comparison: Sequence[Comparison]

    @property
    def plain(self) -> RunNumbers:
        """Softmax regression without a penalty."""
        return self.softmax[0]

    @classmethod
    def of(cls, runs: Runs, spikes: Spikes | None) -> Findings:
        """Compute everything but the spikes of the run in file order, which are found before all runs have ended."""
        options, dataset = runs.options, load_dataset(runs.options.dataset)
        in_order, shuffled = numbers_of(runs.in_order), numbers_of(runs.shuffled_by_seed[0])
        plain_run, strongest_run, *_ = runs.softmax_by_seed[0]
        softmax = [numbers_of(run) for run in runs.softmax_by_seed[0]]
        *gradients, penalised_gradient = check_gradients(options)
        by_penalty = [(run.l2_penalty, run) for run in softmax]
        plain = softmax[0]
        return cls(
            **cls.common(runs),
            gradients=gradients,
            penalised_gradient=penalised_gradient,
            in_order=in_order,
            shuffled=shuffled,
            in_order_loss=LossCourse.of(runs.in_order.curves),
            shuffled_loss=LossCourse.of(runs.shuffled_by_seed[0].curves),
            holdout=Holdout.of(runs.in_order, dataset),
            spikes=spikes,
            fluctuation=Fluctuation.of(runs.in_order.curves, runs.shuffled_by_seed[0].curves),
            softmax=softmax,
            softmax_loss=LossCourse.of(plain_run.curves),
            gap=Gap.of(plain_run.curves, n_train=plain.n_train, n_validation=plain.n_validation),
            weights=compare_weights(plain_run, strongest_run, dataset),
            accuracy_trend=Trend.of([(l2, run.last.validation_accuracy) for l2, run in by_penalty], ".2%"),
            costs=costs_of(softmax),
            norm_trend=Trend.of([(l2, run.norm) for l2, run in by_penalty], ".3f"),
            slopes=Slopes.of([(l2, run.norm) for l2, run in by_penalty]),
            over_seeds=over_seeds(runs) if options.seeds > 1 else None,
            comparison=compare(options, in_order, shuffled, softmax),
        )


def costs_of(softmax: Sequence[RunNumbers]) -> list[Cost]:
    """Return what each penalty costs against the first run, which has none."""
    plain = softmax[0].best
    return [
        Cost(
            l2_penalty=run.l2_penalty,
            validation=plain.validation_accuracy - run.best.validation_accuracy,
            train=plain.train_accuracy - run.best.train_accuracy,
        )
        for run in softmax[1:]
    ]


def over_seeds(runs: Runs) -> OverSeeds:
    """Compute what the runs say over several seeds."""
    in_order, *shuffled = [numbers_of(run) for run in (runs.in_order, *runs.shuffled_by_seed)]
    softmax = [[numbers_of(run) for run in seed] for seed in runs.softmax_by_seed]
    plain = [(seed[0], numbers[0]) for seed, numbers in zip(runs.softmax_by_seed, softmax, strict=True)]
    at_end: list[tuple[str, str, list[float]]] = [
        ("shuffled logistic regression: last step", ",.0f", [run.last.step for run in shuffled]),
        ("its lowest validation loss", ".4f", [run.best.validation_loss for run in shuffled]),
        ("its validation accuracy at the last check", ".2%", [run.last.validation_accuracy for run in shuffled]),
        (
            "softmax regression: validation loss at the last check",
            ".4f",
            [run.last.validation_loss for _, run in plain],
        ),
        ("its validation accuracy", ".2%", [run.last.validation_accuracy for _, run in plain]),
        ("its training accuracy", ".2%", [run.last.train_accuracy for _, run in plain]),
    ]
    norms: list[tuple[str, str, list[float]]] = [
        (f"norm of the last weights with λ = {group[0].l2_penalty:g}", ".4f", [run.norm for run in group])
        for group in zip(*softmax, strict=True)
    ]
    return OverSeeds(
        seeds=list(runs.options.all_seeds),
        in_order_epoch=in_order.last.epoch if in_order.stopped_early else None,
        stop_epochs=[run.last.epoch if run.stopped_early else None for run in shuffled],
        gaps=[
            Gap.of(run.curves, n_train=numbers.n_train, n_validation=numbers.n_validation).tests[-1]
            for run, numbers in plain
        ],
        costs=[CostOverSeeds.of(costs) for costs in zip(*map(costs_of, softmax), strict=True)],
        numbers=[(quantity, form, Spread.of(values)) for quantity, form, values in (*at_end, *norms)],
    )


def check_gradients(options: ReportOptions) -> list[GradientCheck]:
    """Check the gradients of tasks 1a, 1b and 4a."""
    dataset, largest = load_dataset(options.dataset), max(options.l2_penalties)
    return [
        *check_gradient(dataset, "logistic", seed=options.seed, classes=options.classes),
        *check_gradient(dataset, "softmax", l2_penalties=(0.0, largest), seed=options.seed),
    ]


def compare(
    options: ReportOptions, in_order: RunNumbers, shuffled: RunNumbers, softmax: Sequence[RunNumbers]
) -> list[Comparison]:
    """Compare the numbers of a report with the known ones, as far as its options are the same."""
    rows: list[Comparison] = []

    def row(
        quantity: str,
        ours: float,
        low: float,
        high: float | None = None,
        *,
        source: str = TABLE,
        tolerance: float,
    ) -> None:
        high = low if high is None else high
        difference = ours - min(max(ours, low), high)
        rows.append(
            Comparison(
                quantity=quantity,
                source=source,
                ours=ours,
                low=low,
                high=high,
                difference=difference,
                agrees=abs(difference) <= tolerance,
            )
        )

    if options.dataset == "mnist" and options.classes == (2, 3):
        last = in_order.last
        row("training images of 2 and 3", in_order.n_train, 4005, tolerance=0)
        row("validation images of 2 and 3", in_order.n_validation, 2042, tolerance=0)
        row("early stopping, epoch counted from 0", last.epoch, 33, source=SEED_REPORT, tolerance=0)
        row("early stopping, epoch counted from 1", last.epoch + 1, 34, source=SEED_REPORT, tolerance=0)
        row("validation loss at the stop", last.validation_loss, 0.0658, source=SEED_REPORT, tolerance=5e-5)
        row("step of early stopping", last.step, 1038, tolerance=0)
        row("validation loss at the stop", last.validation_loss, 0.06577, tolerance=5e-6)
        row("lowest validation loss", in_order.best.validation_loss, 0.06569, tolerance=5e-6)
        row("validation accuracy at the stop", last.validation_accuracy, 0.97943, tolerance=5e-6)
        row("training accuracy at the stop", last.train_accuracy, 0.97578, tolerance=5e-6)
        row("epoch of early stopping if shuffled", shuffled.last.epoch, 16, 36, tolerance=0)
    if options.dataset == "mnist":
        plain = softmax[0].last
        row("softmax: validation loss", plain.validation_loss, 0.297, 0.301, tolerance=0)
        row("softmax: validation accuracy", plain.validation_accuracy, 0.914, 0.918, tolerance=0)
        row("softmax: training accuracy", plain.train_accuracy, 0.922, 0.925, tolerance=0)
        for run in softmax:
            if known := _NORMS.get(run.l2_penalty):
                apart = 0.03 if run.l2_penalty else 0.05
                row(f"norm at λ = {run.l2_penalty:g}", run.norm, known, tolerance=apart * known)
    return rows


def compare_weights(plain: Run, penalised: Run, dataset: Dataset) -> WeightComparison:
    """Compare the weights of two runs; the first is trained again for as many steps as a shorter second one."""
    config = plain.job.config
    means, model = mean_images(dataset, config), config.build_model()

    def statistics(row: Floats) -> WeightStatistics:
        return WeightStatistics.of(model.tiles(row.astype(np.float64)), means)

    n_steps, n_plain_steps = (len(run.curves.train_loss) for run in (penalised, plain))
    as_long = weights_after(dataset, config, n_steps) if n_steps < n_plain_steps else plain.last
    return WeightComparison(
        l2_penalty=penalised.l2_penalty,
        n_steps=n_steps,
        n_plain_steps=n_plain_steps,
        penalised=statistics(penalised.last),
        plain=statistics(plain.last),
        plain_as_long=statistics(as_long),
    )


@lru_cache(4)
def weights_after(dataset: Dataset, config: TrainingConfig, n_steps: int) -> Floats:
    """Return the parameters of a run after so many steps, (n_parameters,), by training it again."""
    unchecked = replace(config, patience=None, checks_per_epoch=1)
    return train_stack([unchecked], split(dataset, unchecked), until_step=n_steps)[0].state.last


@lru_cache(4)
def mean_images(dataset: Dataset, config: TrainingConfig) -> Floats:
    """Return each digit's mean training image less the mean of all, (n_classes, n_pixels); it needs no run."""
    data = split(dataset, config)
    x = data.x_train[:, :-1]
    of_digits = [x[data.y_train == digit].mean(axis=0) for digit in range(config.task.n_classes)]
    means: Floats = np.array(of_digits) - x.mean(axis=0)
    return means
