"""A real server on a free port, a real service with an inline executor, and two trained models."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import httpx
import pytest

from tests.web.serving import DEADLINE_S, TINY, service, settings, url, wait_until_over  # noqa: F401


@pytest.fixture(scope="session")
def client(url: str) -> Iterator[httpx.Client]:
    with httpx.Client(base_url=f"{url}/api/v1", timeout=DEADLINE_S) as client:
        yield client


@pytest.fixture(scope="session")
def finished_job(client: httpx.Client) -> dict[str, Any]:
    """Return a softmax job that has succeeded; it made a version of mnist-softmax."""
    job = client.post("/jobs", json=TINY).raise_for_status().json()
    return wait_until_over(client, job["id"])
