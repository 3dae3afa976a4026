"""What is true of every address: methods, headers, hosts, origins, ids."""

from __future__ import annotations

import asyncio
import socket

import httpx
import pytest
from fastapi import FastAPI

from service.bootstrap import Service
from service.settings import Settings
from service.web.access_control import PUBLIC
from service.web.app import create_app
from service.web.middleware import Guard
from tests.web.serving import TINY, problem_of


def test_allow_lists_every_method(client: httpx.Client) -> None:
    answer = client.patch("/jobs")
    assert (answer.status_code, problem_of(answer)) == (405, "method-not-allowed")
    assert answer.headers["allow"] == "GET, HEAD, OPTIONS, POST"
    assert client.put("/jobs/1/cancel").headers["allow"] == "OPTIONS, POST"
    assert client.post("/models/a/aliases/b").headers["allow"] == "DELETE, OPTIONS, PUT"
    assert client.request("TRACE", "/jobs/1").headers["allow"] == "DELETE, GET, HEAD, OPTIONS, PATCH"
    assert client.put("/collections/a/images/b").headers["allow"] == "DELETE, OPTIONS, PATCH"
    assert client.put("/collections/a/images/b.png").headers["allow"] == "GET, HEAD, OPTIONS"


def test_options(client: httpx.Client) -> None:
    answer = client.options("/jobs")
    assert (answer.status_code, answer.content) == (204, b"")
    assert answer.headers["allow"] == "GET, HEAD, OPTIONS, POST"
    assert "access-control-allow-origin" not in answer.headers
    assert problem_of(client.options("/nothing")) == "not-found"


@pytest.mark.parametrize("path", ["/jobs", "/datasets/mnist/images/3.png", "/models/nobody"])
def test_head_is_get_without_the_body(client: httpx.Client, path: str) -> None:
    head, get = client.head(path), client.get(path)
    assert (head.status_code, head.content) == (get.status_code, b"")
    for name in ("content-type", "content-length", "etag"):
        assert head.headers.get(name) == get.headers.get(name)


@pytest.mark.parametrize("path", ["/", "/livez", "/api/v1/jobs", "/nothing", "/static/index.css"])
def test_browsers_are_kept_honest(url: str, path: str) -> None:
    headers = httpx.get(f"{url}{path}").headers
    policy = headers["content-security-policy"]
    assert policy.startswith("default-src 'none'; script-src 'self';")
    assert "unsafe" not in policy
    assert headers["x-content-type-options"] == "nosniff"
    assert headers["referrer-policy"] == "no-referrer"
    assert headers["cross-origin-opener-policy"] == "same-origin"
    assert headers["cross-origin-resource-policy"] == "same-origin"
    assert "server" not in headers


def test_every_answer_has_an_id_of_our_own(client: httpx.Client) -> None:
    sent = {"X-Request-ID": "mine"}
    ids = [client.get("/jobs", headers=sent).headers["x-request-id"] for _ in range(2)]
    assert len(set(ids)) == 2
    assert "mine" not in ids


HOSTS = {
    "localhost": 200,
    "LOCALHOST:8000": 200,
    "127.0.0.1": 200,
    "[::1]:8000": 200,
    "evil.example": 400,
    "localhost.evil.example": 400,
    "evil.example:8000": 400,
    "localhost/x": 400,
    "localhost?x": 400,
    "user@localhost": 400,
    "localhost:port": 400,
    "192.0.2.1": 400,
    "": 400,
}


@pytest.mark.parametrize(("host", "status"), HOSTS.items())
def test_only_our_own_names(client: httpx.Client, host: str, status: int) -> None:
    answer = client.get("/jobs", headers={"Host": host})
    assert answer.status_code == status
    if status == 400:
        assert problem_of(answer) == "bad-host"


def test_a_refusal_names_the_host_and_the_setting(client: httpx.Client, caplog: pytest.LogCaptureFixture) -> None:
    detail = client.get("/jobs", headers={"Host": "Digits.example:8000"}).json()["detail"]
    assert "Digits.example," in detail and "--allowed-hosts" in detail and "INKLING_ALLOWED_HOSTS" in detail
    assert detail in caplog.text


def test_no_host_at_all(url: str) -> None:
    address = httpx.URL(url)
    with socket.create_connection((address.host, address.port or 0), timeout=5) as connection:
        connection.sendall(b"GET /livez HTTP/1.1\r\nConnection: close\r\n\r\n")
        answer = b"".join(iter(lambda: connection.recv(65536), b""))
    assert answer.startswith(b"HTTP/1.1 400 ")


@pytest.mark.parametrize(
    ("bound", "host", "known"),
    [
        ("0.0.0.0", "192.0.2.1:8000", True),
        ("::", "[2001:db8::1]:8000", True),
        ("0.0.0.0", "evil.example", False),
        ("192.0.2.7", "192.0.2.7:8000", True),
        ("192.0.2.7", "192.0.2.1:8000", False),
        ("127.0.0.1", "digits.example:8000", True),
        ("127.0.0.1", "a.lab.example", True),
        ("127.0.0.1", "a.b.lab.example:1", True),
        ("127.0.0.1", "lab.example", False),
        ("127.0.0.1", "evillab.example", False),
        ("127.0.0.1", "*.lab.example", False),
    ],
)
def test_names_follow_the_address_that_is_bound(bound: str, host: str, known: bool) -> None:
    guard = Guard(create_app(settings=Settings()), bound=bound, allowed=("digits.example", "*.lab.example"))
    assert guard.is_own([host]) is known


@pytest.mark.parametrize("origin", ["null", "http://evil.example", "http://127.0.0.1:1", "https://127.0.0.1"])
def test_pages_of_others_change_nothing(client: httpx.Client, origin: str) -> None:
    answer = client.post("/jobs", json=TINY, headers={"Origin": origin})
    assert (answer.status_code, problem_of(answer)) == (403, "cross-origin")
    assert client.get("/jobs", headers={"Origin": origin}).status_code == 200


@pytest.mark.parametrize(
    ("origin", "host", "status"),
    [
        ("https://localhost", "localhost:443", 202),
        ("http://localhost:80", "localhost", 202),
        ("https://localhost:443", "localhost", 202),
        ("https://localhost:8443", "localhost", 403),
        ("http://localhost:443", "localhost", 403),
        ("http://[::1]", "[::1]:80", 202),
    ],
)
def test_a_port_that_is_not_written_is_that_of_the_scheme(
    client: httpx.Client, origin: str, host: str, status: int
) -> None:
    assert client.post("/jobs", json=TINY, headers={"Origin": origin, "Host": host}).status_code == status


def test_our_own_page_may(client: httpx.Client, url: str) -> None:
    assert client.post("/jobs", json=TINY, headers={"Origin": url}).status_code == 202


def test_a_mistake_of_ours_is_a_problem_without_details(service: Service, caplog: pytest.LogCaptureFixture) -> None:
    app = create_app(service)

    @app.get("/broken", dependencies=[PUBLIC])
    async def broken() -> None:
        raise RuntimeError("sesame")

    answer = ask(app, "/broken")
    assert (answer.status_code, problem_of(answer)) == (500, "internal-error")
    assert "sesame" not in answer.text
    (record,) = [record for record in caplog.records if record.exc_info]
    assert answer.headers["x-request-id"] in record.getMessage()
    assert "sesame" in (record.exc_text or str(record.exc_info))


def test_one_line_in_the_log_for_each_request(service: Service, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level("INFO", "service.web")
    answer = ask(create_app(service), "/api/v1/jobs/x%0Ay")
    (line,) = [record.getMessage() for record in caplog.records if record.name.startswith("service.web")]
    assert line.startswith(f"{answer.headers['x-request-id']} - GET /api/v1/jobs/x%0Ay 404 ")
    assert "\n" not in line


def ask(app: FastAPI, path: str) -> httpx.Response:
    """Ask within this thread, so that everything is over when the answer is there."""

    async def get() -> httpx.Response:
        async with httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://localhost") as client:
            return await client.get(path)

    return asyncio.run(get())


@pytest.mark.parametrize(
    ("method", "path", "allowed"),
    [
        ("GET", "/jobs", "before, limit, q, state, tag"),
        ("GET", "/models", "before, limit, q, tag"),
        ("GET", "/hyperparameters", "none"),
        ("GET", "/tags", "kind"),
        ("GET", "/compare", "model"),
        ("POST", "/predict", "alias, digit_below, unsure_below"),
        ("POST", "/models/mnist-softmax/versions/1/predict", "digit_below, unsure_below"),
    ],
)
def test_an_unknown_parameter_is_refused(client: httpx.Client, method: str, path: str, allowed: str) -> None:
    answer = client.request(method, path, params={"colour": "red"}, content=bytes(784) if method == "POST" else None)
    assert (answer.status_code, problem_of(answer)) == (422, "invalid-field")
    message = "There is no parameter of this name."
    assert answer.json()["errors"] == [
        {"parameter": "colour", "code": "unknown_field", "message": message, "allowed": allowed}
    ]
