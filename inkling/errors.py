"""Everything that a request can fail with, as one tree.

::

    InklingError
    ├── InvalidInput (ValueError)   what was sent cannot be used
    │   ├── InvalidField            a named field is outside its allowed range
    │   ├── MalformedInput          it could not be parsed at all
    │   ├── UnsupportedMedia        a kind of content that is not accepted
    │   ├── InvalidImage            an image that is empty, truncated or degenerate
    │   ├── InputTooLarge           more bytes, pixels or items than the stated limit
    │   └── InvalidDataset          training data that is not what it claims to be
    ├── NotFound
    │   ├── JobNotFound
    │   ├── ModelNotFound           the name, the version or the alias is unknown
    │   └── DatasetNotFound         the data set, or the image in it, is unknown
    ├── Conflict                    well-formed, but not in the present state
    │   ├── InvalidJobTransition    a job in this state cannot do that
    │   ├── NoDataYet               nothing to show so far
    │   ├── AliasMoved              somebody else moved the alias first
    │   └── IdempotencyMismatch     the key was used before with another request
    ├── AccessDenied
    │   ├── Unauthenticated         there is no key, or it is not a valid one
    │   └── InsufficientScope       the key is valid, and not for this
    ├── TooManyRequests             faster, or more at a time, than allowed; ``retry_after_s`` says when to try again
    │   └── QueueFull               no more jobs are accepted for the moment
    ├── ServerFailed                an error of the server itself, such as a full disk; or it is not Inkling
    └── ServiceUnreachable          the server does not answer
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

import httpx


class InklingError(Exception):
    """The root, which is never raised itself.

    Parameters
    ----------
    message : one sentence for a person.
    field : the field that was wrong, as it is called in the API (``learning_rate``, ``pixels``), if it is one.
    allowed : its legal range or values, in words.
    code : the last part of the problem type, stable; see docs/api.md.
    status : of the HTTP response, if there was one.
    errors : the entries of the problem, one for each field that was wrong.
    retry_after_s : after how long the server wants to be asked again, if it says so.
    """

    def __init__(
        self,
        message: str,
        *,
        field: str | None = None,
        allowed: str | None = None,
        code: str = "",
        status: int | None = None,
        errors: tuple[dict[str, Any], ...] = (),
        retry_after_s: float | None = None,
    ) -> None:
        Exception.__init__(self, message)
        self.message = message
        self.field = field
        self.allowed = allowed
        self.code = code or re.sub("(?<=[a-z])(?=[A-Z])", "-", type(self).__name__).lower()
        self.status = status
        self.errors = errors
        self.retry_after_s = retry_after_s

    def __str__(self) -> str:
        """The message, with the allowed range where it does not say that itself."""
        if self.allowed is None or self.allowed in self.message:
            return self.message
        return f"{self.message} Allowed: {self.allowed}."


class InvalidInput(InklingError, ValueError):
    """What was sent cannot be used."""


class InvalidField(InvalidInput):
    """A named field is outside its allowed range."""


class MalformedInput(InvalidInput):
    """It could not be parsed at all."""


class UnsupportedMedia(InvalidInput):
    """A kind of content that is not accepted."""


class InvalidImage(InvalidInput):
    """An image that is empty, truncated or degenerate."""


class InputTooLarge(InvalidInput):
    """More bytes, pixels or items than the stated limit."""


class InvalidDataset(InvalidInput):
    """Training data that is not what it claims to be."""


class NotFound(InklingError):
    """It does not exist."""


class JobNotFound(NotFound):
    """The job is unknown."""


class ModelNotFound(NotFound):
    """The name, the version or the alias is unknown."""


class DatasetNotFound(NotFound):
    """The data set, or the image in it, is unknown."""


class Conflict(InklingError):
    """Well-formed, but not in the present state."""


class InvalidJobTransition(Conflict):
    """A job in this state cannot do that."""


class NoDataYet(Conflict):
    """Nothing to show so far."""


class AliasMoved(Conflict):
    """Somebody else moved the alias first."""


class IdempotencyMismatch(Conflict):
    """The key was used before with another request."""


class AccessDenied(InklingError):
    """Not for this client."""


class Unauthenticated(AccessDenied):
    """There is no key, or it is not a valid one."""


class InsufficientScope(AccessDenied):
    """The key is valid, and not for this."""


class TooManyRequests(InklingError):
    """Faster, or more at a time, than allowed; ``retry_after_s`` says when to try again."""


class QueueFull(TooManyRequests):
    """No more jobs are accepted for the moment."""


class ServerFailed(InklingError):
    """An error of the server itself, such as a full disk; or it is not Inkling."""


class ServiceUnreachable(InklingError):
    """The server does not answer, or what stands before it does not reach it."""


def _tree(root: type[InklingError]) -> Iterator[type[InklingError]]:
    yield root
    for child in root.__subclasses__():
        yield from _tree(child)


BY_NAME = {error.__name__: error for error in _tree(InklingError)}
"""The class of a problem by its name: ``job-not-found`` is a `JobNotFound`."""

_BY_STATUS: dict[int, type[InklingError]] = {
    401: Unauthenticated,
    403: AccessDenied,
    404: NotFound,
    409: Conflict,
    412: Conflict,
    429: TooManyRequests,
}


def raise_for_problem(response: httpx.Response) -> None:
    """Raise what a request was refused with; the body must have been read.

    A problem (RFC 9457) becomes the class that its type names, or else that of its status. What is no problem did not
    come from Inkling: a proxy that answers 502, 503 or 504 makes it `ServiceUnreachable`.
    """
    if response.is_success:
        return
    status = response.status_code
    seconds = response.headers.get("Retry-After", "")
    retry_after_s = float(seconds) if seconds.isdecimal() else None
    try:
        problem = response.json()
        code, message = problem["type"].rpartition("/")[2], str(problem.get("detail") or problem["title"])
        errors = tuple(dict(entry) for entry in problem.get("errors", ()))
    except (ValueError, KeyError, TypeError, AttributeError):
        error_class = ServiceUnreachable if status in (502, 503, 504) else _BY_STATUS.get(status, ServerFailed)
        message = f"The server answered {status} {response.reason_phrase}."
        raise error_class(message, status=status, retry_after_s=retry_after_s) from None
    if status == 401:
        message += " Give it in INKLING_KEY, or as the client's key."
    name = "".join(word.capitalize() for word in code.split("-"))
    error_class = BY_NAME.get(name) or _BY_STATUS.get(status) or (InvalidInput if status < 500 else ServerFailed)
    field = allowed = None
    if len(errors) == 1:
        field, allowed = _field(errors[0]), errors[0].get("allowed")
    elif errors:
        message = " ".join([message, *(str(entry.get("message", "")) for entry in errors)])
    raise error_class(
        message,
        field=field,
        allowed=allowed,
        code=code,
        status=status,
        errors=errors,
        retry_after_s=retry_after_s,
    )


def _field(entry: dict[str, Any]) -> str | None:
    place = entry.get("pointer") or entry.get("parameter") or entry.get("header")
    return None if place is None else str(place).removeprefix("#/") or None
