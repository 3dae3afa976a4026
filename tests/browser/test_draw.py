"""Draw a digit and see why."""

from __future__ import annotations

import re
from pathlib import Path

import httpx
import pytest
from playwright.sync_api import Page, expect

from tests.browser.conftest import OpenPage
from tests.browser.drawing import SEVEN, THREE, draw

pytestmark = pytest.mark.slow


def numbers(page: Page) -> list[float]:
    """Read the table of the sum, all rows at one moment: the page goes on answering."""
    texts = page.locator("#sum td").all_inner_texts()
    return [float(re.sub("[ =+]", "", text.replace("−", "-"))) for text in texts]


@pytest.mark.parametrize(("stroke", "digit"), [(SEVEN, "7"), (THREE, "3")])
def test_a_drawn_digit_is_read_and_the_evidence_adds_up(
    open_page: OpenPage, stroke: tuple[tuple[float, float], ...], digit: str
) -> None:
    with open_page() as page:
        draw(page, stroke)
        expect(page.locator("#reading strong")).to_have_text(digit)
        expect(page.locator("#bars .best .digit")).to_have_text(digit)
        expect(page.locator("#bars li")).to_have_count(10)
        expect(page.locator("#sum .logit th")).to_have_text(f"Logit of {digit}")
        speaks_for, speaks_against, bias, total, logit = numbers(page)
        assert speaks_for + speaks_against + bias == pytest.approx(total, abs=0.0021)  # each is rounded
        assert total == pytest.approx(logit, abs=0.0011)
        assert page.evaluate("scrollY") == 0


def test_why_this_and_not_that(open_page: OpenPage) -> None:
    with open_page() as page:
        draw(page, THREE)
        expect(page.locator("#reading strong")).to_have_text("3")
        page.get_by_label("and not").select_option("5")
        expect(page.locator("#sum .logit th")).to_have_text("Logit of 3 less that of 5")
        assert page.get_by_label("Why", exact=True).input_value() == "3"
        page.locator("#evidence").hover()
        expect(page.locator("#pixel")).to_contain_text("Row 1")
        page.get_by_label("Model", exact=True).select_option("mnist-2-vs-3")
        expect(page.locator("#bars li")).to_have_count(2)
        assert "model=mnist-2-vs-3" in page.url
        page.get_by_role("button", name="Clear").click()
        expect(page.locator("#reading")).to_contain_text("Nothing yet")


def test_a_picture_can_be_opened(open_page: OpenPage, client: httpx.Client, tmp_path: Path) -> None:
    picture = tmp_path / "digit.png"
    picture.write_bytes(client.get("/datasets/mnist/images/7.png?part=test&upscale=10").content)
    with open_page() as page:
        page.locator("#picture").set_input_files(picture)
        expect(page.locator("#reading strong")).to_have_text("9")


def test_hide_takes_controls_away(open_page: OpenPage) -> None:
    with open_page("/?hide=model,evidence") as page:
        expect(page.get_by_label("Model", exact=True)).to_be_hidden()
        expect(page.get_by_role("heading", name="Why?")).to_be_hidden()
        page.get_by_role("link", name="Train").click()
        assert "hide=model%2Cevidence" in page.url
