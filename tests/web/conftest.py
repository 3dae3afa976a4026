"""A real server on a free port, a real service with an inline executor, and two trained models."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import httpx
import pytest

from service.bootstrap import Service, build
from service.settings import Settings
from tests.web.serving import DEADLINE_S, TINY, serving, wait_until_over


@pytest.fixture(scope="session")
def settings(tmp_path_factory: pytest.TempPathFactory) -> Settings:
    return Settings(data_dir=tmp_path_factory.mktemp("data"), executor="inline", workers=1)


@pytest.fixture(scope="session")
def service(settings: Settings) -> Iterator[Service]:
    with build(settings) as service:
        yield service


@pytest.fixture(scope="session")
def url(service: Service) -> Iterator[str]:
    with serving(service) as url:
        yield url


@pytest.fixture(scope="session")
def client(url: str) -> Iterator[httpx.Client]:
    with httpx.Client(base_url=f"{url}/api/v1", timeout=DEADLINE_S) as client:
        yield client


@pytest.fixture(scope="session")
def finished_job(client: httpx.Client) -> dict[str, Any]:
    """Return a softmax job that has succeeded; it made a version of mnist-softmax."""
    job = client.post("/jobs", json=TINY).raise_for_status().json()
    return wait_until_over(client, job["id"])
