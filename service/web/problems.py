"""What can be wrong with a request, as one table; and how it is said: as RFC 9457 problem details, or in
the words of the inference protocol.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Annotated, Any

from pydantic import BaseModel, Field
from starlette.responses import Response
from starlette.types import Scope

MEDIA_TYPE = "application/problem+json"
_MAX_ERRORS = 20
_MAX_DETAIL_CHARS = 200
_HEADERS = {401: {"WWW-Authenticate": "Bearer"}, 429: {"Retry-After": "5"}, 503: {"Retry-After": "2"}}


@dataclass(frozen=True, slots=True)
class ProblemType:
    """A kind of problem: the status of the answer, and what it means to somebody who meets it.

    The error of a failed job is a problem too, but not one of an answer: then there is no status.
    """

    status: int | None
    meaning: str


PROBLEM_TYPES: Mapping[str, ProblemType] = {
    # From the tree in service/errors.py, by the code of each class.
    "service-error": ProblemType(500, "Something failed on the server that has no better name."),
    "invalid-input": ProblemType(422, "The request was understood, and what it asks for cannot be used."),
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
    "access-denied": ProblemType(403, "This is not for you."),
    "unauthenticated": ProblemType(401, "There is no key, or it is wrong, expired or revoked; see WWW-Authenticate."),
    "insufficient-scope": ProblemType(403, "The key is valid, and has not the scope that this needs."),
    "keys-required": ProblemType(503, "A service that others can reach needs keys, or the word that it needs none."),
    "too-many-requests": ProblemType(429, "Too often, or too much at a time; Retry-After says when to try again."),
    "queue-full": ProblemType(429, "No more jobs are accepted for the moment; try again later."),
    "corrupted": ProblemType(409, "Stored bytes are not what their checksum says, so they are not used."),
    "storage-failed": ProblemType(503, "The disk or the database refused; try again later."),
    "storage-full": ProblemType(507, "There is no space left on the server."),
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
    "internal-error": ProblemType(500, "A mistake on our side; the server's log has it under the request id."),
    # Of failed jobs.
    "non-finite-loss": ProblemType(None, "The loss stopped being a finite number; a smaller learning rate may help."),
    "worker-lost": ProblemType(None, "The workers that trained the job died, several times."),
}
"""Every ``type`` that an answer can have, without its ``/problems/``."""


class ProblemEntry(BaseModel):
    """One field that is wrong."""

    pointer: Annotated[str | None, Field(description="Into the JSON body, as in `#/learning_rate`.")] = None
    parameter: Annotated[str | None, Field(description="Of the address.")] = None
    header: str | None = None
    code: str
    message: str
    allowed: Annotated[str | None, Field(description="The legal range or values, in words.")] = None


class Problem(BaseModel):
    """Problem details (RFC 9457). `GET {type}` explains a type."""

    type: str
    title: str
    status: int
    detail: str
    instance: str
    request_id: str
    errors: list[ProblemEntry] = []


def problem_response(
    scope: Scope,
    code: str,
    detail: str,
    *,
    errors: Sequence[Mapping[str, Any]] = (),
    headers: Mapping[str, str] | None = None,
) -> Response:
    """Say what is wrong: as problem details or, under ``/v2``, as ``{"error": "..."}``.

    Parameters
    ----------
    scope : of the request, for its id.
    code : of `PROBLEM_TYPES`.
    detail : a sentence for a person that repeats nothing of the request.
    errors : one entry for each field; only the first 20 are kept.
    """
    status = PROBLEM_TYPES[code].status
    assert status is not None
    headers = {**_HEADERS.get(status, {}), **(headers or {})}
    if is_inference_protocol(scope):
        allowed = errors[0].get("allowed") if errors else None
        text = f"{detail} Allowed: {allowed}." if allowed else detail
        status = 400 if status == 422 else status  # the protocol's word for whatever is wrong with a request
        return Response(json.dumps({"error": text}), status, headers, "application/json")
    request_id = scope["state"]["request_id"]
    body = {
        "type": f"/problems/{code}",
        "title": title(code),
        "status": status,
        "detail": detail[:_MAX_DETAIL_CHARS],
        "instance": f"/requests/{request_id}",
        "request_id": request_id,
        **({"errors": list(errors[:_MAX_ERRORS])} if errors else {}),
    }
    return Response(json.dumps(body), status, headers, MEDIA_TYPE)


def is_inference_protocol(scope: Scope) -> bool:
    """Whether the address is one of the Open Inference Protocol, which has a shape of error of its own."""
    path: str = scope["path"]
    return path == "/v2" or path.startswith("/v2/")


def title(code: str) -> str:
    """Return a code as words: ``job-not-found`` is "Job not found"."""
    return code.replace("-", " ").capitalize()
