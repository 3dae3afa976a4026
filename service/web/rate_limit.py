"""How often, and how many at a time: counted in the memory of this process, for each client by itself."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager

_MAX_CLIENTS = 10_000


class TokenBuckets:
    """A bucket of tokens for each client: full at first, refilled steadily, one token a request.

    What is kept of a client is one number: the time at which its bucket will be full again. After a request that is
    ``1 / rate_per_s`` later, and never more than ``burst_s`` ahead of now.

    Parameters
    ----------
    rate_per_s : tokens that come in a second; 0 lets everything pass.
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
    """So many places for each client.

    Parameters
    ----------
    per_client : places that one may hold at a time.
    """

    def __init__(self, per_client: int):
        self.per_client = per_client
        self._taken: Counter[str] = Counter()

    def full(self, client: str) -> bool:
        """Whether a client has all its places."""
        return self._taken[client] >= self.per_client

    @contextmanager
    def held(self, client: str) -> Iterator[None]:
        """Take a place for as long as the block runs."""
        self._taken[client] += 1
        try:
            yield
        finally:
            self._taken[client] -= 1
            if not self._taken[client]:
                del self._taken[client]
