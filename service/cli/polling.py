"""Asking again and again, where nobody tells by himself."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator

from service.errors import ServiceUnreachable

from .backend import Json
from .sweep_words import is_over

POLL_S = 0.3
_MAX_SHARE = 0.1
"""Of the time may be spent on asking: a large sweep takes long to tell, and is asked less often."""
_RETRY_S = 1.0
_MAX_UNANSWERED = 30


def poll_sweep(ask: Callable[[], Json]) -> Iterator[Json]:
    """Yield what ``ask`` returns until it is a sweep that is over; a server that is away is asked again for a while."""
    unanswered = 0
    while True:
        asked_at_s = time.monotonic()
        try:
            sweep = ask()
        except ServiceUnreachable:
            unanswered += 1
            if unanswered > _MAX_UNANSWERED:
                raise
            time.sleep(_RETRY_S)
            continue
        unanswered = 0
        took_s = time.monotonic() - asked_at_s
        yield sweep
        if is_over(sweep):
            return
        time.sleep(max(POLL_S, took_s / _MAX_SHARE))
