"""Jobs, sweeps, data and reports: what is listed, and what it leads to."""

from __future__ import annotations

import httpx
import pytest
from playwright.sync_api import expect

from tests.browser.conftest import OpenPage
from tests.browser.waiting import wait_until
from tests.web.serving import TINY, long_job, wait_until_over

pytestmark = pytest.mark.slow


def test_jobs_by_state(open_page: OpenPage, client: httpx.Client) -> None:
    wait_until_over(client, client.post("/jobs", json=TINY).raise_for_status().json()["id"])
    with long_job(client) as job_id, open_page("/?view=jobs") as page:
        expect(page.locator("tbody tr")).to_have_count(2)
        page.get_by_role("link", name="running").click()
        expect(page.locator("tbody .badge")).to_have_text(["running"])
        expect(page.locator(f"tbody a[href*='{job_id}']")).to_be_visible()
        client.post(f"/jobs/{job_id}/cancel")
        expect(page.get_by_text("No job is running.")).to_be_visible()  # it looks again by itself
        page.get_by_role("link", name="cancelled").click()
        expect(page.locator("tbody .badge")).to_have_text(["cancelled"])


def test_a_sweep_is_ranked_and_pictured(open_page: OpenPage, client: httpx.Client) -> None:
    grid = {"l2_penalty": [0, 1], "learning_rate": [0.01, 0.1]}
    client.post("/sweeps", json={"base": TINY, "grid": grid}).raise_for_status()
    with open_page("/?view=sweeps") as page:
        page.get_by_role("region", name="Sweeps").get_by_role("link").click()
        expect(page.get_by_text("All runs are over")).to_be_visible()
        expect(page.get_by_role("heading", name="A sweep over Learning rate and L2 penalty λ")).to_be_visible()
        pictures = ["Validation accuracy of each run", "The norm of the weights", "The lowest validation loss for each"]
        for name in [*pictures, "The weights of the best members"]:
            expect(page.get_by_role("img", name=name)).to_be_visible()
        page.get_by_label("Ranked by").select_option("train_accuracy")
        assert "rank_by=train_accuracy" in page.url
        for box in page.get_by_role("checkbox").all()[:2]:
            box.check()
        page.get_by_role("link", name="Compare these 2").click()
        expect(page.locator(".verdict")).to_have_count(1)


def test_the_images_of_a_data_set(open_page: OpenPage) -> None:
    with open_page("/?view=data") as page:
        expect(page.locator(".images li")).to_have_count(60)
        page.get_by_role("link", name="test", exact=True).click()
        page.get_by_role("group", name="Which images").get_by_role("link", name="7", exact=True).click()
        expect(page.locator(".images li span:not(.hint)")).to_have_text(["7"] * 60)
        page.get_by_role("link", name="More images").click()
        expect(page.locator(".images li .hint").first).not_to_have_text("no. 0")
        wait_until(page, "() => [...document.images].every(image => image.complete && image.naturalWidth > 28)")
        page.locator(".images a").first.click()
        expect(page.locator("#reading strong")).to_be_visible()
        assert "image=mnist%2Ftest%2F" in page.url


def test_a_report_is_made_and_read(open_page: OpenPage) -> None:
    with open_page("/?view=reports") as page:
        expect(page.get_by_text("No report yet")).to_be_visible()
        page.get_by_label("quick").check()
        page.get_by_role("button", name="Make a report").click()
        expect(page.get_by_role("heading", name="A quick course report")).to_be_visible()
        expect(page.get_by_role("heading", name="2d Early stopping")).to_be_visible(timeout=60_000)
        wait_until(
            page, "() => [...document.images].length === 11 && [...document.images].every(image => image.complete)"
        )
        with page.expect_download() as saved:
            page.get_by_role("link", name="Save as JSON").click()
        assert saved.value.suggested_filename == "report.json"
