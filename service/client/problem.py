"""Problem details (RFC 9457) turned back into the errors that they were made from."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import httpx

from service.errors import ServiceError, ServiceUnreachable, Unauthenticated

_TRY_AGAIN = (502, 503, 504)


def raise_for_problem(response: httpx.Response) -> None:
    """Raise what a request was refused with; the body must have been read.

    The last part of the problem's ``type`` is the code of an error class, and its first entry of ``errors`` has
    field and allowed range. Whatever else refuses, a proxy for one, becomes `ServiceUnreachable` if it says that
    trying again may help, and else a plain `ServiceError`.
    """
    if response.is_success:
        return
    fallback = ServiceUnreachable if response.status_code in _TRY_AGAIN else ServiceError
    try:
        problem = response.json()
        code, message = problem["type"].rpartition("/")[2], str(problem.get("detail") or problem["title"])
        entries = list(problem.get("errors", ()))
    except (ValueError, KeyError, TypeError, AttributeError):
        raise fallback(f"The server answered {response.status_code} {response.reason_phrase}.") from None
    error_class = _CLASSES.get(code, fallback)
    if error_class is Unauthenticated:
        message += " Give it in INKLING_KEY, or a file that holds it with --key-file."
    if len(entries) == 1:
        raise error_class(message, field=_field(entries[0]), allowed=entries[0].get("allowed"))
    raise error_class(" ".join([message, *(str(entry["message"]) for entry in entries)]))


def _field(entry: dict[str, Any]) -> str | None:
    place = entry.get("pointer") or entry.get("parameter") or entry.get("header")
    return None if place is None else str(place).removeprefix("#/") or None


def _tree(root: type[ServiceError]) -> Iterator[type[ServiceError]]:
    yield root
    for child in root.__subclasses__():
        yield from _tree(child)


_CLASSES = {error.code: error for error in _tree(ServiceError)}
