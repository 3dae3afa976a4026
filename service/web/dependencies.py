"""What endpoints ask for by type: the service, and parameters that several of them take.

All are coroutines, though none waits: FastAPI would run a plain function in a thread, at ten times its cost.
"""

from __future__ import annotations

import re
from typing import Annotated

from fastapi import Depends, Header, Path
from starlette.requests import Request

from service.bootstrap import Service
from service.errors import JobNotFound, MalformedInput

MAX_EVENT_ID = 2**63 - 1

_ULID = re.compile(r"[0-7][0-9A-HJKMNP-TV-Z]{25}")
_KEY = re.compile(r"[ -~]{1,255}")


async def _service(request: Request) -> Service:
    service: Service = request.app.state.service
    return service


ServiceDep = Annotated[Service, Depends(_service)]


async def _job_id(job_id: Annotated[str, Path(description="As the answer to the submission gave it.")]) -> str:
    if not _ULID.fullmatch(job_id):
        raise JobNotFound("There is no job of that id.")
    return job_id


async def _sweep_id(sweep_id: Annotated[str, Path(description="As the answer to the submission gave it.")]) -> str:
    if not _ULID.fullmatch(sweep_id):
        raise JobNotFound("There is no sweep of that id.")
    return sweep_id


async def _idempotency_key(
    idempotency_key: Annotated[
        str | None,
        Header(
            alias="Idempotency-Key",
            json_schema_extra={"pattern": f"^{_KEY.pattern}$"},
            description="Submitting again with the same key gives the first job. At most 255 printable characters.",
        ),
    ] = None,
) -> str | None:
    if idempotency_key is not None and not _KEY.fullmatch(idempotency_key):
        allowed = "1 to 255 printable ASCII characters"
        raise MalformedInput("The idempotency key cannot be used.", field="Idempotency-Key", allowed=allowed)
    return idempotency_key


JobId = Annotated[str, Depends(_job_id)]
SweepId = Annotated[str, Depends(_sweep_id)]
IdempotencyKey = Annotated[str | None, Depends(_idempotency_key)]
