"""Every page, in both themes and at both widths: accessible, no console errors, nothing too wide."""

from __future__ import annotations

import re
from pathlib import Path

import httpx
import pytest
from playwright.sync_api import Page, expect

from tests.browser.conftest import OpenPage
from tests.browser.drawing import THREE, draw
from tests.browser.waiting import wait_until
from tests.web.serving import TINY, wait_until_over

pytestmark = [pytest.mark.slow, pytest.mark.needs("browser")]

MAX_SHIFT = 0.05
"""Twice what is measured where nothing else runs."""
LAYOUT_SHIFT = """() => new Promise(resolve => {
    let shift = 0;
    new PerformanceObserver(list => {
        for (const entry of list.getEntries()) if (!entry.hadRecentInput) shift += entry.value;
    }).observe({ type: "layout-shift", buffered: true });
    requestAnimationFrame(() => setTimeout(() => resolve(shift)));
})"""
SERIOUS = """() => axe.run({ resultTypes: ["violations"] }).then(({ violations }) => violations
    .filter(({ impact }) => ["serious", "critical"].includes(impact))
    .map(({ id, help, nodes }) => [id, help, nodes.map(({ html }) => html.slice(0, 200))]))"""
"""What axe-core finds. Asked for nothing else, it describes no node that passes, which takes most of its time."""

VIEWS = [
    "draw",
    "train",
    "job",
    "paused",
    "jobs",
    "sweeps",
    "sweep",
    "models",
    "model",
    "compare",
    "data",
    "collection",
    "reports",
    "report",
]


@pytest.fixture(scope="module")
def addresses(client: httpx.Client) -> dict[str, str]:
    """Return an address for each view that has contents."""
    job = client.post("/jobs", json={**TINY, "epochs": 20}).raise_for_status().json()
    grid = {"l2_penalty": [0, 0.1], "learning_rate": [0.01, 0.1]}
    sweep = client.post("/sweeps", json={"base": TINY, "grid": grid}).raise_for_status().json()
    report = client.post("/reports", json={"quick": True}).raise_for_status().json()
    for each in [job["id"], *(member["job"] for member in sweep["members"]), *report["jobs"]]:
        wait_until_over(client, each)
    paused = client.post("/jobs", json={**TINY, "paused": True}).raise_for_status().json()
    client.post("/collections", json={"name": "lesson"}).raise_for_status()
    for label in (0, 1):
        client.post(f"/collections/lesson/images?label={label}", content=bytes(range(196)) * 4).raise_for_status()
    return {
        "collection": "view=data&collection=lesson",
        "job": f"job={job['id']}",
        "paused": f"job={paused['id']}",
        "sweep": f"sweep={sweep['id']}",
        "model": "view=models&model=mnist-softmax/1",
        "compare": f"view=compare&with={job['id']},{sweep['members'][-1]['job']}",
        "report": f"report={report['id']}",
    }


def settle(page: Page, view: str) -> None:
    """Wait until a view is complete."""
    if view == "draw":
        draw(page, THREE)
        page.wait_for_selector("#sum .logit")
    elif view == "train":
        page.get_by_text("More settings").click()
        expect(page.locator("#estimate")).to_contain_text("steps")
    elif view == "job":
        page.wait_for_selector(".travel .confusion")
    elif view == "paused":
        expect(page.locator(".stepwise [data-step] canvas")).to_have_count(20)
    elif view in ("jobs", "sweeps", "reports"):
        page.wait_for_selector("tbody a")
    elif view == "sweep":
        expect(page.locator("figure img")).to_have_count(4)
    elif view == "models":
        page.wait_for_selector(".tile canvas")
    elif view == "model":
        expect(page.locator(".gallery li")).to_have_count(24)
        page.get_by_role("button", name="classified as").nth(1).click()
        page.wait_for_selector(".cell-images li")
    elif view == "compare":
        expect(page.locator(".tile")).to_have_count(20)
    elif view == "data":
        page.get_by_text("Add a data set of your own").click()
        page.get_by_role("button", name="Add it").click()  # missing fields are marked
        expect(page.locator(".images li")).to_have_count(60)
    elif view == "collection":
        expect(page.locator(".collected img")).to_have_count(2)
    else:
        expect(page.locator(".task img")).to_have_count(13)
    wait_until(page, "() => [...document.images].every(image => image.naturalWidth > 0)")


@pytest.mark.parametrize("scheme", ["light", pytest.param("dark", marks=pytest.mark.long)])
@pytest.mark.parametrize("view", VIEWS)
def test_a_page(
    open_page: OpenPage, axe: str, screenshots: Path | None, addresses: dict[str, str], view: str, scheme: str
) -> None:
    with open_page(f"/?{addresses.get(view, f'view={view}')}", scheme=scheme) as page:
        settle(page, view)
        assert page.evaluate(LAYOUT_SHIFT) <= MAX_SHIFT
        for figure in page.locator(".task figure", has_text=re.compile("white", re.I)).all():  # in the dark it is, too
            assert "invert" not in figure.locator("img").evaluate("image => getComputedStyle(image).filter")
        page.evaluate(axe)
        for width in (1440, 360):
            page.set_viewport_size({"width": width, "height": 900})
            wait_until(page, f"() => document.documentElement.scrollWidth <= {width}")  # charts follow a resize
            if screenshots:
                page.screenshot(path=screenshots / f"{view}-{scheme}-{width}.png", full_page=True)
            assert page.evaluate(SERIOUS) == []


def test_the_part_of_the_page_that_is_shown_is_in_view_in_the_navigation(open_page: OpenPage) -> None:
    with open_page("/?view=reports", width=390) as page:
        expect(page.locator("nav [data-view=reports]")).to_be_in_viewport(ratio=1)
        expect(page.locator("nav [data-view=draw]")).not_to_be_in_viewport()


def test_the_keyboard_reaches_everything(open_page: OpenPage) -> None:
    with open_page() as page:
        page.keyboard.press("Tab")
        assert page.evaluate("document.activeElement.className") == "skip"
        reached = set()
        draw(page, THREE)
        page.wait_for_selector("#sum .logit")
        for _ in range(30):
            page.keyboard.press("Tab")
            reached.add(page.evaluate("document.activeElement.id || document.activeElement.dataset.view"))
        assert {"train", "pad", "clear", "picture", "sample", "model", "for-digit", "against-digit"} <= reached
