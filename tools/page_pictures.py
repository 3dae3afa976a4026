"""The pictures of the page in README.md: docs/pictures/page-*.png, from a service with an empty data folder.

.venv/bin/python -m tools.page_pictures
"""

from __future__ import annotations

import shutil
import tempfile
from io import BytesIO
from math import cos, pi, sin
from pathlib import Path

from PIL import Image
from playwright.sync_api import Browser, Page, sync_playwright

from inkling import InklingClient
from service.bootstrap import Service
from service.settings import Settings
from tests.browser.conftest import ARGUMENTS
from tests.web.serving import serving

FOLDER = Path(__file__).parents[1] / "docs" / "pictures"
WIDTH, PHONE_WIDTH, PHONE_HEIGHT = 1440, 390, 844


def arc(y: float, radius: float, start: float, end: float) -> list[tuple[float, float]]:
    """Return points of a slanted arc, in fractions of the paper; angles in units of pi, 0 is right."""
    angles = [pi * (start + (end - start) * i / 8) for i in range(9)]
    places = [(0.48 + radius * cos(angle), y + radius * sin(angle)) for angle in angles]
    return [(x + 0.15 * (0.5 - y), y) for x, y in places]


THREE = (*arc(0.34, 0.16, -0.85, 0.45), *arc(0.66, 0.18, -0.45, 0.85))


def draw_three(page: Page) -> None:
    """Draw a 3 with few moves, between which the paper draws curves."""
    box = page.locator("#pad").bounding_box()
    assert box is not None
    places = [(box["x"] + x * box["width"], box["y"] + y * box["height"]) for x, y in THREE]
    page.mouse.move(*places[0])
    page.mouse.down()
    for place in places[1:]:
        page.mouse.move(*place)
    page.mouse.up()


def opened(browser: Browser, url: str, width: int, height: int, **more: object) -> Page:
    """Open an address, and wait for its first requests."""
    page = browser.new_page(viewport={"width": width, "height": height}, **more)  # type: ignore[arg-type]
    page.goto(url, wait_until="networkidle")
    return page


def saved(page: Page, name: str, height: int) -> None:
    """Save the upper part of a page once everything is drawn, also what is fetched when it is seen."""
    assert page.viewport_size is not None
    page.mouse.move(5, 300)
    page.evaluate("scrollTo(0, 0)")
    page.set_viewport_size({"width": page.viewport_size["width"], "height": height})
    page.wait_for_load_state("networkidle")
    page.wait_for_timeout(2000)
    picture = Image.open(BytesIO(page.screenshot()))
    picture.convert("RGB").quantize(128, dither=Image.Dither.NONE).save(FOLDER / f"page-{name}.png", optimize=True)
    page.close()


def main() -> None:
    """Write them."""
    with (
        tempfile.TemporaryDirectory() as data_dir,
        Service(Settings(data_dir=Path(data_dir), executor="processes", workers=1)) as service,
        serving(service) as url,
        sync_playwright() as playwright,
    ):
        browser = playwright.chromium.launch(executable_path=shutil.which("chromium-headless-shell"), args=ARGUMENTS)
        job = InklingClient(url).train("softmax", name="my-digits", epochs=20).wait()

        page = opened(browser, f"{url}/", WIDTH, 900)
        draw_three(page)
        saved(page, "draw", 1560)

        page = opened(browser, f"{url}/", PHONE_WIDTH, PHONE_HEIGHT, color_scheme="dark", device_scale_factor=2)
        draw_three(page)
        saved(page, "phone", PHONE_HEIGHT)

        page = opened(browser, f"{url}/", WIDTH, 900)
        draw_three(page)
        page.wait_for_timeout(2000)  # for the prediction of the whole drawing, not of its beginning
        page.goto(f"{url}/?job={job.id}&step=186")
        page.get_by_text("After step 186").wait_for()
        saved(page, "watch", 1605)

        page = opened(browser, f"{url}/?view=models&model=mnist-softmax/2", WIDTH, 900)
        page.get_by_role("button", name="5 classified as 3").click()
        saved(page, "model", 1210)
        browser.close()


if __name__ == "__main__":
    main()
