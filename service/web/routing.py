"""How requests are read and routes are declared: bounded, strict, and refusing what is not declared.

Body limits are settings, which are not known where a route is declared, and their answers name the limit; so they are
not those of FastAPI, which has them declared with the route and answers in plain text.
"""

import asyncio
import re
from collections.abc import AsyncGenerator, Awaitable, Callable, Coroutine, Sequence
from dataclasses import is_dataclass
from functools import lru_cache, wraps
from inspect import iscoroutinefunction, signature
from operator import attrgetter
from typing import Annotated, Any, ClassVar, TypeVar

from fastapi import APIRouter, Query
from fastapi.datastructures import DefaultPlaceholder
from fastapi.exceptions import RequestValidationError
from pydantic import BaseModel, ConfigDict, Field, create_model, with_config
from starlette.exceptions import HTTPException
from starlette.requests import ClientDisconnect, Request
from starlette.responses import JSONResponse, Response

from service.answers import to_json
from service.charts import Drawing
from service.errors import InputTooLarge, UnsupportedMedia

from .access_control import SecuredRoute
from .connection import BODY_RECEIVED
from .limits import ConcurrencyLimits
from .pictures import DrawingResponse
from .problems import MEDIA_TYPE as PROBLEM
from .requests import Parameters
from .strict_json import parse_json

T = TypeVar("T")

_QUALITY = re.compile(r"q=(?:0(?:\.[0-9]{0,3})?|1(?:\.0{0,3})?)")
CSV = "text/csv"
CSV_CONTENT: dict[str, Any] = {CSV: {"schema": {"type": "string"}}}
_MIN_BYTES_PER_S = 65_536
"""What of a body came earns it more time at this rate, so that a large one over a thin line is no attack."""


class BoundedRequest(Request):
    """A request whose body can be read up to a limit and for a time, as bytes and as a form alike.

    ``answer_type`` is the media type of the answer, of those that the route documents, that Accept weighs most;
    ``coding`` that of the body, of those that the route accepts.
    """

    limit_bytes: int
    timeout_s: float
    limits: ConcurrencyLimits
    answer_type: str
    coding: str
    n_held_bytes: int = 0
    _parsed: Any

    @property
    def media_type(self) -> str:
        """The media type that the body is declared as, without parameters."""
        return self.headers.get("content-type", "").partition(";")[0].strip().lower()

    async def stream(self) -> AsyncGenerator[bytes, None]:
        """Yield the body in pieces.

        Raise `InputTooLarge` if it is, or is declared as, larger than the limit: what is left is not read. Raise
        HTTPException if it comes too slowly, or there is no room for it at the moment.
        """
        self._check_declared()
        chunks, began_s = super().stream(), asyncio.get_running_loop().time()
        while True:
            try:
                chunk = await self._in_time(anext(chunks), began_s)
            except StopAsyncIteration:
                return
            self._take(chunk)
            yield chunk

    async def body(self) -> bytes:
        """Return the body as one. Mostly it came as one, which is worth sparing the generators that `stream` stands on.

        Errors are those of `stream`, and ClientDisconnect if the client left before the end.
        """
        if not hasattr(self, "_body"):
            self._check_declared()
            chunks: list[bytes] = []
            more_body, began_s = True, asyncio.get_running_loop().time()
            while more_body:
                message = await (
                    self.receive() if BODY_RECEIVED in self.scope["state"] else self._in_time(self.receive(), began_s)
                )
                if message["type"] == "http.disconnect":
                    raise ClientDisconnect
                chunks.append(message.get("body", b""))
                self._take(chunks[-1])
                more_body = message.get("more_body", False)
            self._body = b"".join(chunks)
        return self._body

    def release(self) -> None:
        """Release the room that the body took."""
        self.limits.release(self.n_held_bytes)

    async def json(self) -> Any:
        """Return the body as `read_json` parsed it."""
        return self._parsed

    async def read_json(self) -> None:
        """Parse the body; raise as `parse_json`, and `UnsupportedMedia` if it is declared as something else."""
        if self.media_type != "application/json":
            raise UnsupportedMedia("The body must be JSON.", field="Content-Type", allowed="application/json")
        self._parsed = parse_json(await self.body())

    async def _in_time(self, awaited: Awaitable[T], began_s: float) -> T:
        """Wait for a part of the body, and only for that: its consumer must not be interrupted."""
        try:
            async with asyncio.timeout_at(began_s + self.timeout_s + self.n_held_bytes / _MIN_BYTES_PER_S):
                return await awaited
        except TimeoutError:
            raise HTTPException(408, "The body did not come in time.", headers={"Connection": "close"}) from None

    def _take(self, chunk: bytes) -> None:
        self._check(self.n_held_bytes + len(chunk))
        self.limits.reserve(len(chunk))
        self.n_held_bytes += len(chunk)

    def _check_declared(self) -> None:
        declared = self.headers.get("content-length", "")
        self._check(int(declared) if declared.isdecimal() else 0)

    def _check(self, n_bytes: int) -> None:
        if n_bytes > self.limit_bytes:
            raise InputTooLarge("The body is too large.", allowed=f"at most {self.limit_bytes:,} bytes")


_EXACTLY = ConfigDict(extra="forbid", defer_build=True, json_schema_serialization_defaults_required=True)
"""Of answers: they have the documented fields, all of them and no others. They are written without being
validated; tests hold them to this. Their schemas are made when the OpenAPI document is."""


class JsonAnswer(JSONResponse):
    """An answer of JSON: a data class that is the documented answer as it is, or plain data."""

    def render(self, content: Any) -> bytes:
        """See `to_json`."""
        return to_json(content)


class Answer(BaseModel):
    """A documented answer that is no value of its own: a page of a list, or plain data that is read or put together."""

    model_config = _EXACTLY


def answer(name: str, about: str, **fields: Any) -> Any:
    """Make an `Answer` that no code refers to, such as a list, from its name and description in the OpenAPI."""
    return create_model(name, __base__=Answer, __doc__=about, **fields)


NextPage = Annotated[str | None, Field(description="Pass it as `before` for the next page; null on the last.")]


class Route(SecuredRoute):
    """A route that refuses what its declaration does not mention: parameters, encodings, media types."""

    encodings: ClassVar[tuple[str, ...]] = ("identity",)
    """Content codings in which a body may come. Whoever adds one has to undo it."""

    def __init__(self, path: str, endpoint: Callable[..., Any], **options: Any) -> None:
        for name, kind in endpoint.__annotations__.items():
            if isinstance(kind, type) and issubclass(kind, Parameters):  # which FastAPI would take for the body
                endpoint.__annotations__[name] = Annotated[kind, Query()]
        model = options.get("response_model")
        if isinstance(model, DefaultPlaceholder):
            model = endpoint.__annotations__.get("return")
        if isinstance(model, type) and is_dataclass(model):
            with_config(_EXACTLY)(model)
        # An operation is documented under the name of its endpoint.
        options |= {"generate_unique_id_function": attrgetter("name")}
        super().__init__(path, _answering(endpoint, options.get("status_code")), **options)
        # What an endpoint of several addresses reads of them itself is documented all the same.
        declared = {field.alias for field in self.dependant.path_params}
        read = [name for name in self.param_convertors if name not in declared]
        of_path = [{"name": name, "in": "path", "required": True, "schema": {"type": "string"}} for name in read]
        if of_path:
            extra = self.openapi_extra or {}
            self.openapi_extra = {**extra, "parameters": [*of_path, *extra.get("parameters", ())]}

    def get_route_handler(self) -> Callable[[Request], Coroutine[Any, Any, Response]]:
        """See `APIRoute.get_route_handler`."""
        handle = self._endpoint_alone() or super().get_route_handler()
        self._takes_json = self.body_field is not None
        self.parameters = self._declared_parameters()
        self._produces = self._documented_media_types()

        async def handle_strictly(request: Request) -> Response:
            bounded = self._bounded(request)
            try:
                if self._takes_json:
                    await bounded.read_json()
                return await handle(bounded)
            finally:
                bounded.release()

        return handle_strictly

    def _endpoint_alone(self) -> Callable[[Request], Coroutine[Any, Any, Response]] | None:
        """Return an endpoint that takes the request and nothing else: FastAPI would resolve nothing, in 10 us."""
        takes_request_only = list(signature(self.endpoint).parameters) == [self.dependant.request_param_name]
        is_plain = iscoroutinefunction(self.endpoint) and not self.dependant.dependencies
        return self.endpoint if takes_request_only and is_plain else None

    def _declared_parameters(self) -> frozenset[str]:
        """Return the names of all query parameters, whether FastAPI reads them or the endpoint."""
        names = {each["name"] for each in (self.openapi_extra or {}).get("parameters", ()) if each["in"] == "query"}
        for field in self.dependant.query_params:
            kind = field.field_info.annotation
            is_model = isinstance(kind, type) and issubclass(kind, Parameters)
            names |= kind.model_fields.keys() if is_model else {field.alias}  # type: ignore[union-attr]
        return frozenset(names)

    def _documented_media_types(self) -> tuple[str, ...]:
        """Return those of answers other than problems, JSON first: it is the answer where Accept has no preference."""
        contents = [answer.get("content", {}) for status, answer in self.responses.items() if isinstance(status, int)]
        media = [media for content in contents for media in content]
        return tuple(dict.fromkeys(["application/json", *media] if self.response_model or not media else media))

    def _bounded(self, plain: Request) -> BoundedRequest:
        """Return the request that is to be read; raise an error for what the route does not declare."""
        request = BoundedRequest(plain.scope, plain.receive)
        if "\0" in plain.scope["path"]:
            raise HTTPException(404)  # no name has it, and PostgreSQL refuses to look for it
        if plain.scope["query_string"]:
            unknown = [name for name in request.query_params if name not in self.parameters]
            if unknown:
                raise RequestValidationError([{"type": "extra_forbidden", "loc": ("query", name)} for name in unknown])
        headers = request.headers
        answer_type = _preferred(",".join(headers.getlist("accept")), self._produces)
        if answer_type is None:
            raise HTTPException(406, f"The answer is {' or '.join(sorted(self._produces))}.")
        request.answer_type = answer_type
        codings = headers.getlist("content-encoding")
        request.coding = self._coding(codings) if codings else "identity"
        state = plain.scope["app"].state
        settings = state.service.settings
        request.limit_bytes = settings.max_json_bytes if self._takes_json else settings.max_body_bytes
        request.timeout_s = settings.body_timeout_s
        request.limits = state.limits
        return request

    def _coding(self, declared: Sequence[str]) -> str:
        """Return the one coding of a body; names have no case, and x-gzip is gzip (RFC 9110, section 8.4.1)."""
        names = (name.strip().lower() for line in declared for name in line.split(","))
        codings = ["gzip" if name == "x-gzip" else name for name in names if name != "identity"] or ["identity"]
        if len(codings) > 1 or codings[0] not in self.encodings:
            raise UnsupportedMedia(
                "The body is compressed in a way that is not accepted here.",
                field="Content-Encoding",
                allowed=" or ".join(self.encodings),
            )
        return codings[0]


def _answering(endpoint: Callable[..., Any], status: int | None) -> Callable[..., Any]:
    """Send what a plain function returns: a drawing, or a value as JSON, which FastAPI would validate and copy."""
    if iscoroutinefunction(endpoint):  # it returns a response
        return endpoint

    @wraps(endpoint)
    def answer(*args: Any, **options: Any) -> Response:
        match endpoint(*args, **options):
            case Response() as response:
                return response
            case Drawing() as drawing:
                return DrawingResponse(drawing)
            case None:
                return Response(status_code=204)
            case value:
                return JsonAnswer(value, status or 200)

    return answer


def noun_router(tag: str, *, prefix: str = "/api/v1") -> APIRouter:
    """Make the router of one noun, its routes strict and its errors documented."""
    return APIRouter(prefix=prefix, tags=[tag], route_class=Route, responses=PROBLEM_RESPONSES)


_PROBLEM: dict[str, Any] = {
    "description": "Problem details: what was wrong, and what is allowed.",
    "content": {PROBLEM: {"schema": {"$ref": "#/components/schemas/Problem"}}},
}
# Not `default`: generated clients would take a picture for it, whose type they do not know.
PROBLEM_RESPONSES: dict[int | str, dict[str, Any]] = {"4XX": _PROBLEM, "5XX": _PROBLEM}


@lru_cache(maxsize=256)
def _preferred(accept: str, produces: tuple[str, ...]) -> str | None:
    """Return the media type of the largest weight, of equals the first; None if all have 0 (RFC 9110, section 12.5.1).

    The weight of a type is that of the most specific range that includes it.
    """
    weights: dict[str, float] = {}
    for entry in filter(None, map(str.strip, accept.lower().split(","))):
        range_, *parameters = map(str.strip, entry.split(";"))
        quality = next((each[2:] for each in parameters if _QUALITY.fullmatch(each)), "1")
        weights[range_] = float(quality)

    def weight(media: str) -> float:
        ranges = (media, f"{media.partition('/')[0]}/*", "*/*")
        return next((weights[range_] for range_ in ranges if range_ in weights), 0.0 if weights else 1.0)

    best = max(produces, key=weight)
    return best if weight(best) else None
