"""Every route with every key: the scope that a route states is the one that the running service asks for."""

from __future__ import annotations

import asyncio
import re
import socket

import httpx
import pytest
from fastapi import FastAPI
from fastapi.routing import iter_route_contexts
from starlette.responses import Response
from starlette.routing import Mount

from service.access import Scope, granted
from service.bootstrap import Service
from service.settings import Settings
from service.web import routes
from service.web.access_control import PUBLIC as PUBLIC_ACCESS
from service.web.access_control import PUBLIC_MOUNTS, READ, SecuredRoute, scopes_by_route
from service.web.app import create_app
from service.web.routing import noun_router
from tests.security.access.conftest import bearer
from tests.web.serving import DEADLINE_S, problem_of

PUBLIC = {
    "GET /",
    "GET /docs",
    "GET /openapi.json",
    "GET /favicon.ico",
    "GET /problems/{code}",
    "GET /livez",
    "GET /readyz",
    "GET /v2/health/live",
    "GET /v2/health/ready",
}
"""Written down a second time, so that nothing becomes public by one slip."""


SCOPES = scopes_by_route(create_app(settings=Settings()).routes)


def ask(client: httpx.Client, route: str, key: str | None) -> httpx.Response:
    """Request things that do not exist, so that the answer shows only whether the route was reached."""
    method, path = route.split(" ")
    headers = bearer(key) if key else {}
    return client.request(method, re.sub(r"\{[^}]+\}", "nothing", path), headers=headers)


def assert_refused(answer: httpx.Response, status: int, problem: str) -> None:
    """Check the answer in the words of its protocol."""
    assert answer.status_code == status
    if answer.url.path.startswith("/v2"):
        assert set(answer.json()) == {"error"}
    else:
        assert problem_of(answer) == problem


def test_only_these_are_public() -> None:
    assert {route for route, scope in SCOPES.items() if scope is None} == PUBLIC
    assert {"/static"} == PUBLIC_MOUNTS


def test_all_routes_check_access() -> None:
    for route in iter_route_contexts(create_app(settings=Settings()).routes):
        original = route.original_route
        assert isinstance(original, SecuredRoute | Mount), route.path
        if isinstance(original, SecuredRoute):
            assert original.path_format == route.path, "the audit log names it by this"


@pytest.mark.slow
@pytest.mark.parametrize("route", sorted(SCOPES))
def test_every_route_with_every_key(route: str, client: httpx.Client, keys: dict[Scope, str]) -> None:
    needed = SCOPES[route]
    wrong = keys[Scope.ADMIN][:-1] + ("A" if keys[Scope.ADMIN][-1] != "A" else "B")
    for key in (None, wrong, "nonsense"):
        answer = ask(client, route, key)
        if needed is None:
            assert answer.status_code in (200, 404)
        else:
            assert_refused(answer, 401, "unauthenticated")
            assert answer.headers["www-authenticate"] == "Bearer"
    for scope in Scope:
        answer = ask(client, route, keys[scope])
        if needed is None or needed in granted([scope]):
            assert answer.status_code not in (401, 403), (scope, answer.text)
            assert answer.status_code < 500
        else:
            assert_refused(answer, 403, "insufficient-scope")


def test_what_scopes_include() -> None:
    """Spelled out a second time: a mistake here grants too much."""
    assert granted([Scope.READ]) == {Scope.READ}
    assert granted([Scope.PREDICT]) == {Scope.PREDICT}
    assert granted(["collect:lesson-1"]) == {"collect:lesson-1", Scope.PREDICT}
    assert granted([Scope.TRAIN]) == {Scope.TRAIN, Scope.READ, Scope.COLLECT}
    assert granted([Scope.ADMIN]) == set(Scope)
    assert granted([Scope.READ, Scope.PREDICT]) == {Scope.READ, Scope.PREDICT}


def test_a_key_of_a_class_adds_to_its_collection_only(client: httpx.Client, service: Service) -> None:
    """The routes of its collection and of others; `test_every_route_with_every_key` asks every other route."""
    for name in ("lesson-1", "lesson-10", "lesson"):
        service.collections.create(name)
    headers = bearer(service.keys.create("a class", ["collect:lesson-1"])[1])
    body = {"pixels": [[0] * 28] * 28}

    def add(name: str) -> httpx.Response:
        return client.post(f"/api/v1/collections/{name}/images", params={"label": 1}, json=body, headers=headers)

    made = add("lesson-1")
    assert made.status_code == 201
    for other in ("lesson-10", "lesson", "LESSON-1", "nothing", "lesson-1:lesson"):
        assert_refused(add(other), 403, "insufficient-scope")
    assert add("lesson").json()["detail"] == "This needs a key of scope collect:lesson."
    assert add("LESSON").json()["detail"] == "This needs a key of scope collect:NAME."
    image = made.headers["Location"]
    for method, path in (
        ("PATCH", image),
        ("DELETE", image),
        ("GET", f"{image}/strokes"),
        ("GET", "/api/v1/collections/lesson-1/images"),
        ("GET", "/api/v1/collections/lesson-1"),
        ("DELETE", "/api/v1/collections/lesson-1"),
        ("POST", "/api/v1/collections/lesson-1/versions"),
        ("POST", "/api/v1/collections"),
    ):
        assert_refused(client.request(method, path, headers=headers), 403, "insufficient-scope")
    assert service.collections.get("lesson-1").n_by_label["1"] == 1
    (line,) = service.audit_log.page(limit=1)
    assert (line.route, line.status) == ("/api/v1/collections/{name}/images", 201), "who added it is recorded"


def test_a_route_without_a_scope_does_not_start(monkeypatch: pytest.MonkeyPatch) -> None:
    router = noun_router("jobs")
    router.add_api_route("/forgotten", lambda: None, methods=["POST"])
    monkeypatch.setattr(routes, "ROUTERS", (*routes.ROUTERS, router))
    with pytest.raises(RuntimeError, match="without a scope: POST /api/v1/forgotten"):
        create_app(settings=Settings())


def test_a_mount_or_a_foreign_route_does_not_go_unnoticed() -> None:
    app = FastAPI(openapi_url=None, docs_url=None, redoc_url=None)
    app.mount("/files", create_app(settings=Settings()))
    app.add_api_route("/new", lambda: None, methods=["POST"], dependencies=[READ])
    with pytest.raises(RuntimeError, match="without a scope: /files, POST /new"):
        scopes_by_route(app.routes)


def test_a_route_states_one_scope() -> None:
    with pytest.raises(TypeError, match="more than one scope"):
        SecuredRoute("/both", lambda: None, dependencies=[PUBLIC_ACCESS, READ])


def test_a_route_without_a_scope_that_is_added_later_refuses_everyone(service: Service, keys: dict[Scope, str]) -> None:
    app = create_app(service)
    ran = []

    async def late() -> Response:
        ran.append(True)
        return Response()

    app.add_api_route("/late", late)
    app.add_api_route("/late-with-a-scope", late, dependencies=[READ])
    assert _ask_once(app, "/late", keys[Scope.ADMIN]) == 403
    assert not ran
    assert _ask_once(app, "/late-with-a-scope", keys[Scope.READ]) == 200


def _ask_once(app: FastAPI, path: str, key: str) -> int:
    async def get() -> int:
        async with httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://localhost") as client:
            return (await client.get(path, headers=bearer(key))).status_code

    return asyncio.run(get())


def test_refused_before_the_body_is_read(url: str, keys: dict[Scope, str]) -> None:
    """The body never comes: who waited for it would not answer."""
    host, port = url.removeprefix("http://").split(":")
    for key, status in (("", b"401"), (keys[Scope.READ], b"403")):
        with socket.create_connection((host, int(port)), DEADLINE_S) as connection:
            head = f"POST /api/v1/jobs HTTP/1.1\r\nHost: {host}\r\nAuthorization: Bearer {key}\r\n"
            connection.sendall(f"{head}Content-Length: 9\r\n\r\n".encode())
            assert connection.recv(12) == b"HTTP/1.1 " + status


def test_head_options_and_other_methods(client: httpx.Client, keys: dict[Scope, str]) -> None:
    assert client.head("/api/v1/jobs").status_code == 401
    assert client.head("/api/v1/jobs", headers=bearer(keys[Scope.READ])).status_code == 200
    assert client.patch("/api/v1/jobs").status_code == 405
    assert client.options("/api/v1/jobs").headers["allow"] == "GET, HEAD, OPTIONS, POST"


def test_openapi_says_what_each_operation_needs(client: httpx.Client, keys: dict[Scope, str]) -> None:
    document = client.get("/openapi.json").json()
    assert document["components"]["securitySchemes"]["key"]["scheme"] == "bearer"
    for path, item in document["paths"].items():
        for method, operation in item.items():
            needed = SCOPES[f"{method.upper()} {path}"]
            assert operation["security"] == ([{"key": [needed]}] if needed else [])
