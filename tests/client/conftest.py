"""A real server for the clients, with a real service behind it."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from inkling import InklingClient
from tests.web.serving import service, settings, url  # noqa: F401


@pytest.fixture(scope="session")
def client(url: str) -> Iterator[InklingClient]:
    with InklingClient(url) as client:
        yield client
