"""The past of a job: its weights at each check, and what they predict of the validation images."""

from typing import Annotated, Any

from fastapi import Path
from pydantic import Field

from service.bootstrap import Service
from service.charts import Drawing, weights_picture
from service.core import Operation
from service.jobs import Confusion, ImageFormat
from service.web.access_control import READ
from service.web.pictures import (
    BYTES,
    CHART_ANSWER,
    PNG_ANSWER,
    ChartParameters,
    LayerPictureParameters,
    confusion_drawing,
    file_answer,
)
from service.web.requests import DECIMAL, WHOLE, JobId, ServiceDep
from service.web.routing import Answer, noun_router

from .models import Tensor

router = noun_router("snapshots")

STEPS = "Snapshot-Steps"

_MAX_STEP = 2**31 - 1
_WEIGHTS_ANSWER: dict[str, Any] = file_answer("Little-endian float32, (n_snapshots, *shape), without a header.", BYTES)
_WEIGHTS_ANSWER["responses"][200]["headers"] = {
    STEPS: {"description": "The step of each, with commas.", "schema": {"type": "string"}}
}

Step = Annotated[int, Path(ge=0, le=_MAX_STEP, description="One of those that the list has."), DECIMAL]


class Snapshot(Answer):
    """Weights that were kept at a check."""

    step: int
    epoch: int
    check: int = Field(description="The id of the check that found them so good.")


class SnapshotList(Answer):
    """The snapshots of a job, the oldest first."""

    job: str
    every_checks: int = Field(description="One is kept every so many checks: 1, 2, 4 and so on.")
    max_snapshots: int = Field(
        description="As many are kept at most: 256 of a job, 16 of a sweep's member, none of a verification."
    )
    shape: list[int] = Field(
        description="Of each: of one matrix [n_inputs, n_outputs], the bias in its last row; else [n_parameters]."
    )
    tensors: list[Tensor] = Field(description="What each is made of, one after the other, row after row.")
    operations: list[Operation] = Field(description="The steps from grey levels to probabilities.")
    outputs: list[str] = Field(description="What each output is for.")
    snapshots: list[Snapshot]


Since = Annotated[int, Field(ge=-1, le=_MAX_STEP, description="Only those after this step; -1 is all."), WHOLE]


@router.get("/jobs/{job_id}/snapshots", dependencies=[READ], response_model=SnapshotList)
def list_snapshots(job_id: JobId, service: ServiceDep) -> Any:
    """List the weights that were kept of a job, while it runs too.

    At every check up to 256; of a longer run every second one is dropped whenever there are more, so that there are
    always 129 to 256, evenly spread. Of a sweep's member 16 at most. They are deleted with the job.
    """
    return service.snapshots.list(job_id)


@router.get("/jobs/{job_id}/snapshots/weights.f32", dependencies=[READ], **_WEIGHTS_ANSWER)
def weights_of_snapshots(job_id: JobId, service: ServiceDep, since: Since = -1) -> Drawing:
    """Return the weights of all snapshots at once, to move through them without asking again: 31 kB each."""
    steps, weights = service.snapshots.file(job_id, since=since)
    headers = ((STEPS, ",".join(map(str, steps))),)
    return Drawing(made_of=(job_id, since, steps), draw=lambda: weights, media_type=BYTES, headers=headers)


@router.get("/jobs/{job_id}/snapshots/{step}/weights.png", dependencies=[READ], **PNG_ANSWER)
def weights_of_snapshot(job_id: JobId, step: Step, query: LayerPictureParameters, service: ServiceDep) -> Drawing:
    """Draw the weights of a snapshot, as those of a job."""
    found, provenance = service.snapshots.weights(job_id, step), _provenance(service, job_id, step)
    drawn = {**found.pictures(query.layer), **query.style}
    return Drawing.of(weights_picture, **drawn, provenance=provenance)


@router.get("/jobs/{job_id}/snapshots/{step}/confusion", dependencies=[READ])
def confusion_of_snapshot(job_id: JobId, step: Step, service: ServiceDep) -> Confusion:
    """Return how many validation images of each class the weights of a snapshot predict as which class."""
    return service.snapshots.confusion(job_id, step)


@router.get("/jobs/{job_id}/snapshots/{step}/confusion.{image_format}", dependencies=[READ], **CHART_ANSWER)
def confusion_picture_of_snapshot(
    job_id: JobId, step: Step, image_format: ImageFormat, query: ChartParameters, service: ServiceDep
) -> Drawing:
    """Draw the confusion matrix of the validation images under the weights of a snapshot."""
    found = service.snapshots.weights(job_id, step)
    return confusion_drawing(
        service.snapshots.confusion(job_id, step).confusion,
        found.class_names,
        title=f"Confusion: {found.job.name}, step {step:,}",
        of="validation images",
        provenance=_provenance(service, job_id, step),
        **query.form(image_format),
    )


def _provenance(service: Service, job_id: str, step: int) -> dict[str, str]:
    return {**service.jobs.provenance(job_id), "weights": "snapshot", "step": str(step)}
