"""Where work comes from: plain data that travels with it to the queue, the worker and the registry."""

from __future__ import annotations

from collections.abc import Mapping
from contextvars import ContextVar
from typing import TypeAlias

from opentelemetry import propagate

Origin: TypeAlias = Mapping[str, str]
"""``request_id`` of the request that asked for it; ``traceparent`` and its like, if that was traced."""

request_id: ContextVar[str | None] = ContextVar("request_id", default=None)
"""Of the request that is being answered."""


def origin() -> Origin | None:
    """Return where the work comes from that is asked for here and now; None if that is no request."""
    carrier: dict[str, str] = {}
    propagate.inject(carrier)
    if (id_ := request_id.get()) is not None:
        carrier["request_id"] = id_
    return carrier or None
