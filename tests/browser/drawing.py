"""Digits drawn with the mouse."""

from __future__ import annotations

from playwright.sync_api import Page

# Corners of a stroke, as fractions of the drawing area.
SEVEN = ((0.28, 0.22), (0.72, 0.22), (0.45, 0.82))
THREE = ((0.3, 0.25), (0.5, 0.18), (0.68, 0.3), (0.5, 0.47), (0.7, 0.6), (0.62, 0.8), (0.3, 0.78))


def draw(page: Page, corners: tuple[tuple[float, float], ...]) -> None:
    """Draw one stroke, in small steps."""
    pad = page.locator("#pad")
    pad.scroll_into_view_if_needed()
    box = pad.bounding_box()
    assert box is not None
    places = [(box["x"] + x * box["width"], box["y"] + y * box["height"]) for x, y in corners]
    page.mouse.move(*places[0])
    page.mouse.down()
    for place in places[1:]:
        page.mouse.move(*place, steps=12)
    page.mouse.up()
