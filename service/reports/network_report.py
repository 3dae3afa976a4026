"""The report of the second assignment: networks with hidden layers, improved one thing at a time."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from service.charts import Line, layers_chart, lines_chart
from service.core import Floats, TrainingConfig, TrainingData, initial_state
from service.datasets import load_dataset, split

from .claims import Change, LossCourse
from .contents import Contents
from .figures import Figure, Figures
from .findings import GradientCheck, check_gradient
from .holdout import Holdout, choose_by_holdout
from .networks import COLUMNS, NETWORKS, values_of
from .report import ReportFindings, ReportOptions, Run, RunNumbers, Runs, numbers_of
from .seeds import ChangeOverSeeds, Spread
from .transfer import Transfer, drawn_images, other_writers, transfers

_FORMS = (",.0f", ".4f", ".4f", ".4f", ".4f")
"""Of `COLUMNS`, in tables."""

_CHECKED = (64,), (59, 59), (64,) * 10
_COMPARED = {
    "3": ("initialization, activation and momentum", ("uniform", "xavier", "improved", "momentum")),
    "4b": ("32, 64 and 128 units", ("32", "momentum", "128")),
    "4d": ("one and two hidden layers", ("momentum", "59-59")),
    "4e": ("one and ten hidden layers", ("momentum", "ten")),
    "4f": ("without and with augmentation", ("momentum", "augmented")),
}
"""By task: the title of its charts, and the runs in them."""

_HELD_OUT = "momentum"
"""The run that is trained again with a holdout as validation."""

_N_IMAGES = 1_000
"""So many training images make the gradients of which the norms are shown."""


@dataclass(frozen=True, slots=True, kw_only=True)
class NetworkFindings(ReportFindings):
    """All results of the report. They are its JSON file.

    Attributes
    ----------
    mean, deviation : of the pixels of the training images, 0 to 255.
    n_parameters, runs, courses : by the keys of `NETWORKS`.
    changes, over_seeds : by the key of the run with the change; the second is empty for one seed.
    spreads : of the numbers that `COLUMNS` names, by key, over the seeds; empty for one seed.
    layer_norms : of the gradient with respect to each layer's weights, in the network of ten layers.
    """

    mean: float
    deviation: float
    gradients: Sequence[GradientCheck]
    n_parameters: Mapping[str, int]
    runs: Mapping[str, RunNumbers]
    courses: Mapping[str, LossCourse]
    changes: Mapping[str, Change]
    over_seeds: Mapping[str, ChangeOverSeeds]
    spreads: Mapping[str, Sequence[Spread]]
    holdout: Holdout
    layer_norms: Mapping[str, Sequence[float]]
    transfers: Sequence[Transfer]

    @classmethod
    def of(cls, runs: Runs) -> NetworkFindings:
        """Compute everything."""
        options, dataset, by_key = runs.options, load_dataset(runs.options.dataset), runs.networks_by_seed[0]
        pixels = dataset.training.images[: by_key["uniform"].job.config.train_size]
        data = split(dataset, by_key["momentum"].job.config)  # all runs have these images
        curves = {key: run.curves for key, run in by_key.items()}
        by_seed = {
            key: [_columns(numbers_of(run)) for run in runs.by_seed(key)]
            for key in (NETWORKS if options.seeds > 1 else ())
        }
        return cls(
            **cls.common(runs),
            mean=float(pixels.mean()),
            deviation=float(pixels.std()),
            gradients=check_network_gradients(options),
            n_parameters={key: run.job.config.build_model().layout.size for key, run in by_key.items()},
            runs={key: numbers_of(run) for key, run in by_key.items()},
            courses={key: LossCourse.of(each) for key, each in curves.items()},
            changes={
                key: Change.of((NETWORKS[planned.beside].as_base, planned.title), curves[planned.beside], curves[key])
                for key, planned in NETWORKS.items()
                if planned.beside
            },
            over_seeds={
                key: _change_over_seeds(by_seed[NETWORKS[key].beside], rows)
                for key, rows in by_seed.items()
                if NETWORKS[key].beside
            },
            spreads={key: [Spread.of(values) for values in zip(*rows, strict=True)] for key, rows in by_seed.items()},
            holdout=Holdout.of(by_key[_HELD_OUT], dataset),
            layer_norms=_layer_norms(by_key["ten"], data),
            transfers=transfers(runs.by_seed("momentum"), runs.by_seed("augmented"), data),
        )


def _labels(keys: Sequence[str]) -> dict[str, str]:
    """Return the titles of runs that are compared; the last of task 3 is the network that later ones change."""
    return {key: NETWORKS[key].as_base if key == "momentum" != keys[-1] else NETWORKS[key].title for key in keys}


def _columns(numbers: RunNumbers) -> tuple[float, ...]:
    """Return the numbers that `COLUMNS` names."""
    last, lowest = numbers.last, numbers.best.validation_loss
    return numbers.last_step, last.validation_loss, last.validation_accuracy, lowest, last.train_accuracy


def _change_over_seeds(before: Sequence[tuple[float, ...]], after: Sequence[tuple[float, ...]]) -> ChangeOverSeeds:
    loss, accuracy = (
        Spread.of([a[column] - b[column] for b, a in zip(before, after, strict=True)])
        for column in map(COLUMNS.index, ("lowest validation loss", "validation accuracy"))
    )
    return ChangeOverSeeds(loss=loss, accuracy=accuracy)


def prepare_networks(options: ReportOptions) -> None:
    """Compute what needs no run of the report, which is then kept."""
    check_network_gradients(options)
    drawn_images()
    other_writers()
    config = TrainingConfig(**values_of(_HELD_OUT, options.seed, quick=options.quick))
    choose_by_holdout(load_dataset(options.dataset), config)


def check_network_gradients(options: ReportOptions) -> list[GradientCheck]:
    """Check the gradients of tasks 2b and 4c."""
    dataset = load_dataset(options.dataset)
    return [check_gradient(dataset, "softmax", seed=options.seed, hidden_layers=layers)[0] for layers in _CHECKED]


@dataclass(frozen=True, slots=True, kw_only=True)
class BesideStaff:
    """A number of a run beside that of the staff's code, and its spread if there are several seeds."""

    run: str
    quantity: str
    form: str
    ours: float
    staff: float
    spread: Spread | None

    @property
    def is_within(self) -> bool:
        """Whether that of the staff is within the range of the seeds."""
        return self.spread is not None and min(self.spread.values) <= self.staff <= max(self.spread.values)


def network_contents(runs: Runs) -> Contents:
    """Compute numbers and text; figures are drawn when their files are requested."""
    findings = NetworkFindings.of(runs)
    return Contents.of(
        runs,
        findings,
        _figures(runs, findings),
        titles={key: planned.title for key, planned in NETWORKS.items()},
        labels={number: list(_labels(keys).values()) for number, (_, keys) in _COMPARED.items()},
        configs={key: run.job.config for key, run in runs.networks_by_seed[0].items()},
        n_images=_N_IMAGES,
        beside_staff=_beside_staff(findings),
    )


def _beside_staff(findings: NetworkFindings) -> list[BesideStaff]:
    return [
        BesideStaff(run=planned.title, quantity=quantity, form=form, ours=ours, staff=staff, spread=spread)
        for key, planned in NETWORKS.items()
        for quantity, form, ours, staff, spread in zip(
            COLUMNS,
            _FORMS,
            _columns(findings.runs[key]),
            planned.staff,
            findings.spreads.get(key, [None] * len(COLUMNS)),
            strict=False,
        )
    ]


def _figures(runs: Runs, findings: NetworkFindings) -> dict[str, Figure]:
    figures = Figures(runs.report_id, runs.options)
    by_key = runs.networks_by_seed[0]
    first = by_key["uniform"]
    n_averaged = 10 if runs.options.quick else 100
    figures.add_curves("2c-loss", "2c-accuracy", first, "784-64-10", n_averaged=n_averaged)
    for number, (title, keys) in _COMPARED.items():
        for metric, noun in (("validation_loss", "loss"), ("validation_accuracy", "accuracy")):
            if metric == "validation_accuracy" and number not in ("3", "4f"):
                continue
            figures.add_chart(
                f"{number}-{noun}",
                [run for key in keys for run in runs.by_seed(key)],
                lines_chart,
                [
                    Line.mean(label, [(run.curves.check_steps, run.curves.checks[metric]) for run in runs.by_seed(key)])
                    for key, label in _labels(keys).items()
                ],
                title=f"Validation {noun}: {title}",
                note="shuffled, batches of 32",
                metric=metric,
                batches_per_epoch=first.curves.batches_per_epoch,
            )
    layers = np.arange(1, 1 + max(map(len, findings.layer_norms.values())))
    figures.add_chart(
        "4e-gradients",
        [by_key["ten"]],
        layers_chart,
        [Line(label=title, steps=layers, values=np.array(norms)) for title, norms in findings.layer_norms.items()],
        title="The gradient of each of ten hidden layers and the output",
        note="biases included",
        y_label="norm of the gradient",
    )
    return figures.made


def _layer_norms(run: Run, data: TrainingData) -> dict[str, list[float]]:
    config = run.job.config
    x, y = data.x_train[:_N_IMAGES], data.y_train[:_N_IMAGES]
    sigmoid = TrainingConfig.from_dict({**config.to_dict(), "activation": "sigmoid"})

    def norms(config: TrainingConfig, row: Floats) -> list[float]:
        model = config.build_model()
        gradient = model.loss_and_gradient(row[np.newaxis], x, y)[1][0]
        return [float(np.linalg.norm(each)) for each in model.layout.views(gradient).values()]

    return {
        "before training, with the plain sigmoid": norms(sigmoid, initial_state(sigmoid, sigmoid.build_model()).last),
        "before training, with the improved sigmoid": norms(config, initial_state(config, config.build_model()).last),
        "after training": norms(config, run.last),
    }
