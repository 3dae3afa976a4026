"""The figures of a report, each with its caption and the runs that it shows."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from threading import Lock
from typing import Literal, TypeAlias

import numpy as np

from service import __version__
from service.charts import (
    ChartSize,
    Line,
    accuracy_chart,
    batch_sheet,
    gap_chart,
    lines_chart,
    loss_chart,
    norms_chart,
    shuffle_chart,
    weights_grid,
)
from service.core import N_PIXELS
from service.datasets import Images, load_dataset, split

from .findings import Findings
from .report import ReportOptions
from .runs import LogisticRuns, Run, Runs, numbers_of
from .sentences import signed
from .spikes import Spikes

FigureFormat: TypeAlias = Literal["png", "svg"]

_SIZE = ChartSize(width_px=1440, height_px=864)


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Figure:
    """A figure in either format, drawn once; ``runs`` are the jobs that it shows."""

    name: str
    caption: str
    runs: Sequence[Run]
    draw: Callable[[FigureFormat], bytes]

    @property
    def provenance(self) -> str:
        """Its origin, in a line."""
        jobs = ", ".join(run.job.id for run in self.runs)
        return f"{self.name}: Inkling {__version__}, job{'s' if len(self.runs) > 1 else ''} {jobs}"


class _Figures:
    """Figures of one report, collected by name."""

    def __init__(self, report_id: str, options: ReportOptions):
        self.made: dict[str, Figure] = {}
        self._report_id, self._quick = report_id, options.quick

    def add(
        self, name: str, caption: str, shown: Sequence[Run], chart: Callable[..., bytes], *arguments: object
    ) -> None:
        """Add a figure that ``chart`` draws of these arguments."""
        provenance = {"report": self._report_id, "figure": name, **shown[0].provenance}
        if len(shown) > 1:
            provenance["jobs"] = ", ".join(run.job.id for run in shown)
            provenance["l2_penalty"] = ", ".join(dict.fromkeys(f"{run.l2_penalty:g}" for run in shown))
        if self._quick:
            provenance["quick"] = "fewer epochs"
        draw = _once(lambda image_format: chart(*arguments, image_format=image_format, provenance=provenance))
        self.made[name] = Figure(name=name, caption=caption, runs=shown, draw=draw)

    def charted(self, chart: Callable[..., bytes], title: str, caption: str, **more: object) -> Callable[..., bytes]:
        """Return a chart of the size that all have, marked if the report is a quick one."""
        mark = "; quick report, fewer epochs" if self._quick else ""
        return partial(chart, title=title, caption=caption + mark, size=_SIZE, **more)


def logistic_figures(runs: LogisticRuns, spikes: Spikes | None) -> dict[str, Figure]:
    """Return the figures of task 2 by name, without those that have nothing to show."""
    a, b = runs.options.classes
    figures = _Figures(runs.report_id, runs.options)
    add, charted = figures.add, figures.charted
    logistic, numbers = runs.in_order, numbers_of(runs.in_order)
    add(
        "2b-loss",
        f"Loss of logistic regression, {a} versus {b}, in file order. The training loss is that of each batch before "
        "its step, averaged; the validation loss is that of all validation images.",
        [logistic],
        charted(loss_chart, f"Loss: logistic regression, {a} versus {b}", logistic.job.caption),
        logistic.curves,
    )
    add(
        "2c-accuracy",
        f"Accuracy of the same run on all {numbers.n_train:,} training and all "
        f"{numbers.n_validation:,} validation images, at every check.",
        [logistic],
        charted(accuracy_chart, f"Accuracy: logistic regression, {a} versus {b}", logistic.job.caption),
        logistic.curves,
    )
    first_spike = spikes.first_step if spikes else None
    add(
        "2e-shuffle",
        "Validation accuracy of two runs that differ only in the order of their images."
        + (f" Triangles: the checks that follow batch {spikes.checked_batch} of an epoch." if spikes else ""),
        [logistic, runs.shuffled],
        charted(shuffle_chart, "Shuffle against no shuffle", logistic.job.caption, first_spike=first_spike),
        logistic.curves,
        runs.shuffled.curves,
    )
    if spikes:
        line = Line(
            label="validation accuracy after each step",
            steps=np.arange(len(spikes.replayed)),
            values=np.array(spikes.replayed),
        )
        add(
            "2e-epoch",
            "One more epoch in file order, trained from the last weights and checked after every step instead of "
            f"every {spikes.check_interval}: what each batch does to the validation accuracy.",
            [logistic],
            charted(
                lines_chart,
                "One epoch, batch by batch",
                f"steps are counted from the start of the epoch; batch {spikes.batch} changes the accuracy by "
                f"{signed(spikes.change)} percentage points",
                y_label="validation accuracy",
                y_bounds=(0.0, 1.0),
            ),
            [line],
        )
        images = _images_of(logistic, spikes.images)
        add(
            "2e-batch",
            f"The {len(images)} images of batch {spikes.batch}, in their order. Framed: those that the weights before "
            "this batch misclassify.",
            [logistic],
            partial(batch_sheet, stand_out=spikes.wrong, upscale=2),
            images,
            [str(label) for label in spikes.labels],
        )
    return figures.made


def softmax_figures(runs: Runs, findings: Findings) -> dict[str, Figure]:
    """Return the figures of tasks 3 and 4 by name."""
    figures = _Figures(runs.report_id, runs.options)
    add, charted = figures.add, figures.charted
    plain = runs.plain
    add(
        "3b-loss",
        "Loss of softmax regression over all ten digits, shuffled, without a penalty.",
        [plain],
        charted(loss_chart, "Loss: softmax regression", plain.job.caption),
        plain.curves,
    )
    add(
        "3c-accuracy",
        "Accuracy of the same run on all training and all validation images, at every check.",
        [plain],
        charted(accuracy_chart, "Accuracy: softmax regression", plain.job.caption),
        plain.curves,
    )
    add(
        "3d-gap",
        "Training accuracy minus validation accuracy of the same run.",
        [plain],
        charted(gap_chart, "Overfitting", plain.job.caption, grows_from=findings.overfitting.grows_from),
        plain.curves,
    )
    strongest = runs.softmax[1]
    add(
        "4b-weights",
        f"Weights of the last step without a penalty and with λ = {strongest.l2_penalty:g}, a tile for each digit. Red "
        "is positive, blue negative, white 0; each row has its own scale, since the second row is "
        f"{findings.plain.norm / findings.softmax[1].norm:.1f} times smaller in norm.",
        [plain, strongest],
        partial(
            weights_grid,
            row_captions=["L2 0", f"L2 {strongest.l2_penalty:g}"],
            column_captions=plain.job.config.output_names,
            scale="per_row",
            upscale=4,
        ),
        [plain.last, strongest.last],
    )
    lines = [
        Line(label=f"{run.l2_penalty:g}", steps=run.curves.check_steps, values=run.curves.validation_accuracy)
        for run in runs.softmax
    ]
    add(
        "4c-accuracy",
        "Validation accuracy of softmax regression under each penalty. The runs share every batch and were trained as "
        "one stack.",
        runs.softmax,
        charted(
            lines_chart,
            "Accuracy under each L2 penalty",
            "softmax regression, batch order shared",
            y_label="validation accuracy",
            y_bounds=(0.0, 1.0),
            swept="L2 penalty λ",
            batches_per_epoch=plain.curves.batches_per_epoch,
        ),
        lines,
    )
    add(
        "4e-norms",
        "Frobenius norm of the last weights, bias row included, over the penalty.",
        runs.softmax,
        charted(norms_chart, "Weight norm against L2 penalty", "last weights of each run"),
        np.array([number.l2_penalty for number in findings.softmax]),
        np.array([number.norm for number in findings.softmax]),
    )
    return figures.made


def _images_of(run: Run, places: Sequence[int]) -> Images:
    """Return training images of a run, (n, 28, 28), by undoing the scaling to [-1, 1]."""
    x = split(load_dataset(run.job.dataset), run.job.config).x_train[list(places), :N_PIXELS]
    images: Images = np.rint((x + 1) * 127.5).astype(np.uint8).reshape(-1, 28, 28)
    return images


def _once(draw: Callable[[FigureFormat], bytes]) -> Callable[[FigureFormat], bytes]:
    """Keep the drawn files; concurrent callers wait for the first one."""
    drawn: dict[FigureFormat, bytes] = {}
    drawing = Lock()

    def file(image_format: FigureFormat) -> bytes:
        with drawing:
            if image_format not in drawn:
                drawn[image_format] = draw(image_format)
            return drawn[image_format]

    return file
