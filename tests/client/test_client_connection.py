"""Requests that are repeated, and those that are not; timeouts; streams that break; an unknown server."""

from __future__ import annotations

import asyncio
import json
import threading
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import pytest

from inkling import AsyncInklingClient, InklingClient, InklingError, Job, ServiceUnreachable, TooManyRequests
from inkling.errors import ServerFailed

JOB: dict[str, Any] = {
    "id": "1",
    "state": "succeeded",
    "config": {"name": "a"},
    "metrics": {"latest": None, "best": None},
    "finished_at": "now",
}
NESTED = b"[" * 200_000 + b"]" * 200_000


class Answers(ThreadingHTTPServer):
    """A server that answers what is on its list, one entry for each request; the last one over and over.

    An entry is a status, headers and a body; None breaks the connection off.
    """

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.entries: list[tuple[int, dict[str, str], bytes] | None] = []
        self.seen: list[tuple[str, str, dict[str, str]]] = []

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server_port}"


class _Handler(BaseHTTPRequestHandler):
    server: Answers
    protocol_version = "HTTP/1.1"

    def answer(self) -> None:
        self.rfile.read(int(self.headers.get("Content-Length", 0)))
        self.server.seen.append((self.command, self.path, dict(self.headers)))
        entry = self.server.entries.pop(0) if len(self.server.entries) > 1 else self.server.entries[0]
        if entry is None:
            self.close_connection = True
            return
        status, headers, body = entry
        self.send_response(status)
        for name, value in {"Content-Length": str(len(body)), **headers}.items():
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(body)

    do_GET = do_POST = do_PUT = answer

    def log_message(self, format: str, *args: Any) -> None:
        """Say nothing."""


@pytest.fixture
def server() -> Iterator[Answers]:
    with Answers() as server:
        thread = threading.Thread(target=server.serve_forever, args=(0.01,))
        thread.start()
        yield server
        server.shutdown()
        thread.join()


def found(answer: Any) -> tuple[int, dict[str, str], bytes]:
    return 200, {"Content-Type": "application/json"}, json.dumps(answer).encode()


def problem(status: int, code: str, **headers: str) -> tuple[int, dict[str, str], bytes]:
    return status, headers, json.dumps({"type": f"/problems/{code}", "title": code, "status": status}).encode()


LOST = [
    None,
    (502, {}, b"Bad Gateway"),
    (503, {}, b""),
    (504, {}, b""),
    (200, {"Content-Encoding": "gzip"}, b"damaged"),
]


@pytest.mark.parametrize("lost", LOST)
def test_what_is_lost_is_asked_for_again(server: Answers, lost: Any) -> None:
    server.entries = [lost, lost, found(JOB)]
    with InklingClient(server.url, retries=2) as client:
        assert client.job("1").id == "1"
    assert len(server.seen) == 3
    server.entries, server.seen = [lost, lost, found(JOB)], []
    with InklingClient(server.url, retries=1) as client, pytest.raises(ServiceUnreachable):
        client.job("1")
    assert len(server.seen) == 2


@pytest.mark.parametrize("lost", LOST)
def test_the_awaited_client_asks_again_too(server: Answers, lost: Any) -> None:
    async def ask() -> None:
        async with AsyncInklingClient(server.url, retries=1) as client:
            assert (await client.job("1")).id == "1"

    server.entries = [lost, found(JOB)]
    asyncio.run(ask())


def test_a_submission_is_repeated_under_one_key(server: Answers) -> None:
    server.entries = [None, found(JOB)]
    with InklingClient(server.url) as client:
        client.train(epochs=1)
    (first, second) = (headers["Idempotency-Key"] for _, _, headers in server.seen)
    assert first == second


def test_what_would_be_done_twice_is_not_repeated(server: Answers) -> None:
    server.entries = [None]
    with InklingClient(server.url, retries=5) as client:
        changes: list[Callable[[], object]] = [
            lambda: client.move_alias("a", "b", 1),
            lambda: client.import_weights("a", b""),
        ]
        for change in changes:
            server.seen = []
            with pytest.raises(ServiceUnreachable):
                change()
            assert len(server.seen) == 1
        with pytest.raises(ServiceUnreachable):
            Job(client.connection, JOB).cancel()
        assert len(server.seen) == 2


def test_refusals_are_repeated_only_where_the_server_names_a_time(server: Answers) -> None:
    with InklingClient(server.url) as client:
        server.entries = [problem(404, "job-not-found"), found(JOB)]
        with pytest.raises(InklingError):
            client.job("1")
        server.entries = [problem(503, "storage-failed"), found(JOB)]
        with pytest.raises(ServerFailed):
            client.job("1")
        server.entries = [problem(429, "queue-full", **{"Retry-After": "5"}), found(JOB)]
        with pytest.raises(TooManyRequests) as refused:
            client.train()
        assert refused.value.code == "queue-full"
        server.entries = [problem(429, "too-many-requests", **{"Retry-After": "3600"}), found(JOB)]
        with pytest.raises(TooManyRequests) as refused:
            client.job("1")
        assert refused.value.retry_after_s == 3600
        server.entries = [problem(429, "too-many-requests", **{"Retry-After": "0"}), found(JOB)]
        assert client.job("1").state == "succeeded"


def test_a_timeout_is_a_server_that_cannot_be_reached(server: Answers) -> None:
    server.entries = [(200, {"Content-Length": "10"}, b"")]
    client = InklingClient(server.url, timeout=0.05, retries=0)
    with client, pytest.raises(ServiceUnreachable, match="in time"):
        client.models()


@pytest.mark.parametrize(
    "body",
    [b"<h1>It works!</h1>", b"[]", b"{}", b'{"models": 3}', b'{"models": [3]}', NESTED],
    ids=lambda body: body[:20].decode(),
)
def test_another_server_is_recognized(server: Answers, body: bytes) -> None:
    server.entries = [(200, {}, body)]
    with InklingClient(server.url) as client, pytest.raises(ServerFailed, match="is not Inkling"):
        client.models()


def test_weights_that_are_none_are_not_sent(server: Answers) -> None:
    with InklingClient(server.url) as client:
        with pytest.raises(FileNotFoundError):
            client.import_weights("a", "no/such/file.npz")
        with pytest.raises(TypeError, match="the path or the bytes of a file"):
            client.import_weights("a", 5)
    assert not server.seen


def test_waiting_goes_on_through_a_restart_of_the_server(server: Answers) -> None:
    running = {**JOB, "state": "running", "finished_at": None}
    server.entries = [found(running), None, (503, {}, b""), found(running), found(JOB)]
    with InklingClient(server.url, retries=0) as client:
        assert Job(client.connection, running).wait().state == "succeeded"


def test_waiting_has_an_end(server: Answers) -> None:
    server.entries = [found({**JOB, "state": "running", "finished_at": None})]
    with InklingClient(server.url) as client, pytest.raises(TimeoutError, match=r"0\.1 s"):
        Job(client.connection, JOB).wait(timeout_s=0.1)


def events(*ids: int, end: bool = False) -> tuple[int, dict[str, str], bytes]:
    lines = [f"id: {id_}\nevent: check\ndata: {{}}\n\n" for id_ in ids]
    text = "retry: 10\n\n" + "".join(lines) + ("event: end\n\n" if end else "id: 99\nevent: che")
    return 200, {"Content-Type": "text/event-stream"}, text.encode()


def test_a_stream_that_breaks_is_continued_after_its_last_event(server: Answers) -> None:
    script = [events(1, 2), None, (503, {}, b""), events(3), events(4, end=True)]

    async def follow() -> list[int]:
        async with AsyncInklingClient(server.url) as client:
            return [event.id async for event in client.connection.events("1")]

    server.entries = list(script)
    with InklingClient(server.url) as client:
        assert [event.id for event in client.connection.events("1")] == [1, 2, 3, 4]
    assert [headers.get("Last-Event-ID") for _, _, headers in server.seen] == [None, "2", "2", "2", "3"]
    server.entries = list(script)
    assert asyncio.run(follow()) == [1, 2, 3, 4]


def test_a_stream_that_is_refused_is_not_continued(server: Answers) -> None:
    server.entries = [problem(404, "job-not-found")]
    with InklingClient(server.url) as client, pytest.raises(InklingError):
        next(client.connection.events("1"))
    assert len(server.seen) == 1
