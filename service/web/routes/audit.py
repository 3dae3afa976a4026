"""Who changed what."""

from __future__ import annotations

from dataclasses import asdict
from typing import Annotated

from fastapi import Query
from starlette.responses import JSONResponse, Response

from service.web import operation_answers
from service.web.dependencies import MAX_EVENT_ID, ServiceDep
from service.web.routing import noun_router

router = noun_router("operations")


@router.get("/audit", responses={200: {"model": operation_answers.AuditLog}})
def list_changes(
    service: ServiceDep,
    limit: Annotated[int, Query(ge=1, le=1000)] = 100,
    before: Annotated[int | None, Query(ge=1, le=MAX_EVENT_ID, description="Only what is older than this id.")] = None,
) -> Response:
    """List the calls that changed something, or were to, the newest first: which key, what, and the status."""
    lines = service.audit_log.page(limit=limit, before=before)
    return JSONResponse({"entries": [{**asdict(line), "at": line.at.isoformat()} for line in lines]})
