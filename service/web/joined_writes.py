"""A transport that sends the head of an answer with its body: one call into the kernel and one packet, not two."""

from __future__ import annotations

import asyncio
from typing import Any


class JoinedWrites:
    """Holds a write back until the next one, or until the event loop has nothing more to do at the moment.

    Everything else goes to the transport itself.

    Parameters
    ----------
    transport : that writes.
    loop : of the transport.
    """

    def __init__(self, transport: asyncio.Transport, loop: asyncio.AbstractEventLoop) -> None:
        self._transport = transport
        self._loop = loop
        self._held = b""

    def write(self, data: bytes) -> None:
        """Send, at once what is the second of two."""
        if self._held:
            held, self._held = self._held, b""
            self._transport.writelines((held, data))
        else:
            self._held = data
            self._loop.call_soon(self.flush)

    def flush(self) -> None:
        """Send what is held back."""
        if self._held:
            held, self._held = self._held, b""
            self._transport.write(held)

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
        return len(self._held) + self._transport.get_write_buffer_size()

    def __getattr__(self, name: str) -> Any:
        """Return what is the transport's own."""
        return getattr(self._transport, name)
