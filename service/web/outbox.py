"""Transports whose answers go out together: the head of one with its body, and all that are ready at about one time.

A packet costs more than its bytes: a call into the kernel, and mostly the waking of whoever waits for it. Answers that
are held back until the event loop has gone through what was to be done at the moment wake a client, or a balancer in
front of us, once for several.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable
from contextlib import suppress
from typing import Any

MAX_HELD_S = 0.0005
"""Answers do not wait longer than this for others; what is being computed then is still waited for."""
MAX_HELD_BYTES = 65_536
"""Of one connection: more goes out at once."""


class Outbox:
    """What is to go out at the end of this round of the event loop, of all connections of a server.

    Parameters
    ----------
    clock : monotonic, seconds.
    """

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._held: list[JoinedWrites] = []
        self._since_s = 0.0

    def hold(self, writes: JoinedWrites) -> None:
        """Have this flushed with the others."""
        now_s = self._clock()
        if self._held and now_s - self._since_s > MAX_HELD_S:
            self.flush()
        if not self._held:
            self._since_s = now_s
            asyncio.get_running_loop().call_soon(self.flush)
        self._held.append(writes)

    def flush(self) -> None:
        """Send everything."""
        held, self._held = self._held, []
        for writes in held:
            writes.flush()


class JoinedWrites:
    """A transport that holds back what is written, for an `Outbox` to flush.

    Everything else goes to the transport itself.

    Parameters
    ----------
    transport : that writes.
    outbox : in which it waits.
    """

    def __init__(self, transport: asyncio.Transport, outbox: Outbox) -> None:
        self._transport = transport
        self._outbox = outbox
        self._parts: list[bytes] = []
        self._n_bytes = 0

    def write(self, data: bytes) -> None:
        """Send soon, with what else is written meanwhile."""
        if not self._parts:
            self._outbox.hold(self)
        self._parts.append(data)
        self._n_bytes += len(data)
        if self._n_bytes > MAX_HELD_BYTES:
            self.flush()

    def flush(self) -> None:
        """Send what is held back."""
        if self._parts:
            parts, self._parts, self._n_bytes = self._parts, [], 0
            with suppress(RuntimeError):  # of uvloop, if the connection was lost meanwhile
                self._transport.writelines(parts)

    def close(self) -> None:
        """See `asyncio.Transport.close`."""
        self.flush()
        self._transport.close()

    def write_eof(self) -> None:
        """See `asyncio.Transport.write_eof`."""
        self.flush()
        self._transport.write_eof()

    def get_write_buffer_size(self) -> int:
        """See `asyncio.Transport.get_write_buffer_size`."""
        return self._n_bytes + self._transport.get_write_buffer_size()

    def __getattr__(self, name: str) -> Any:
        """Return what is the transport's own."""
        return getattr(self._transport, name)
