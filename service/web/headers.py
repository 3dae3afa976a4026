"""The headers of a request, without an object around them: every request is asked for several."""

from __future__ import annotations

from starlette.types import Scope


def header_values(scope: Scope, name: bytes) -> list[str]:
    """Return what a header says, once for each time that it was sent.

    Parameters
    ----------
    name : in lower case, as ASGI has the names.
    """
    return [value.decode("latin-1") for key, value in scope["headers"] if key == name]


def header(scope: Scope, name: bytes) -> str:
    """Return what a header says, the first time if it was sent several times; nothing if it was not sent."""
    for key, value in scope["headers"]:
        if key == name:
            return str(value, "latin-1")
    return ""
