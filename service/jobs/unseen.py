"""The events that nobody was told of yet, in whatever order their writers commit them."""

from __future__ import annotations

import time
from collections.abc import Callable

from .jobs import Jobs

LATE_S = 20.0
"""No transaction that writes lives longer: an id that is missing for so long was rolled back."""
_LOOK_BACK = 1000
"""More events than can be under way in transactions that have not ended."""


class Unseen:
    """Asks again and again which jobs something happened to, and misses nothing.

    PostgreSQL gives events their ids before they are committed, so an event may appear below one that was seen
    already. What is missing below the highest id is therefore waited for.

    Parameters
    ----------
    jobs : where events are read.
    clock : seconds, never going back.
    """

    def __init__(self, jobs: Jobs, clock: Callable[[], float] = time.monotonic) -> None:
        self._jobs = jobs
        self._clock = clock
        self._settled = max(0, jobs.newest_event_id() - _LOOK_BACK)
        self._seen_at: dict[int, float] = {}

    def jobs(self) -> set[str]:
        """Return the jobs of all events that were not there when this was asked before."""
        now = self._clock()
        events = self._jobs.events_since(self._settled)
        unseen = {job_id for event_id, job_id in events.items() if event_id not in self._seen_at}
        for event_id in events:
            self._seen_at.setdefault(event_id, now)
        for event_id in sorted(self._seen_at):
            if event_id > self._settled + 1 and now - self._seen_at[event_id] < LATE_S:
                break  # one below it may still come
            self._settled = event_id
            del self._seen_at[event_id]
        return unseen
