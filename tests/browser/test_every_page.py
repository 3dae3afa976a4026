"""Every page, in both themes and at both widths: no barrier, no complaint, nothing that runs over; and its picture."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import httpx
import pytest
from playwright.sync_api import Page, expect

from tests.browser.conftest import OpenPage
from tests.browser.drawing import THREE, draw
from tests.browser.waiting import wait_until
from tests.web.serving import TINY, wait_until_over

pytestmark = pytest.mark.slow

VIEWS = ["draw", "train", "watch", "jobs", "models"]


@pytest.fixture(scope="module")
def job_id(client: httpx.Client) -> str:
    job_id: str = client.post("/jobs", json={**TINY, "epochs": 20}).raise_for_status().json()["id"]
    wait_until_over(client, job_id)
    return job_id


def settle(page: Page, view: str) -> None:
    """Wait until a view shows what it has to show."""
    if view == "draw":
        draw(page, THREE)
        page.wait_for_selector("#sum .logit")
    elif view == "train":
        page.get_by_text("More settings").click()
        expect(page.locator("#estimate")).to_contain_text("steps")
    elif view == "watch":
        page.wait_for_selector("img.weights:visible")
    elif view == "jobs":
        page.wait_for_selector("tbody a")
    else:
        page.get_by_text("Look inside").last.click()
        expect(page.locator(".hardest li")).to_have_count(12)
        wait_until(page, "() => [...document.images].every(image => image.complete)")


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("width", [360, 1440])
@pytest.mark.parametrize("view", VIEWS)
def test_a_page(
    open_page: OpenPage, axe: str, screenshots: Path, job_id: str, view: str, width: int, scheme: str
) -> None:
    with open_page(f"/?job={job_id}" if view == "watch" else f"/?view={view}", width=width, scheme=scheme) as page:
        settle(page, view)
        page.screenshot(path=screenshots / f"{view}-{scheme}-{width}.png", full_page=True)
        assert page.evaluate("document.documentElement.scrollWidth") <= width
        page.evaluate(axe)
        found: dict[str, Any] = page.evaluate("axe.run()")
        serious = [
            (each["id"], each["help"], [node["html"][:200] for node in each["nodes"]])
            for each in found["violations"]
            if each["impact"] in ("serious", "critical")
        ]
        assert serious == []


def test_the_keyboard_reaches_everything(open_page: OpenPage) -> None:
    with open_page() as page:
        page.keyboard.press("Tab")
        assert page.evaluate("document.activeElement.className") == "skip"
        reached = set()
        for _ in range(20):
            page.keyboard.press("Tab")
            reached.add(page.evaluate("document.activeElement.id || document.activeElement.dataset.view"))
        assert {"train", "pad", "clear", "picture", "sample", "model", "for-digit", "against-digit"} <= reached
