"""A real server on a free port, a real service with an inline executor, and two trained models."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import httpx
import pytest

from tests.web.serving import (
    DEADLINE_S,
    TINY,
    Description,
    description,  # noqa: F401
    service,  # noqa: F401
    settings,  # noqa: F401
    url,  # noqa: F401
    wait_until_over,
)


@pytest.fixture(scope="session")
def client(url: str, description: Description) -> Iterator[httpx.Client]:
    """Return a client that holds all answers against what is documented."""
    hooks = {"response": [description.check]}
    with httpx.Client(base_url=f"{url}/api/v1", timeout=DEADLINE_S, event_hooks=hooks) as client:
        yield client


@pytest.fixture(scope="session")
def finished_job(client: httpx.Client) -> dict[str, Any]:
    """Return a softmax job that has succeeded; it made a version of mnist-softmax."""
    job = client.post("/jobs", json=TINY).raise_for_status().json()
    return wait_until_over(client, job["id"])
