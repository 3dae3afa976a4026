"""Whatever strangers send, the service stays about as large as it is."""

from __future__ import annotations

import gzip
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, suppress
from io import BytesIO
from select import select

import httpx
import numpy as np
import pytest
from PIL import Image

from tests.security.image_cases import bomb_png, declared_png, encoded, npy
from tests.security.server import DEADLINE_S, Server, read_answer, running

MIB = 2**20
POST = b"POST /api/v1/predict HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/octet-stream\r\n"
CHUNKED = b"Transfer-Encoding: chunked\r\n\r\n"
MUCH = 200


@pytest.fixture(scope="module")
def large(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """Return a service that has already been as large as honest requests make it."""
    with running(tmp_path_factory.mktemp("large")) as server:
        for size_px in ((5000, 4900), (2890, 2890)):
            picture = Image.new("RGB", size_px, (200, 100, 0))
            for kind in ("JPEG", "PNG") if size_px[0] < 3000 else ("JPEG",):
                assert posted(server, encoded(picture, kind)) == 200
        assert posted(server, bytes(784 * 10_000), "application/octet-stream") == 200
        yield server


def posted(server: Server, content: bytes, media_type: str = "image/png", **headers: str) -> int:
    sent = {"Content-Type": media_type, **headers}
    path = "/v2/models/mnist-softmax/infer" if headers else "/api/v1/predict"
    return httpx.post(f"{server.url}{path}", content=content, headers=sent, timeout=DEADLINE_S).status_code


def streamed(server: Server, head: bytes, piece: bytes) -> int:
    """Send 200 MiB, or as much as the server takes before it closes. Return 400, as if it had said that."""
    with server.connect() as connection, suppress(ConnectionError):
        connection.sendall(head)
        for _ in range(MUCH):
            connection.sendall(piece)
        read_answer(connection)
    return 400


def npz_bomb() -> bytes:
    file = BytesIO()
    np.savez_compressed(file, pixels=np.zeros(25_000_000))
    return file.getvalue()


def pixels(value: bytes, n_bytes: int = 16_000_000) -> bytes:
    return b'{"pixels": [' + (value + b",") * ((n_bytes - 20) // (len(value) + 1)) + b"0]}"


PIECE = bytes(MIB)
CHUNK = b"100000\r\n" + PIECE + b"\r\n"
BOMBS: dict[str, Callable[[Server], int]] = {
    "a PNG that declares 20,000 x 20,000": lambda server: posted(server, declared_png(20_000, 20_000)),
    "a PNG that is 8,000 x 8,000": lambda server: posted(server, bomb_png(8_000)),
    "an array of 10^12 declared": lambda server: posted(
        server, npy("{'descr': '|u1', 'fortran_order': False, 'shape': (1000000000000,), }"), "application/x-npy"
    ),
    "an npz of 200 MB in 200 kB": lambda server: posted(server, npz_bomb(), "application/octet-stream"),
    "a gzip of 200 MB in 1 MB": lambda server: posted(
        server, gzip.compress(bytes(MUCH * MIB), 1), "application/json", **{"Content-Encoding": "gzip"}
    ),
    "a gzip of 16 MB of lists": lambda server: posted(
        server, gzip.compress(pixels(b"[]"), 1), "application/json", **{"Content-Encoding": "gzip"}
    ),
    "a body of 200 MB": lambda server: streamed(server, POST + b"Content-Length: 209715200\r\n\r\n", PIECE),
    "200 MB in chunks": lambda server: streamed(server, POST + CHUNKED, CHUNK),
    "200 MB of chunks without a body": lambda server: streamed(server, POST + CHUNKED + b"1;", PIECE),
    "a header of 200 MB": lambda server: streamed(server, POST + b"X: ", b"a" * MIB),
    "a trailer of 200 MB": lambda server: streamed(server, POST + CHUNKED + b"1\r\n0\r\n0\r\nX: ", b"a" * MIB),
    "an address of 200 MB": lambda server: streamed(server, b"GET /", b"a" * MIB),
    "JSON of 5,000,000 lists": lambda server: posted(server, pixels(b"[]"), "application/json"),
    "JSON of 5,000,000 objects": lambda server: posted(server, pixels(b"{}"), "application/json"),
    "JSON of 5,000,000 strings": lambda server: posted(server, pixels(b'""'), "application/json"),
    "JSON of 100,000 levels": lambda server: posted(server, b"[" * 100_000, "application/json"),
}


@pytest.mark.slow
@pytest.mark.parametrize("bomb", BOMBS.values(), ids=BOMBS)
def test_a_bomb_leaves_the_service_as_small_as_it_was(large: Server, bomb: Callable[[Server], int]) -> None:
    before = large.rss_bytes()
    assert 400 <= bomb(large) < 500
    assert large.rss_bytes() - before <= 32 * MIB
    assert httpx.get(f"{large.url}/livez").status_code == 200


@pytest.mark.slow
def test_large_bodies_at_the_same_time_are_read_in_turn(large: Server) -> None:
    """Each takes some 250 MiB while it is read; at the same time eight of them would take two gigabytes."""
    content = pixels(b"0.5")
    with ThreadPoolExecutor(8) as clients:
        assert list(clients.map(lambda _: posted(large, content, "application/json"), range(8))) == [422] * 8
    assert large.peak_rss_bytes() < 1200 * MIB


@pytest.mark.slow
def test_bodies_that_wait_have_little_room_together(server: Server) -> None:
    """Forty of almost 16 MiB, none of them whole, would be more than all may hold."""
    content = memoryview(POST + b"Content-Length: 16777216\r\n\r\n" + bytes(16_000_000))
    before, deadline = server.rss_bytes(), time.monotonic() + DEADLINE_S
    with ExitStack() as stack:
        n_sent = {stack.enter_context(server.connect()): 0 for _ in range(40)}
        refused = False
        while not refused:
            assert time.monotonic() < deadline
            answered, _, _ = select(n_sent, (), (), 0)
            _, ready, _ = select((), n_sent, (), 1.0)
            for connection in ready:
                connection.setblocking(False)
                with suppress(OSError):
                    n_sent[connection] += connection.send(content[n_sent[connection] :][:MIB])
            for connection in answered:
                with suppress(OSError):
                    refused |= b"/problems/too-busy" in connection.recv(65_536)
        assert server.rss_bytes() - before < 400 * MIB
