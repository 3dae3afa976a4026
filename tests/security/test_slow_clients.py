"""Clients that come slowly, or not at all: they are left, and meanwhile everybody else is served."""

from __future__ import annotations

import socket
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, suppress
from pathlib import Path

import httpx
import pytest

from tests.security.server import DEADLINE_S, Server, read_answer, running, status_of

HEAD = b"GET /livez HTTP/1.1\r\nHost: localhost\r\n"
POST = b"POST /api/v1/predict HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/octet-stream\r\n"
IMAGE = bytes(784)


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """Return a service that has little patience."""
    with running(tmp_path_factory.mktemp("impatient"), header_timeout_s=1.0, body_timeout_s=1.5) as server:
        yield server


def trickle(connection: socket.socket, piece: bytes) -> bytes:
    """Send a piece again and again until the server has had enough, and return its last words."""
    connection.settimeout(0.05)
    deadline = time.monotonic() + DEADLINE_S
    while time.monotonic() < deadline:
        try:
            connection.sendall(piece)
            received = connection.recv(65_536)
        except TimeoutError:
            continue
        except ConnectionError:
            return b""
        connection.settimeout(DEADLINE_S)
        return received + read_answer(connection) if received else b""
    pytest.fail("the server still listens")


def test_a_silent_client_is_left(server: Server) -> None:
    with server.connect() as connection:
        assert connection.recv(1) == b""


def test_slow_headers(server: Server) -> None:
    with server.connect() as connection:
        connection.sendall(HEAD)
        assert status_of(trickle(connection, b"X: y\r\n")) == 408


def test_a_second_request_that_stays_unfinished(server: Server) -> None:
    with server.connect() as connection:
        connection.sendall(HEAD + b"\r\n")
        assert status_of(read_answer(connection)) == 200
        connection.sendall(b"GET /li")
        assert status_of(read_answer(connection)) == 408


def test_empty_lines_are_no_request(server: Server) -> None:
    with server.connect() as connection:
        connection.sendall(HEAD + b"\r\n")
        assert status_of(read_answer(connection)) == 200
        assert status_of(trickle(connection, b"\r\n")) is None


SLOW_BODIES = {
    "with a length": (POST + b"Content-Length: 784\r\n\r\n", b"\0"),
    "in chunks": (POST + b"Transfer-Encoding: chunked\r\n\r\n", b"1\r\n\0\r\n"),
    "in chunks that never begin": (POST + b"Transfer-Encoding: chunked\r\n\r\n", b"0"),
    "as JSON": (
        b"POST /api/v1/jobs HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\n"
        b"Content-Length: 9999\r\n\r\n",
        b" ",
    ),
    "as a form": (
        b"POST /api/v1/predict HTTP/1.1\r\nHost: localhost\r\nContent-Type: multipart/form-data; boundary=x\r\n"
        b'Content-Length: 9999\r\n\r\n--x\r\nContent-Disposition: form-data; name="file"; filename="a"\r\n\r\n',
        b"a",
    ),
}


@pytest.mark.parametrize(("head", "piece"), SLOW_BODIES.values(), ids=SLOW_BODIES)
def test_slow_bodies(server: Server, head: bytes, piece: bytes) -> None:
    with server.connect() as connection:
        connection.sendall(head)
        answer = trickle(connection, piece)
        assert status_of(answer) == 408
        assert b"/problems/request-timeout" in answer


def test_a_body_that_nobody_wants_is_not_waited_for(server: Server) -> None:
    with server.connect() as connection:
        connection.sendall(b"GET /livez HTTP/1.1\r\nHost: localhost\r\nContent-Length: 784\r\n\r\n")
        assert status_of(read_answer(connection)) == 200
        assert status_of(trickle(connection, b"\0")) is None


def test_a_refused_upload_is_not_taken_for_ever(server: Server) -> None:
    with server.connect() as connection:
        connection.sendall(POST + b"Content-Length: 999999999999\r\n\r\n")
        assert status_of(read_answer(connection)) == 413
        assert status_of(trickle(connection, bytes(1000))) is None


def test_after_an_early_answer_the_connection_is_still_good(server: Server) -> None:
    with server.connect() as connection:
        connection.sendall(b"GET /livez HTTP/1.1\r\nHost: localhost\r\nContent-Length: 784\r\n\r\n")
        assert status_of(read_answer(connection)) == 200
        connection.sendall(bytes(784) + HEAD + b"\r\n")
        assert status_of(read_answer(connection)) == 200


def test_a_large_body_over_a_thin_line_is_no_attack(server: Server) -> None:
    """It takes longer than a small one may, and comes at a rate that earns it the time."""
    n_images = 1000
    pieces = iter([IMAGE * 100] * (n_images // 100))
    head = POST + b"Content-Length: %d\r\n\r\n" % (784 * n_images)
    with server.connect() as connection:
        connection.sendall(head)
        for piece in pieces:
            connection.sendall(piece)
            time.sleep(0.25)  # the line, not the test, is what waits here
        assert status_of(read_answer(connection)) == 200


def test_more_requests_sent_ahead_than_are_kept(server: Server) -> None:
    with server.connect() as connection:
        answers = b""
        with suppress(ConnectionResetError):
            connection.sendall((HEAD + b"\r\n") * 5000)
            while received := connection.recv(65_536):
                answers += received
    assert answers.count(b"HTTP/1.1 200 ") < 20


def crowd(server: Server, stack: ExitStack, n: int, opening: bytes) -> list[socket.socket]:
    connections = [stack.enter_context(server.connect()) for _ in range(n)]
    for connection in connections:
        connection.sendall(opening)
    return connections


@pytest.fixture(scope="module")
def patient(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """Return a server that waits for long and has few places, so that only making room can keep it open."""
    path = tmp_path_factory.mktemp("patient")
    with running(path, header_timeout_s=600, body_timeout_s=600, max_connections=300) as server:
        yield server


CROWDS = {
    "silent": b"",
    "slow headers": HEAD,
    "slow bodies": POST + b"Content-Length: 784\r\n\r\n\0",
    "idle after an answer": HEAD + b"\r\n",
}


def is_served(server: Server) -> None:
    assert httpx.get(f"{server.url}/livez", timeout=DEADLINE_S).status_code == 200
    headers = {"Content-Type": "application/octet-stream"}
    answer = httpx.post(f"{server.url}/api/v1/predict", content=IMAGE, headers=headers, timeout=DEADLINE_S)
    assert answer.json()["predictions"][0]["warnings"]


def test_a_crowd_of_slow_clients_does_not_keep_others_out(patient: Server) -> None:
    with ExitStack() as stack:
        for opening in CROWDS.values():
            crowd(patient, stack, 300, opening)
            is_served(patient)
        assert patient.n_connections() <= 301
    is_served(patient)


def test_whoever_is_being_answered_is_not_sent_away(patient: Server) -> None:
    job = {"model": "softmax", "epochs": 10_000, "train_size": 2_000, "validation_size": 500, "patience": None}
    with ExitStack() as stack, httpx.Client(base_url=patient.url, timeout=DEADLINE_S) as client:
        job_id = client.post("/api/v1/jobs", json=job).json()["id"]
        with client.stream("GET", f"/api/v1/jobs/{job_id}/events") as answer:
            lines = answer.iter_lines()
            assert "event: check" in lines
            crowd(patient, stack, 600, HEAD)
            is_served(patient)
            httpx.post(f"{patient.url}/api/v1/jobs/{job_id}/cancel", timeout=DEADLINE_S)
            assert "event: end" in lines


@pytest.mark.slow
def test_where_everybody_is_being_answered_there_is_no_room(tmp_path: Path) -> None:
    job = {"model": "softmax", "epochs": 10_000, "train_size": 2_000, "validation_size": 500, "patience": None}
    with running(tmp_path, max_connections=16) as server, ExitStack() as stack:
        with httpx.Client(base_url=server.url, timeout=DEADLINE_S) as client:
            job_id = client.post("/api/v1/jobs", json=job).json()["id"]
        follow = b"GET /api/v1/jobs/%s/events HTTP/1.1\r\nHost: localhost\r\n\r\n" % job_id.encode()
        for follower in crowd(server, stack, 16, follow):
            assert follower.recv(15) == b"HTTP/1.1 200 OK"
        answer = server.exchange(HEAD + b"\r\n")
        assert status_of(answer) == 503
        assert b"/problems/too-many-connections" in answer
        stack.close()
        wait_until(lambda: server.n_connections() == 0)
        is_served(server)


def wait_until(holds: Callable[[], bool]) -> None:
    deadline = time.monotonic() + DEADLINE_S
    while not holds():
        assert time.monotonic() < deadline
        time.sleep(0.02)
