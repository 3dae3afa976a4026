"""The lessons of docs/student.md: every link is opened, and what the text says is seen."""

from __future__ import annotations

import re
from pathlib import Path

import httpx
import pytest
from playwright.sync_api import expect

from tests.browser.conftest import OpenPage
from tests.browser.drawing import SEVEN, THREE, draw

pytestmark = [pytest.mark.slow, pytest.mark.needs("browser")]

LESSONS = (Path(__file__).parents[2] / "docs" / "student.md").read_text()
WEIGHT, PENALTY, STOPPING, LAYERS, UNITS = re.findall(r"\(http://127\.0\.0\.1:8000(/\?[^)]+)\)", LESSONS)


def test_what_a_weight_is(open_page: OpenPage) -> None:
    with open_page(WEIGHT) as page:
        expect(page.get_by_role("heading", name="Weights", exact=True)).to_be_visible()
        two, three = page.evaluate(
            """async () => {
                const { versionOf } = await import("/static/page/version.js");
                return (await versionOf("mnist-2-vs-3", 1)).planes.map(plane => [...plane]);
            }"""
        )
        assert [-weight for weight in two] == three
        draw(page, THREE)
        expect(page.locator("#reading strong")).to_have_text("3")
        expect(page.locator("#sum")).to_contain_text("Bias")
        page.get_by_label("only my ink").check()
        blank = page.locator("#sum tr", has_text="Blank pixels").locator("td")
        ink = page.locator("#sum tr", has_text="Pixels for it").locator("td")
        of_blank, of_ink = (float(cell.inner_text().replace(" ", "")) for cell in (blank, ink))
        assert of_blank > of_ink / 4
        page.get_by_role("button", name="Clear").click()
        draw(page, SEVEN)
        expect(page.locator("#bars li")).to_have_count(2)
        expect(page.locator("#sample")).to_be_hidden()
        page.get_by_label("Model", exact=True).select_option("mnist-softmax")
        expect(page.locator("#cases .tile")).to_have_count(10)


def test_four_penalties_are_one_click_away(open_page: OpenPage) -> None:
    with open_page(PENALTY) as page:
        expect(page.locator("#estimate")).to_contain_text("4 runs")
        expect(page.get_by_role("button", name="Start the sweep")).to_be_enabled()


def test_early_stopping(open_page: OpenPage) -> None:
    with open_page(STOPPING) as page:
        page.get_by_role("button", name="Start training").click()
        expect(page.locator(".story")).to_contain_text("Early stopping ended the run at step 1,038")
        expect(page.locator(".meter").first).to_contain_text("stopped early — epoch 34 of 500")
        page.get_by_role("slider", name="Check").fill("0")
        expect(page.locator(".when")).to_contain_text("in epoch 1:")
        chart = page.locator(".chart .u-over")
        chart.first.hover(position={"x": 100, "y": 50})
        values = page.locator(".at-cursor")
        expect(values.first).to_contain_text("validation  0.")
        expect(values.last).to_contain_text(" %")  # the cursors of both charts move together
        page.get_by_label("training loss smoothed").check()
        with page.expect_download() as download:
            page.get_by_text("More", exact=True).click()
            page.get_by_role("link", name="Save its metrics").click()
        lines = download.value.path().read_text().splitlines()
        assert len(lines) > 100 and "validation_loss" in lines[0]
        page.get_by_role("link", name="Use these settings").click()
        expect(page.locator("#field-shuffle")).to_have_value("false")


def test_why_hidden_layers(open_page: OpenPage, client: httpx.Client) -> None:
    with open_page(f"{LAYERS}&train_size=4000&validation_size=2000") as page:
        expect(page.get_by_role("img", name="Layers of 784, 64, 10 units")).to_be_visible()
        page.get_by_role("button", name="Start the sweep").click()
        expect(page.get_by_text("All runs have finished")).to_be_visible()
        best, other = client.get(f"/sweeps/{page.url.partition('sweep=')[2]}").json()["members"]
        assert (best["values"], other["values"]) == ({"hidden_layers": [64]}, {"hidden_layers": []})
        expect(page.locator("tbody tr").first).to_contain_text("64")
        page.get_by_role("link", name="Watch the run with Hidden layers 64").click()
        expect(page.get_by_text("units of the first layer")).to_be_visible()
    with open_page(UNITS) as page:
        expect(page.locator("#reading strong")).to_have_text("9")
        expect(page.get_by_role("heading", name="Hidden units with the largest shares")).to_be_visible()
