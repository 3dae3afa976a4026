"""Pictures of jobs and of sweeps, of their results so far. All raise `JobNotFound`, and `NoDataYet` before a check."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import replace
from typing import Any, Literal, TypeAlias, TypedDict, Unpack

import numpy as np

from service.charts import (
    MEDIA_TYPES,
    ChartSize,
    Drawing,
    Line,
    accuracy_chart,
    heatmap_chart,
    lines_chart,
    loss_chart,
    norms_chart,
    weights_grid,
    weights_picture,
)
from service.core import HYPERPARAMETERS, METRICS
from service.errors import InvalidInput

from .jobs import Jobs
from .sweeps import Sweep, Sweeps

ImageFormat: TypeAlias = Literal["png", "svg"]
Chart: TypeAlias = Literal["loss", "accuracy"]

MAX_ROWS = 50
"""Rows of a picture of weights: a sweep may have twenty times as many members."""


class Form(TypedDict, total=False):
    """What a client may choose of every chart."""

    size: ChartSize | None
    image_format: ImageFormat


_CHARTS: Mapping[Chart, Callable[..., bytes]] = {"loss": loss_chart, "accuracy": accuracy_chart}
_NUMBERS = {row.name for row in HYPERPARAMETERS if row.kind in ("integer", "number")}


def prepare_job_curves(jobs: Jobs, job_id: str, chart: Chart, **form: Unpack[Form]) -> Drawing:
    """Prepare the loss or the accuracy over steps."""
    found, provenance, job = jobs.curves(job_id), jobs.provenance(job_id), jobs.get(job_id)
    words = {"title": f"{chart.capitalize()}: {job.config.name}", "caption": job.caption}
    return Drawing.of(_CHARTS[chart], found, provenance=provenance, **words, **form)


def prepare_job_weights(
    jobs: Jobs, job_id: str, *, which: Literal["best", "last"] = "best", layer: int = 1, **style: Any
) -> Drawing:
    """Prepare the weights of the newest checkpoint, in a style of `weights_picture`; always a PNG."""
    found = jobs.weights(job_id, which)
    provenance = {**jobs.provenance(job_id), "weights": which, "step": str(found.next_step - 1)}
    return Drawing.of(weights_picture, **found.pictures(layer), provenance=provenance, **style)


def prepare_job_gradient(jobs: Jobs, job_id: str, **style: Any) -> Drawing:
    """Prepare the gradient of the next step, drawn as the weights of the newest checkpoint are; always a PNG."""
    weights, gradient = jobs.gradient(job_id)
    provenance = {**jobs.provenance(job_id), "gradient": "of the next step", "step": str(weights.next_step)}
    drawn = {**weights.pictures(), "tiles": weights.model.tiles(gradient)}
    return Drawing.of(weights_picture, **drawn, provenance=provenance, **style)


def job_picture(
    jobs: Jobs, job_id: str, what: Chart | Literal["weights", "gradient"], *, image_format: ImageFormat = "png"
) -> bytes:
    """Draw one of them in its default form."""
    if what == "gradient":
        return prepare_job_gradient(jobs, job_id).draw()
    if what == "weights":
        return prepare_job_weights(jobs, job_id).draw()
    return prepare_job_curves(jobs, job_id, what, image_format=image_format).draw()


def sweep_picture(
    sweeps: Sweeps,
    sweep_id: str,
    what: Literal["accuracy", "norms", "heatmap", "weights"],
    *,
    image_format: ImageFormat = "png",
) -> bytes:
    """Draw one of those of a sweep in its default form."""
    if what == "weights":
        return prepare_sweep_weights(sweeps, sweep_id).draw()
    charts = {"accuracy": prepare_sweep_accuracy, "norms": prepare_sweep_norms, "heatmap": prepare_sweep_heatmap}
    return charts[what](sweeps, sweep_id, image_format=image_format).draw()


def prepare_sweep_accuracy(sweeps: Sweeps, sweep_id: str, **form: Unpack[Form]) -> Drawing:
    """Prepare a line for each member, or for members that differ only in their seed the mean with its range."""
    sweep = sweeps.get(sweep_id)
    provenance = sweeps.provenance(sweep)
    names = [name for name in _shown_names(sweep) if name != "seed"]
    metric = METRICS["validation_accuracy"]

    def draw() -> bytes:
        series = sweeps.series(sweep, metric.name)
        lines = []
        for values, members in sorted(sweep.grouped(names).items(), key=lambda group: _order(group[0])):
            repeats = [series[member.id] for member in members if member.id in series]
            if repeats:
                lines.append(Line.mean(", ".join(map(_text, values)) or metric.title, repeats))
        return lines_chart(
            lines,
            metric=metric.name,
            swept=", ".join(map(_words, names)),
            batches_per_epoch=sweep.batches_per_epoch,
            title=f"{metric.title.capitalize()}: {sweep.model_name}",
            caption=sweep.caption,
            provenance=provenance,
            **form,
        )

    checked = [(member.id, member.latest and member.latest.id) for member in sweep.members]
    media_type = MEDIA_TYPES[form.get("image_format", "png")]
    return Drawing(made_of=("accuracy", checked, form, sweep.caption, provenance), draw=draw, media_type=media_type)


def prepare_sweep_norms(
    sweeps: Sweeps, sweep_id: str, *, scale: Literal["log", "linear"] = "log", **form: Unpack[Form]
) -> Drawing:
    """Prepare the mean norm of last weights over the L2 penalty; raise `InvalidInput` if that is not in the grid."""
    sweep = sweeps.get(sweep_id)
    if "l2_penalty" not in sweep.grid:
        raise InvalidInput("The norms are drawn over l2_penalty, which is not in the grid of this sweep.")
    provenance = {**sweeps.provenance(sweep), "weights": "last"}
    norm_of = {m.id: norm for m, norm in zip(sweep.members, sweeps.norms(sweep), strict=True)}
    norms = {
        penalty: [norm for member in members if (norm := norm_of[member.id]) is not None]
        for (penalty,), members in sweep.grouped(["l2_penalty"]).items()
    }
    norms = {penalty: found for penalty, found in norms.items() if found}
    others = [name for name in sweep.varied if name != "l2_penalty"]
    n_repeats = len(sweep.members) // len(sweep.grid["l2_penalty"])
    band = f"mean of {n_repeats} {'seeds' if others == ['seed'] else 'members'}, bars from min to max"
    return Drawing.of(
        norms_chart,
        [*norms],
        [*norms.values()],
        band=band if others else "",
        scale=scale,
        title=f"Weight norm: {sweep.model_name}",
        caption=sweep.caption,
        provenance=provenance,
        **form,
    )


def prepare_sweep_heatmap(
    sweeps: Sweeps, sweep_id: str, *, metric: str = "validation_loss", **form: Unpack[Form]
) -> Drawing:
    """Prepare a cell for each pair of two numbers, the mean over seeds; raise `InvalidInput` unless just two vary."""
    sweep = sweeps.get(sweep_id)
    axes = list(sweep.varied)
    if len(axes) > 2 and "seed" in axes:
        axes.remove("seed")
    values_of = {name: sorted(sweep.grid[name], key=lambda value: _order([value])) for name in axes}
    if len(axes) != 2 or not _NUMBERS.issuperset(axes) or any(None in values for values in values_of.values()):
        raise InvalidInput("A heat map needs a grid of two numbers with several values each, besides the seed.")
    provenance = {**sweeps.provenance(sweep), "metric": metric}
    x, y = axes
    cells = np.full((len(values_of[y]), len(values_of[x])), np.nan)
    for (x_value, y_value), members in sweep.grouped(axes).items():
        found = [value for member in members if (value := member.metric(metric)) is not None]
        if found:
            cells[values_of[y].index(y_value), values_of[x].index(x_value)] = np.mean(found)
    seeds = f", mean of {len(sweep.grid['seed'])} seeds" if len(sweep.varied) > 2 else ""
    return Drawing.of(
        heatmap_chart,
        _words(x),
        values_of[x],
        _words(y),
        values_of[y],
        cells,
        metric=metric,
        title=f"{METRICS[metric].title.capitalize()}: {sweep.model_name}",
        caption=f"each at its best check{seeds}; {sweep.caption}",
        provenance=provenance,
        **form,
    )


def prepare_sweep_weights(
    sweeps: Sweeps,
    sweep_id: str,
    *,
    which: Literal["best", "last"] = "best",
    rank_by: str = "validation_loss",
    limit: int = MAX_ROWS,
    **style: Any,
) -> Drawing:
    """Prepare the best members' weights, a row each in grid order; raise `InvalidInput` if classes differ."""
    sweep = sweeps.get(sweep_id)
    if len(sweep.grouped(["model", "classes"])) > 1:
        raise InvalidInput("The members have different classes, so their weights have no common columns.")
    provenance = {**sweeps.provenance(sweep), "weights": which}
    chosen = {member.id for member in sweep.ranked(rank_by)[:limit]}
    sweep = replace(sweep, members=tuple(member for member in sweep.members if member.id in chosen))
    found = [
        (member, tiles)
        for member, tiles in zip(sweep.members, sweeps.tiles(sweep, which), strict=True)
        if tiles is not None
    ]
    names = _shown_names(sweep)
    return Drawing.of(
        weights_grid,
        [tiles for _, tiles in found],
        row_captions=[
            ", ".join(f"{_words(name)} {_text(getattr(member.config, name))}" for name in names) for member, _ in found
        ],
        column_captions=sweeps.tile_names(sweep),
        provenance=provenance,
        **style,
    )


def _shown_names(sweep: Sweep) -> Sequence[str]:
    return sweep.varied or tuple(sweep.grid)


def _order(values: Iterable[Any]) -> list[tuple[bool, Any]]:
    """Return a sort key of hyperparameters' values; None comes last."""
    return [(value is None, 0 if value is None else value) for value in values]


def _words(name: str) -> str:
    return "L2 " + name[3:] if name.startswith("l2_") else name.replace("_", " ")


def _text(value: Any) -> str:
    match value:
        case None:
            return "none"
        case bool():
            return "yes" if value else "no"
        case tuple():
            return " ".join(map(str, value)) or "none"
        case float():
            return f"{value:.10g}"
        case _:
            return str(value)
