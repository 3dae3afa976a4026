"""The limits that are no settings, for the page that lists them all; each is the value that is enforced."""

from __future__ import annotations

from dataclasses import dataclass

from .connection import MAX_HEADER_BYTES, MAX_HEADERS
from .event_stream import SEND_TIMEOUT_S
from .image_body import MAX_FILES
from .strict_json import MAX_DEPTH


@dataclass(frozen=True, slots=True)
class FixedLimit:
    """What is limited, and the most that there may be, in words."""

    meaning: str
    value: str


FIXED_LIMITS = (
    FixedLimit("bytes of headers", f"{MAX_HEADER_BYTES:,}"),
    FixedLimit("headers", f"{MAX_HEADERS}"),
    FixedLimit("levels of nested JSON", f"{MAX_DEPTH}"),
    FixedLimit("files in a form", f"{MAX_FILES:,}"),
    FixedLimit("seconds that a client may take nothing of an event stream", f"{SEND_TIMEOUT_S:g}"),
)
