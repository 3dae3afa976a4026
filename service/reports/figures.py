"""The figures of a report, each with its caption and the runs that it shows."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from threading import Lock
from typing import Literal, TypeAlias

import numpy as np

from service import __version__
from service.charts import (
    ChartSize,
    Colours,
    Line,
    Provenance,
    accuracy_chart,
    batch_sheet,
    gap_chart,
    lines_chart,
    loss_chart,
    norms_chart,
    picture_svg,
    shuffle_chart,
    weights_grid,
)
from service.core import norm
from service.datasets import Images, load_dataset, split

from .findings import Findings
from .report import ReportOptions, Run, Runs
from .spikes import Spikes
from .wording import signed

FigureFormat: TypeAlias = Literal["png", "svg"]
Drawn: TypeAlias = Mapping[FigureFormat, bytes]
"""A figure in both formats."""

_SOFTMAX_AVERAGED = 50
_MAX_NAMED = 6
"""More runs than these are not named at a figure, since they would take more room than its caption."""
_SIZE = ChartSize(width_px=1440, height_px=864)


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Figure:
    """A figure in either format, drawn once; ``runs`` are the jobs that it shows.

    The text of the report has its ``caption``, and its ``course_name``: that of its file in the course's own code,
    empty if that draws none like it.
    """

    name: str
    runs: Sequence[Run]
    draw: Callable[[FigureFormat], bytes]
    caption: str = ""
    course_name: str = ""

    @property
    def provenance(self) -> str:
        """Its origin, in a line."""
        if len(self.runs) > _MAX_NAMED:
            return f"{self.name}: Inkling {__version__}, {len(self.runs)} of the jobs that are listed as sources"
        jobs = ", ".join(run.job.id for run in self.runs)
        return f"{self.name}: Inkling {__version__}, job{'s' if len(self.runs) > 1 else ''} {jobs}"


class Figures:
    """Figures of one report, collected by name."""

    def __init__(self, report_id: str, options: ReportOptions):
        self.made: dict[str, Figure] = {}
        self._report_id, self._quick = report_id, options.quick

    def add(self, name: str, runs: Sequence[Run], draw: Callable[..., Drawn]) -> None:
        """Add a figure drawn by ``draw(provenance=...)``."""
        provenance = {"report": self._report_id, "figure": name, **runs[0].provenance}
        if len(runs) > 1:
            provenance["jobs"] = ", ".join(run.job.id for run in runs)
            provenance["l2_penalty"] = ", ".join(dict.fromkeys(f"{run.l2_penalty:g}" for run in runs))
        if self._quick:
            provenance["quick"] = "fewer epochs"
        self.made[name] = Figure(name=name, runs=runs, draw=_once(partial(draw, provenance=provenance)))

    def add_chart(
        self,
        name: str,
        runs: Sequence[Run],
        chart: Callable[..., bytes],
        *values: object,
        title: str,
        note: str | None = None,
        **more: object,
    ) -> None:
        """Add a chart of these values with a title and a note below it, by default the caption of its first run."""
        text = (note or runs[0].job.caption) + ("; quick report, fewer epochs" if self._quick else "")
        self.add(name, runs, partial(_chart, chart, *values, title=title, caption=text, size=_SIZE, **more))

    def add_curves(self, loss: str, accuracy: str, run: Run, what: str, *, n_averaged: int = 10) -> None:
        """Add the loss, the training loss averaged over so many steps, and the accuracy of a run."""
        self.add_chart(loss, [run], loss_chart, run.curves, title=f"Loss: {what}", n_averaged=n_averaged)
        self.add_chart(accuracy, [run], accuracy_chart, run.curves, title=f"Accuracy: {what}")


def logistic_figures(runs: Runs, spikes: Spikes | None) -> dict[str, Figure]:
    """Return the figures of task 2 by name, without those that have nothing to show."""
    a, b = runs.options.classes
    figures = Figures(runs.report_id, runs.options)
    logistic = runs.in_order
    figures.add_curves("2b-loss", "2c-accuracy", logistic, f"logistic regression, {a} versus {b}")
    figures.add_chart(
        "2e-shuffle",
        [logistic, *runs.shuffled_by_seed],
        shuffle_chart,
        logistic.curves,
        runs.shuffled_by_seed[0].curves,
        title="Shuffle against no shuffle",
        note=f"logistic regression, {a} versus {b}; the runs differ only in the order of their images",
        first_spike=spikes.first_step if spikes else None,
        repeats=[run.curves for run in runs.shuffled_by_seed],
    )
    if spikes:
        accuracy, steps = np.array(spikes.replayed), np.arange(len(spikes.replayed))
        figures.add_chart(
            "2e-epoch",
            [logistic],
            lines_chart,
            [Line(label="validation accuracy after each step", steps=steps, values=accuracy)],
            title="One epoch, batch by batch",
            note=f"steps are counted from the start of the epoch; batch {spikes.batch} changes the accuracy by "
            f"{signed(spikes.change)} percentage points",
            metric="validation_accuracy",
        )
        images = _images_of(logistic, spikes.images)
        figures.add(
            "2e-batch",
            [logistic],
            partial(_pictures, batch_sheet, images, list(map(str, spikes.labels)), stand_out=spikes.wrong, upscale=3),
        )
    return figures.made


def softmax_figures(runs: Runs, findings: Findings) -> dict[str, Figure]:
    """Return the figures of tasks 3 and 4 by name."""
    figures = Figures(runs.report_id, runs.options)
    plain, strongest = runs.softmax_by_seed[0][:2]
    metric = "validation_accuracy"
    n_seeds = runs.options.seeds
    groups = list(zip(*runs.softmax_by_seed, strict=True))
    every = [run for seed in runs.softmax_by_seed for run in seed]
    model = plain.job.config.build_model()
    figures.add_curves("3b-loss", "3c-accuracy", plain, "softmax regression", n_averaged=_SOFTMAX_AVERAGED)
    figures.add_chart(
        "3d-gap",
        [seed[0] for seed in runs.softmax_by_seed],
        gap_chart,
        plain.curves,
        title="Overfitting",
        positive_from=findings.gap.positive_from,
        repeats=[seed[0].curves for seed in runs.softmax_by_seed],
    )
    tiles = [model.tiles(run.last) for run in (plain, strongest)]
    schemes: Mapping[str, Colours] = {"4b-weights": "grey", "4b-weights-colour": "diverging"}
    for name, colours in schemes.items():
        figures.add(
            name,
            [plain, strongest],
            partial(
                _pictures,
                weights_grid,
                tiles,
                row_captions=["λ = 0", f"λ = {strongest.l2_penalty:g}"],
                column_captions=model.tile_names(list(map(str, plain.job.config.classes))),
                scale="per_row",
                colours=colours,
                upscale=6,
            ),
        )
    figures.add_chart(
        "4c-accuracy",
        every,
        lines_chart,
        [
            Line.mean(
                f"{group[0].l2_penalty:g}",
                [(run.curves.check_steps, run.curves.checks[metric]) for run in group],
            )
            for group in reversed([*groups[1:], groups[0]])
        ],
        title="Accuracy under each L2 penalty",
        off_scale=0.0,
        coincide=True,
        note="softmax regression, batch order shared",
        swept="L2 penalty λ",
        batches_per_epoch=plain.curves.batches_per_epoch,
        metric=metric,
    )
    penalties = np.array(runs.options.l2_penalties)
    norms = np.array([[norm(run.last) for run in seed] for seed in runs.softmax_by_seed])
    band = f"smallest to largest of {n_seeds} seeds" if n_seeds > 1 else ""
    figures.add_chart(
        "4e-norms",
        every,
        norms_chart,
        penalties,
        norms.T,
        band=band,
        title="Weight norm against L2 penalty",
        note="last weights of each run",
    )
    if findings.slopes:
        figures.add_chart(
            "4e-slopes",
            every,
            norms_chart,
            penalties,
            norms[:1].T,
            title="Is the norm inversely proportional to the penalty?",
            note="last weights of each run",
            inverse=True,
        )
    return figures.made


def largest_weights(runs: Runs) -> tuple[float, ...]:
    """Return the largest absolute weights without a penalty and with the strongest one, bias row left out."""
    model = runs.softmax_by_seed[0][0].job.config.build_model()
    return tuple(float(np.abs(model.tiles(run.last)).max()) for run in runs.softmax_by_seed[0][:2])


def _images_of(run: Run, places: Sequence[int]) -> Images:
    """Return training images of a run, (n, 28, 28), by undoing the scaling to [-1, 1]."""
    config = run.job.config
    x = split(load_dataset(run.job.config.dataset), config).x_train[list(places), :-1]
    return config.build_model().scaling.invert(x).reshape(-1, *config.task.image_shape)


def _chart(chart: Callable[..., bytes], *values: object, **frame: object) -> Drawn:
    """Draw a chart in both formats, laid out once."""
    also: dict[FigureFormat, bytes] = {"png": b""}
    return {"svg": chart(*values, **frame, image_format="svg", also=also), **also}


def _pictures(picture: Callable[..., bytes], *values: object, provenance: Provenance, **style: object) -> Drawn:
    """Draw a picture that has no layout in both formats."""
    png = picture(*values, **style, provenance=provenance)
    return {"png": png, "svg": picture_svg(png, provenance)}


def _once(draw: Callable[[], Drawn]) -> Callable[[FigureFormat], bytes]:
    """Keep the drawn files; concurrent callers wait for the first one."""
    drawn: dict[FigureFormat, bytes] = {}
    drawing = Lock()

    def file(image_format: FigureFormat) -> bytes:
        with drawing:
            if not drawn:
                drawn.update(draw())
            return drawn[image_format]

    return file
