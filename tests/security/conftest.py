"""One service for all that only sends it bad things: it must still be well at the end."""

from __future__ import annotations

from collections.abc import Iterator

import httpx
import pytest

from tests.security.server import DEADLINE_S, Server, running


@pytest.fixture(scope="session")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    with running(tmp_path_factory.mktemp("service")) as server:
        yield server


@pytest.fixture(scope="session")
def client(server: Server) -> Iterator[httpx.Client]:
    with httpx.Client(base_url=f"{server.url}/api/v1", timeout=DEADLINE_S) as client:
        yield client
