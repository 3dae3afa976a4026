"""What tests of the HTTP face share: a server in a thread, waiting for jobs, and reading problems.

Its fixtures are one running service for all tests of a folder, whose conftest.py takes them over.
"""

from __future__ import annotations

import re
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import httpx
import pytest

from service.bootstrap import Service
from service.settings import Settings
from service.web.app import create_app
from service.web.server import Server, listen

DEADLINE_S = 30.0

TINY: dict[str, Any] = {"model": "softmax", "epochs": 2, "train_size": 512, "validation_size": 500}
LONG: dict[str, Any] = {
    "model": "softmax",
    "epochs": 10_000,
    "train_size": 2_000,
    "validation_size": 500,
    "patience": None,
}


@pytest.fixture(scope="session")
def settings(tmp_path_factory: pytest.TempPathFactory) -> Settings:
    return Settings(data_dir=tmp_path_factory.mktemp("data"), executor="inline", workers=1)


@pytest.fixture(scope="session")
def service(settings: Settings) -> Iterator[Service]:
    with Service(settings) as service:
        yield service


@pytest.fixture(scope="session")
def url(service: Service) -> Iterator[str]:
    with serving(service) as url:
        yield url


@contextmanager
def serving(service: Service) -> Iterator[str]:
    """Serve a started service and yield the server's URL."""
    ready = threading.Event()
    with listen("127.0.0.1", 0) as listener:
        server = Server(create_app(service), ready.set)
        thread = threading.Thread(target=server.run, args=([listener],))
        thread.start()
        try:
            assert ready.wait(DEADLINE_S)
            yield f"http://127.0.0.1:{listener.getsockname()[1]}"
        finally:
            server.should_exit = True
            thread.join(DEADLINE_S)
            assert not thread.is_alive()


class Description:
    """What ``/openapi.json`` says of answers, more strictly: they have the documented fields and no others."""

    def __init__(self, url: str) -> None:
        import schemathesis  # here, since it takes a second, and few of a run's processes need it

        document = httpx.get(f"{url}/openapi.json", timeout=DEADLINE_S).json()
        for schema in document["components"]["schemas"].values():
            if "properties" in schema:
                schema.setdefault("additionalProperties", False)
        schema = schemathesis.openapi.from_dict(document)
        self._operations = {
            (method.upper(), re.compile(re.sub(r"\\{.*?\\}", "[^/]+", re.escape(path)))): schema[path][method.upper()]
            for path, item in sorted(document["paths"].items(), key=lambda entry: entry[0].count("{"))
            for method in item
        }

    def check(self, response: httpx.Response) -> None:
        """Hold an answer of JSON against what is said of its operation; a hook for clients."""
        if "json" not in response.headers.get("content-type", ""):
            return
        request = httpx.Request(response.request.method, response.request.url)  # without its body, sent by now
        headers = {name: value for name, value in response.headers.items() if name != "content-encoding"}
        answer = httpx.Response(response.status_code, headers=headers, content=response.read(), request=request)
        answer.elapsed = response.elapsed
        for (method, path), operation in self._operations.items():
            if method == request.method and path.fullmatch(request.url.path):
                operation.validate_response(answer)
                return


@pytest.fixture(scope="session")
def description(url: str) -> Description:
    return Description(url)


def wait_until_over(client: httpx.Client, job_id: str) -> dict[str, Any]:
    """Follow a job by its stream, which ends when the job is over, and return it."""
    with client.stream("GET", f"/jobs/{job_id}/events", timeout=DEADLINE_S) as events:
        for line in events.iter_lines():
            if line == "event: end":
                break
    job: dict[str, Any] = client.get(f"/jobs/{job_id}").json()
    assert job["finished_at"]
    return job


@contextmanager
def long_job(client: httpx.Client, **fields: Any) -> Iterator[str]:
    """Submit a job that would not end by itself, and end it when the block is left."""
    job_id = client.post("/jobs", json={**LONG, **fields}).raise_for_status().json()["id"]
    try:
        yield job_id
    finally:
        client.post(f"/jobs/{job_id}/cancel")
        wait_until_over(client, job_id)


def wait_for(client: httpx.Client, job_id: str, event: str) -> None:
    """Follow a job until it has had an event of this kind."""
    with client.stream("GET", f"/jobs/{job_id}/events", timeout=DEADLINE_S) as events:
        assert f"event: {event}" in events.iter_lines()


def problem_of(answer: httpx.Response) -> str:
    """Return the type of a problem, after checking that it is one and says nothing that it must not say."""
    assert answer.headers["content-type"] == "application/problem+json"
    problem = answer.json()
    assert problem["status"] == answer.status_code
    assert problem["request_id"] == answer.headers["x-request-id"]
    assert problem["instance"] == f"/requests/{problem['request_id']}"
    assert 0 < len(problem["detail"]) <= 200
    assert len(problem.get("errors", [])) <= 20
    assert len(answer.content) <= 4096
    for leak in ("Traceback", "File ", ".py", "/tmp", "sqlalchemy", "pydantic"):
        assert leak not in answer.text
    return str(problem["type"]).removeprefix("/problems/")
