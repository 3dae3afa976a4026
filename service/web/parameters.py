"""What several endpoints take besides a body: the service, ids and keys, and the parameters of an address."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Annotated, Any, Self

from fastapi import Depends, Header, Path
from fastapi.exceptions import RequestValidationError
from pydantic import AfterValidator, BaseModel, ConfigDict, Field, ValidationError
from starlette.requests import Request

from service.bootstrap import Service
from service.errors import JobNotFound, MalformedInput

MAX_EVENT_ID = 2**63 - 1

_ULID = re.compile(r"[0-7][0-9A-HJKMNP-TV-Z]{25}")
_KEY = re.compile(r"[ -~]{1,255}")


async def _service(request: Request) -> Service:  # a coroutine: FastAPI would run a plain function in a thread
    service: Service = request.app.state.service
    return service


ServiceDep = Annotated[Service, Depends(_service)]


class Parameters(BaseModel):
    """The query parameters of an endpoint, which is all that it takes. Stated as ``Annotated[..., Query()]``."""

    model_config = ConfigDict(extra="forbid")

    @classmethod
    def of(cls, request: Request) -> Self:
        """Read them from a request without FastAPI's dependencies, which take longer than a prediction.

        Raises
        ------
        RequestValidationError : as FastAPI raises it.
        """
        try:
            return cls.model_validate(dict(request.query_params))
        except ValidationError as error:
            found = error.errors(include_url=False)
            raise RequestValidationError([{**each, "loc": ("query", *each["loc"])} for each in found]) from None

    @classmethod
    def documented(cls) -> list[dict[str, Any]]:
        """Return them as OpenAPI has them, for routes that read them by `of`."""
        schema = cls.model_json_schema()
        required = schema.get("required", ())
        return [
            {"name": name, "in": "query", "required": name in required, "schema": each}
            for name, each in schema["properties"].items()
        ]


class Page(Parameters):
    """A page of a listing that has the newest first."""

    limit: Annotated[int, Field(ge=1, le=200)] = 50
    before: Annotated[str | None, Field(pattern="^[0-9]{1,18}$", description="The `next` of an earlier page.")] = None


def _check_id(kind: str) -> Callable[[str], str]:
    def check(text: str) -> str:
        if not _ULID.fullmatch(text):
            raise JobNotFound(f"There is no {kind} of that id.")
        return text

    return check


_SUBMITTED = Path(description="As the answer to the submission gave it.")
JobId = Annotated[str, _SUBMITTED, AfterValidator(_check_id("job"))]
SweepId = Annotated[str, _SUBMITTED, AfterValidator(_check_id("sweep"))]
ReportId = Annotated[str, _SUBMITTED, AfterValidator(_check_id("report"))]


def _check_key(key: str) -> str:
    if not _KEY.fullmatch(key):
        allowed = "1 to 255 printable ASCII characters"
        raise MalformedInput("The idempotency key cannot be used.", field="Idempotency-Key", allowed=allowed)
    return key


IdempotencyKey = Annotated[
    Annotated[str, AfterValidator(_check_key)] | None,
    Header(
        alias="Idempotency-Key",
        json_schema_extra={"pattern": f"^{_KEY.pattern}$"},
        description="Submitting again with the same key gives the first job. At most 255 printable characters.",
    ),
]
"""Its default is None."""
