"""What can be wrong with a request, as one table, and which exception becomes which answer.

Answers are RFC 9457 problem details or, under ``/v2``, in the form of the inference protocol.
"""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from math import ceil
from pathlib import Path
from re import compile as pattern
from typing import Any

from fastapi import FastAPI
from fastapi.exceptions import RequestValidationError
from fastapi.routing import iter_route_contexts
from pydantic import BaseModel, Field
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import FileResponse, Response
from starlette.routing import Mount
from starlette.types import Scope

from service.core import HYPERPARAMETERS
from service.database.annotation_rows import RULES, TAG_PATTERN, TEXT_PATTERN, TITLE_PATTERN
from service.errors import ServiceError, TooManyRequests
from service.jobs import COLLECTION_NAME, COLLECTION_NAME_RULE

from .requests import CLASSES_PATTERN, NAME_CURSOR, NUMBER_CURSOR

MEDIA_TYPE = "application/problem+json"
_NOT_FOUND_PAGE = Path(__file__).parent / "static" / "not_found.html"
_MAX_ERRORS = 20
_MAX_DETAIL_CHARS = 200
_HEADERS_BY_STATUS = {401: {"WWW-Authenticate": "Bearer"}, 429: {"Retry-After": "5"}, 503: {"Retry-After": "2"}}

_ALLOWED = {**{row.name: row.allowed for row in HYPERPARAMETERS}, **RULES}
_PLAIN_NAME = pattern(r"[A-Za-z0-9_-]{1,64}")

_CODES_BY_STATUS = {
    400: "malformed-input",
    404: "not-found",
    405: "method-not-allowed",
    406: "not-acceptable",
    408: "request-timeout",
    413: "input-too-large",
    415: "unsupported-media",
    503: "too-busy",
}
_DETAILS_BY_STATUS = {404: "There is nothing at this address.", 405: "The method is not allowed at this address."}
_FIELDS_IN_HEADERS = {"Content-Encoding", "Content-Type", "Idempotency-Key", "If-Match", "Last-Event-ID"}
_LOCATIONS = {"body": "pointer", "query": "parameter", "path": "parameter", "header": "header"}


@dataclass(frozen=True, slots=True)
class ProblemType:
    """A kind of problem: the status of the answer, and what it means.

    The error of a failed job is a problem too, but not one of an answer: then there is no status.
    """

    status: int | None
    meaning: str


PROBLEM_TYPES: Mapping[str, ProblemType] = {
    # From the tree in service/errors.py, by the code of each class.
    "service-error": ProblemType(500, "Something failed on the server that has no better name."),
    "invalid-input": ProblemType(422, "The request was understood, but cannot be processed with these values."),
    "invalid-field": ProblemType(422, "A field or parameter is missing, unknown, of the wrong type or out of range."),
    "malformed-input": ProblemType(400, "The request cannot be parsed at all."),
    "unsupported-media": ProblemType(415, "The body is of a kind, or encoded in a way, that is not accepted here."),
    "invalid-image": ProblemType(422, "The image is empty, truncated or degenerate."),
    "input-too-large": ProblemType(413, "There are more bytes, pixels or items than the stated limit."),
    "invalid-dataset": ProblemType(422, "The training data is not what it claims to be."),
    "not-found": ProblemType(404, "There is nothing at this address."),
    "job-not-found": ProblemType(404, "There is no job with this id."),
    "model-not-found": ProblemType(404, "There is no such model, version or alias."),
    "dataset-not-found": ProblemType(404, "There is no such data set, or no such image in it."),
    "conflict": ProblemType(409, "The request is in order, but not in the present state of things."),
    "invalid-job-transition": ProblemType(409, "The job is in a state that does not allow this."),
    "no-data-yet": ProblemType(409, "There is nothing to show so far; try again later."),
    "alias-moved": ProblemType(412, "The alias does not name the version that the request expected."),
    "idempotency-mismatch": ProblemType(422, "The idempotency key was used before, with another request."),
    "name-taken": ProblemType(409, "Something else has that name already; choose another."),
    "in-use": ProblemType(409, "Something else needs it, so it cannot be deleted; the detail names what."),
    "access-denied": ProblemType(403, "Access is denied."),
    "unauthenticated": ProblemType(401, "There is no key, or it is wrong, expired or revoked; see WWW-Authenticate."),
    "insufficient-scope": ProblemType(403, "The key is valid, but lacks the scope that this needs."),
    "keys-required": ProblemType(503, "A service that others can reach needs keys, or `--allow-anonymous`."),
    "too-many-requests": ProblemType(429, "Too often, or too much at a time; Retry-After says when to try again."),
    "queue-full": ProblemType(429, "No more jobs are accepted for the moment; try again later."),
    "corrupted": ProblemType(409, "Stored bytes do not match their checksum, so they are not used."),
    "storage-failed": ProblemType(503, "The disk or the database refused; try again later."),
    "storage-full": ProblemType(507, "There is no space left on the server."),
    "worker-mismatch": ProblemType(500, "Engine and worker are not of the same version."),
    "service-unreachable": ProblemType(502, "A server that this one needs does not answer."),
    "extra-missing": ProblemType(501, "The server lacks a package that this needs; the detail names it."),
    # HTTP's own.
    "bad-host": ProblemType(400, "The Host header is missing, malformed, or names a host that this server is not."),
    "cross-origin": ProblemType(403, "A page of another origin may read nothing and change nothing here."),
    "method-not-allowed": ProblemType(405, "The address is right and the method is not; Allow lists those that are."),
    "not-acceptable": ProblemType(406, "The answer does not exist in any of the forms that Accept lists."),
    "request-timeout": ProblemType(408, "The request did not come in time, or came too slowly."),
    "headers-too-large": ProblemType(431, "The address and the headers are more, or longer, than is taken."),
    "too-busy": ProblemType(503, "Too much is being sent at the same time; try again later."),
    "too-many-connections": ProblemType(503, "The server has no room for another connection; try again later."),
    "not-ready": ProblemType(503, "The server is starting, stopping, or missing something that it needs."),
    "internal-error": ProblemType(500, "An internal error; the server's log has it under the request id."),
    # Of failed jobs.
    "non-finite-loss": ProblemType(None, "The loss stopped being a finite number; a smaller learning rate may help."),
    "worker-lost": ProblemType(None, "The workers that trained the job exited unexpectedly, several times."),
}
"""Every ``type`` that an answer can have, without its ``/problems/``."""


class ProblemEntry(BaseModel):
    """One field that is wrong."""

    pointer: str | None = Field(None, description="Into the JSON body, as in `#/learning_rate`.")
    parameter: str | None = Field(None, description="Of the address.")
    header: str | None = None
    code: str
    message: str
    allowed: str | None = Field(None, description="The legal range or values, in words.")


class Problem(BaseModel):
    """Problem details (RFC 9457). `GET {type}` explains a type."""

    type: str
    title: str
    status: int
    detail: str
    instance: str
    request_id: str
    errors: list[ProblemEntry] = []


class ProtocolError(BaseModel):
    """An error in the form of the Open Inference Protocol."""

    error: str


def problem_response(
    scope: Scope,
    code: str,
    detail: str,
    *,
    errors: Sequence[Mapping[str, Any]] = (),
    headers: Mapping[str, str] | None = None,
) -> Response:
    """Say what is wrong: as problem details or, under ``/v2``, as ``{"error": "..."}``.

    The code is one of `PROBLEM_TYPES`, the detail a sentence for a person that repeats nothing of the request. Of
    the entries for fields that are wrong the first 20 are kept.
    """
    body = _problem(scope, code, detail, errors)
    status = body["status"]
    headers = {**_HEADERS_BY_STATUS.get(status, {}), **(headers or {})}
    if is_inference_protocol(scope):
        allowed = errors[0].get("allowed") if errors else None
        text = f"{detail} Allowed: {allowed}." if allowed else detail
        status = 400 if status == 422 else status  # the protocol's word for whatever is wrong with a request
        return Response(json.dumps({"error": text}), status, headers, "application/json")
    return Response(json.dumps(body), status, headers, MEDIA_TYPE)


def problem_of(request: Request, error: ServiceError) -> dict[str, Any]:
    """Return the problem details of an error, for a part of an answer."""
    return _problem(request.scope, error.code, error.message, _entries(request, error))


def _problem(scope: Scope, code: str, detail: str, errors: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    status = PROBLEM_TYPES[code].status
    assert status is not None
    request_id = scope["state"]["request_id"]
    return {
        "type": f"/problems/{code}",
        "title": title(code),
        "status": status,
        "detail": detail[:_MAX_DETAIL_CHARS],
        "instance": f"/requests/{request_id}",
        "request_id": request_id,
        **({"errors": list(errors[:_MAX_ERRORS])} if errors else {}),
    }


def is_inference_protocol(scope: Scope) -> bool:
    """Whether the address is one of the Open Inference Protocol, which has a shape of error of its own."""
    path: str = scope["path"]
    return path == "/v2" or path.startswith("/v2/")


def title(code: str) -> str:
    """Return a code as words: ``job-not-found`` is "Job not found"."""
    return code.replace("-", " ").capitalize()


def install(app: FastAPI) -> None:
    """Let every error that an endpoint, a dependency or the router raises become problem details."""
    app.add_exception_handler(ServiceError, _service_error)
    app.add_exception_handler(RequestValidationError, _validation_error)
    app.add_exception_handler(HTTPException, _http_exception)


async def _service_error(request: Request, error: Exception) -> Response:
    assert isinstance(error, ServiceError)
    headers = {"Retry-After": str(ceil(error.retry_after_s))} if isinstance(error, TooManyRequests) else {}
    return problem_response(request.scope, error.code, error.message, errors=_entries(request, error), headers=headers)


def _entries(request: Request, error: ServiceError) -> list[Mapping[str, Any]]:
    if error.field is None and error.allowed is None:
        return []
    field = error.field
    place = {} if field is None else _place(_location_of(request, field), field.split("."))
    allowed = {} if error.allowed is None else {"allowed": error.allowed}
    return [{**place, "code": error.code.replace("-", "_"), "message": error.message, **allowed}]


def _location_of(request: Request, field: str) -> str:
    if field in _FIELDS_IN_HEADERS:
        return "header"
    in_address = field in request.query_params or field in request.path_params or request.method == "GET"
    return "query" if in_address else "body"


async def _validation_error(request: Request, error: Exception) -> Response:
    """Say which fields are wrong and what they may be; never what they were."""
    assert isinstance(error, RequestValidationError)
    route = request.scope.get("route")
    parameters = ", ".join(sorted(getattr(route, "parameters", ()))) or "none"
    entries = [_entry(found, parameters) for found in error.errors()]
    detail = entries[0]["message"] if len(entries) == 1 else f"{len(entries):,} fields cannot be used; see the errors."
    return problem_response(request.scope, "invalid-field", detail, errors=entries)


def _entry(found: Mapping[str, Any], parameters: str) -> Mapping[str, Any]:
    location, *path = found["loc"]
    path = [part for part in path if not str(part).startswith("(")]  # tags of forms that a field may have
    code = _entry_code(found["type"])
    name = next((part for part in reversed(path) if isinstance(part, str)), "The body")
    entry = {**_place(location, path), "code": code}
    if code == "unknown_field" and location == "query":
        return {**entry, "message": "There is no parameter of this name.", "allowed": parameters}
    if code == "unknown_field":
        return {**entry, "message": "There is no field of this name."}
    is_list_of_values = len(path) == 2 and path[0] == "grid"
    allowed = (_ALLOWED.get(name) if location == "body" and not is_list_of_values else None) or _allowed(found)
    if code == "missing" and path:
        return {**entry, "message": f"{name} is required.", "allowed": allowed}
    return {**entry, "message": f"{name} must be {allowed}.", "allowed": allowed}


def _place(location: str, path: Sequence[str | int]) -> dict[str, str]:
    """Say where it is, in the words of JSON:API. A name that could not be one of ours is not repeated."""
    names = [str(part) for part in path]
    if not all(_PLAIN_NAME.fullmatch(name) for name in names):
        names = []
    kind = _LOCATIONS[location]
    return {kind: "/".join(["#", *names]) if kind == "pointer" else "/".join(names)}


_CODES_BY_KIND = {"missing": "missing", "extra_forbidden": "unknown_field", "finite_number": "not_finite"}


def _entry_code(kind: str) -> str:
    """Turn pydantic's some hundred kinds of error into few."""
    is_type = kind.endswith(("_type", "_parsing", "_unicode", "_from_float"))
    return _CODES_BY_KIND.get(kind, "wrong_type" if is_type else "out_of_range")


_ALLOWED_BY_KIND = {
    "greater_than_equal": "at least {ge}",
    "greater_than": "more than {gt}",
    "less_than_equal": "at most {le}",
    "less_than": "less than {lt}",
    **dict.fromkeys(("literal_error", "enum"), "{expected}"),
    "string_too_short": "at least {min_length} characters",
    "string_too_long": "at most {max_length} characters",
    "too_short": "at least {min_length} items",
    "too_long": "at most {max_length} items",
    **dict.fromkeys(("int_type", "int_parsing", "int_from_float"), "a whole number"),
    "int_parsing_size": "a whole number of a reasonable size",
    **dict.fromkeys(("float_type", "float_parsing"), "a number"),
    "finite_number": "a finite number",
    **dict.fromkeys(("bool_type", "bool_parsing"), "true or false"),
    "string_type": "a string",
    "string_unicode": "a string of whole Unicode characters",
    "list_type": "a list",
    **dict.fromkeys(("model_attributes_type", "model_type", "dict_type"), "a JSON object"),
}


FORMS = {
    **dict.fromkeys((NUMBER_CURSOR, NAME_CURSOR), "the `next` of an earlier page"),
    CLASSES_PATTERN: "digits with commas between them, as in 2,3",
    COLLECTION_NAME: COLLECTION_NAME_RULE,
    TITLE_PATTERN: RULES["title"],
    TAG_PATTERN: "a tag, without commas, and no space at its ends",
    TEXT_PATTERN: "without the character 0",
}
"""What each pattern means, in words: nobody is shown a regular expression."""


def _allowed(found: Mapping[str, Any]) -> str:
    """Say in words what pydantic would have accepted. Its own messages may hold the input."""
    kind, context = found["type"], found.get("ctx", {})
    if kind == "missing":
        return "given"
    if kind == "string_pattern_mismatch":
        return FORMS[context["pattern"]]
    return _ALLOWED_BY_KIND.get(kind, "of another form; see the documentation").format(**context)


async def _http_exception(request: Request, error: Exception) -> Response:
    """Render what the framework raises. Its details are fixed texts."""
    assert isinstance(error, HTTPException)
    if error.status_code == 404 and _is_for_a_person(request):
        return FileResponse(_NOT_FOUND_PAGE, 404)
    code = _CODES_BY_STATUS.get(error.status_code, "internal-error")
    detail = _DETAILS_BY_STATUS.get(error.status_code, error.detail)
    headers = dict(error.headers or {})
    if error.status_code == 405:
        headers["Allow"] = ", ".join(allowed_methods(request.scope))
    return problem_response(request.scope, code, detail, headers=headers)


def _is_for_a_person(request: Request) -> bool:
    """Whether a browser opens the address: it asks for HTML by name, which no program does that uses the API."""
    is_api = is_inference_protocol(request.scope) or request.url.path.startswith("/api/")
    return not is_api and "text/html" in request.headers.get("Accept", "")


def allowed_methods(scope: Scope) -> list[str]:
    """Return the methods that the address of a request allows; none if there is nothing there."""
    routes = [route for route in iter_route_contexts(scope["app"].routes) if route.path_regex.match(scope["path"])]
    methods: set[str] = set()
    for route in routes:
        if route.path == routes[0].path:  # images/{id}.png is also an images/{id}, with an id that none can have
            methods |= {"GET"} if isinstance(route.original_route, Mount) else route.methods or set()
    if "GET" in methods:
        methods.add("HEAD")
    return sorted(methods | {"OPTIONS"}) if methods else []
