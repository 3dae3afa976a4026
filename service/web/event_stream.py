"""A stream of Server-Sent Events that no client can hold up."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncGenerator
from contextlib import AbstractContextManager, aclosing, nullcontext

from starlette.responses import StreamingResponse
from starlette.types import Receive, Scope, Send

_log = logging.getLogger(__name__)

SEND_TIMEOUT_S = 10.0


class EventStream(StreamingResponse):
    """Server-Sent Events, ready for the wire.

    Parameters
    ----------
    events : closed when the client leaves, whatever it was doing.
    place : held as long as the stream is open.
    send_timeout_s : a client that does not take what it is sent for this long is left.
    """

    media_type = "text/event-stream"

    def __init__(
        self,
        events: AsyncGenerator[bytes],
        *,
        place: AbstractContextManager[None] | None = None,
        send_timeout_s: float = SEND_TIMEOUT_S,
    ) -> None:
        super().__init__(events, headers={"Cache-Control": "no-cache", "X-Accel-Buffering": "no"})
        self._events = events
        self._place = place or nullcontext()
        self._send_timeout_s = send_timeout_s

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """See `StreamingResponse`."""
        with self._place:
            await super().__call__(scope, receive, send)

    async def stream_response(self, send: Send) -> None:
        """Send all events. See `StreamingResponse`, which also watches for the client to leave."""
        await send({"type": "http.response.start", "status": self.status_code, "headers": self.raw_headers})
        async with aclosing(self._events):
            try:
                async for event in self._events:
                    async with asyncio.timeout(self._send_timeout_s):
                        await send({"type": "http.response.body", "body": event, "more_body": True})
            except TimeoutError:
                _log.info("a follower stopped reading and was left")
                return
        await send({"type": "http.response.body", "body": b"", "more_body": False})
