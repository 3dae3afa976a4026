"""What happens to a job, as it happens."""

from __future__ import annotations

import re
from typing import Annotated, Any

from anyio.to_thread import run_sync
from fastapi import Header, Query
from starlette.requests import Request
from starlette.responses import Response

from service.errors import MalformedInput
from service.web.dependencies import JobId, ServiceDep
from service.web.event_stream import EventStream
from service.web.gate import client_of
from service.web.routing import noun_router

router = noun_router("jobs")

_STREAM: dict[int | str, dict[str, Any]] = {
    200: {
        "description": "`event: state` and `event: check`, each with its id; after the final state `event: end`.",
        "content": {EventStream.media_type: {}},
    }
}


_ID = re.compile(r"[0-9]{0,18}")
_ID_SCHEMA = {"pattern": f"^{_ID.pattern}$"}


@router.get("/jobs/{job_id}/events", response_class=Response, responses=_STREAM)
async def follow_job(
    job_id: JobId,
    request: Request,
    service: ServiceDep,
    after: Annotated[str, Query(description="Begin after the event of this id.", json_schema_extra=_ID_SCHEMA)] = "",
    last_event_id: Annotated[
        str,
        Header(
            alias="Last-Event-ID",
            description="The same, as a reconnecting browser says it.",
            json_schema_extra=_ID_SCHEMA,
        ),
    ] = "",
) -> Response:
    """Stream everything that happened to a job, and then what happens, until it is over.

    A client that reconnects with the last id it saw misses nothing. Comments keep a silent connection open.
    """
    place = _event_id("Last-Event-ID", last_event_id) if last_event_id else _event_id("after", after)
    await run_sync(service.jobs.get, job_id)  # raises before the stream begins, if there is no such job
    state = request.app.state
    return EventStream(state.event_hub.follow(job_id, place), place=state.gate.take_stream(client_of(request)))


def _event_id(field: str, text: str) -> int:
    if not _ID.fullmatch(text):
        raise MalformedInput("An event id is a whole number.", field=field, allowed="an id that a stream gave, or 0")
    return int(text or 0)
