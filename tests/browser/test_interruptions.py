"""What a page does while the server is away, and when it wants a key."""

from __future__ import annotations

from pathlib import Path

import httpx
import pytest
from playwright.sync_api import Page, Route, expect

from tests.browser.conftest import OpenPage
from tests.browser.test_train_and_watch import n_points, wait_for_points
from tests.browser.waiting import wait_until
from tests.web.serving import LONG, TINY, wait_until_over
from tests.web.test_server_process import server_process

pytestmark = pytest.mark.slow


def test_a_killed_server_comes_back_and_nothing_is_missed(open_page: OpenPage, tmp_path: Path) -> None:
    lost = "The connection is lost"
    # While a long run is thinned, a snapshot may be gone before its confusion is asked for: 404, and the next is shown.
    with open_page(allowed=("ERR_", "404")) as page:
        with server_process(tmp_path, "processes") as (server, url):
            job = httpx.post(f"{url}/api/v1/jobs", json={**LONG, "epochs": 600}).raise_for_status().json()
            page.goto(f"{url}/?job={job['id']}")
            wait_for_points(page, 10)
            server.kill()
            expect(page.get_by_text(lost)).to_be_visible()
            before = n_points(page)
        with server_process(tmp_path, "processes", port=int(url.rpartition(":")[2])):
            expect(page.get_by_text(lost)).to_be_hidden(timeout=30_000)
            wait_for_points(page, before)
            expect(page.locator(".state .badge")).to_have_text("succeeded", timeout=60_000)
            checks = httpx.get(f"{url}/api/v1/jobs/{job['id']}/metrics").json()["checks"]
            assert len(checks) == 600 * 5
            wait_until(
                page, "n => Number(document.querySelectorAll('.chart-card')[1].dataset.points) === n", len(checks)
            )


KEY = "key-of-the-class"


def refuse_without_key(page: Page) -> list[str]:
    """Answer as a server with keys does: only what says the key is let through. Returns the addresses let through."""
    passed: list[str] = []

    def check(route: Route) -> None:
        if route.request.headers.get("authorization") != f"Bearer {KEY}":
            route.fulfill(status=401, content_type="application/problem+json", body='{"detail": "A key is needed."}')
        else:
            passed.append(route.request.url)
            route.continue_()

    page.route("**/api/v1/**", check)
    return passed


def test_a_key_is_asked_for_once_and_stands_in_no_address(open_page: OpenPage, client: httpx.Client) -> None:
    job_id = client.post("/jobs", json=TINY).raise_for_status().json()["id"]
    wait_until_over(client, job_id)
    with open_page(allowed=("401",)) as page:
        passed = refuse_without_key(page)
        page.goto(page.url + f"?job={job_id}")
        page.get_by_label("Key", exact=True).fill("wrong")
        page.get_by_role("button", name="Use it").click()
        expect(page.get_by_text("does not take that key")).to_be_visible()
        page.get_by_label("Key", exact=True).fill(KEY)
        page.get_by_role("button", name="Use it").click()
        expect(page.locator(".story")).to_contain_text("best check")
        wait_for_points(page, 1)
        expect(page.locator(".when")).to_contain_text("After step")
        page.get_by_role("link", name="Data").click()
        wait_until(
            page, "() => document.images.length >= 60 && [...document.images].every(image => image.naturalWidth > 0)"
        )
        expect(page.get_by_role("dialog")).to_have_count(0)
        assert any("/events" in address for address in passed)
        assert any("/images/" in address for address in passed)
        assert not any(KEY in address for address in passed)
        page.get_by_role("link", name="Jobs").click()
        page.reload()
        expect(page.locator("tbody tr").first).to_be_visible()  # kept in the tab
    with open_page() as page:
        assert page.evaluate("sessionStorage.length") == 0  # and only there
