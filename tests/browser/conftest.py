"""Chromium as a headless shell before a real server with a real worker pool, and pages without errors on the console.

The whole browser, as the package `chromium` brings it, takes more than twice the processor time without a window too.
"""

from __future__ import annotations

import gzip
import os
import shutil
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, TypeAlias

import httpx
import pytest
from playwright.sync_api import Browser, ConsoleMessage, Page, expect, sync_playwright

from service.bootstrap import Service
from service.settings import Settings
from tests.web.serving import DEADLINE_S, serving

ARGUMENTS = [
    "--no-sandbox",
    "--disable-gpu",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--no-first-run",
    "--disable-quic",
]

OpenPage: TypeAlias = Callable[..., Any]


@pytest.fixture(scope="module")
def url(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """Serve, with one worker process; for the tests of one file only, because others count the workers."""
    settings = Settings(data_dir=tmp_path_factory.mktemp("data"), executor="processes", workers=1)
    with Service(settings) as service, serving(service) as url:
        yield url


@pytest.fixture(scope="module")
def client(url: str) -> Iterator[httpx.Client]:
    with httpx.Client(base_url=f"{url}/api/v1", timeout=DEADLINE_S) as client:
        yield client


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    executable = shutil.which("chromium-headless-shell")
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=executable, args=ARGUMENTS)
        try:
            yield browser
        finally:
            browser.close()


@pytest.fixture
def open_page(browser: Browser, url: str) -> OpenPage:
    """Return a context manager that opens a page and fails on any error or warning on its console."""

    @contextmanager
    def opened(
        address: str = "/", *, width: int = 1440, scheme: Any = "light", allowed: tuple[str, ...] = (), **more: Any
    ) -> Iterator[Page]:
        console_errors: list[str] = []
        with browser.new_context(viewport={"width": width, "height": 900}, color_scheme=scheme, **more) as context:
            page = context.new_page()
            page.set_default_timeout(1000 * DEADLINE_S)
            expect.set_options(timeout=1000 * DEADLINE_S)

            def on_console(message: ConsoleMessage) -> None:
                if message.type in ("error", "warning"):
                    console_errors.append(f"{message.text} {message.location['url']}")

            page.on("console", on_console)
            page.on("pageerror", lambda error: console_errors.append(str(error)))
            page.goto(url + address)
            page.wait_for_selector("main > section:not([hidden])")
            yield page
        console_errors = [each for each in console_errors if not any(word in each for word in allowed)]
        assert console_errors == []  # what the Content-Security-Policy keeps out is an error on the console

    return opened


@pytest.fixture(scope="session")
def axe() -> str:
    """Return the source of axe-core."""
    return gzip.decompress((Path(__file__).parent / "axe" / "axe.min.js.gz").read_bytes()).decode()


@pytest.fixture(scope="session")
def screenshots() -> Path | None:
    """Return the folder for pictures of each page, which stay there to be looked at, if they are asked for."""
    if "SCREENSHOTS" not in os.environ:
        return None
    folder = Path(__file__).parents[2] / ".screenshots"
    folder.mkdir(exist_ok=True)
    return folder
