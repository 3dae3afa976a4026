"""The report of the second assignment: networks with hidden layers, improved one thing at a time."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from service.charts import Line, accuracy_chart, layers_chart, lines_chart, loss_chart
from service.core import Floats, TrainingConfig, TrainingData, initial_state
from service.datasets import load_dataset, split

from .claims import Change, LossCourse
from .contents import SPREAD_CAPTION, Contents, Section, Table, sources, subtitle_of
from .derivations import BACKPROPAGATION
from .figures import Figure, Figures, mean_words
from .findings import GradientCheck, check_gradient
from .holdout import Holdout, choose_by_holdout
from .networks import COLUMNS, COMMON, NETWORKS, values_of
from .report import NetworkRuns, ReportFindings, ReportOptions, Run, RunNumbers, ended_at, numbers_of
from .seeds import ChangeOverSeeds, Spread
from .sentences import accuracy_sentence, early_stopping_sentences, gradient_sentence
from .transfer import Transfer, drawn_images, other_writers, transfers
from .wording import count, loss, percent, power, signed

_FORMS = (",.0f", ".4f", ".4f", ".4f", ".4f")
"""Of `COLUMNS`, in tables."""

_CHECKED = (64,), (59, 59), (64,) * 10
_CHANGES = (
    ("xavier", "uniform"),
    ("improved", "xavier"),
    ("momentum", "improved"),
    ("32", "momentum"),
    ("128", "momentum"),
    ("59-59", "momentum"),
    ("ten", "momentum"),
    ("augmented", "momentum"),
)
_CHANGED = {
    "xavier": "sigmoid units with Xavier initialization",
    "improved": "the improved sigmoid with Xavier initialization",
    "momentum": "64 units",
}
"""What the network of a run is, beside one that adds something else."""

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
    def of(cls, runs: NetworkRuns) -> NetworkFindings:
        """Compute everything."""
        options, dataset = runs.options, load_dataset(runs.options.dataset)
        pixels = dataset.training.images[: runs.by_key["uniform"].job.config.train_size]
        data = split(dataset, runs.by_key["momentum"].job.config)  # all runs have these images
        curves = {key: run.curves for key, run in runs.by_key.items()}
        by_seed = {
            key: [_columns(numbers_of(run)) for run in runs.by_seed(key)]
            for key in (NETWORKS if options.seeds > 1 else ())
        }
        return cls(
            **cls.common(runs, runs.all_runs),
            mean=float(pixels.mean()),
            deviation=float(pixels.std()),
            gradients=check_network_gradients(options),
            n_parameters={key: run.job.config.build_model().layout.size for key, run in runs.by_key.items()},
            runs={key: numbers_of(run) for key, run in runs.by_key.items()},
            courses={key: LossCourse.of(each) for key, each in curves.items()},
            changes={
                after: Change.of((_changed(before), NETWORKS[after].title), curves[before], curves[after])
                for after, before in _CHANGES
            },
            over_seeds={
                after: _change_over_seeds(by_seed[before], by_seed[after])
                for after, before in (_CHANGES if by_seed else ())
            },
            spreads={key: [Spread.of(values) for values in zip(*rows, strict=True)] for key, rows in by_seed.items()},
            holdout=Holdout.of(runs.by_key[_HELD_OUT], dataset),
            layer_norms=_layer_norms(runs.by_key["ten"], data),
            transfers=transfers(runs.by_seed("momentum"), runs.by_seed("augmented"), data),
        )


def _changed(key: str) -> str:
    return _CHANGED.get(key, NETWORKS[key].title)


def _title(key: str, *, beside: str) -> str:
    """Return the title of a run; the last of task 3 is the network that later ones change."""
    return "64 units" if key == "momentum" and beside not in ("improved", "momentum") else NETWORKS[key].title


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


def network_contents(runs: NetworkRuns) -> Contents:
    """Compute numbers and sentences; figures are drawn when their files are requested."""
    findings = NetworkFindings.of(runs)
    figures = _figures(runs, findings)
    answers = _answers(findings)
    tables = {"3": _table(findings, list(NETWORKS)), "5": _staff_table(findings)}
    sections = [
        Section(
            number=number,
            title=title,
            formulas=BACKPROPAGATION if number == "1" else (),
            sentences=answers[number],
            figures=[figure for name, figure in figures.items() if name.startswith(f"{number}-")],
            table=tables.get(number),
        )
        for number, title in _TITLES.items()
    ]
    epochs = findings.runs["momentum"].epochs_allowed
    n_train = findings.runs["momentum"].n_train
    return Contents(
        title=runs.options.title or "Networks with hidden layers on handwritten digits",
        byline=runs.options.byline,
        ended_at=ended_at(runs.all_runs),
        subtitle=subtitle_of(runs.options, findings),
        notice=f"Quick report: {epochs} epochs of {n_train:,} training images. Its numbers are not those of the full "
        "report."
        if runs.options.quick
        else "",
        findings=findings,
        # The first sentence of task 3 says what is added.
        key_sentences=[
            answers[task][1 if task == "3" else 0] for task in ("2a", "2b", "2c", "2d", "3", "4d", "4e", "4f")
        ],
        figures=figures,
        sections=[*sections, sources("6", runs.all_runs)],
    )


_TITLES = {
    "1": "Backpropagation",
    "2a": "Mean and deviation of the pixels",
    "2b": "Gradient check",
    "2c": "Loss and accuracy of 784-64-10",
    "2d": "Number of parameters",
    "3": "Initialization, activation and momentum, added one by one",
    "4a": "32 hidden units",
    "4b": "128 hidden units",
    "4c": "Gradient check for more layers",
    "4d": "Two layers of about as many parameters",
    "4e": "Ten layers",
    "4f": "A task of our own: augmentation",
    "5": "Comparison with the staff's code",
}


def _answers(findings: NetworkFindings) -> dict[str, list[str]]:
    first, deep, deepest = findings.gradients
    sizes = findings.n_parameters
    brought = {
        key: [*change.sentences, *([findings.over_seeds[key].sentence] if findings.over_seeds else [])]
        for key, change in findings.changes.items()
    }
    run, kept = findings.runs["uniform"], findings.holdout.sentences[0]
    one_seed = f" and seed {findings.options['seed']}" if findings.over_seeds else ""
    return {
        "1": [
            "For one image the derivative of the cross-entropy with respect to the logits is ŷ − y, as in softmax "
            "regression. The chain rule takes it back one layer at a time. With the images of a batch as rows, and a "
            "constant 1 as their last column, each step is one matrix product; training computes exactly these.",
        ],
        "2a": [
            f"The pixels of the {run.n_train:,} training images have a mean of {findings.mean:.2f} and a standard "
            f"deviation of {findings.deviation:.2f} (0 is black, 255 white). All runs scale pixels by those of all "
            "60,000 training images of MNIST, 33.318 and 78.567.",
        ],
        "2b": [gradient_sentence(first)],
        "2c": [*findings.courses["uniform"].sentences, accuracy_sentence(run), *early_stopping_sentences(run)],
        "2d": [
            f"The network 784-64-10 has 784 × 64 + 64 + 64 × 10 + 10 = {sizes['uniform']:,} parameters; without the 10 "
            f"biases of the output it would have {sizes['uniform'] - 10:,}."
        ],
        "3": [
            _what_is_added(),
            *(sentence for key in ("xavier", "improved", "momentum") for sentence in brought[key]),
            f"With all three{one_seed}, {kept[0].lower()}{kept[1:]}",
            findings.holdout.sentences[1],
        ],
        "4a": [f"This network has {sizes['32']:,} parameters instead of {sizes['momentum']:,}.", *brought["32"]],
        "4b": [f"This network has {sizes['128']:,} parameters instead of {sizes['momentum']:,}.", *brought["128"]],
        "4c": [gradient_sentence(deep), gradient_sentence(deepest)],
        "4d": [
            f"Two layers of 59 units have {sizes['59-59']:,} parameters, one of 64 has {sizes['momentum']:,}.",
            *brought["59-59"],
        ],
        "4e": [*brought["ten"], *_vanishing(findings.layer_norms)],
        "4f": [
            *brought["augmented"],
            *(found.sentence for found in findings.transfers),
            "Chance is judged by McNemar's exact test, from images that only one of the two runs classifies correctly.",
        ],
        "5": _beside_staff(findings),
    }


def _what_is_added() -> str:
    plain, last = ({**COMMON, **NETWORKS[key].values} for key in ("improved", "momentum"))
    return (
        "Uniform weights are drawn between −1 and 1; Xavier initialization draws those of a unit with n inputs from a "
        "normal distribution with mean 0 and variance 1/n. The improved sigmoid is 1.7159 tanh(2z/3). Momentum is "
        f"{last['momentum']:g}, and with it the learning rate is {last['learning_rate']:g} instead of "
        f"{plain['learning_rate']:g}."
    )


def _beside_staff(findings: NetworkFindings) -> list[str]:
    if findings.options["dataset"] != "mnist":
        return ["There are no numbers of the staff's code for this data set."]
    words = [
        "The staff's code was run once, with seed 1 of another random stream, so that its numbers and "
        "these need not be the same. It has no bias in its output, and draws those of the hidden units like weights; "
        "here all biases begin at 0."
    ]
    within = [
        _within(spread, staff)
        for key, spreads in findings.spreads.items()
        for staff, spread in zip(NETWORKS[key].staff, spreads, strict=False)
    ]
    if within:
        words.append(
            f"Of its {count(len(within), 'number')}, {sum(within)} {'is' if sum(within) == 1 else 'are'} within the "
            f"range of the {findings.options['seeds']} seeds."
        )
    if findings.options["quick"]:
        words.append("A quick report trains fewer epochs on fewer images, so differences are expected.")
    return words


def _within(spread: Spread, value: float) -> bool:
    return min(spread.values) <= value <= max(spread.values)


def _vanishing(norms: Mapping[str, Sequence[float]]) -> list[str]:
    found = []
    for title, each in norms.items():
        first, last = each[0], each[-1]
        if not first or not last:
            continue
        ratio = max(last / first, first / last)
        size = f"{ratio:.1f}" if ratio < 1000 else power(ratio)
        kind = "smaller" if first < last else "larger"
        words = f"the norm of the gradient is {size} times {kind} next to the pixels than at the output"
        found.append(f"{title[0].upper()}{title[1:]}, {words} ({_size(first)} and {_size(last)}).")
    return found


def _size(norm: float) -> str:
    return f"{norm:#.2g}" if norm >= 0.01 else power(norm)


def _figures(runs: NetworkRuns, findings: NetworkFindings) -> dict[str, Figure]:
    figures = Figures(runs.report_id, runs.options)
    first = runs.by_key["uniform"]
    figures.add_chart(
        "2c-loss",
        "Loss of the network 784-64-10 with a sigmoid and uniform initial weights.",
        [first],
        loss_chart,
        first.curves,
        title="Loss: 784-64-10",
        n_averaged=10 if runs.options.quick else 100,
    )
    figures.add_chart(
        "2c-accuracy",
        "Accuracy of the same run on all training and all validation images, at every check.",
        [first],
        accuracy_chart,
        first.curves,
        title="Accuracy: 784-64-10",
    )
    compared = {
        "3": ("initialization, activation and momentum", ("uniform", "xavier", "improved", "momentum")),
        "4b": ("32, 64 and 128 units", ("32", "momentum", "128")),
        "4d": ("one and two hidden layers", ("momentum", "59-59")),
        "4e": ("one and ten hidden layers", ("momentum", "ten")),
        "4f": ("without and with augmentation", ("momentum", "augmented")),
    }
    for number, (title, keys) in compared.items():
        for metric, noun in (("validation_loss", "loss"), ("validation_accuracy", "accuracy")):
            if metric == "validation_accuracy" and number not in ("3", "4f"):
                continue
            figures.add_chart(
                f"{number}-{noun}",
                f"Validation {noun} of the runs: {', '.join(_title(key, beside=keys[-1]) for key in keys)}."
                + mean_words(runs.options),
                [run for key in keys for run in runs.by_seed(key)],
                lines_chart,
                [
                    Line.mean(
                        _title(key, beside=keys[-1]),
                        [(run.curves.check_steps, run.curves.checks[metric]) for run in runs.by_seed(key)],
                    )
                    for key in keys
                ],
                title=f"Validation {noun}: {title}",
                note="shuffled, batches of 32",
                metric=metric,
                batches_per_epoch=first.curves.batches_per_epoch,
            )
    layers = np.arange(1, 1 + max(map(len, findings.layer_norms.values())))
    figures.add_chart(
        "4e-gradients",
        f"Norm of the gradient with respect to the weights of each layer, on {_N_IMAGES:,} training images.",
        [runs.by_key["ten"]],
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


def _table(findings: NetworkFindings, keys: Sequence[str]) -> Table:
    rows = []
    for key in keys:
        run = findings.runs[key]
        rows.append(
            (
                NETWORKS[key].title,
                f"{findings.n_parameters[key]:,}",
                f"{run.last_step:,}" + ("" if run.stopped_early else " (all)"),
                loss(run.best.validation_loss),
                loss(run.last.validation_loss),
                percent(run.last.validation_accuracy),
                percent(run.last.train_accuracy),
                signed(run.last.train_accuracy - run.last.validation_accuracy),
            )
        )
    return Table(
        caption="All runs. Loss and accuracies are of the last check, but for the lowest loss; the gap is in "
        "percentage points; (all) after a step: early stopping did not end the run.",
        head=("run", "parameters", "last step", "lowest loss", "loss", "accuracy", "training accuracy", "gap"),
        rows=rows,
    )


def _staff_table(findings: NetworkFindings) -> Table | None:
    if findings.options["dataset"] != "mnist":
        return None
    rows: list[tuple[str, ...]] = []
    for key, planned in NETWORKS.items():
        spreads = findings.spreads.get(key, [None] * len(COLUMNS))
        known = zip(COLUMNS, _FORMS, _columns(findings.runs[key]), spreads, planned.staff, strict=False)
        for column, form, mine, spread, staff in known:
            if spread:
                within = "yes" if _within(spread, staff) else "no"
                rows.append((planned.title, column, *spread.cells(form), format(staff, form), within))
            else:
                difference = (
                    f"{mine - staff:+{form}}".replace("-", "−") if format(mine, form) != format(staff, form) else "0"
                )
                rows.append((planned.title, column, format(mine, form), format(staff, form), difference))
    if findings.spreads:
        caption = (
            f"{SPREAD_CAPTION}, beside one run of the course staff's own code, and whether its number is in that range."
        )
        head: tuple[str, ...] = ("mean", "±", "smallest", "largest", "staff", "within")
    else:
        caption, head = (
            "Each run at its last check, but for the lowest loss, beside one run of the course staff's own code. "
            "Differences are rounded after subtracting.",
            ("this run", "staff", "difference"),
        )
    return Table(caption=caption, head=("run", "quantity", *head), rows=rows, n_words=2)
