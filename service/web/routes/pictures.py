"""Pictures of a job, while it runs and after."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from functools import partial
from typing import Annotated, Literal

from fastapi import Depends, Query
from starlette.requests import Request
from starlette.responses import Response

from service.charts import ChartSize, confusion_chart
from service.core import Ints
from service.jobs import job_pictures
from service.jobs.drawing import Drawing, ImageFormat
from service.web.dependencies import JobId, ServiceDep
from service.web.pictures import PNG, PNG_ANSWER, SVG, Picture, picture_answer
from service.web.routing import noun_router
from service.web.weights_style import WeightsStyleDep

router = noun_router("pictures")

MEDIA_TYPES: Mapping[ImageFormat, str] = {"png": PNG, "svg": SVG}

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
    prepare = partial(job_pictures.curves, service.jobs, job_id, "loss", size=size, image_format=image_format)
    return await drawing_answer(request, prepare, image_format)


@router.get("/jobs/{job_id}/accuracy.{image_format}", response_class=Response, responses=CHART_ANSWER)
async def accuracy_picture(
    job_id: JobId, image_format: ImageFormat, size: SizeDep, request: Request, service: ServiceDep
) -> Response:
    """Draw training and validation accuracy at every check."""
    prepare = partial(job_pictures.curves, service.jobs, job_id, "accuracy", size=size, image_format=image_format)
    return await drawing_answer(request, prepare, image_format)


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
    prepare = partial(job_pictures.weights, service.jobs, job_id, which=weights, **style.arguments)
    return await drawing_answer(request, prepare)


async def drawing_answer(
    request: Request, prepare: Callable[[], Drawing], image_format: ImageFormat = "png"
) -> Response:
    """Answer with a picture of a job or a sweep, as `picture_answer` does."""

    def prepared() -> Picture:
        drawing = prepare()
        return Picture(made_of=drawing.made_of, draw=drawing.draw, media_type=MEDIA_TYPES[image_format])

    return await picture_answer(request, prepared)


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
    made_of = counts, labels, size, words, provenance
    return Picture(made_of=made_of, draw=draw, media_type=MEDIA_TYPES[image_format])
