"""Training jobs: submit, look, cancel, resume, verify, delete."""

from __future__ import annotations

import csv
from dataclasses import fields
from io import StringIO
from typing import Annotated, Any, Literal

from fastapi import Query
from starlette.requests import Request
from starlette.responses import JSONResponse, Response

from service.core import Check, TrainingConfig
from service.jobs import Job, JobRequest, JobState, Metrics
from service.web import answers, requests
from service.web.dependencies import MAX_EVENT_ID, IdempotencyKey, JobId, ServiceDep
from service.web.routing import noun_router

router = noun_router("jobs")

_CSV = "text/csv"


@router.post("/jobs", status_code=202, responses={202: {"model": answers.Job}})
def submit_job(body: requests.TrainingRequest, key: IdempotencyKey, service: ServiceDep) -> Response:
    """Submit a training job. It is durable before this answers; training starts when a worker is free."""
    values = body.model_dump()
    dataset, name = values.pop("dataset"), values.pop("name")
    request = JobRequest(config=TrainingConfig(**values), dataset=dataset, name=name)
    return _accepted(service.jobs.submit(request, idempotency_key=key))


@router.get("/jobs", responses={200: {"model": answers.JobList}})
def list_jobs(
    service: ServiceDep,
    state: Annotated[JobState | None, Query(description="Only jobs in this state.")] = None,
    limit: Annotated[int, Query(ge=1, le=200)] = 50,
    before: Annotated[str | None, Query(pattern="^[0-9]{1,18}$", description="The `next` of an earlier page.")] = None,
) -> Response:
    """List jobs, the newest first."""
    jobs, following = service.jobs.page(state=state, limit=limit, before=before)
    return JSONResponse({"jobs": [job.to_dict() for job in jobs], "next": following})


@router.get("/jobs/{job_id}", responses={200: {"model": answers.Job}})
def get_job(job_id: JobId, service: ServiceDep) -> Response:
    """Return a job as it is now: state, progress, latest and best check, history."""
    return JSONResponse(service.jobs.get(job_id).to_dict())


@router.post("/jobs/{job_id}/cancel", status_code=202, responses={202: {"model": answers.Job}})
def cancel_job(job_id: JobId, service: ServiceDep) -> Response:
    """Ask a job to stop. Its best weights so far are kept and become a model; asking again changes nothing."""
    return JSONResponse(service.jobs.cancel(job_id).to_dict(), 202)


@router.post("/jobs/{job_id}/resume", status_code=202, responses={202: {"model": answers.Job}})
def resume_job(job_id: JobId, body: requests.ResumeRequest, key: IdempotencyKey, service: ServiceDep) -> Response:
    """Submit a job that goes on where one that is over ended, for more epochs or with more patience.

    The old job stays as it is. The new one begins with its checkpoint and its checks, and ends with the weights,
    to the bit, of one job that was asked for all of it.
    """
    return _accepted(service.jobs.resume(job_id, body.model_dump(exclude_unset=True), idempotency_key=key))


@router.post("/jobs/{job_id}/verify", status_code=202, responses={202: {"model": answers.Job}})
def verify_job(job_id: JobId, key: IdempotencyKey, service: ServiceDep) -> Response:
    """Submit a job that trains another one again from its record, and then says whether the same bits came out.

    It makes no model. What came of it is in `verification.outcome`, once the job has succeeded.
    """
    return _accepted(service.jobs.verify(job_id, idempotency_key=key))


@router.delete("/jobs/{job_id}", status_code=204)
def delete_job(job_id: JobId, service: ServiceDep) -> Response:
    """Forget a job that is over. The model it made stays."""
    service.jobs.delete(job_id)
    return Response(status_code=204)


@router.get(
    "/jobs/{job_id}/metrics",
    responses={200: {"model": answers.Metrics, "content": {_CSV: {"schema": {"type": "string"}}}}},
)
def get_metrics(
    *,
    job_id: JobId,
    request: Request,
    service: ServiceDep,
    since: Annotated[int, Query(ge=0, le=MAX_EVENT_ID, description="Only what came after the check of this id.")] = 0,
    max_points: Annotated[
        int | None, Query(ge=4, le=1_000_000, description="Thin longer series to this; minima and maxima stay.")
    ] = None,
    format: Annotated[Literal["json", "csv"] | None, Query(description="Or by `Accept: text/csv`.")] = None,
) -> Response:
    """Return the metric history. As CSV it is the validation checks, one a line."""
    metrics = service.jobs.metrics(job_id, since=since, max_points=max_points)
    as_csv = format == "csv" or (format is None and _CSV in request.headers.get("accept", ""))
    headers = {"Vary": "Accept"}
    if as_csv:
        return Response(_csv_of(metrics), headers=headers, media_type=_CSV)
    return JSONResponse(metrics.to_dict(), headers=headers)


def _accepted(job: Job) -> Response:
    return JSONResponse(job.to_dict(), 202, {"Location": f"/api/v1/jobs/{job.id}"})


def _csv_of(metrics: Metrics) -> str:
    rows: list[dict[str, Any]] = [check.to_dict() for check in metrics.checks]
    text = StringIO()
    writer = csv.DictWriter(text, ["id", *(field.name for field in fields(Check))], lineterminator="\n")
    writer.writeheader()
    writer.writerows(rows)
    return text.getvalue()
