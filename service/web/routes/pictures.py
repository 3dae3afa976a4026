"""Pictures of a job, while it runs and after."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from functools import partial
from typing import Annotated, Literal, TypeAlias

from fastapi import Depends, Query
from starlette.requests import Request
from starlette.responses import Response

from service.bootstrap import Service
from service.charts import ChartSize, accuracy_chart, confusion_chart, loss_chart, weights_picture
from service.core import Ints
from service.web.dependencies import JobId, ServiceDep
from service.web.pictures import PNG, PNG_ANSWER, SVG, Picture, picture_answer
from service.web.routing import noun_router
from service.web.weights_style import WeightsStyleDep

router = noun_router("pictures")

ImageFormat: TypeAlias = Literal["png", "svg"]
Chart: TypeAlias = Literal["loss", "accuracy"]

_CHARTS: Mapping[Chart, Callable[..., bytes]] = {"loss": loss_chart, "accuracy": accuracy_chart}

CHART_ANSWER = {
    **PNG_ANSWER,
    200: {
        "description": "A PNG or SVG file.",
        "content": {**PNG_ANSWER[200]["content"], SVG: {"schema": {"type": "string"}}},
    },
}


async def _chart_size(
    width_px: Annotated[int, Query(ge=320, le=3840)] = 960,
    height_px: Annotated[int, Query(ge=240, le=2160)] = 600,
    dpi: Annotated[
        int | None, Query(ge=50, le=600, description="Pixels to an inch of type; not given: what suits the size.")
    ] = None,
) -> ChartSize:
    return ChartSize(width_px=width_px, height_px=height_px, dpi=dpi)


SizeDep = Annotated[ChartSize, Depends(_chart_size)]


@router.get("/jobs/{job_id}/loss.{image_format}", response_class=Response, responses=CHART_ANSWER)
async def loss_picture(
    job_id: JobId, image_format: ImageFormat, size: SizeDep, request: Request, service: ServiceDep
) -> Response:
    """Draw training and validation loss over steps, with the best check and an early stop marked."""
    return await picture_answer(request, partial(_chart, service, "loss", job_id, size, image_format))


@router.get("/jobs/{job_id}/accuracy.{image_format}", response_class=Response, responses=CHART_ANSWER)
async def accuracy_picture(
    job_id: JobId, image_format: ImageFormat, size: SizeDep, request: Request, service: ServiceDep
) -> Response:
    """Draw training and validation accuracy at every check."""
    return await picture_answer(request, partial(_chart, service, "accuracy", job_id, size, image_format))


@router.get("/jobs/{job_id}/weights.png", response_class=Response, responses=PNG_ANSWER)
async def weights_of_job(
    job_id: JobId,
    style: WeightsStyleDep,
    request: Request,
    service: ServiceDep,
    weights: Annotated[
        Literal["best", "last"], Query(description="Of the lowest validation loss so far, or the newest.")
    ] = "best",
) -> Response:
    """Draw the weights of the newest checkpoint: a 28x28 tile for each class, each weight a solid block."""

    def prepare() -> Picture:
        found = service.jobs.weights(job_id, weights)
        provenance = {**service.jobs.provenance(job_id), "weights": weights, "step": str(found.next_step - 1)}
        draw = partial(weights_picture, found.weights, labels=found.labels, provenance=provenance, **style.arguments)
        return Picture(made_of=(found.weights, style, provenance), draw=draw)

    return await picture_answer(request, prepare)


def confusion_picture(
    counts: Ints,
    labels: Sequence[str],
    *,
    title: str,
    of: str,
    size: ChartSize,
    image_format: ImageFormat,
    provenance: Mapping[str, str],
) -> Picture:
    """Prepare a table of confusions; ``of`` says which images they are, as in ``test images of mnist``."""
    n_right, n_images = int(counts.trace()), int(counts.sum())
    words = {"title": title, "caption": f"{n_right:,} of {n_images:,} {of} right: {n_right / n_images:.2%}"}
    draw = partial(
        confusion_chart, counts, labels, size=size, image_format=image_format, provenance=provenance, **words
    )
    media_type = SVG if image_format == "svg" else PNG
    return Picture(made_of=(counts, labels, size, words, provenance), draw=draw, media_type=media_type)


def _chart(service: Service, chart: Chart, job_id: str, size: ChartSize, image_format: ImageFormat) -> Picture:
    curves, provenance = service.jobs.curves(job_id), service.jobs.provenance(job_id)
    job = service.jobs.get(job_id)
    words = {"title": f"{chart.capitalize()}: {job.name}", "caption": job.caption}
    draw = partial(_CHARTS[chart], curves, size=size, image_format=image_format, provenance=provenance, **words)
    media_type = SVG if image_format == "svg" else PNG
    return Picture(made_of=(chart, curves, size, words, provenance), draw=draw, media_type=media_type)
