"""The page as it is met: at 200 % zoom, without motion, by keyboard alone, over a slow network, with a finger."""

from __future__ import annotations

from itertools import pairwise

import pytest
from playwright.sync_api import Route, expect

from tests.browser.conftest import OpenPage
from tests.browser.drawing import SEVEN, draw

pytestmark = [pytest.mark.slow, pytest.mark.needs("browser")]


def test_at_200_percent_nothing_is_cut_off(open_page: OpenPage) -> None:
    with open_page(width=720, device_scale_factor=2) as page:
        for view in ("draw", "train", "jobs", "models", "data", "reports"):
            page.locator(f"nav [data-view={'runs' if view == 'jobs' else view}]").click()
            expect(page.locator(f"section#{view} h1")).to_be_in_viewport()
            assert page.evaluate("document.documentElement.scrollWidth") <= 720
        page.locator("nav [data-view=draw]").click()
        expect(page.locator("#pad")).to_be_visible()
        sharp = "() => { const pad = document.getElementById('pad'); return pad.width / pad.clientWidth; }"
        assert page.evaluate(sharp) == pytest.approx(2, abs=0.02)


def test_without_motion_nothing_moves_by_itself(open_page: OpenPage) -> None:
    duration = "getComputedStyle(document.querySelector('.fill')).transitionDuration"
    with open_page() as page:
        assert page.evaluate(duration) != "0s"
    with open_page(reduced_motion="reduce") as page:
        assert page.evaluate(duration) == "0s"


def test_by_keyboard_alone_a_model_is_trained_and_its_mistakes_are_seen(open_page: OpenPage) -> None:
    with open_page("/?view=train&epochs=1&train_size=512&validation_size=500") as page:
        start = page.get_by_role("button", name="Start training")
        for _ in range(60):
            page.keyboard.press("Tab")
            if start.evaluate("button => button === document.activeElement"):
                break
        page.keyboard.press("Enter")
        page.wait_for_url("**/?job=*")
        expect(page.get_by_role("heading", level=1)).to_be_focused()
        look = page.get_by_role("link", name="Look inside")
        look.focus()
        page.keyboard.press("Enter")
        expect(page.get_by_role("heading", level=1)).to_be_focused()
        first = page.locator(".confusion button").first
        first.focus()
        page.keyboard.press("ArrowRight")
        assert first.evaluate("cell => cell !== document.activeElement && document.activeElement.closest('.confusion')")
        page.keyboard.press("Enter")
        expect(page.locator(".cell-images li").first).to_be_visible()


def test_over_a_slow_network_only_the_last_stroke_is_waited_for(open_page: OpenPage) -> None:
    held: list[Route] = []
    slow = {"is": True}
    with open_page() as page:
        page.route("**/explain*", lambda route: held.append(route) if slow["is"] else route.continue_())
        draw(page, SEVEN)
        while not held:
            page.wait_for_timeout(5)  # lets the route be called; pytest's own time limit ends it
        assert len(held) == 1  # 24 moves of the mouse, and one request
        slow["is"] = False
        held[0].continue_()
        expect(page.locator("#reading strong")).to_have_text("7")


def test_a_finger_draws_and_does_not_scroll(open_page: OpenPage) -> None:
    with open_page(width=390, has_touch=True, is_mobile=True) as page:
        box = page.locator("#pad").bounding_box()
        assert box is not None
        client = page.context.new_cdp_session(page)
        corners = [{"x": box["x"] + x * box["width"], "y": box["y"] + y * box["height"]} for x, y in SEVEN]
        client.send("Input.dispatchTouchEvent", {"type": "touchStart", "touchPoints": corners[:1]})
        for start, end in pairwise(corners):
            for part in range(1, 11):
                place = {axis: start[axis] + (end[axis] - start[axis]) * part / 10 for axis in "xy"}
                client.send("Input.dispatchTouchEvent", {"type": "touchMove", "touchPoints": [place]})
        client.send("Input.dispatchTouchEvent", {"type": "touchEnd", "touchPoints": []})
        expect(page.locator("#reading strong")).to_have_text("7")
        assert page.evaluate("scrollY") == 0
