"""How requests are read and routes are declared: bounded, strict, and refusing what is not mentioned."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Callable, Coroutine
from typing import Any, ClassVar

from fastapi import APIRouter
from fastapi.dependencies.utils import get_flat_params
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response

from service.errors import InputTooLarge, InvalidField, UnsupportedMedia

from .gate import GuardedRoute
from .problems import MEDIA_TYPE as PROBLEM
from .strict_json import parse_json
from .turns import Turns, turns_of

_MIN_BYTES_PER_S = 65_536
"""What of a body came earns it more time at this rate, so that a large one over a thin line is no attack."""


class BoundedRequest(Request):
    """A request whose body can be read up to a limit and for a time, as bytes and as a form alike."""

    limit_bytes: int
    timeout_s: float
    turns: Turns
    n_held_bytes: int = 0
    _parsed: Any

    async def stream(self) -> AsyncGenerator[bytes, None]:
        """Yield the body in pieces.

        Raises
        ------
        InputTooLarge : it is, or says that it is, larger than the limit. What is left is not read.
        HTTPException : it comes more slowly than one may wait for, or there is no room for it at the moment.
        """
        declared = self.headers.get("content-length", "")
        self._check(int(declared) if declared.isdecimal() else 0)
        chunks = super().stream()
        last_moment_s = asyncio.get_running_loop().time() + self.timeout_s
        while True:
            try:
                # Not around the loop: whoever takes the chunks must not be interrupted.
                async with asyncio.timeout_at(last_moment_s + self.n_held_bytes / _MIN_BYTES_PER_S):
                    chunk = await anext(chunks)
            except StopAsyncIteration:
                return
            except TimeoutError:
                raise HTTPException(408, "The body did not come in time.", headers={"Connection": "close"}) from None
            self._check(self.n_held_bytes + len(chunk))
            self.turns.hold(len(chunk))
            self.n_held_bytes += len(chunk)
            yield chunk

    async def json(self) -> Any:
        """Return the body as `read_json` parsed it."""
        return self._parsed

    async def read_json(self) -> None:
        """Read and parse the body.

        Raises
        ------
        UnsupportedMedia : it says that it is something else.
        MalformedInput, InvalidInput : as `parse_json`.
        """
        if media_type_of(self) != "application/json":
            raise UnsupportedMedia("The body must be JSON.", field="Content-Type", allowed="application/json")
        self._parsed = parse_json(await self.body())

    def _check(self, n_bytes: int) -> None:
        if n_bytes > self.limit_bytes:
            raise InputTooLarge("The body is too large.", allowed=f"at most {self.limit_bytes:,} bytes")


class Route(GuardedRoute):
    """A route that refuses what its declaration does not mention: parameters, encodings, media."""

    encodings: ClassVar[tuple[str, ...]] = ("identity",)
    """Content codings in which a body may come. Whoever adds one has to undo it."""

    def get_route_handler(self) -> Callable[[Request], Coroutine[Any, Any, Response]]:
        """See `APIRoute.get_route_handler`."""
        handle = super().get_route_handler()
        takes_json = self.body_field is not None
        parameters = {
            field.alias for field in get_flat_params(self.dependant) if _location_of(field.field_info) == "query"
        }
        produces = self._produces()

        async def handle_strictly(request: Request) -> Response:
            for name in request.query_params:
                if name not in parameters:
                    allowed = ", ".join(sorted(parameters)) or "none"
                    raise InvalidField("There is no parameter of this name.", field=name, allowed=allowed)
            if not _accepts(",".join(request.headers.getlist("accept")), produces):
                raise HTTPException(406, f"The answer is {' or '.join(sorted(produces))}.")
            if request.headers.get("content-encoding", "identity") not in self.encodings:
                raise UnsupportedMedia(
                    "The body is compressed in a way that is not accepted here.",
                    field="Content-Encoding",
                    allowed=" or ".join(self.encodings),
                )
            bounded = BoundedRequest(request.scope, request.receive)
            settings = request.app.state.service.settings
            bounded.limit_bytes = settings.max_json_bytes if takes_json else settings.max_body_bytes
            bounded.timeout_s = settings.body_timeout_s
            bounded.turns = turns_of(request)
            try:
                if takes_json:
                    await bounded.read_json()
                return await handle(bounded)
            finally:
                bounded.turns.let_go(bounded.n_held_bytes)

        return handle_strictly

    def _produces(self) -> frozenset[str]:
        documented = (answer.get("content", {}) for status, answer in self.responses.items() if status != "default")
        return frozenset(media for content in documented for media in content) or frozenset({"application/json"})


def noun_router(tag: str) -> APIRouter:
    """Make the router of one noun, its routes strict and its errors documented."""
    return APIRouter(prefix="/api/v1", tags=[tag], route_class=Route, responses=PROBLEM_RESPONSES)


PROBLEM_RESPONSES: dict[int | str, dict[str, Any]] = {
    "default": {
        "description": "Problem details: what was wrong, and what is allowed.",
        "content": {PROBLEM: {"schema": {"$ref": "#/components/schemas/Problem"}}},
    }
}


def media_type_of(request: Request) -> str:
    """Return what the body says that it is, without parameters."""
    return request.headers.get("content-type", "").partition(";")[0].strip().lower()


def _location_of(field_info: Any) -> str:
    return str(getattr(getattr(field_info, "in_", None), "value", ""))


def _accepts(accept: str, produces: frozenset[str]) -> bool:
    """Whether one of the media types is in an Accept header. What is refused by ``q=0`` is not looked at."""
    for entry in accept.split(","):
        range_ = entry.partition(";")[0].strip().lower()
        if range_ in ("", "*/*") or range_ in produces:
            return True
        if range_.endswith("/*") and any(media.startswith(range_[:-1]) for media in produces):
            return True
    return False
