"""Training jobs: submit, look, follow, pause, cancel, resume, verify, delete; and their pictures at any time."""

import re
from typing import Annotated, Any, Literal

from anyio.to_thread import run_sync
from fastapi import Header
from pydantic import Field
from starlette.responses import Response, StreamingResponse

from service.bootstrap import Service
from service.charts import Drawing
from service.errors import MalformedInput
from service.jobs import (
    DEFAULT_POINTS,
    MAX_POINTS,
    ImageFormat,
    Job,
    JobState,
    LayerNumbers,
    LayerValues,
    RecordedCheck,
    prepare_job_curves,
    prepare_job_gradient,
    prepare_job_weights,
)
from service.web import requests
from service.web.access_control import READ, TRAIN, client_of
from service.web.events import END_ID, EventStream
from service.web.pictures import (
    CHART_ANSWER,
    PNG_ANSWER,
    BestOrLast,
    ChartParameters,
    Layer,
    LayerPictureParameters,
    WeightsParameters,
)
from service.web.requests import MAX_EVENT_ID, IdempotencyKey, JobId, Parameters, SearchedPage, ServiceDep
from service.web.routing import CSV, CSV_CONTENT, Answer, BoundedRequest, JsonAnswer, NextPage, answer, noun_router

router = noun_router("jobs")
pictures = noun_router("pictures")

_STREAM: dict[int | str, dict[str, Any]] = {
    200: {
        "description": "`event: state` and `event: check`, each with its id; after the final state `event: end`.",
        "content": {EventStream.media_type: {}},
    },
    204: {"description": "The client has received `event: end`, by the id of which it asks."},
}
_CSV_TOO: dict[int | str, dict[str, Any]] = {200: {"content": CSV_CONTENT}}
_MAX_NUMBERS_BYTES = 32_000_000
"""Of the largest layer, as text."""
_EVENT_ID = re.compile(r"[0-9]{0,18}")
_EVENT_ID_SCHEMA = {"pattern": f"^{_EVENT_ID.pattern}$"}


JobList = answer("JobList", "Jobs, the newest first.", jobs=list[Job], next=NextPage)


class LossCurve(Answer):
    """The training loss of every step."""

    steps: list[int]
    values: list[float]


class MetricsAnswer(Answer):
    """The history of a job."""

    checks: list[RecordedCheck]
    train_loss: LossCurve
    thinned: bool = Field(description="Whether points were left out; minima and maxima stayed.")


class JobsPage(SearchedPage):
    """A page of jobs."""

    state: JobState | None = Field(None, description="Only jobs in this state.")


class MetricsParameters(Parameters):
    """Which part of a history, and in which form."""

    since: int = Field(0, ge=0, le=MAX_EVENT_ID, description="Only what came after the check of this id.")
    max_points: int = Field(
        DEFAULT_POINTS,
        ge=4,
        le=MAX_POINTS,
        description="Thin longer series to this, checks to 10 or more; minima and maxima of every metric stay.",
    )
    format: Literal["json", "csv"] | None = Field(None, description="Or by `Accept: text/csv`.")


class JobWeightsParameters(LayerPictureParameters):
    """Which weights of a job, and how they are drawn."""

    weights: BestOrLast = "best"


@router.post("/jobs", dependencies=[TRAIN], status_code=202, response_model=Job)
def submit_job(body: requests.TrainingRequest, service: ServiceDep, key: IdempotencyKey = None) -> Response:
    """Submit a training job. It is durable before this answers; training starts when a worker is free."""
    fields = body.model_dump(exclude_unset=True)
    if "dataset" in fields:
        fields["dataset"] = service.collections.training_set(fields["dataset"])
    request = service.jobs.request_of(fields)
    return _accepted(service.jobs.submit(request, idempotency_key=key))


@router.get("/jobs", dependencies=[READ], response_model=JobList)
def list_jobs(query: JobsPage, service: ServiceDep) -> Any:
    """List jobs, the newest first; those in a state, with a tag, or with some words in their names and notes."""
    return service.page("jobs", **query.asked)


@router.get("/jobs/{job_id}", dependencies=[READ])
def get_job(job_id: JobId, service: ServiceDep) -> Job:
    """Return a job as it is now: state, progress, latest and best check, history."""
    return service.jobs.get(job_id)


@router.patch("/jobs/{job_id}", dependencies=[TRAIN])
def annotate_job(job_id: JobId, body: requests.AnnotationChange, service: ServiceDep) -> Job:
    """Change the title, the tags or the notes of a job, in any state. Nothing else depends on them."""
    service.annotations.change("jobs", job_id, body.model_dump(exclude_unset=True))
    return service.jobs.get(job_id)


@router.post("/jobs/{job_id}/cancel", dependencies=[TRAIN], status_code=202)
def cancel_job(job_id: JobId, service: ServiceDep) -> Job:
    """Ask a job to stop. Its best weights so far are kept and become a model; asking again changes nothing."""
    return service.jobs.cancel(job_id)


@router.post("/jobs/{job_id}/pause", dependencies=[TRAIN], status_code=202)
def pause_job(job_id: JobId, service: ServiceDep) -> Job:
    """Ask a job to wait after its current step. It keeps no worker meanwhile; asking again changes nothing.

    At most 100 jobs are paused at a time, each at most 500 times; after 24 hours it goes on by itself. A member of a
    sweep cannot be paused.
    """
    return service.jobs.pause(job_id)


@router.post("/jobs/{job_id}/continue", dependencies=[TRAIN], status_code=202)
def continue_job(job_id: JobId, body: requests.ContinueRequest, service: ServiceDep) -> Job:
    """Continue a paused job, for some steps, to the end of some epochs, or to its end.

    Its weights are, to the bit, those of a job that was never paused.
    """
    return service.jobs.proceed(job_id, steps=body.steps, epochs=body.epochs)


@router.post("/jobs/{job_id}/resume", dependencies=[TRAIN], status_code=202, response_model=Job)
def resume_job(
    job_id: JobId, body: requests.ResumeRequest, service: ServiceDep, key: IdempotencyKey = None
) -> Response:
    """Submit a job that continues one that is over, for more epochs or with more patience.

    The old job stays as it is. The new one begins with its checkpoint and its checks, and ends with the weights,
    to the bit, of one job that was submitted with all of it.
    """
    return _accepted(service.jobs.resume(job_id, body.model_dump(exclude_unset=True), idempotency_key=key))


@router.post("/jobs/{job_id}/verify", dependencies=[TRAIN], status_code=202, response_model=Job)
def verify_job(job_id: JobId, service: ServiceDep, key: IdempotencyKey = None) -> Response:
    """Submit a job that trains another one again from its record, and then reports whether the same bits came out.

    It makes no model. The outcome is in `verification.outcome`, once the job has succeeded.
    """
    return _accepted(service.jobs.verify(job_id, idempotency_key=key))


@router.delete("/jobs/{job_id}", dependencies=[TRAIN], status_code=204)
def delete_job(job_id: JobId, service: ServiceDep) -> None:
    """Delete a job that is over. The model it made stays."""
    service.jobs.delete(job_id)


@router.get("/jobs/{job_id}/metrics", dependencies=[READ], response_model=MetricsAnswer, responses=_CSV_TOO)
def get_metrics(job_id: JobId, query: MetricsParameters, request: BoundedRequest, service: ServiceDep) -> Response:
    """Return the metric history. As CSV it is the validation checks, one a line."""
    metrics = service.jobs.metrics(job_id, since=query.since, max_points=query.max_points)
    headers = {"Vary": "Accept"}
    if query.format == "csv" or (query.format is None and request.answer_type == CSV):
        return StreamingResponse(metrics.csv_pieces(), headers=headers, media_type=CSV)
    return StreamingResponse(metrics.json_pieces(), headers=headers, media_type=JsonAnswer.media_type)


@router.get("/jobs/{job_id}/events", dependencies=[READ], response_class=Response, responses=_STREAM)
async def follow_job(
    job_id: JobId,
    request: BoundedRequest,
    service: ServiceDep,
    after: Annotated[
        str, Field(description="Begin after the event of this id.", json_schema_extra={**_EVENT_ID_SCHEMA})
    ] = "",
    last_event_id: Annotated[
        str,
        Header(
            alias="Last-Event-ID",
            description="The same, as a reconnecting browser sends it.",
            json_schema_extra={**_EVENT_ID_SCHEMA},
        ),
    ] = "",
) -> Response:
    """Stream everything that happened to a job, and then what happens, until it is over.

    A client that reconnects with the last id it received misses nothing. Comments keep a silent connection open.
    """
    begin = _event_id("after", after)
    if last_event_id:
        begin = _event_id("Last-Event-ID", last_event_id)
    await run_sync(service.jobs.get, job_id)  # raises before the stream begins, if there is no such job
    if begin == END_ID:
        return Response(status_code=204)
    state = request.app.state
    return EventStream(state.event_hub.follow(job_id, begin), slot=state.access_control.open_stream(client_of(request)))


@pictures.get("/jobs/{job_id}/loss.{image_format}", dependencies=[READ], **CHART_ANSWER)
def loss_picture(job_id: JobId, image_format: ImageFormat, query: ChartParameters, service: ServiceDep) -> Drawing:
    """Draw training and validation loss over steps, with the best check and an early stop marked."""
    return prepare_job_curves(service.jobs, job_id, "loss", **query.form(image_format))


@pictures.get("/jobs/{job_id}/accuracy.{image_format}", dependencies=[READ], **CHART_ANSWER)
def accuracy_picture(job_id: JobId, image_format: ImageFormat, query: ChartParameters, service: ServiceDep) -> Drawing:
    """Draw training and validation accuracy at every check."""
    return prepare_job_curves(service.jobs, job_id, "accuracy", **query.form(image_format))


@pictures.get("/jobs/{job_id}/weights.png", dependencies=[READ], **PNG_ANSWER)
def weights_of_job(job_id: JobId, query: JobWeightsParameters, service: ServiceDep) -> Drawing:
    """Draw the weights of the newest checkpoint: a 28x28 tile for each class, each weight a solid block."""
    chosen = {"which": query.weights, "layer": query.layer, **query.style}
    return prepare_job_weights(service.jobs, job_id, **chosen)


@router.get("/jobs/{job_id}/weights", dependencies=[READ], response_model=LayerNumbers, responses=_CSV_TOO)
async def numbers_of_weights(
    job_id: JobId, request: BoundedRequest, service: ServiceDep, layer: Layer = 1, weights: BestOrLast = "best"
) -> Response:
    """Return what `weights.png` draws as numbers: the weights of the newest checkpoint that lead into a layer."""
    return await _numbers(request, service, job_id, "weights", layer=layer, which=weights)


@router.get("/jobs/{job_id}/gradient", dependencies=[READ], response_model=LayerNumbers, responses=_CSV_TOO)
async def numbers_of_gradient(
    job_id: JobId, request: BoundedRequest, service: ServiceDep, layer: Layer = 1
) -> Response:
    """Return what `gradient.png` draws as numbers: the gradient of the next step, of what leads into a layer."""
    return await _numbers(request, service, job_id, "gradient", layer=layer, which="last")


@pictures.get("/jobs/{job_id}/gradient.png", dependencies=[READ], **PNG_ANSWER)
def gradient_of_job(job_id: JobId, query: WeightsParameters, service: ServiceDep) -> Drawing:
    """Draw the gradient of the next step from the newest checkpoint, as `weights.png` draws the weights.

    It is that of the objective on the images of that step (of a batch of more than 1,000, the first 1,000). The step
    subtracts it, times the learning rate, or adds it to the velocity where there is momentum.
    """
    return prepare_job_gradient(service.jobs, job_id, **query.style)


async def _numbers(request: BoundedRequest, service: Service, job_id: str, what: LayerValues, **asked: Any) -> Response:
    is_csv, headers = request.answer_type == CSV, {"Vary": "Accept"}

    def work() -> Response:
        found = service.jobs.numbers(job_id, what, **asked)
        content = found.to_csv() if is_csv else found.to_json()
        return Response(content, headers=headers, media_type=CSV if is_csv else JsonAnswer.media_type)

    return await request.limits.run(work, _MAX_NUMBERS_BYTES)


def _accepted(job: Job) -> Response:
    return JsonAnswer(job, 202, {"Location": f"/api/v1/jobs/{job.id}"})


def _event_id(field: str, text: str) -> int:
    if not _EVENT_ID.fullmatch(text):
        raise MalformedInput("An event id is a whole number.", field=field, allowed="an id that a stream gave, or 0")
    return int(text or 0)
