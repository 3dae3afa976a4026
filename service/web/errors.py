"""From exceptions to problem details: the only place that knows which error is which answer."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from math import ceil
from re import compile as pattern
from typing import Any

from fastapi import FastAPI
from fastapi.exceptions import RequestValidationError
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response

from service.core import HYPERPARAMETERS
from service.errors import ServiceError, TooManyRequests

from .methods import allowed_methods
from .problems import problem_response

_ALLOWED = {row.name: row.allowed for row in HYPERPARAMETERS}
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
_DETAILS_BY_STATUS = {
    404: "There is nothing at this address.",
    405: "The method is not allowed at this address.",
}
_HEADERS = {"Content-Encoding", "Content-Type", "Idempotency-Key", "If-Match", "Last-Event-ID"}
_LOCATIONS = {"body": "pointer", "query": "parameter", "path": "parameter", "header": "header"}


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
    if field in _HEADERS:
        return "header"
    in_address = field in request.query_params or field in request.path_params or request.method == "GET"
    return "query" if in_address else "body"


async def _validation_error(request: Request, error: Exception) -> Response:
    """Say which fields are wrong and what they may be; never what they were."""
    assert isinstance(error, RequestValidationError)
    entries = [_entry(found) for found in error.errors()]
    detail = entries[0]["message"] if len(entries) == 1 else f"{len(entries):,} fields cannot be used; see the errors."
    return problem_response(request.scope, "invalid-field", detail, errors=entries)


def _entry(found: Mapping[str, Any]) -> Mapping[str, Any]:
    location, *path = found["loc"]
    code = _entry_code(found["type"])
    name = next((part for part in reversed(path) if isinstance(part, str)), "The body")
    entry = {**_place(location, path), "code": code}
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


def _entry_code(kind: str) -> str:
    """Turn pydantic's some hundred kinds of error into few."""
    match kind:
        case "missing":
            return "missing"
        case "extra_forbidden":
            return "unknown_field"
        case "finite_number":
            return "not_finite"
        case _ if kind.endswith(("_type", "_parsing", "_unicode", "_from_float")):
            return "wrong_type"
        case _:
            return "out_of_range"


_ALLOWED_BY_KIND = {
    "greater_than_equal": "at least {ge}",
    "greater_than": "more than {gt}",
    "less_than_equal": "at most {le}",
    "less_than": "less than {lt}",
    "literal_error": "{expected}",
    "enum": "{expected}",
    "string_too_short": "at least {min_length} characters",
    "string_too_long": "at most {max_length} characters",
    "too_short": "at least {min_length} items",
    "too_long": "at most {max_length} items",
    "int_type": "a whole number",
    "int_parsing": "a whole number",
    "int_from_float": "a whole number",
    "int_parsing_size": "a whole number of a reasonable size",
    "float_type": "a number",
    "float_parsing": "a number",
    "finite_number": "a finite number",
    "bool_type": "true or false",
    "bool_parsing": "true or false",
    "string_pattern_mismatch": "of the form {pattern}",
    "string_type": "a string",
    "string_unicode": "a string of whole Unicode characters",
    "list_type": "a list",
    "model_attributes_type": "a JSON object",
    "model_type": "a JSON object",
    "dict_type": "a JSON object",
}


def _allowed(found: Mapping[str, Any]) -> str:
    """Say in words what pydantic would have accepted. Its own messages may hold the input."""
    kind, context = found["type"], found.get("ctx", {})
    if kind == "missing":
        return "given"
    return _ALLOWED_BY_KIND.get(kind, "of another form; see the documentation").format(**context)


async def _http_exception(request: Request, error: Exception) -> Response:
    """Render what the framework raises. Its details are fixed texts."""
    assert isinstance(error, HTTPException)
    code = _CODES_BY_STATUS.get(error.status_code, "internal-error")
    detail = _DETAILS_BY_STATUS.get(error.status_code, error.detail)
    headers = dict(error.headers or {})
    if error.status_code == 405:
        headers["Allow"] = ", ".join(allowed_methods(request.scope))
    return problem_response(request.scope, code, detail, headers=headers)
