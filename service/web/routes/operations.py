"""The state of the server, its audit log, and the table of hyperparameters."""

from collections.abc import Callable
from dataclasses import asdict
from typing import Any, Literal

from anyio.to_thread import run_sync
from pydantic import Field
from starlette.responses import Response

from service.bootstrap import Service, disk_use
from service.core import FORMULAS, HYPERPARAMETERS, Hyperparameter
from service.database import AnnotatedKind, AuditRow, TagCount
from service.errors import ServiceError
from service.jobs import JobState
from service.metrics import CONTENT_TYPE
from service.web.access_control import ADMIN, PUBLIC, READ
from service.web.requests import MAX_EVENT_ID, Parameters, ServiceDep
from service.web.routing import Answer, JsonAnswer, answer, noun_router

router = noun_router("operations")
_TEXT = "text/plain"

_REASONS = {
    "database": "The database does not answer.",
    "model": "No model can answer: there is none, or it is damaged.",
    "engine": "Jobs are not trained: the engine has stopped, or no worker can be started. The log says why.",
}

probes = noun_router("operations", prefix="")


class HyperparameterRow(Answer):
    """One hyperparameter: what it is called, what it may be, and what it does."""

    name: str
    kind: Literal["integer", "number", "boolean", "choice", "classes", "layers", "text"]
    default: Any
    nullable: bool
    minimum: float | None
    maximum: float | None
    choices: list[str]
    allowed: str
    help: str
    formulas: dict[str, str] | None = Field(description="For the L2 penalty: what each convention means.")


HyperparameterList = answer(
    "HyperparameterList",
    "The table of hyperparameters, in the order in which a person would think of them.",
    hyperparameters=list[HyperparameterRow],
)


AuditLog = answer("AuditLog", "Calls that change something, the newest first.", entries=list[AuditRow])


TagList = answer("TagList", "The 200 tags that are used most.", tags=list[TagCount])


Liveness = answer("Liveness", "The process", live=bool)


class Readiness(Answer):
    """Whether this server can work, part by part."""

    ready: bool
    parts: dict[str, bool]
    reasons: dict[str, str] = Field(description="Of each part that does not work.")


class AuditPage(Parameters):
    """A page of the audit log."""

    limit: int = Field(100, ge=1, le=1000)
    before: int | None = Field(None, ge=1, le=MAX_EVENT_ID, description="Only what is older than this id.")


@router.get("/audit", dependencies=[ADMIN], response_model=AuditLog)
def list_changes(query: AuditPage, service: ServiceDep) -> Any:
    """List the calls that changed something, or were to, the newest first: which key, what, and the status."""
    lines = service.audit_log.page(limit=query.limit, before=query.before)
    return {"entries": [{**asdict(line), "at": line.at.isoformat()} for line in lines]}


@router.get("/tags", dependencies=[READ], response_model=TagList)
def list_tags(service: ServiceDep, kind: AnnotatedKind = "jobs") -> Any:
    """List the tags of jobs, or of others, those that are used most first."""
    return {"tags": service.annotations.tags(kind)}


@router.get("/hyperparameters", dependencies=[READ], response_model=HyperparameterList)
def list_hyperparameters() -> Any:
    """Return the table from which this schema, the command line's help and every range in an error are made."""
    return {"hyperparameters": [_row(row) for row in HYPERPARAMETERS]}


@probes.get("/livez", dependencies=[PUBLIC], response_model=Liveness)
async def live() -> Response:
    """Answer if the process does."""
    return JsonAnswer({"live": True})


@probes.get("/readyz", dependencies=[PUBLIC], response_model=Readiness, responses={503: {"model": Readiness}})
async def ready(service: ServiceDep) -> Response:
    """Answer 200 if the database can be reached, a model can answer, and an engine trains; else 503, saying which."""
    parts = await run_sync(_parts, service)
    reasons = {name: _REASONS[name] for name, works in parts.items() if not works}
    return JsonAnswer({"ready": not reasons, "parts": parts, "reasons": reasons}, 503 if reasons else 200)


@probes.get(
    "/metrics",
    dependencies=[READ],
    response_class=Response,
    responses={200: {"content": {_TEXT: {"schema": {"type": "string"}}}}},
)
def read_metrics(service: ServiceDep) -> Response:
    """Return what the service counts and times, as Prometheus reads it: of all its web processes together."""
    census = service.jobs.census()
    gauges: dict[str, tuple[str, str, dict[str, float]]] = {
        "inkling_jobs": ("jobs by state", "state", {str(state): n for state, n in census.by_state.items()}),
        "inkling_queue_length": ("jobs that wait for a worker", "", {"": census.by_state[JobState.QUEUED]}),
        "inkling_training_images_per_second": ("images that running jobs train on", "", {"": census.images_per_s}),
        "inkling_deliveries_waiting": ("what ended and was not sent yet", "target", service.deliveries_waiting()),
        "inkling_disk_bytes": ("space that is used", "part", dict(disk_use(service.settings, service.database))),
    }
    return Response(service.metrics.exposition(gauges), media_type=CONTENT_TYPE)


def _parts(service: Service) -> dict[str, bool]:
    return {
        "database": works(service.database.ping),
        "model": works(service.catalogue.get),
        "engine": service.engine.able,
    }


def works(check: Callable[[], object]) -> bool:
    """Whether a call raises no `ServiceError`."""
    try:
        check()
    except ServiceError:
        return False
    return True


def _row(row: Hyperparameter) -> dict[str, Any]:
    formulas = FORMULAS if row.name.startswith("l2_") else None
    shown = {name: getattr(row, name) for name in HyperparameterRow.model_fields if name != "formulas"}
    return {**shown, "choices": list(row.choices), "formulas": formulas}
