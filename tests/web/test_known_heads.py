"""Requests with a head that came before: answered where they are received, and like all others."""

from __future__ import annotations

import json
import logging
import socket
from collections.abc import Callable, Iterator
from contextlib import closing
from dataclasses import fields
from io import BytesIO
from pathlib import Path
from typing import Any, NamedTuple

import httpx
import pytest
from PIL import Image

from service.access import Scope
from service.bootstrap import Service, build
from service.datasets import load_dataset
from service.registry import ModelDraft
from service.settings import Settings
from service.web import known_heads, server
from tests.web.serving import DEADLINE_S, serving

PREDICT, INFER = "/api/v1/predict", "/v2/models/mnist-softmax/infer"
RAW, JSON, PNG = "application/octet-stream", "application/json", "image/png"


class Answered(NamedTuple):
    """An answer, and whether it was given without the application."""

    status: int
    headers: dict[str, str]
    body: Any
    at_once: bool


class Client:
    """A connection that sends a request in one piece, so that it comes in one."""

    def __init__(self, url: str) -> None:
        host, port = url.removeprefix("http://").split(":")
        self.sock = socket.create_connection((host, int(port)), timeout=DEADLINE_S)
        self._host = host
        self._received = b""
        # Whoever answers counts, and has a word of its own before the number.
        self._application = httpx.get(f"{url}/livez").headers["x-request-id"].split("-")[0]

    def request(self, path: str, media_type: str, body: bytes, *headers: str, version: str = "1.1") -> bytes:
        lines = [f"POST {path} HTTP/{version}", f"Host: {self._host}", f"Content-Type: {media_type}", *headers]
        return "\r\n".join([*lines, f"Content-Length: {len(body)}", "\r\n"]).encode() + body

    def ask(self, path: str, media_type: str, body: bytes, *headers: str, **how: str) -> Answered:
        self.sock.sendall(self.request(path, media_type, body, *headers, **how))
        return self.answer()

    def answer(self) -> Answered:
        """Read one answer, and keep what comes after it."""
        while b"\r\n\r\n" not in self._received:
            self._receive()
        head, _, self._received = self._received.partition(b"\r\n\r\n")
        status, *lines = head.decode().split("\r\n")
        headers = dict(line.split(": ", 1) for line in lines)
        while len(self._received) < (n_bytes := int(headers["content-length"])):
            self._receive()
        body, self._received = self._received[:n_bytes], self._received[n_bytes:]
        assert body
        assert headers.pop("date").endswith("GMT")
        at_once = headers.pop("x-request-id").split("-")[0] != self._application
        return Answered(int(status.split()[1]), headers, json.loads(body), at_once)

    def _receive(self) -> None:
        more = self.sock.recv(65_536)
        assert more, "closed"
        self._received += more


@pytest.fixture
def client(url: str) -> Iterator[Client]:
    client = Client(url)
    with closing(client.sock):
        yield client


@pytest.fixture(scope="module")
def images() -> Any:
    return load_dataset("mnist").test.images[:50]


def pixels(image: Any) -> bytes:
    return json.dumps({"pixels": image.ravel().tolist()}).encode()


def tensor(image: Any) -> bytes:
    data = {"name": "image", "datatype": "UINT8", "shape": [1, 784], "data": image.ravel().tolist()}
    return json.dumps({"inputs": [data]}).encode()


def png(image: Any) -> bytes:
    file = BytesIO()
    Image.fromarray(image).save(file, "PNG")
    return file.getvalue()


KINDS = {
    "raw": (PREDICT, RAW, lambda image: image.tobytes()),
    "JSON": (PREDICT, JSON, pixels),
    "PNG": (PREDICT, PNG, png),
    "named": ("/api/v1/models/mnist-softmax/predict?alias=latest", RAW, lambda image: image.tobytes()),
    "V2": (INFER, JSON, tensor),
}


def known(client: Client, path: str, media_type: str, body: bytes, *headers: str) -> Answered:
    """Ask until the head is known, and return what is said then."""
    for _ in range(100):  # a model that is not at hand at the moment is looked for by the application
        answer = client.ask(path, media_type, body, *headers)
        if answer.at_once:
            return answer
    raise AssertionError("is not answered at once")


@pytest.mark.parametrize("kind", KINDS)
def test_what_is_answered_at_once_is_what_the_application_says(client: Client, images: Any, kind: str) -> None:
    path, media_type, body_of = KINDS[kind]
    bodies = [body_of(image) for image in images]  # type: ignore[no-untyped-call]
    alike = [body for body in bodies if len(body) == len(bodies[0])]
    known(client, path, media_type, alike[0])  # type: ignore[no-untyped-call]
    for number, body in enumerate(alike):
        afresh = client.ask(path, media_type, body, f"X-Kind: {kind} {number}")  # a head of its own
        assert (afresh.status, afresh.at_once) == (200, False)
        assert known(client, path, media_type, body) == afresh._replace(at_once=True)


def test_digits_in_any_pieces_and_order(client: Client, images: Any) -> None:
    """However a known request comes, it is answered in turn."""
    known(client, PREDICT, RAW, images[0].tobytes())
    digits = [client.ask(PREDICT, RAW, image.tobytes()).body["predictions"] for image in images]
    whole = [client.request(PREDICT, RAW, image.tobytes()) for image in images]
    head = len(whole[0]) - 784
    for split in (1, 10, head - 3, head, head + 1, head + 783):
        for request, predictions in zip(whole[:3], digits[:3], strict=True):
            client.sock.sendall(request[:split])
            client.sock.sendall(request[split:])
            assert client.answer().body["predictions"] == predictions
    for n_ahead in (2, 3, 7):
        client.sock.sendall(b"".join(whole[:n_ahead]))
        assert [client.answer().body["predictions"] for _ in range(n_ahead)] == digits[:n_ahead]
    client.sock.sendall(whole[0] + whole[1][:100])
    assert client.answer().body["predictions"] == digits[0]
    client.sock.sendall(whole[1][100:] + whole[2])
    assert [client.answer().body["predictions"] for _ in range(2)] == digits[1:3]


def test_a_client_that_says_that_it_was_its_last_request_is_answered(url: str, images: Any) -> None:
    """Nobody waits for what is still being worked on then, but what is done has to be sent."""
    n_answered = 0
    for number in range(20):
        client = Client(url)
        with closing(client.sock):
            client.sock.sendall(client.request(PREDICT, RAW, images[0].tobytes(), f"X-Last: {number}"))
            client.sock.shutdown(socket.SHUT_WR)
            n_answered += b"200 OK" in client.sock.recv(65_536)
    assert n_answered > 10


def test_what_is_wrong_is_told_in_full_and_counted_once(client: Client, service: Service, images: Any) -> None:
    body = pixels(images[0])
    known(client, PREDICT, JSON, body)
    version = client.ask(PREDICT, JSON, body).body["version"]

    def counts() -> tuple[float, float]:
        figures = service.metrics.inference_figures()["mnist-softmax", version].counts
        return figures["request_success"], figures["request_failure"]

    n_right, n_wrong = counts()
    refused = client.ask(PREDICT, JSON, body.replace(b"[0, ", b"[-1,", 1))
    assert (refused.status, refused.body["errors"][0]["pointer"]) == (422, "#/pixels")
    assert client.ask(PREDICT, JSON, b"x" * len(body)).status == 400
    assert client.ask(PREDICT, JSON, body).status == 200
    assert counts() == (n_right + 1, n_wrong + 2)


def test_requests_are_counted_and_logged_like_others(
    client: Client, url: str, images: Any, caplog: pytest.LogCaptureFixture
) -> None:
    body = images[0].tobytes()
    known(client, PREDICT, RAW, body)
    name = 'inkling_http_requests_total{method="POST",route="/api/v1/predict",status="200"}'

    def count() -> float:
        (line,) = [line for line in httpx.get(f"{url}/metrics").text.splitlines() if line.startswith(name)]
        return float(line.split()[-1])

    before = count()
    with caplog.at_level(logging.INFO, "service.web.request_context"):
        caplog.clear()
        assert client.ask(PREDICT, RAW, body).status == 200
    (line,) = [record.getMessage() for record in caplog.records if PREDICT in record.getMessage()]
    assert f"POST {PREDICT} 200" in line
    assert count() == before + 1


@pytest.mark.parametrize("headers", [("Connection: close",), ("Expect: 100-continue",), (f"X-Long: {'x' * 1024}",)])
def test_some_heads_are_not_kept(url: str, images: Any, headers: tuple[str, ...]) -> None:
    for _ in range(5):
        client = Client(url)
        with closing(client.sock):
            client.sock.sendall(client.request(PREDICT, RAW, images[0].tobytes(), *headers))
            if headers == ("Expect: 100-continue",):
                assert client.sock.recv(25) == b"HTTP/1.1 100 Continue\r\n\r\n"
            assert not client.answer().at_once


def test_a_form_is_not_taken_for_what_is_in_it(client: Client, images: Any) -> None:
    part = b'--b\r\nContent-Disposition: form-data; name="file"; filename="x"\r\n\r\n%b\r\n--b--\r\n'
    body = part % png(images[0])
    answers = [client.ask(PREDICT, "multipart/form-data; boundary=b", body) for _ in range(5)]
    assert {(answer.status, answer.at_once) for answer in answers} == {(200, False)}


def test_a_page_of_another_origin_is_another_head(client: Client, images: Any) -> None:
    known(client, PREDICT, RAW, images[0].tobytes())
    assert client.ask(PREDICT, RAW, images[0].tobytes(), "Origin: http://evil.example").status == 403


@pytest.fixture
def own(tmp_path: Path) -> Callable[..., Service]:
    def make(**settings: Any) -> Service:
        return build(Settings(data_dir=tmp_path, executor="inline", workers=1, **settings))

    return make


def test_the_oldest_makes_room(own: Callable[..., Service], images: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(known_heads, "MAX_HEADS", 2)
    body = images[0].tobytes()
    with own() as service, serving(service) as url:
        client = Client(url)
        with closing(client.sock):
            for number in range(4):
                known(client, PREDICT, RAW, body, f"X-Number: {number}")
            assert not client.ask(PREDICT, RAW, body, "X-Number: 0").at_once


def test_an_alias_that_is_moved_is_heard_at_once(own: Callable[..., Service], images: Any) -> None:
    path, body = f"{PREDICT}?alias=trial", images[0].tobytes()
    with own() as service, serving(service) as url:
        registry, name = service.registry, service.catalogue.default_name
        first = registry.load(name, 1)
        draft = ModelDraft(**{field.name: getattr(first.manifest, field.name) for field in fields(ModelDraft)})
        registry.register(name, draft, 2 * first.best, first.last)
        client = Client(url)
        with closing(client.sock):
            for version in (1, 2, 1):
                registry.set_alias(name, "trial", version)
                assert client.ask(path, RAW, body).body["version"] == version
                assert known(client, path, RAW, body).body["version"] == version
            registry.delete_alias(name, "trial")
            assert client.ask(path, RAW, body).status == 404


def test_a_key_that_is_revoked_opens_nothing(own: Callable[..., Service], images: Any) -> None:
    with own() as service, serving(service) as url:
        key, secret = service.keys.create("student", [Scope.PREDICT])
        client = Client(url)
        bearer = f"Authorization: Bearer {secret}"
        with closing(client.sock):
            known(client, PREDICT, RAW, images[0].tobytes(), bearer)
            service.keys.revoke(key.id)
            assert client.ask(PREDICT, RAW, images[0].tobytes(), bearer).status == 401


def test_a_refusal_takes_one_token(own: Callable[..., Service], images: Any) -> None:
    """But for the first, after which the head is known no more."""
    per_s = 10
    with own(max_requests_per_s_per_address=per_s) as service, serving(service) as url:
        key, secret = service.keys.create("student", [Scope.PREDICT])
        client = Client(url)
        with closing(client.sock):
            bearer = f"Authorization: Bearer {secret}"
            known(client, PREDICT, RAW, images[0].tobytes(), bearer)
            service.keys.revoke(key.id)
            statuses = [client.ask(PREDICT, RAW, images[0].tobytes(), bearer).status for _ in range(2 * per_s - 1)]
    assert set(statuses) == {401}


def test_each_request_takes_one_token(own: Callable[..., Service], images: Any) -> None:
    """Also one that could not be answered at once after all."""
    per_s = 20
    with own(allow_anonymous=True, max_requests_per_s_per_address=per_s) as service, serving(service) as url:
        client = Client(url)
        with closing(client.sock):
            body = pixels(images[0])
            bodies = [b"x" * len(body) if number % 2 else body for number in range(1000)]
            statuses = [client.ask(PREDICT, JSON, body).status for body in bodies[:10]]
            assert set(statuses) == {200, 400}
            n_let_in = 10
            while (answer := client.ask(PREDICT, JSON, bodies[n_let_in])).status != 429:
                n_let_in += 1
            assert answer.headers["retry-after"] == "1"
            assert n_let_in >= 2 * per_s


def test_a_connection_that_is_not_used_is_closed(
    own: Callable[..., Service], images: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Whoever answered what came over it last."""
    monkeypatch.setattr(server, "KEEP_ALIVE_S", 1)
    with own() as service, serving(service) as url:
        first, other = Client(url), Client(url)
        with closing(first.sock), closing(other.sock):
            known(first, PREDICT, RAW, images[0].tobytes())
            known(other, PREDICT, RAW, images[0].tobytes())
            assert first.sock.recv(1) == other.sock.recv(1) == b""
