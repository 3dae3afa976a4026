"""A connection to a client that may be hostile: every wait ends, and what is held for it is bounded.

Uvicorn itself waits for ever for a request that does not come, or comes a byte at a time, and keeps headers of any
size. The body is bounded where it is read, in `BoundedRequest`.
"""

from __future__ import annotations

import asyncio
import logging
from dataclasses import dataclass, field
from typing import Any

import httptools
from starlette.types import Scope
from ulid import ULID
from uvicorn.protocols.http.httptools_impl import STATUS_LINE, HttpToolsProtocol, RequestResponseCycle

from .event_stream import SEND_TIMEOUT_S
from .problems import problem_response
from .request_context import RAW_SECURITY_HEADERS

_log = logging.getLogger(__name__)

MAX_HEADER_BYTES = 32_768
MAX_HEADERS = 100
MAX_PIPELINED = 16
MIN_RECEIVED_BYTES = 16_384
"""What a client must take within `SEND_TIMEOUT_S` while more than that waits for it."""
_LINGER_S = 3.0
"""What an answered client may still send, unread: closed at once, it might not see the answer."""
_HAS_COME = "body_has_come"
_FRAMING_BYTES = 8
"""Allowed for each byte of a body: chunks of a single byte take five."""


def has_come(scope: Scope) -> bool:
    """Tell whether the whole body of a request is here, so that no time need be measured while it is read."""
    return _HAS_COME in scope["state"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Reception:
    """What all connections of a server share.

    Parameters
    ----------
    header_timeout_s : from the first moment, or the first byte of a further request, to the end of its headers.
    max_connections : beyond it, the one that has kept us waiting longest makes room for a new one.
    waiting : those that owe us something: a request, or the rest of one. The longest wait comes first.
    """

    header_timeout_s: float
    max_connections: int
    waiting: dict[Connection, None] = field(default_factory=dict)


class _Refused(Exception):
    """Raised inside the parser, which stops then."""

    def __init__(self, code: str, detail: str) -> None:
        super().__init__(code, detail)


class Connection(HttpToolsProtocol):
    """One client's connection, over which requests come one after another."""

    def __init__(self, *args: Any, reception: Reception, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self._reception = reception
        self._deadline: asyncio.TimerHandle | None = None
        self._reader_check: asyncio.TimerHandle | None = None
        self._answering: RequestResponseCycle | None = None
        self._receiving = False
        self._refused = False
        self._n_header_bytes = self._n_overhead_bytes = self._n_body_bytes = 0

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        """Begin to wait for a request, if there is room."""
        super().connection_made(transport)
        if len(self.connections) > self._reception.max_connections:
            longest = next(iter(self._reception.waiting), None)
            if longest is None:
                self._refuse("too-many-connections", "The server has no room for another connection.")
                self.transport.close()
            else:
                longest._stop_waiting()  # so that the next one does not choose it again
                longest.transport.abort()
        self._wait(self._reception.header_timeout_s)

    def connection_lost(self, exc: Exception | None) -> None:
        """See `asyncio.Protocol.connection_lost`."""
        super().connection_lost(exc)
        if self._answering is not None:  # uvicorn tells only the newest request, which may wait for this one
            self._answering.disconnected = True
            self._answering.message_event.set()
        self._stop_waiting()
        self.resume_writing()

    def data_received(self, data: bytes) -> None:
        """Feed the parser, and see that it does not gather more than it may."""
        if self._refused:
            return
        self._unset_keepalive_if_required()
        if self._deadline is None and self._is_idle():
            self._wait(self._reception.header_timeout_s)
        try:
            self.parser.feed_data(data)
            self._n_overhead_bytes += len(data)
            if self._receiving and self._n_overhead_bytes > MAX_HEADER_BYTES + _FRAMING_BYTES * self._n_body_bytes:
                raise _too_large()
        except httptools.HttpParserUpgrade:
            pass  # nothing is offered, so the request is answered as it is
        except httptools.HttpParserError as error:
            cause = error.__context__
            refusal = cause.args if isinstance(cause, _Refused) else ("malformed-input", "This is not HTTP.")
            self._refuse(*refusal)
        except _Refused as refusal:
            self._refuse(*refusal.args)

    def on_message_begin(self) -> None:
        """Take a request from here on."""
        super().on_message_begin()
        self._receiving = True
        self._n_header_bytes = self._n_overhead_bytes = self._n_body_bytes = 0

    def on_url(self, url: bytes) -> None:
        """Take a part of the address."""
        super().on_url(url)
        self._count(len(url))

    def on_header(self, name: bytes, value: bytes) -> None:
        """Take a header."""
        super().on_header(name, value)
        self._count(len(name) + len(value))

    def on_headers_complete(self) -> None:
        """Have the request answered; its body may still be to come, and whoever reads it minds the time."""
        if len(self.pipeline) >= MAX_PIPELINED:
            raise _Refused("malformed-input", "Too many requests were sent ahead.")
        self._stop_waiting()
        self._reception.waiting[self] = None
        super().on_headers_complete()
        if not self.pipeline:
            self._answering = self.cycle

    def on_body(self, body: bytes) -> None:
        """Take a part of the body."""
        self._n_body_bytes += len(body)
        self._n_overhead_bytes -= len(body)
        super().on_body(body)

    def on_message_complete(self) -> None:
        """Owe the client something from here on, not the other way round."""
        super().on_message_complete()
        self.scope["state"][_HAS_COME] = True
        self._receiving = False
        self._stop_waiting()
        if self._is_idle():  # answered early, and read to its end since
            self._wait(self.timeout_keep_alive)

    def on_response_complete(self) -> None:
        """Wait for the next request, but not long for what is left of this one."""
        self._answering = self.pipeline[-1][0] if self.pipeline else None
        super().on_response_complete()
        if self._receiving:
            self._wait(_LINGER_S)
        elif not self.pipeline:
            self._reception.waiting[self] = None

    def pause_writing(self) -> None:
        """Watch from now on whether the client takes what it is sent."""
        super().pause_writing()
        self._check_reader_after(self.transport.get_write_buffer_size())

    def resume_writing(self) -> None:
        """It does."""
        super().resume_writing()
        if self._reader_check is not None:
            self._reader_check.cancel()
            self._reader_check = None

    def _check_reader_after(self, n_bytes: int) -> None:
        self._reader_check = self.loop.call_later(SEND_TIMEOUT_S, self._check_reader, n_bytes)

    def _check_reader(self, n_bytes_before: int) -> None:
        n_bytes = self.transport.get_write_buffer_size()
        if n_bytes > n_bytes_before - MIN_RECEIVED_BYTES:
            self.transport.abort()
        else:
            self._check_reader_after(n_bytes)

    def _is_idle(self) -> bool:
        return self.cycle is None or self.cycle.response_complete

    def _wait(self, timeout_s: float) -> None:
        self._stop_waiting()
        self._reception.waiting[self] = None
        self._deadline = self.loop.call_later(timeout_s, self._waited_enough)

    def _stop_waiting(self) -> None:
        self._reception.waiting.pop(self, None)
        if self._deadline is not None:
            self._deadline.cancel()
            self._deadline = None

    def _waited_enough(self) -> None:
        if self._receiving and self._is_idle() and not self._refused and self._n_body_bytes == 0:
            self._refuse("request-timeout", "The request did not come in time.")
        else:
            self.transport.close()

    def _count(self, n_bytes: int) -> None:
        self._n_header_bytes += n_bytes
        if self._n_header_bytes > MAX_HEADER_BYTES or len(self.headers) > MAX_HEADERS:
            raise _too_large()

    def _refuse(self, code: str, detail: str) -> None:
        """Answer what is not worth parsing any further, and close as soon as the client has had time to see it."""
        self._refused = True
        if self.cycle is not None and not self.cycle.response_complete:
            self.transport.abort()  # the answer to another request would be taken for this one
            return
        request_id = str(ULID())
        path = getattr(self, "url", b"").decode("latin-1")  # as far as it came
        answer = problem_response({"state": {"request_id": request_id}, "path": path}, code, detail)
        headers = [*answer.raw_headers, *RAW_SECURITY_HEADERS, (b"x-request-id", request_id.encode("ascii"))]
        lines = [STATUS_LINE[answer.status_code], *(b"%s: %s\r\n" % header for header in headers)]
        self.transport.write(b"".join((*lines, b"connection: close\r\n\r\n", bytes(answer.body))))
        self.transport.write_eof()
        _log.info("%s refused: %s", request_id, code)
        self._wait(_LINGER_S)


def _too_large() -> _Refused:
    return _Refused("headers-too-large", f"At most {MAX_HEADERS} headers of {MAX_HEADER_BYTES:,} bytes are taken.")
