"""Everything that a request can fail with, as one tree; ``code`` distinguishes what shares a class."""

from __future__ import annotations

import re
from typing import Any

import httpx

BY_NAME: dict[str, type[InklingError]] = {}
"""The class of a problem by its name: ``job-not-found`` is a `JobNotFound`."""


class InklingError(Exception):
    """The root, which is never raised itself.

    Parameters
    ----------
    message : one sentence for a person.
    field : the field that was wrong, as the API calls it (``learning_rate``, ``pixels``), if it is one.
    allowed : its legal range or values, in words.
    code : the last part of the problem type; stable.
    status : of the HTTP response, if there was one.
    errors : the entries of the problem, one for each field that was wrong.
    retry_after_s : seconds after which to retry, if the server gave them.
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

    def __init_subclass__(cls) -> None:
        BY_NAME[cls.__name__] = cls

    def __str__(self) -> str:
        """The message, with the allowed range where it does not contain that."""
        if self.allowed is None or self.allowed in self.message:
            return self.message
        return f"{self.message} Allowed: {self.allowed}."


class InvalidInput(InklingError, ValueError):
    """What was sent cannot be used."""


class InvalidField(InvalidInput):
    """A named field is outside its allowed range."""


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


class NoDataYet(Conflict):
    """Nothing to show so far."""


class AliasMoved(Conflict):
    """Another request moved the alias first."""


class InUse(Conflict):
    """Something else needs it, so it cannot be deleted; the message names what."""


class AccessDenied(InklingError):
    """Not for this client."""


class Unauthenticated(AccessDenied):
    """There is no key, or it is not a valid one."""


class InsufficientScope(AccessDenied):
    """The key is valid, and not for this."""


class TooManyRequests(InklingError):
    """Faster, or more at a time, than allowed; or the queue is full."""


class ServerFailed(InklingError):
    """An error of the server itself, such as a full disk; or it is not Inkling."""


class ServiceUnreachable(InklingError):
    """The server does not answer, or what stands before it does not reach it."""


_BY_STATUS = {
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
    facts: dict[str, Any] = {"status": status, "retry_after_s": float(seconds) if seconds.isdecimal() else None}
    try:
        error = error_of(response.json(), **facts)
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError):
        error_class = ServiceUnreachable if status in (502, 503, 504) else _BY_STATUS.get(status, ServerFailed)
        raise error_class(f"The server answered {status} {response.reason_phrase}.", **facts) from None
    raise error


def error_of(problem: Any, *, status: int, **facts: Any) -> InklingError:
    """Return the error of a problem (RFC 9457); ValueError, KeyError, TypeError or AttributeError if it is none."""
    code, message = problem["type"].rpartition("/")[2], str(problem.get("detail") or problem["title"])
    entries = tuple(dict(entry) for entry in problem.get("errors", ()))
    if len(entries) == 1:
        facts |= {"field": _field(entries[0]), "allowed": entries[0].get("allowed")}
    message = " ".join([message, *(str(entry.get("message", "")) for entry in entries if len(entries) > 1)])
    if status == 401:
        message += " Give one in INKLING_KEY, or as the client's key."
    error_class = BY_NAME.get("".join(map(str.capitalize, code.split("-")))) or _BY_STATUS.get(status)
    error_class = error_class or (InvalidInput if status < 500 else ServerFailed)
    return error_class(message, code=code, errors=entries, status=status, **facts)


def _field(entry: dict[str, Any]) -> str | None:
    place = entry.get("pointer") or entry.get("parameter") or entry.get("header")
    return None if place is None else str(place).removeprefix("#/") or None
