"""What browsers and watchers open: the front page, the documentation, the state of the server."""

from __future__ import annotations

import asyncio
import re
import threading
from pathlib import Path
from typing import Any

import httpx
import pytest
from fastapi.routing import iter_route_contexts

from service.bootstrap import Service
from service.web.app import create_app

PAGES = ["/", "/docs"]


@pytest.mark.slow
@pytest.mark.parametrize("page", PAGES)
def test_pages_are_all_ours(url: str, page: str, finished_job: dict[str, Any]) -> None:
    answer = httpx.get(f"{url}{page}")
    assert answer.headers["content-type"] == "text/html; charset=utf-8"
    assert "<style" not in answer.text
    assert not re.search(r"<script(?! src=)|\son\w+=|style=", answer.text)
    for address in re.findall(r'(?:src|href)="([^"]+)"', answer.text):
        if address.startswith("#"):
            assert f'id="{address[1:]}"' in answer.text
            continue
        assert address.startswith("/")
        assert httpx.get(f"{url}{address.replace('&amp;', '&')}").status_code == 200


def test_an_unknown_address_has_a_page_for_people_and_a_problem_for_programs(url: str) -> None:
    browser = {"Accept": "text/html,application/xhtml+xml,*/*;q=0.8"}
    page = httpx.get(f"{url}/nowhere", headers=browser)
    assert (page.status_code, page.headers["content-type"]) == (404, "text/html; charset=utf-8")
    for address in re.findall(r'href="([^"]+)"', page.text):
        assert httpx.get(f"{url}{address}").status_code == 200
    for path, headers in (("/nowhere", {}), ("/api/v1/nowhere", browser), ("/v2/nowhere", browser)):
        assert "json" in httpx.get(f"{url}{path}", headers=headers).headers["content-type"]


@pytest.mark.parametrize(
    "path", ["/static/../app.py", "/static/%2e%2e/app.py", "/static/..%2fapp.py", "/static/", "/static/page"]
)
def test_only_static_files_are_static(url: str, path: str) -> None:
    assert httpx.get(f"{url}{path}").status_code == 404


@pytest.mark.slow
def test_the_modules_of_the_page_are_kept_and_asked_for(url: str) -> None:
    first = httpx.get(f"{url}/static/page/main.js")
    assert first.headers["content-type"] == "text/javascript; charset=utf-8"
    assert first.headers["cache-control"] == "no-cache"
    again = httpx.get(f"{url}/static/page/main.js", headers={"If-None-Match": first.headers["etag"]})
    assert (again.status_code, again.content) == (304, b"")
    for name in re.findall(r'(?:from |import\()"\./([\w/]+\.js)"', first.text):
        assert httpx.get(f"{url}/static/page/{name}").status_code == 200


def test_a_module_of_the_page_is_one_noun() -> None:
    folder = Path(__file__).parents[2] / "service" / "web" / "static" / "page"
    n_lines = {path.name: len(path.read_text().splitlines()) for path in folder.rglob("*.js")}
    assert "main.js" in n_lines
    assert {name: n for name, n in n_lines.items() if n > 250} == {}


def test_a_favicon(url: str) -> None:
    assert httpx.get(f"{url}/favicon.ico").content.startswith(b"\0\0\1\0")


def test_alive_and_ready(url: str, finished_job: dict[str, Any]) -> None:
    assert httpx.get(f"{url}/livez").json() == {"live": True}
    answer = httpx.get(f"{url}/readyz")
    assert (answer.status_code, answer.json()["ready"]) == (200, True)


@pytest.mark.parametrize(("path", "is_compressed"), [("/openapi.json", True), ("/livez", False)])
def test_large_answers_are_compressed_for_who_asks(url: str, path: str, is_compressed: bool) -> None:
    plain = httpx.get(f"{url}{path}", headers={"Accept-Encoding": "identity"})
    compressed = httpx.get(f"{url}{path}", headers={"Accept-Encoding": "gzip"})
    assert "content-encoding" not in plain.headers and plain.content == compressed.content
    assert (compressed.headers.get("content-encoding") == "gzip") is is_compressed
    assert not is_compressed or int(compressed.headers["content-length"]) < len(plain.content) / 4


def test_the_description_is_made_in_a_thread_and_whole(service: Service, monkeypatch: pytest.MonkeyPatch) -> None:
    """The first time it takes a second, in which the event loop serves others."""
    app, made_in = create_app(service), []
    make = app.openapi

    def noting_where() -> dict[str, Any]:
        made_in.append(threading.current_thread())
        return make()

    monkeypatch.setattr(app, "openapi", noting_where)

    async def ask() -> list[httpx.Response]:
        async with httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://127.0.0.1") as client:
            return await asyncio.gather(*(client.get("/openapi.json") for _ in range(4)))

    (content,) = {answer.content for answer in asyncio.run(ask())}
    assert b'"Problem"' in content
    assert made_in and threading.current_thread() not in made_in


def test_openapi_describes_every_route(url: str, service: Service) -> None:
    document = httpx.get(f"{url}/openapi.json").json()
    described = {(method.upper(), path) for path, item in document["paths"].items() for method in item}
    there = {
        (method, str(route.path))
        for route in iter_route_contexts(create_app(service).routes)
        if getattr(route, "include_in_schema", False)
        for method in route.methods or ()
    }
    assert described == there
    for path, item in document["paths"].items():
        for operation in item.values():
            assert operation["description"], path
            media = "application/json" if path.startswith("/v2") else "application/problem+json"
            for status in ("4XX", "5XX"):
                assert list(operation["responses"][status]["content"]) == [media]
    assert "HTTPValidationError" not in document["components"]["schemas"]


def test_the_schema_of_a_request_is_the_table(url: str) -> None:
    fields = httpx.get(f"{url}/openapi.json").json()["components"]["schemas"]["TrainingRequest"]["properties"]
    assert fields["learning_rate"]["minimum"] == 1e-6
    assert fields["learning_rate"]["maximum"] == 10
    assert fields["epochs"]["default"] == 50
    assert "J = C + lambda * ||W||^2, bias row included" in fields["l2_penalty"]["description"]
