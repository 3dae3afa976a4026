"""A service with keys on a free port, and one key for each scope."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import httpx
import pytest

from service.access import Scope
from service.bootstrap import Service
from service.settings import Settings
from tests.web.serving import (
    DEADLINE_S,
    TINY,
    service,  # noqa: F401
    serving,
    wait_until_over,
)


@pytest.fixture(scope="session")
def settings(tmp_path_factory: pytest.TempPathFactory) -> Settings:
    return Settings(
        data_dir=tmp_path_factory.mktemp("closed"),
        executor="inline",
        workers=1,
        max_requests_per_s=0,
        max_requests_per_s_per_address=0,
    )


@pytest.fixture(scope="session")
def keys(service: Service) -> dict[Scope, str]:
    """Return a key for each scope."""
    return {scope: service.keys.create(f"only {scope}", [scope])[1] for scope in Scope}


@pytest.fixture(scope="session")
def url(service: Service, keys: dict[Scope, str]) -> Iterator[str]:
    with serving(service) as url:
        yield url


@pytest.fixture(scope="session")
def client(url: str, keys: dict[Scope, str]) -> Iterator[httpx.Client]:
    """Return a client that has no key of its own."""
    with httpx.Client(base_url=url, timeout=DEADLINE_S) as client:
        yield client


@pytest.fixture(scope="session")
def finished_job(url: str, keys: dict[Scope, str]) -> dict[str, Any]:
    with httpx.Client(base_url=f"{url}/api/v1", headers=bearer(keys[Scope.ADMIN]), timeout=DEADLINE_S) as admin:
        return wait_until_over(admin, admin.post("/jobs", json=TINY).raise_for_status().json()["id"])


def bearer(key: str) -> dict[str, str]:
    return {"Authorization": f"Bearer {key}"}
