"""Pictures of one job, of as far as it is. Each is prepared as a `Drawing`; all raise `JobNotFound` and `NoDataYet`."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import partial
from typing import Any, Literal, TypeAlias

from service.charts import ChartSize, accuracy_chart, loss_chart, weights_picture

from .drawing import Drawing, ImageFormat
from .jobs import Jobs

Chart: TypeAlias = Literal["loss", "accuracy"]

_CHARTS: Mapping[Chart, Callable[..., bytes]] = {"loss": loss_chart, "accuracy": accuracy_chart}


def curves(
    jobs: Jobs, job_id: str, chart: Chart, *, size: ChartSize | None = None, image_format: ImageFormat = "png"
) -> Drawing:
    """Prepare the loss or the accuracy over steps."""
    found, provenance, job = jobs.curves(job_id), jobs.provenance(job_id), jobs.get(job_id)
    words = {"title": f"{chart.capitalize()}: {job.name}", "caption": job.caption}
    draw = partial(_CHARTS[chart], found, size=size, image_format=image_format, provenance=provenance, **words)
    return Drawing(made_of=(chart, found, size, words, provenance), draw=draw)


def weights(jobs: Jobs, job_id: str, *, which: Literal["best", "last"] = "best", **style: Any) -> Drawing:
    """Prepare the weights of the newest checkpoint, in a style of `weights_picture`; always a PNG."""
    found = jobs.weights(job_id, which)
    provenance = {**jobs.provenance(job_id), "weights": which, "step": str(found.next_step - 1)}
    draw = partial(weights_picture, found.tiles, labels=found.labels, provenance=provenance, **style)
    return Drawing(made_of=(found.parameters, style, provenance), draw=draw)


def job_picture(
    jobs: Jobs, job_id: str, what: Chart | Literal["weights"], *, image_format: ImageFormat = "png"
) -> bytes:
    """Draw one of them in its usual form."""
    drawing = weights(jobs, job_id) if what == "weights" else curves(jobs, job_id, what, image_format=image_format)
    return drawing.draw()
