"""The past of a job: its weights at each check, and what they say of the validation images."""

from __future__ import annotations

from functools import partial
from typing import Annotated

from anyio.to_thread import run_sync
from fastapi import Path, Query
from starlette.requests import Request
from starlette.responses import JSONResponse, Response

from service.bootstrap import Service
from service.charts import weights_picture
from service.jobs.drawing import ImageFormat
from service.web import answers
from service.web.dependencies import JobId, ServiceDep
from service.web.pictures import PNG_ANSWER, Picture, entity_tag, is_known, picture_answer
from service.web.routing import noun_router
from service.web.weights_style import WeightsStyleDep

from .pictures import CHART_ANSWER, SizeDep, confusion_picture

router = noun_router("snapshots")

BINARY = "application/octet-stream"
STEPS = "Snapshot-Steps"

_MAX_STEP = 2**31 - 1
_FLOATS = {"content": {BINARY: {"schema": {"type": "string", "format": "binary"}}}}

Step = Annotated[int, Path(ge=0, le=_MAX_STEP, description="One of those that the list has.")]


@router.get("/jobs/{job_id}/snapshots", responses={200: {"model": answers.SnapshotList}})
def list_snapshots(job_id: JobId, service: ServiceDep) -> Response:
    """List the weights that were kept of a job, while it runs too.

    At every check up to 256; of a longer run every second one is dropped whenever there are more, so that there are
    always 129 to 256, evenly spread. Of a sweep's member 16 at most. They are deleted with the job.
    """
    return JSONResponse(service.snapshots.list(job_id).to_dict())


@router.get(
    "/jobs/{job_id}/snapshots/weights.f32",
    response_class=Response,
    responses={
        200: {
            **_FLOATS,
            "description": "Little-endian float32, (n_snapshots, 785, n_outputs), without a header.",
            "headers": {STEPS: {"description": "The step of each, with commas.", "schema": {"type": "string"}}},
        },
        304: {"description": "The client's copy, named by `If-None-Match`, is up to date."},
    },
)
async def weights_of_snapshots(
    job_id: JobId,
    request: Request,
    service: ServiceDep,
    since: Annotated[int, Query(ge=-1, le=_MAX_STEP, description="Only those after this step; -1 is all.")] = -1,
) -> Response:
    """Return the weights of all snapshots at once, to move through them without asking again: 31 kB each."""
    steps, weights = await run_sync(partial(service.snapshots.file, job_id, since=since))
    tag = entity_tag(job_id, since, steps)
    headers = {"ETag": tag, "Cache-Control": "no-cache", STEPS: ",".join(map(str, steps))}
    if is_known(request, tag):
        return Response(status_code=304, headers=headers)
    return Response(weights, headers=headers, media_type=BINARY)


@router.get("/jobs/{job_id}/snapshots/{step}/weights.png", response_class=Response, responses=PNG_ANSWER)
async def weights_of_snapshot(
    job_id: JobId, step: Step, style: WeightsStyleDep, request: Request, service: ServiceDep
) -> Response:
    """Draw the weights of a snapshot, as those of a job."""

    def prepare() -> Picture:
        found = service.snapshots.weights(job_id, step)
        provenance = _provenance(service, job_id, step)
        draw = partial(weights_picture, found.weights, labels=found.labels, provenance=provenance, **style.arguments)
        return Picture(made_of=(found.weights, style, provenance), draw=draw)

    return await picture_answer(request, prepare)


@router.get("/jobs/{job_id}/snapshots/{step}/confusion", responses={200: {"model": answers.SnapshotConfusion}})
def confusion_of_snapshot(job_id: JobId, step: Step, service: ServiceDep) -> Response:
    """Tell which validation images the weights of a snapshot take for which class."""
    return JSONResponse(service.snapshots.confusion(job_id, step).to_dict())


@router.get("/jobs/{job_id}/snapshots/{step}/confusion.{image_format}", response_class=Response, responses=CHART_ANSWER)
async def confusion_picture_of_snapshot(
    *, job_id: JobId, step: Step, image_format: ImageFormat, size: SizeDep, request: Request, service: ServiceDep
) -> Response:
    """Draw which validation images the weights of a snapshot take for which class."""

    def prepare() -> Picture:
        found = service.snapshots.confusion(job_id, step)
        return confusion_picture(
            found.counts,
            found.class_names,
            title=f"Confusion: {found.job.name}, step {step:,}",
            of="validation images",
            size=size,
            image_format=image_format,
            provenance=_provenance(service, job_id, step),
        )

    return await picture_answer(request, prepare)


def _provenance(service: Service, job_id: str, step: int) -> dict[str, str]:
    return {**service.jobs.provenance(job_id), "weights": "snapshot", "step": str(step)}
