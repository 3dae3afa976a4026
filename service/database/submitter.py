"""Whose key the jobs come with that are submitted here and now, and how many it may have."""

from __future__ import annotations

from contextvars import ContextVar
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Submitter:
    """A key by its id, and the jobs of it that may wait or run at a time."""

    key_id: str
    max_jobs: int


submitter: ContextVar[Submitter | None] = ContextVar("submitter", default=None)
"""None where no key is needed."""
