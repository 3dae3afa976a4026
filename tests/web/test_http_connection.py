"""A connection by itself, on the event loop that serves: requests in any pieces, and the ends of a client."""

from __future__ import annotations

import asyncio
import json
import socket
from collections.abc import AsyncGenerator, AsyncIterator, Coroutine, Sequence
from contextlib import asynccontextmanager, suppress
from pathlib import Path
from typing import Any, TypeVar

import httpx
import pytest
import uvicorn
from starlette.types import ASGIApp, Receive, Scope, Send
from uvicorn.server import ServerState

from service.bootstrap import Service
from service.settings import Settings
from service.web import connection
from service.web.app import create_app
from service.web.connection import MAX_HEADER_BYTES, MAX_HEADERS, MAX_PIPELINED, Connection, ConnectionLimits
from service.web.events import EventStream
from service.web.server import Server

T = TypeVar("T")

DEADLINE_S = 30.0
ALB_IDLE_S = 60
"""After which a common balancer closes a connection that is not used."""
GET = b"GET /%d HTTP/1.1\r\nHost: localhost\r\n\r\n"
POST = b"POST /first HTTP/1.1\r\nHost: localhost\r\n"
SECRET = b"Authorization: Bearer secret\r\n"
H2C = b"Connection: Upgrade, HTTP2-Settings\r\nUpgrade: h2c\r\nHTTP2-Settings: AAMAAABkAARAAAAAAAIAAAAA\r\n"
"""As Java's HttpClient and ``curl --http2`` send it with every request."""
INNER = GET % 666
"""A body that must not be executed as a request of its own."""


async def echo(scope: Scope, receive: Receive, send: Send) -> None:
    """Answer with what was asked."""
    body, more = b"", True
    while more:
        message = await receive()
        body, more = body + message.get("body", b""), message.get("more_body", False)
    names = {name.decode() for name, _ in scope["headers"]} - {"content-length", "transfer-encoding"}
    asked = json.dumps([scope["path"], sorted(names), body.decode()]).encode()
    await send({"type": "http.response.start", "status": 200, "headers": [(b"content-length", b"%d" % len(asked))]})
    await send({"type": "http.response.body", "body": asked})


@asynccontextmanager
async def connected(
    app: ASGIApp, **socket_options: int
) -> AsyncIterator[tuple[Connection, asyncio.StreamReader, asyncio.StreamWriter]]:
    """Yield the server's and the client's end of a connection."""
    config = uvicorn.Config(app, ws="none", log_config=None)
    config.load()
    limits = ConnectionLimits(header_timeout_s=DEADLINE_S, max_connections=10)
    accepted: asyncio.Queue[Connection] = asyncio.Queue()

    def accept() -> Connection:
        made = Connection(config=config, server_state=ServerState(), app_state={}, limits=limits)
        accepted.put_nowait(made)
        return made

    async with await asyncio.get_running_loop().create_server(accept, "127.0.0.1", 0) as server:
        for name, value in socket_options.items():
            server.sockets[0].setsockopt(socket.SOL_SOCKET, getattr(socket, name), value)
        reader, writer = await asyncio.open_connection(*server.sockets[0].getsockname())
        async with asyncio.timeout(DEADLINE_S):
            served = await accepted.get()
            while served.transport is None:
                await asyncio.sleep(0)
            try:
                yield served, reader, writer
            finally:
                writer.close()


def run(main: Coroutine[Any, Any, T]) -> T:
    """Run on the kind of loop that serves."""
    with asyncio.Runner(loop_factory=uvicorn.Config(echo).get_loop_factory()) as runner:
        return runner.run(main)


async def read_answer(reader: asyncio.StreamReader) -> Any:
    head = (await reader.readuntil(b"\r\n\r\n")).decode().lower()
    assert head.startswith("http/1.1 200 "), head
    return json.loads(await reader.readexactly(int(head.split("content-length: ")[1].split("\r\n")[0])))


def exchange(pieces: Sequence[bytes], n_answers: int) -> list[Any]:
    """Return the answers to what arrives in these pieces."""

    async def answers() -> list[Any]:
        async with connected(echo) as (served, reader, _):
            for piece in pieces:
                served.data_received(piece)
                await asyncio.sleep(0)
            return [await read_answer(reader) for _ in range(n_answers)]

    return run(answers())


def in_two_pieces(data: bytes, step: int = 7) -> list[list[bytes]]:
    return [[data], *([data[:place], data[place:]] for place in range(1, len(data), step))]


def test_it_is_the_client_who_closes_what_is_not_used(tmp_path: Path) -> None:
    """Else a request may be sent just when the server closes."""
    with Service(Settings(data_dir=tmp_path, workers=1)) as service:
        server = Server(create_app(service), lambda: None)
    assert server.config.timeout_keep_alive > max(ALB_IDLE_S, httpx.Limits().keepalive_expiry or 0)


BODIES = {
    "with a length": b"Content-Length: %d\r\n\r\n%b" % (len(INNER), INNER),
    "in chunks": b"Transfer-Encoding: chunked\r\n\r\n%x\r\n%b\r\n0\r\n\r\n" % (len(INNER), INNER),
}


@pytest.mark.parametrize("offer", [H2C, b"Upgrade: websocket\r\nConnection: keep-alive, upgrade\r\n"])
@pytest.mark.parametrize("body", BODIES.values(), ids=BODIES)
def test_an_offer_of_another_protocol_is_ignored(offer: bytes, body: bytes) -> None:
    """The body is a body, in whatever pieces it comes, and what follows is the next request."""
    for pieces in in_two_pieces(POST + offer + body + GET % 2):
        (path, names, received), second = exchange(pieces, 2)
        assert (path, received) == ("/first", INNER.decode())
        assert "upgrade" not in names
        assert second == ["/2", ["host"], ""]


def test_offers_behind_each_other(n_requests: int = MAX_PIPELINED) -> None:
    requests = [b"GET /%d HTTP/1.1\r\nHost: localhost\r\n%b\r\n" % (number, H2C) for number in range(n_requests)]
    assert [path for path, _, _ in exchange([b"".join(requests)], n_requests)] == [f"/{n}" for n in range(n_requests)]


@pytest.mark.parametrize("n_trailers", [1, 3])
def test_a_trailer_is_no_header(n_trailers: int) -> None:
    """Neither of its own request nor of the next one."""
    chunks = b"Transfer-Encoding: chunked\r\nTrailer: Authorization\r\n\r\n2\r\nab\r\n0\r\n"
    trailers = [SECRET, b"Host: evil.example\r\n", b"X-Forwarded-For: 10.0.0.1\r\n"][:n_trailers]
    for pieces in in_two_pieces(POST + chunks + b"".join(trailers) + b"\r\n" + GET % 2):
        assert exchange(pieces, 2) == [["/first", ["host", "trailer"], "ab"], ["/2", ["host"], ""]]


LARGE = {
    "with a length": b"Content-Length: 300000\r\n\r\n" + b"x" * 300_000,
    "in chunks": b"Transfer-Encoding: chunked\r\n\r\n" + b"2710\r\n%b\r\n" % (b"x" * 10_000) * 30 + b"0\r\n\r\n",
    "in chunks of a byte": b"Transfer-Encoding: chunked\r\n\r\n" + b"1\r\nx\r\n" * 60_000 + b"0\r\n\r\n",
}


@pytest.mark.parametrize("body", LARGE.values(), ids=LARGE)
@pytest.mark.parametrize("n_received", [1, 20, len(GET % 2) - 1])
def test_a_request_is_not_charged_for_the_body_before_it(body: bytes, n_received: int) -> None:
    request = GET % 2
    first, second = exchange([POST + body + request[:n_received], request[n_received:]], 2)
    assert len(first[2]) == body.count(b"x")
    assert second == ["/2", ["host"], ""]


def test_a_request_is_not_charged_for_the_heads_before_it() -> None:
    padded = b"GET / HTTP/1.1\r\nHost: localhost\r\nX: %b\r\n\r\n" % (b"x" * (MAX_HEADER_BYTES // 2))
    ahead = padded * (MAX_PIPELINED - 1)
    assert len(exchange([ahead + padded[:10_000], padded[10_000:]], MAX_PIPELINED)) == MAX_PIPELINED


@pytest.mark.parametrize(
    "head",
    [
        b"GET / HTTP/1.1\r\n" + b"X: y\r\n" * (MAX_HEADERS + 1),
        b"GET / HTTP/1.1\r\nX: " + b"x" * MAX_HEADER_BYTES,
        b"GET / HTTP/1.1\r\nX: %b\r\nX: " % (b"x" * (MAX_HEADER_BYTES // 2)) * 3,
        b"GET /" + b"x" * (MAX_HEADER_BYTES + 1),
        POST + H2C + b"X: " + b"x" * MAX_HEADER_BYTES,
    ],
)
@pytest.mark.parametrize("size", [1000, 100_000])
def test_a_head_has_a_size(head: bytes, size: int) -> None:
    """However few of its bytes come at a time."""

    async def answer() -> bytes:
        async with connected(echo) as (served, reader, _):
            data = head + b"x" * 3000
            for start in range(0, len(data), size):
                served.data_received(data[start : start + size])
            served.data_received(b"\r\n\r\n" + GET % 2)
            return await reader.readuntil(b"\r\n\r\n")

    assert b" 431 " in run(answer())


async def answer_all(app: ASGIApp, sent: bytes) -> bytes:
    """Return what a client receives that closes its side once it has sent all."""
    async with connected(app) as (_, reader, writer):
        writer.write(sent)
        writer.write_eof()
        return await reader.read()


@pytest.mark.parametrize("n_requests", [1, 2, 5])
def test_who_closes_its_side_is_answered(n_requests: int) -> None:
    """As ``nc -N`` does, and shutdown(SHUT_WR)."""

    async def exchange() -> bytes:
        async def app(scope: Scope, receive: Receive, send: Send) -> None:
            while scope["path"] == f"/{n_requests}" and served.cycle.keep_alive:
                await asyncio.sleep(0)  # until the end of what is sent has been seen
            await echo(scope, receive, send)

        async with connected(app) as (served, reader, writer):
            writer.write(b"".join(GET % number for number in range(1, n_requests + 1)))
            writer.write_eof()
            return await reader.read()

    received = run(exchange())
    assert received.count(b"HTTP/1.1 200 OK") == n_requests
    assert received.count(b"connection: close") == 1


def test_a_request_on_its_way_is_answered_while_the_server_stops() -> None:
    async def exchange(*sent: bytes) -> bytes:
        async with connected(echo) as (served, reader, writer):
            writer.write(GET % 1)
            await read_answer(reader)
            served.shutdown()
            for piece in sent:
                writer.write(piece)
                await asyncio.sleep(0)
            return await reader.read()

    assert run(exchange()) == b"", "what is not used is closed"
    for received in (run(exchange(GET % 2)), run(exchange(POST + b"Content-Length: 2\r\n", b"\r\nok"))):
        assert received.startswith(b"HTTP/1.1 200 OK") and b"connection: close" in received


def test_http_1_0_gets_no_chunks() -> None:
    """An answer of unknown length, as a stream is, ends with its connection."""

    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        if scope["path"] == "/1":
            return await echo(scope, receive, send)
        await send({"type": "http.response.start", "status": 200, "headers": []})
        await send({"type": "http.response.body", "body": b"first,", "more_body": True})
        return await send({"type": "http.response.body", "body": b"last"})

    async def exchange(number: int) -> bytes:
        async with connected(app) as (_, reader, writer):
            writer.write((GET % number).replace(b"HTTP/1.1", b"HTTP/1.0"))
            return (await reader.read()).partition(b"\r\n")[2]

    known, unknown = run(exchange(1)), run(exchange(2))
    assert known.startswith(b"content-length: ") and known.endswith(b'["/1", ["host"], ""]')
    assert unknown == b"connection: close\r\n\r\nfirst,last"


@pytest.mark.parametrize("cut", [b"", b"GET /", POST, POST + b"Content-Length: 5\r\n\r\n1234"])
def test_the_rest_of_a_request_is_not_waited_for(cut: bytes) -> None:
    """After the end of what a client sends: what is whole is answered, and the connection closed."""
    assert run(answer_all(echo, cut)) == b""
    received = run(answer_all(echo, GET % 1 + cut))
    assert received.count(b"HTTP/1.1 200 OK") >= 1


def test_a_client_that_leaves_is_missed_by_the_request_that_is_answered() -> None:
    """Also while others of its requests wait behind that one: a stream would go on for ever."""
    noticed: list[str] = []

    async def leave() -> None:
        begun, over = asyncio.Event(), asyncio.Event()

        async def app(scope: Scope, receive: Receive, send: Send) -> None:
            await send({"type": "http.response.start", "status": 200, "headers": []})
            if scope["path"] == "/1":
                await send({"type": "http.response.body"})
                return
            begun.set()
            while (message := await receive())["type"] != "http.disconnect":
                pass
            noticed.append(f"{scope['path']} {message['type']}")
            over.set()

        async with connected(app) as (_, _, writer):
            writer.write(b"".join(GET % number for number in (1, 2, 3, 4)))
            await begun.wait()
            writer.close()
            await over.wait()

    run(leave())
    assert noticed == ["/2 http.disconnect"]


@pytest.mark.parametrize("n_bytes", [0, 300])
def test_a_client_that_hardly_reads_its_stream_is_disconnected(monkeypatch: pytest.MonkeyPatch, n_bytes: int) -> None:
    """Each byte that it takes tells the kernel that it lives, so the service has to look how many there are."""
    monkeypatch.setattr(connection, "SEND_TIMEOUT_S", 0.3)
    closed: list[bool] = []

    async def events() -> AsyncGenerator[bytes]:
        try:
            while True:
                await asyncio.sleep(0)
                yield b": on and on\n\n" * 1000
        finally:
            closed.append(True)

    async def follow() -> None:
        loop = asyncio.get_running_loop()
        async with connected(EventStream(events()), SO_SNDBUF=4096) as (served, _, _):  # what is taken shows at once
            with socket.socket() as client, suppress(ConnectionResetError):
                client.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
                client.setblocking(False)
                await loop.sock_connect(client, served.transport.get_extra_info("sockname"))
                await loop.sock_sendall(client, GET % 1)
                while not closed:
                    await asyncio.sleep(0.01)
                    if n_bytes:
                        await loop.sock_recv(client, n_bytes)

    run(follow())
    assert closed == [True]
