"""Heads of requests that came before, byte for byte: a request with one of them is answered where it is received.

Who asks for predictions at full speed sends one head again and again. What the application does with a head depends on
its bytes alone: to parse it, to compare Host and Origin, to find the route, to check parameters and media. So an
endpoint that could answer without waiting for anything says how it would answer another body (`answer_alike`), and that
is kept under the head. What depends on more is done for each request: whether the client is let in, the id, the line in
the log, the figures.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import TypeAlias

from fastapi import FastAPI
from starlette.types import Scope

from service.errors import ServiceError, Unauthenticated

from .gate import Client
from .request_context import RAW_SECURITY_HEADERS, RequestIds, record

MAX_HEADS = 1024
MAX_HEAD_BYTES = 1024
MAX_REQUEST_BYTES = 65_536
"""Of head and body: what is longer takes longer, and is nothing for here."""

Answer: TypeAlias = Callable[[bytes], bytes | None]
"""From a body to the JSON that answers it with 200; None for what takes longer, or is to be refused."""

_log = logging.getLogger(__name__)

_ALIKE = "answer_alike"
_LASTING = ("app", "headers", "method", "query_string", "raw_path", "root_path", "route")
"""What is the same for all requests with one head, and is asked for here."""
_END = b"\r\n\r\n"
_HEADER = b"%b: %b\r\n"
_HEAD = b"HTTP/1.1 200 OK\r\n%bcontent-length: %d\r\ncontent-type: application/json\r\n"
_HEAD += b"".join(_HEADER % header for header in RAW_SECURITY_HEADERS) + b"x-request-id: %b" + _END


def answer_alike(scope: Scope, answer: Answer) -> None:
    """Say, before a request is answered, how one with the same head and another body could be."""
    scope["state"][_ALIKE] = answer


@dataclass(frozen=True, slots=True, kw_only=True)
class _Known:
    """What is known of a head: how long the body after it is, its request, and what answers it."""

    n_body_bytes: int
    scope: Scope
    answer: Answer


class KnownHeads:
    """The heads that are known, of which the oldest makes room for a new one.

    Parameters
    ----------
    app : of `create_app`.
    """

    def __init__(self, app: FastAPI) -> None:
        self._app = app
        self._known: dict[bytes, _Known] = {}
        self._request_ids = RequestIds()

    def learn(self, data: bytes, scope: Scope, n_body_bytes: int) -> None:
        """Keep the head of a request that was answered, if its endpoint can answer alike.

        Parameters
        ----------
        data : what came: if it is more or less than the request, nothing is kept.
        scope, n_body_bytes : what was found in it.
        """
        answer = scope["state"].get(_ALIKE)
        if answer is None:
            return
        head, _, body = data.partition(_END)
        if len(body) != n_body_bytes or len(head) > MAX_HEAD_BYTES:
            return
        if head not in self._known and len(self._known) >= MAX_HEADS:
            del self._known[next(iter(self._known))]
        lasting = {name: scope[name] for name in _LASTING}
        self._known[head] = _Known(n_body_bytes=n_body_bytes, scope=lasting, answer=answer)

    def answer(
        self, data: bytes, client_address: tuple[str, int] | None, headers: Iterable[tuple[bytes, bytes]]
    ) -> tuple[bytes | None, Client | None]:
        """Answer what came, if it is a whole request with a known head and can be answered at once.

        Parameters
        ----------
        headers : that the server adds to every answer.

        Returns
        -------
        answer : head and body; None if the application has to be asked, which tells also what is wrong.
        client : who was let in, and need not be once more.
        """
        head, _, body = data.partition(_END)
        known = self._known.get(head)
        if known is None or len(body) != known.n_body_bytes:
            return None, None
        began_s = time.monotonic()
        request_id = self._request_ids.next()
        scope = {**known.scope, "client": client_address, "state": {"request_id": request_id}}
        client = content = None
        try:
            client = self._app.state.gate.admit_at_once(scope, scope["route"].path_format)
            if client is not None:
                content = known.answer(body)
        except Unauthenticated:
            del self._known[head]  # or each refusal would cost its address two tokens, here and in the application
        except ServiceError:
            pass
        except Exception:
            _log.exception("%s could not be answered at once", request_id)
        if content is None:
            return None, client
        record(scope, 200, time.monotonic() - began_s)
        start = b"".join([_HEADER % header for header in headers])
        return _HEAD % (start, len(content), request_id.encode("ascii")) + content, client
