"""Hasty hands and slow networks: two clicks, answers out of order, parts that do not load."""

from __future__ import annotations

import re
from typing import Any

import httpx
import pytest
from playwright.sync_api import Page, Route, expect

from tests.browser.conftest import OpenPage
from tests.browser.drawing import SEVEN, THREE, draw
from tests.web.serving import TINY, wait_until_over

pytestmark = [pytest.mark.slow, pytest.mark.needs("browser")]

MAKES = {
    "Start training": ("/?view=train&epochs=1&train_size=512&validation_size=500", "/jobs"),
    "New collection": ("/?view=data", "/collections"),
    "Train it again and compare the bits": ("/?job={job}", "/jobs/{job}/verify"),
    "Teach it": ("/?view=data&collection=twice", "/collections/twice/versions"),
    "Freeze into a data set": ("/?view=data&collection=twice", "/collections/twice/versions"),
    "7": ("/?collect=twice", "/collections/twice/images"),
}


class Held:
    """Requests of a page that are answered later: by `release` with what the server said at first, by `refuse` not."""

    def __init__(self, page: Page, address: str, method: str, *, is_sent: bool = True):
        self.answers: list[tuple[Route, Any]] = []
        self._page, self._method, self._is_sent = page, method, is_sent
        page.route(re.compile(address), self._hold)

    def _hold(self, route: Route) -> None:
        if route.request.method != self._method or (self._is_sent and self.answers):
            route.continue_()
        else:
            self.answers.append((route, route.fetch() if self._is_sent else None))

    def wait(self) -> None:
        while not self.answers:
            self._page.wait_for_timeout(5)  # lets the route be called; pytest's own time limit ends it

    def release(self) -> None:
        for route, answer in self.answers:
            route.fulfill(response=answer)

    def refuse(self) -> None:
        for route, _ in self.answers:
            route.fulfill(status=503, json={"detail": "Not now."})


@pytest.fixture(scope="module")
def job(client: httpx.Client) -> str:
    """Return the id of a finished job, and make a collection of one image."""
    client.post("/collections", json={"name": "twice"}).raise_for_status()
    client.post("/collections/twice/images?label=1", content=bytes(range(196)) * 4).raise_for_status()
    job: str = client.post("/jobs", json={**TINY, "patience": None}).raise_for_status().json()["id"]
    wait_until_over(client, job)
    return job


@pytest.mark.parametrize("button", MAKES)
def test_two_clicks_start_it_once(open_page: OpenPage, job: str, button: str) -> None:
    address, path = (text.format(job=job) for text in MAKES[button])
    with open_page(address, allowed=("503",)) as page:
        if "job=" in address:
            page.get_by_text("More", exact=True).click()
        if button == "New collection":
            page.get_by_label("Name of a new collection").fill("clicked")
        if button == "7":
            draw(page, SEVEN)
        held = Held(page, f"{path}(\\?|$)", "POST", is_sent=False)
        found = page.get_by_role("button", name=button, exact=True)
        found.click()
        held.wait()
        box = found.bounding_box()
        assert box is not None
        page.mouse.dblclick(
            box["x"] + box["width"] / 2, box["y"] + box["height"] / 2
        )  # Playwright's own waits until it is enabled
        page.evaluate("() => new Promise(done => requestAnimationFrame(() => requestAnimationFrame(done)))")
        assert len(held.answers) == 1
        held.refuse()
        expect(page.get_by_role("alert").filter(has_text="Not now.")).to_be_visible()
        expect(found).to_be_enabled()


def test_what_is_drawn_while_the_drawing_is_added_is_not_called_added(open_page: OpenPage) -> None:
    with open_page("/?collect=late", allowed=("404",)) as page:
        draw(page, SEVEN)
        held = Held(page, "/collections/late/images", "POST")
        page.get_by_role("button", name="7", exact=True).click()
        held.wait()
        draw(page, THREE)  # over it
        expect(page.get_by_role("group", name="Add it to late as a")).to_be_visible()
        held.release()
        expect(page.get_by_role("button", name="3", exact=True)).to_be_enabled()
        expect(page.get_by_text("Added to late")).to_have_count(0)


def test_an_older_answer_does_not_hide_a_newer_one(open_page: OpenPage, client: httpx.Client) -> None:
    client.post("/collections", json={"name": "older"}).raise_for_status()
    with open_page("/?view=data&collection=older") as page:
        expect(page.get_by_role("heading", name="Collection older")).to_be_visible()
        held = Held(page, "/collections/older$", "GET")
        held.wait()  # it is looked at every second
        page.get_by_role("button", name="Rename").click()
        page.keyboard.type("The new title")
        page.keyboard.press("Enter")
        title = page.get_by_role("heading", name="The new title")
        expect(title).to_be_visible()
        page.evaluate(
            """() => {
                window.lost = 0;
                const look = () => document.querySelector("h1")?.textContent === "The new title" || window.lost++;
                new MutationObserver(look)
                    .observe(document.querySelector("main"), { childList: true, subtree: true, characterData: true });
            }"""
        )
        with page.expect_response(re.compile("/collections/older$")):
            held.release()
        with page.expect_response(re.compile("/collections/older$")):
            pass  # the next look
        assert page.evaluate("window.lost") == 0


def test_a_part_that_cannot_be_loaded_says_so(open_page: OpenPage) -> None:
    with open_page(allowed=("ERR_", "Failed to fetch")) as page:
        page.route("**/page/train/train.js", lambda route: route.abort())
        page.get_by_role("link", name="Train", exact=True).click()
        expect(page.get_by_role("alert")).to_contain_text("could not be loaded")
        page.unroute("**/page/train/train.js")
        page.get_by_role("button", name="Reload").click()
        expect(page.get_by_role("button", name="Start training")).to_be_visible()


def test_a_submission_whose_answer_was_lost_is_made_once(open_page: OpenPage, client: httpx.Client) -> None:
    with open_page("/?view=train&epochs=1&train_size=512&validation_size=500&name=lost", allowed=("ERR_",)) as page:
        held = Held(page, "/jobs$", "POST")
        page.get_by_role("button", name="Start training").click()
        held.wait()
        for route, _ in held.answers:
            route.abort()  # the server has accepted it
        expect(page.locator("#refusal")).to_contain_text("cannot be reached")
        page.get_by_role("button", name="Start training").click()
        expect(page.get_by_role("heading", name="Training lost")).to_be_visible()
        job = page.url.partition("job=")[2]
    assert [each["id"] for each in client.get("/jobs?q=lost").json()["jobs"]] == [job]


def test_back_forward_and_reload_show_what_was_there(open_page: OpenPage) -> None:
    with open_page() as page:
        draw(page, SEVEN)
        expect(page.locator("#reading strong")).to_have_text("7")
        page.get_by_role("link", name="Train", exact=True).click()
        page.locator("#field-epochs").fill("7")
        page.get_by_role("link", name="Runs", exact=True).click()
        expect(page.get_by_role("heading", name="Jobs")).to_be_visible()
        for _ in range(2):
            page.go_back()
            expect(page.locator("#field-epochs")).to_have_value("7")
            page.reload()
            expect(page.locator("#field-epochs")).to_have_value("7")
            page.go_forward()
            expect(page.get_by_role("heading", name="Jobs")).to_be_visible()
        for _ in range(2):
            page.go_back()
        expect(page.locator("#reading strong")).to_have_text("7")
        page.reload()
        expect(page.locator("#reading strong")).to_have_text("7")
