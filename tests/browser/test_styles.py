"""The 45 styles of drawing, with the mouse on the paper."""

from __future__ import annotations

import re

import numpy as np
import pytest
from playwright.sync_api import Page, expect

from service.reports.drawings import CANVAS_SIDE_PX, STYLES, Hand, digit_of, stroke_paths
from tests.browser.conftest import OpenPage

pytestmark = [pytest.mark.slow, pytest.mark.needs("browser")]

EVERY = 5  # of the points of a path: a mouse sends fewer
ONE_EACH = [next(style for style in reversed(STYLES) if digit_of(style) == digit) for digit in range(10)]


def draw_style(page: Page, style: str, rng: np.random.Generator) -> None:
    """Draw the strokes of a style, by an unsteady hand."""
    box = page.locator("#pad").bounding_box()
    assert box is not None
    corner, size = (box["x"], box["y"]), (box["width"], box["height"])
    for path in stroke_paths(style, rng, Hand.drawn(rng)):
        first, *others = (path[::EVERY] / CANVAS_SIDE_PX + 0.5) * size + corner
        page.mouse.move(*first)
        page.mouse.down()
        for place in others:
            page.mouse.move(*place)
        page.mouse.up()


@pytest.mark.parametrize("styles", [ONE_EACH, pytest.param(list(STYLES), marks=pytest.mark.long)], ids=["ten", "all"])
def test_drawings_in_many_styles_are_read(open_page: OpenPage, styles: list[str]) -> None:
    rng = np.random.default_rng(0)
    misread = []
    with open_page() as page:
        for style in styles:
            draw_style(page, style, rng)
            try:
                expect(page.locator("#reading strong")).to_have_text(re.compile(f"^{digit_of(style)}"), timeout=5000)
            except AssertionError:
                misread.append((style, page.locator("#reading strong").inner_text()))
            page.get_by_role("button", name="Clear").click()
    assert len(misread) <= len(styles) // 20, misread
