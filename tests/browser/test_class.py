"""A class on phones, where the service has keys: the link carries one that only adds to its collection."""

from __future__ import annotations

import math
from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import expect

from service.access import Scope
from service.bootstrap import Service
from service.settings import Settings
from tests.browser.conftest import OpenPage
from tests.browser.drawing import SEVEN, THREE, draw
from tests.web.serving import serving

pytestmark = [pytest.mark.slow, pytest.mark.needs("browser")]


@pytest.fixture
def lesson(tmp_path: Path) -> Iterator[tuple[str, Service]]:
    """Yield the URL of a service that requires a key, and has an empty collection."""
    with Service(Settings(data_dir=tmp_path, executor="inline", workers=1)) as service:
        service.keys.create("teacher", [Scope.ADMIN])
        service.collections.create("lesson-1")
        with serving(service) as url:
            yield url, service


def test_a_phone_draws_with_the_key_of_the_link(open_page: OpenPage, lesson: tuple[str, Service]) -> None:
    url, service = lesson
    _, key = service.keys.create("class", ["collect:lesson-1"])
    with open_page(width=390, allowed=("403",)) as page:
        requested: list[str] = []
        page.on("request", lambda request: requested.append(request.url))
        page.goto(f"{url}/?view=draw&collect=lesson-1#key={key}")
        expect(page.get_by_text("Nothing drawn yet")).to_be_visible()
        assert page.url == f"{url}/?view=draw&collect=lesson-1"
        expect(page.get_by_label("Model", exact=True)).to_be_hidden()  # what this key cannot do is not offered
        for number, corners in ((3, THREE), (7, SEVEN)):
            draw(page, corners)
            expect(page.locator("#reading strong")).to_be_visible()
            page.get_by_role("button", name=str(number), exact=True).click()
            expect(page.get_by_text(f"Added to lesson-1 as a {number}.")).to_be_visible()
            expect(page.get_by_role("button", name="Teach it")).to_have_count(0)
            page.get_by_role("button", name="Draw the next").click()
            expect(page.get_by_text("Nothing drawn yet")).to_be_visible()
        expect(page.get_by_role("alert")).to_have_count(0)
        assert service.collections.get("lesson-1").n_by_label == {"3": 1, "7": 1}
        page.reload()
        expect(page.get_by_text("Nothing drawn yet")).to_be_visible()  # the tab has the key
        expect(page.get_by_role("dialog")).to_have_count(0)
        assert not any(key in address for address in requested)
        asked = [address.removeprefix(url) for address in requested if address.startswith(url)]
        refused = [address for address in asked if "/models/" in address and "/versions/" in address]
        assert len(refused) == 1, "what is refused is not asked for again with every stroke"


def test_a_class_looks_around_and_goes_on_in_its_collection(open_page: OpenPage, lesson: tuple[str, Service]) -> None:
    url, service = lesson
    _, key = service.keys.create("class", ["collect:lesson-1"])
    with open_page(width=390, allowed=("403", "404")) as page:
        page.goto(f"{url}/?collect=lesson-1#key={key}")
        page.get_by_role("link", name="Models", exact=True).click()
        expect(page.get_by_text("This needs a key of scope read. To use another key")).to_be_visible()
        page.get_by_role("link", name="Draw", exact=True).click()  # which is to the same collection
        draw(page, THREE)
        expect(page.get_by_role("group", name="Add it to lesson-1 as a")).to_be_visible()
        service.collections.delete("lesson-1")
        page.get_by_role("button", name="3", exact=True).click()
        expect(page.get_by_role("alert")).to_have_text("There is no collection of this name.")


def test_a_link_brings_its_key_to_a_page_that_is_open(open_page: OpenPage, lesson: tuple[str, Service]) -> None:
    url, service = lesson
    _, key = service.keys.create("class", ["collect:lesson-1"])
    with open_page(allowed=("401", "403")) as page:
        page.goto(f"{url}/?view=draw&collect=lesson-1")
        page.get_by_role("button", name="Not now").click()
        expect(page.locator("#reading")).to_have_class("reading error")
        page.goto(f"{url}/?view=draw&collect=lesson-1#key={key}")  # the same page: it is not loaded anew
        expect(page.get_by_text("Nothing drawn yet")).to_be_visible()
        assert "key" not in page.url


def test_the_link_of_a_class_is_shown_as_a_code(open_page: OpenPage, lesson: tuple[str, Service]) -> None:
    url, service = lesson
    _, admin = service.keys.create("teacher", [Scope.ADMIN])
    with open_page(allowed=("401",)) as page:
        page.goto(f"{url}/?view=data&collection=lesson-1#key={admin}")
        link = page.get_by_role("textbox", name="Link for a class")
        expect(link).to_have_value(f"{url}/?collect=lesson-1")  # the key of the teacher is not in it
        page.get_by_label("Key for the class").fill(admin)
        expect(page.get_by_role("alert")).to_contain_text("This is your own key")
        expect(link).to_have_value(f"{url}/?collect=lesson-1")  # nor where it is taken for that of a class
        page.get_by_label("Key for the class").fill("inkling_0123456789ab_narrow")
        expect(link).to_have_value(f"{url}/?collect=lesson-1#key=inkling_0123456789ab_narrow")
        page.get_by_role("button", name="QR code").click()
        code = page.get_by_role("img", name="QR code")
        expect(code).to_be_visible()
        red = code.evaluate(
            "canvas => [...canvas.getContext('2d').getImageData(0, 0, canvas.width, canvas.height).data]"
            ".filter((_, i) => i % 4 === 0)"
        )
        side = math.isqrt(len(red))
        rows = ["".join("# "[value > 0] for value in red[y * side : (y + 1) * side]) for y in range(side)]
        # Version 4 holds up to 78 characters: 33 modules, and a border of 4 at each side.
        assert side == (4 * 4 + 17) + 2 * 4
        assert rows[4][4:11] == "#######" and rows[5][4:11] == "#     #" and set(rows[0]) == {" "}
        page.get_by_role("button", name="Close").click()
        expect(code).to_have_count(0)
