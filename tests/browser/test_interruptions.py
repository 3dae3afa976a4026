"""The page while the server is away, and when it requires a key."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest
from playwright.sync_api import expect

from service.access import Scope
from service.bootstrap import Service
from service.core import TrainingConfig
from service.jobs import JobRequest
from service.settings import Settings
from tests.browser.conftest import OpenPage
from tests.browser.test_train_and_watch import n_points, wait_for_points
from tests.browser.waiting import wait_until
from tests.web.serving import LONG, serving, wait_until_over
from tests.web.test_server_process import server_process

pytestmark = [pytest.mark.slow, pytest.mark.needs("browser")]


def test_a_killed_server_comes_back_and_no_event_is_missing(open_page: OpenPage, tmp_path: Path) -> None:
    lost = "The server cannot be reached"
    # While a long run is thinned, a snapshot may be gone before its confusion is requested: 404, and the next is shown.
    with open_page(allowed=("ERR_", "404")) as page:
        with server_process(tmp_path, "processes") as (server, url):
            job = httpx.post(f"{url}/api/v1/jobs", json={**LONG, "epochs": 300}).raise_for_status().json()
            page.goto(f"{url}/?job={job['id']}")
            wait_for_points(page, 10)
            server.kill()
            expect(page.get_by_text(lost)).to_be_visible()
            before = n_points(page)
        with server_process(tmp_path, "processes", port=int(url.rpartition(":")[2])):
            expect(page.get_by_text(lost)).to_be_hidden(timeout=30_000)
            wait_for_points(page, before)
            expect(page.locator(".state .badge")).to_have_text("succeeded", timeout=60_000)
            page.get_by_text("History", exact=True).click()
            expect(page.locator(".settings .badge")).to_have_text(
                ["queued", "running", "queued", "running", "succeeded"]
            )
            expect(page.locator(".settings .reason").nth(2)).to_contain_text("resumes from its last checkpoint")
            checks = httpx.get(f"{url}/api/v1/jobs/{job['id']}/metrics").json()["checks"]
            assert len(checks) == 300 * 5
            wait_until(
                page, "n => Number(document.querySelectorAll('.chart-card')[1].dataset.points) === n", len(checks)
            )


@pytest.fixture
def closed(tmp_path: Path) -> Iterator[tuple[str, str, str]]:
    """Yield the URL of a service that requires a key, a key to read and predict, and a job."""
    with Service(Settings(data_dir=tmp_path, executor="inline", workers=1)) as service:
        key = service.keys.create("a class", [Scope.READ, Scope.PREDICT])[1]
        job = service.jobs.submit(JobRequest(config=TrainingConfig(epochs=2, train_size=512)))
        with serving(service) as url:
            with httpx.Client(base_url=f"{url}/api/v1", headers={"Authorization": f"Bearer {key}"}) as client:
                wait_until_over(client, job.id)
            yield url, key, job.id


def test_a_key_is_requested_once_and_is_in_no_address(open_page: OpenPage, closed: tuple[str, str, str]) -> None:
    url, key, job_id = closed
    with open_page(allowed=("401", "403")) as page:
        requested: list[str] = []
        page.on("request", lambda request: requested.append(request.url))
        page.goto(f"{url}/?job={job_id}")
        page.get_by_label("Key", exact=True).fill("wrong")
        page.get_by_role("button", name="Use this key").click()
        expect(page.get_by_text("rejected this key")).to_be_visible()
        page.get_by_label("Key", exact=True).fill(key)
        page.get_by_role("button", name="Use this key").click()
        expect(page.locator(".story")).to_contain_text("best check")
        wait_for_points(page, 1)
        expect(page.locator(".when")).to_contain_text("After step")
        page.get_by_role("link", name="Data").click()
        expect(page.locator(".images li")).to_have_count(60)
        wait_until(page, "() => [...document.images].every(image => image.naturalWidth > 0)")
        expect(page.get_by_role("dialog")).to_have_count(0)
        assert any("/events" in address for address in requested)
        assert not any(key in address for address in requested)
        page.get_by_role("link", name="Train", exact=True).click()
        page.get_by_role("button", name="Start training").click()
        expect(page.locator("#refusal")).to_contain_text("scope")  # this key may read, not train
        page.get_by_role("link", name="Runs").click()
        page.reload()
        expect(page.locator("tbody tr")).to_have_count(1)  # kept in the tab
    with open_page(allowed=("401",)) as page:
        page.goto(url)
        expect(page.get_by_role("dialog")).to_be_visible()  # and only there
        page.get_by_role("button", name="Not now").click()
        expect(page.locator("#reading")).to_have_class("reading error")
