"""What a process does at the same time, how often a client may ask, and for how long it is waited for."""

import os
import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TypeVar

from anyio import CapacityLimiter
from anyio.to_thread import run_sync
from starlette.exceptions import HTTPException

from service.errors import ServiceError

T = TypeVar("T")

SEND_TIMEOUT_S = 10.0
"""A client that receives nothing for so long, while something is to be sent to it, is disconnected."""
LARGE_BYTES = 1_048_576
_N_LARGE = 2
"""JSON takes up to twenty times its size while it is read, so two bodies of 16 MiB may take some 600 MiB."""
_N_SMALL = max(4, 2 * (os.cpu_count() or 1))
"""More would not be done sooner, and a picture of few bytes may take 70 MiB while it is decoded."""
_N_BODIES = 16
_MAX_CLIENTS = 10_000


class ConcurrencyLimits:
    """Bounds the memory that bodies and their decoding take, however many requests come at the same time.

    Parameters
    ----------
    max_body_bytes : of one body. All that are held together may be as large as sixteen of those,
    max_dataset_bytes : and in any case as two data sets.
    """

    def __init__(self, *, max_body_bytes: int, max_dataset_bytes: int) -> None:
        self._left_bytes = max(_N_BODIES * max_body_bytes, 2 * max_dataset_bytes)
        self._small = CapacityLimiter(_N_SMALL)
        self._large = CapacityLimiter(_N_LARGE)

    def reserve(self, n_bytes: int) -> None:
        """Reserve memory for a part of a body, until it is released; raise HTTPException if none is left."""
        if n_bytes > self._left_bytes:
            raise HTTPException(503, "Too much is being sent at the same time.")
        self._left_bytes -= n_bytes

    def release(self, n_bytes: int) -> None:
        """Release memory."""
        self._left_bytes += n_bytes

    async def run(self, work: Callable[[], T], n_bytes: int) -> T:
        """Run a function in a thread, after those of its size that wait for one; it works on ``n_bytes``."""
        limiter = self._large if n_bytes > LARGE_BYTES else self._small
        result, error = await run_sync(_try, work, limiter=limiter)
        if error is not None:
            raise error
        return result  # type: ignore[return-value]


def _try(work: Callable[[], T]) -> tuple[T | None, ServiceError | None]:
    """Run a function; return its error without its traceback, whose frames would keep the body until the answer."""
    try:
        return work(), None
    except ServiceError as error:
        error.__cause__ = error.__context__ = None
        return None, error.with_traceback(None)


class TokenBuckets:
    """A bucket of tokens for each client: full at first, refilled steadily, one token a request.

    What is kept of a client is one number: the time at which its bucket will be full again. After a request that is
    ``1 / rate_per_s`` later, and never more than ``burst_s`` ahead of now.

    Parameters
    ----------
    rate_per_s : tokens that come in a second; 0 is no limit.
    burst_s : a full bucket holds what comes in so many seconds.
    clock : monotonic, seconds.
    """

    def __init__(self, rate_per_s: float, *, burst_s: float = 2.0, clock: Callable[[], float] = time.monotonic):
        self._token_s = 1 / rate_per_s if rate_per_s else 0.0
        self._burst_s = max(burst_s, self._token_s)
        self._clock = clock
        self._full_at_s: dict[str, float] = {}

    def take(self, client: str) -> float:
        """Take a token; return 0, or after how many seconds there will be one."""
        now_s = self._clock()
        full_at_s = max(now_s, self._full_at_s.get(client, 0.0)) + self._token_s
        if (wait_s := full_at_s - now_s - self._burst_s) > 1e-9:
            return wait_s
        if client not in self._full_at_s and len(self._full_at_s) >= _MAX_CLIENTS:
            self._forget(now_s)
        self._full_at_s[client] = full_at_s
        return 0.0

    def _forget(self, now_s: float) -> None:
        """Drop those whose buckets are full, and half of the others if all are in use."""
        kept = [(client, at_s) for client, at_s in self._full_at_s.items() if at_s > now_s]
        self._full_at_s = dict(kept[-_MAX_CLIENTS // 2 :])


class Slots:
    """A number of slots for each client, of which it may hold ``per_client`` at a time."""

    def __init__(self, per_client: int):
        self.per_client = per_client
        self._taken: Counter[str] = Counter()

    def full(self, client: str) -> bool:
        """Whether a client holds all its slots."""
        return self._taken[client] >= self.per_client

    @contextmanager
    def held(self, client: str) -> Iterator[None]:
        """Hold a slot for as long as the block runs."""
        self._taken[client] += 1
        try:
            yield
        finally:
            self._taken[client] -= 1
            if not self._taken[client]:
                del self._taken[client]
