"""Times as plain data."""

from __future__ import annotations

from datetime import datetime


def utc_text(time: datetime) -> str:
    """Return a UTC time as ISO 8601 with a Z, to the millisecond: how everything that is shown writes it."""
    return time.isoformat(timespec="milliseconds").replace("+00:00", "Z")
