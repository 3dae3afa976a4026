"""A real server for the clients, with a real service behind it."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from service.bootstrap import build
from service.client import InklingClient
from service.settings import Settings
from tests.web.serving import serving


@pytest.fixture(scope="session")
def url(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    settings = Settings(data_dir=tmp_path_factory.mktemp("data"), executor="inline", workers=1)
    with build(settings) as service, serving(service) as url:
        yield url


@pytest.fixture(scope="session")
def client(url: str) -> Iterator[InklingClient]:
    with InklingClient(url) as client:
        yield client
