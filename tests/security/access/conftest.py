"""A service with keys on a free port, over each kind of database, and one key for each scope."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import httpx
import pytest

from service.access import Scope
from service.bootstrap import Service
from service.settings import Settings
from tests.postgresql import Server
from tests.web.serving import (
    DEADLINE_S,
    TINY,
    Description,
    service,  # noqa: F401
    serving,
    wait_until_over,
)


@pytest.fixture(scope="session", params=["sqlite", pytest.param("postgresql", marks=pytest.mark.slow)])
def kind(request: pytest.FixtureRequest) -> str:
    """Name a kind of database; what keys, limits and the audit log keep there is tested on both."""
    kind: str = request.param
    return kind


@contextmanager
def _fresh_url(kind: str, request: pytest.FixtureRequest) -> Iterator[str | None]:
    """Yield the URL of an empty database, None for the one in the data folder."""
    if kind == "sqlite":
        yield None
    else:
        server: Server = request.getfixturevalue("postgresql")
        with server.migrated_database() as url:
            yield url


@pytest.fixture
def database_url(kind: str, request: pytest.FixtureRequest) -> Iterator[str | None]:
    with _fresh_url(kind, request) as url:
        yield url


@pytest.fixture(scope="session")
def settings(kind: str, request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Settings]:
    with _fresh_url(kind, request) as url:
        yield Settings(
            data_dir=tmp_path_factory.mktemp("closed"),
            database_url=url,
            executor="inline",
            workers=1,
            max_requests_per_s=0,
            max_requests_per_s_per_address=0,
        )


@pytest.fixture(scope="session")
def keys(service: Service) -> dict[Scope, str]:
    """Return a key for each scope; that to collect is for the collection ``nothing``."""
    stated = {scope: "collect:nothing" if scope is Scope.COLLECT else scope for scope in Scope}
    return {scope: service.keys.create(f"only {scope}", [its])[1] for scope, its in stated.items()}


@pytest.fixture(scope="session")
def url(service: Service, keys: dict[Scope, str]) -> Iterator[str]:
    with serving(service) as url:
        yield url


@pytest.fixture(scope="session")
def client(url: str, keys: dict[Scope, str]) -> Iterator[httpx.Client]:
    """Return a client that has no key of its own."""
    hooks = {"response": [Description(url).check]}
    with httpx.Client(base_url=url, timeout=DEADLINE_S, event_hooks=hooks) as client:
        yield client


@pytest.fixture(scope="session")
def finished_job(url: str, keys: dict[Scope, str]) -> dict[str, Any]:
    with httpx.Client(base_url=f"{url}/api/v1", headers=bearer(keys[Scope.ADMIN]), timeout=DEADLINE_S) as admin:
        return wait_until_over(admin, admin.post("/jobs", json=TINY).raise_for_status().json()["id"])


def bearer(key: str) -> dict[str, str]:
    return {"Authorization": f"Bearer {key}"}
