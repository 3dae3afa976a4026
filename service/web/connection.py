"""A thin hardening of uvicorn's HTTP protocol: every wait for a client ends, and what is held for it is bounded.

Uvicorn itself waits for ever for a request that does not come, or comes a byte at a time, keeps headers of any size,
and takes the body of a request that offers another protocol for the next request. The size and time of a body are
bounded where it is read, in `BoundedRequest`.
"""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, field
from math import inf
from typing import Any, Literal

import httptools
from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol, RequestResponseCycle

from .limits import SEND_TIMEOUT_S
from .middleware import refusal

MAX_HEADER_BYTES = 32_768
MAX_HEADERS = 100
MAX_PIPELINED = 16
MIN_RECEIVED_BYTES = 16_384
"""What a client must receive within `SEND_TIMEOUT_S` while more than that waits for it."""
_LINGER_S = 3.0
"""In which an answered client may still send, unread: closed at once, it might not see the answer."""
_LAST_S = 0.25
"""In which a connection that is not used still takes a request while the server stops: it may be on its way."""
BODY_RECEIVED = "body_received"
"""In the state of a scope once the whole body is here, so that no time need be measured while it is read."""
IN_PROGRESS = "in_progress"
"""In the state of a scope: the tasks of all requests that the server works on, this one among them."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ConnectionLimits:
    """What all connections of a server share.

    Parameters
    ----------
    header_timeout_s : from the first moment, or the first byte of a further request, to the end of its headers.
    max_connections : beyond it, the one that has waited longest for its client is closed for a new one.
    waiting : those whose clients have a request, or the rest of one, to send. The longest wait comes first.
    """

    header_timeout_s: float
    max_connections: int
    waiting: dict[Connection, None] = field(default_factory=dict)


class _AnswerUntilClose(RequestResponseCycle):
    """An answer in HTTP/1.0, which has no chunks: the end of the connection is that of an answer of unknown length."""

    has_no_length = False

    async def send(self, message: Any) -> None:
        """See `RequestResponseCycle.send`, which would send chunks."""
        if message["type"] == "http.response.start":
            self.has_no_length = all(name.lower() != b"content-length" for name, _ in message.get("headers", ()))
            if self.has_no_length:
                self.chunked_encoding = self.keep_alive = False
        elif self.has_no_length:
            self.expected_content_length = len(message.get("body", b""))
        await super().send(message)


class _Refused(Exception):
    """Raised in a callback of the parser, which stops then. Its arguments are those of `Connection._refuse`."""


_TOO_LARGE = ("headers-too-large", f"At most {MAX_HEADERS} headers of {MAX_HEADER_BYTES:,} bytes are taken.")


class Connection(HttpToolsProtocol):
    """One client's connection, over which requests come one after another."""

    def __init__(self, *args: Any, limits: ConnectionLimits, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self._limits = limits
        self._reader_check: asyncio.TimerHandle | None = None
        self._answering: RequestResponseCycle | None = None
        self._receiving: Literal["nothing", "something", "head", "body", "no more"] = "something"
        self._n_headers = self._n_header_bytes = self._n_unparsed_bytes = 0
        self._is_stopping = False

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        """Begin to wait for a request, if there is room."""
        super().connection_made(transport)
        if len(self.connections) > self._limits.max_connections:
            longest = next(iter(self._limits.waiting), None)
            if longest is None:
                self._refuse("too-many-connections", "The server has no room for another connection.")
                return
            longest._stop_waiting()  # so that the next one does not choose it again
            longest.transport.abort()
        self._wait()

    def connection_lost(self, exc: Exception | None) -> None:
        """See `asyncio.Protocol.connection_lost`."""
        super().connection_lost(exc)
        if self._answering is not None:  # uvicorn notifies only the newest request, which may wait for this one
            self._answering.disconnected = True
            self._answering.message_event.set()
        self._stop_waiting()
        self.resume_writing()

    def eof_received(self) -> bool:  # type: ignore[override]
        """Answer what was asked, then close: a client may close its side after its last request.

        A client that leaves looks the same, so the rest of a request is not waited for, and a stream is ended.
        """
        answering = self._answering
        if answering is None or answering.chunked_encoding or getattr(answering, "has_no_length", False):
            return False
        if answering is self.cycle and answering.more_body:
            return False
        self.cycle.keep_alive = False
        return True

    def data_received(self, data: bytes) -> None:
        """Feed the parser, and bound what it keeps."""
        if self._receiving == "no more":
            return
        if self._receiving == "nothing" and self._is_idle():
            self._receiving = "something"  # which may be empty lines, before or instead of a request
            self._wait()
        self._n_unparsed_bytes += len(data)
        try:
            self.parser.feed_data(data)
        except httptools.HttpParserUpgrade as offer:
            self.data_received(self._head_without_offer() + data[offer.args[0] :])
        except httptools.HttpParserError as error:
            cause = error.__context__
            self._refuse(*(cause.args if isinstance(cause, _Refused) else ("malformed-input", "This is not HTTP.")))
        else:
            if self._n_unparsed_bytes > MAX_HEADER_BYTES:  # of an address or a header, or between chunks
                self._refuse(*_TOO_LARGE)

    def on_message_begin(self) -> None:
        """Start the account of a request."""
        super().on_message_begin()
        self._receiving = "head"
        self._n_headers = self._n_header_bytes = 0

    def on_header(self, name: bytes, value: bytes) -> None:
        """Add a header, but none of a trailer: it comes after the body, when the request has been let in already."""
        self._n_unparsed_bytes = 0
        self._n_headers += 1
        self._n_header_bytes += len(name) + len(value)
        if self._n_headers > MAX_HEADERS or len(self.url) + self._n_header_bytes > MAX_HEADER_BYTES:
            raise _Refused(*_TOO_LARGE)
        if self._receiving == "head":
            super().on_header(name, value)

    def on_headers_complete(self) -> None:
        """Start the application; the time of the body is limited where it is read."""
        if self.parser.get_method() == b"CONNECT" or len(self.pipeline) >= MAX_PIPELINED:
            raise _Refused("malformed-input", "Requests of this kind, or as many at once, are not taken.")
        if self.parser.should_upgrade():
            return  # the same request comes again, see `_head_without_offer`
        super().on_headers_complete()
        if self.scope["http_version"] == "1.0":
            self.cycle.__class__ = _AnswerUntilClose  # uvicorn makes it; nothing of it has run yet
        if self._is_stopping:
            self.cycle.keep_alive = False
        self._receiving = "body"
        self._stop_waiting()
        self._limits.waiting[self] = None
        if not self.pipeline:
            self._answering = self.cycle

    def on_body(self, body: bytes) -> None:
        """Add a part of the body."""
        self._n_unparsed_bytes = 0
        super().on_body(body)

    def on_message_complete(self) -> None:
        """Stop waiting for the client: the answer is next."""
        if self.parser.should_upgrade():
            return
        super().on_message_complete()
        self.scope["state"] |= {BODY_RECEIVED: True, IN_PROGRESS: self.tasks}
        self._receiving = "nothing"
        self._stop_waiting()
        if self._is_idle():  # answered early, and read to its end since
            self._wait()

    def on_response_complete(self) -> None:
        """Wait for the next request, but not long for what is left of this one."""
        self._answering = self.pipeline[-1][0] if self.pipeline else None
        super().on_response_complete()
        if self._receiving != "nothing" and self._is_idle():
            self._wait()
        elif not self.pipeline:
            self._limits.waiting[self] = None

    def shutdown(self) -> None:
        """Close once what is asked, or about to be, is answered, which says so.

        Uvicorn closes at once what is not used. Of clients that are busy, nearly all have sent the next request then,
        and would not know whether it was executed.
        """
        if self._is_idle():
            self._is_stopping = True
            self.loop.call_later(_LAST_S, self._close_idle)
        else:
            super().shutdown()

    def timeout_keep_alive_handler(self) -> None:
        """Close after uvicorn's own wait between requests, and after each of ours, for which its timer is used."""
        if self._receiving == "head":
            self._refuse("request-timeout", "The request did not come in time.")
        else:
            super().timeout_keep_alive_handler()

    def pause_writing(self) -> None:
        """Check from now on whether the client receives what it is sent."""
        super().pause_writing()
        self._check_reader()

    def resume_writing(self) -> None:
        """See `pause_writing`."""
        super().resume_writing()
        if self._reader_check:
            self._reader_check.cancel()

    def _check_reader(self, at_most_bytes: float = inf) -> None:
        n_bytes = self.transport.get_write_buffer_size()
        if n_bytes > at_most_bytes:
            self.transport.abort()
        else:
            self._reader_check = self.loop.call_later(SEND_TIMEOUT_S, self._check_reader, n_bytes - MIN_RECEIVED_BYTES)

    def _head_without_offer(self) -> bytes:
        """Return the head of a request without its offer of another protocol, such as h2c, for a new parser.

        Nothing is offered here, so such a request is answered as one without the offer. But httptools stops after its
        head, skips its body, and takes what follows for another protocol; no option changes that.
        """
        line = b"%b %b HTTP/%b" % (self.parser.get_method(), self.url, self.parser.get_http_version().encode("ascii"))
        headers = [b"%b: %b" % header for header in self.headers if header[0] != b"upgrade"]
        self.parser = httptools.HttpRequestParser(self)
        self.parser.set_dangerous_leniencies(lenient_data_after_close=True)  # as uvicorn's
        return b"\r\n".join([line, *headers, b"", b""])

    def _close_idle(self) -> None:
        if self._is_idle():
            self.transport.close()

    def _is_idle(self) -> bool:
        return self.cycle is None or self.cycle.response_complete

    def _wait(self) -> None:
        self._stop_waiting()
        self._limits.waiting[self] = None
        timeouts_s = {"nothing": self.timeout_keep_alive, "body": _LINGER_S, "no more": _LINGER_S}
        timeout_s = timeouts_s.get(self._receiving, self._limits.header_timeout_s)
        self.timeout_keep_alive_task = self.loop.call_later(timeout_s, self.timeout_keep_alive_handler)

    def _stop_waiting(self) -> None:
        self._limits.waiting.pop(self, None)
        self._unset_keepalive_if_required()

    def _refuse(self, code: str, detail: str) -> None:
        """Answer what is not worth parsing any further, and close as soon as the client has had time to see it."""
        is_cut, self._receiving = self._receiving == "body", "no more"
        if is_cut:
            self.transport.close()
        elif not self._is_idle():  # the answer would be taken for that to another request
            self.cycle.keep_alive = False
        else:
            path = getattr(self, "url", b"")  # as far as it came
            self.transport.write(refusal(path.decode("latin-1"), code, detail))
            self.transport.write_eof()
            self._wait()
