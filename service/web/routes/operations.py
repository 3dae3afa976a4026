"""Whether the server lives and can work, and what a training job may be asked for."""

from __future__ import annotations

from typing import Any

from anyio.to_thread import run_sync
from starlette.responses import JSONResponse, Response

from service.bootstrap import Service
from service.core import FORMULAS, HYPERPARAMETERS, Hyperparameter
from service.errors import ServiceError
from service.jobs import JobState
from service.metrics import CONTENT_TYPE
from service.web import operation_answers as answers
from service.web.dependencies import ServiceDep
from service.web.routing import noun_router

router = noun_router("operations")
_TEXT = "text/plain"

probes = noun_router("operations", prefix="")


@router.get("/hyperparameters", responses={200: {"model": answers.HyperparameterList}})
def list_hyperparameters() -> Response:
    """Return the table from which this schema, the command line's help and every range in an error are made."""
    return JSONResponse({"hyperparameters": [_row(row) for row in HYPERPARAMETERS]})


@probes.get("/livez", responses={200: {"model": answers.Liveness}})
async def live() -> Response:
    """Answer if the process does."""
    return JSONResponse({"live": True})


@probes.get("/readyz", responses={200: {"model": answers.Readiness}, 503: {"model": answers.Readiness}})
async def ready(service: ServiceDep) -> Response:
    """Answer 200 if the database can be reached, a model can answer, and an engine trains; else 503, saying which."""
    parts = await run_sync(_parts, service)
    is_ready = all(parts.values())
    return JSONResponse({"ready": is_ready, "parts": parts}, 200 if is_ready else 503)


@probes.get("/metrics", response_class=Response, responses={200: {"content": {_TEXT: {"schema": {"type": "string"}}}}})
def read_metrics(service: ServiceDep) -> Response:
    """Return what the service counts and times, as Prometheus reads it: of all its web processes together."""
    census = service.jobs.census()
    gauges: dict[str, tuple[str, str, dict[str, float]]] = {
        "inkling_jobs": ("jobs by state", "state", {str(state): n for state, n in census.by_state.items()}),
        "inkling_queue_length": ("jobs that wait for a worker", "", {"": census.by_state[JobState.QUEUED]}),
        "inkling_training_images_per_second": ("images that running jobs train on", "", {"": census.images_per_s}),
    }
    return Response(service.metrics.exposition(gauges), media_type=CONTENT_TYPE)


def _parts(service: Service) -> dict[str, bool]:
    return {
        "database": _works(service.database.ping),
        "model": _works(service.catalogue.get),
        "engine": service.engine.alive,
    }


def _works(check: Any) -> bool:
    try:
        check()
    except ServiceError:
        return False
    return True


def _row(row: Hyperparameter) -> dict[str, Any]:
    return {
        "name": row.name,
        "kind": row.kind,
        "default": row.default,
        "nullable": row.nullable,
        "minimum": row.minimum,
        "maximum": row.maximum,
        "choices": list(row.choices),
        "allowed": row.allowed,
        "help": row.help,
        "formulas": FORMULAS if row.name.startswith("l2_") else None,
    }
