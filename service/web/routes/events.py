"""What happens to a job, as it happens."""

from __future__ import annotations

from typing import Annotated, Any

from anyio.to_thread import run_sync
from fastapi import Header, Query
from starlette.requests import Request
from starlette.responses import Response

from service.errors import MalformedInput
from service.web.dependencies import MAX_EVENT_ID, JobId, ServiceDep
from service.web.event_stream import EventStream
from service.web.routing import noun_router

router = noun_router("jobs")

_STREAM: dict[int | str, dict[str, Any]] = {
    200: {
        "description": "`event: state` and `event: check`, each with its id; after the final state `event: end`.",
        "content": {EventStream.media_type: {"schema": {"type": "string"}}},
    }
}


@router.get("/jobs/{job_id}/events", response_class=Response, responses=_STREAM)
async def follow_job(
    job_id: JobId,
    request: Request,
    service: ServiceDep,
    after: Annotated[str | None, Query(description="Begin after the event of this id.")] = None,
    last_event_id: Annotated[
        str | None, Header(description="The same, as a reconnecting browser says it.", alias="Last-Event-ID")
    ] = None,
) -> Response:
    """Stream everything that happened to a job, and then what happens, until it is over.

    A client that reconnects with the last id it saw misses nothing. Comments keep a silent connection open.
    """
    last_id = _event_id("Last-Event-ID", last_event_id) or _event_id("after", after) or 0
    await run_sync(service.jobs.get, job_id)  # raises before the stream begins, if there is no such job
    return EventStream(request.app.state.event_hub.follow(job_id, last_id))


def _event_id(field: str, text: str | None) -> int | None:
    if not text:
        return None
    if not (text.isascii() and text.isdecimal() and len(text) < len(str(MAX_EVENT_ID))):
        raise MalformedInput("An event id is a whole number.", field=field, allowed="an id that a stream gave, or 0")
    return int(text)
