"""The documentation as a site: built strictly, complete, and without a request to anybody."""

from __future__ import annotations

import re
import shutil
import subprocess
import sys
import tomllib
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

import pytest
from playwright.sync_api import Page, TimeoutError, sync_playwright

pytestmark = [pytest.mark.slow]


@pytest.fixture(scope="module")
def site(root: Path) -> Path:
    """Build the site as `make site` does, which leaves it to be looked at."""
    command = [sys.executable, "-P", "tools/build_site.py"]
    build = subprocess.run(command, cwd=root, capture_output=True, text=True, check=False)
    assert build.returncode == 0, build.stdout + build.stderr
    return root / "build" / "site"


def test_every_page_is_there_and_in_the_navigation(root: Path, site: Path) -> None:
    named = set(re.findall(r"\w+\.md", str(tomllib.loads((root / "zensical.toml").read_text())["project"]["nav"])))
    assert named == {page.name for page in (root / "docs").glob("*.md")} | {"routes.md", "changelog.md"}
    assert {page.stem for page in site.glob("*.html")} == {name.removesuffix(".md") for name in named} | {"404"}


def test_formulas_are_mathml(root: Path, site: Path) -> None:
    source, built = (root / "docs" / "mathematics.md").read_text(), (site / "mathematics.html").read_text()
    content = built[built.index("<article") : built.index("</article")]
    assert content.count('display="block"') == source.count("```math") > 10
    assert content.count('display="inline"') == len(re.findall(r"\$`[^`\n]+`\$", source)) > 50
    assert "$" not in content
    assert not re.findall(r"<p>\s*<math", content), "a formula in a sentence is a paragraph of its own"
    assert "\\" not in re.sub(r"<code>.*?</code>", "", content, flags=re.DOTALL), "LaTeX that was not understood"


def search(page: Page, word: str) -> None:
    """Look for a word of the site. The key opens the search once a script has run, for which there is no event."""
    field = page.locator("input:focus")
    for _ in range(30):
        page.keyboard.press("Control+k")
        with suppress(TimeoutError):
            field.wait_for(timeout=1_000)
            break
    page.keyboard.type(word)
    page.get_by_text(re.compile(r"^[1-9]\d* results$")).wait_for(timeout=30_000)


OF_EACH_KIND = "api index mathematics page routes"
"""Pages with tables, formulas, pictures, and what is made of the code; all have the same scripts."""


@pytest.fixture(scope="module", params=[OF_EACH_KIND, pytest.param("*", marks=pytest.mark.long)])
def requests(request: pytest.FixtureRequest, site: Path) -> Iterator[list[str]]:
    """Open pages from the disk in a browser, use the search, and return the addresses that were requested."""
    requested: list[str] = []
    executable = shutil.which("chromium-headless-shell")
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=executable, args=["--no-sandbox", "--disable-gpu"])
        page = browser.new_page()
        page.on("request", lambda request: requested.append(request.url))
        page.on("pageerror", lambda error: requested.append(str(error)))
        for name in request.param.split():
            for file in site.glob(f"{name}.html"):
                if file.stem != "404":  # served for any address, so it names files from the root
                    page.goto(file.as_uri())
        page.goto((site / "index.html").as_uri())
        search(page, "idempotency")
        yield requested
        browser.close()


@pytest.mark.needs("browser")
def test_pages_ask_nobody_for_anything(site: Path, requests: list[str]) -> None:
    here = site.as_uri()
    assert [url for url in requests if not url.startswith((here, "data:", "blob:", "about:"))] == []
    assert f"{here}/site/math.woff2" in requests


def test_pages_name_nothing_that_would_be_loaded_from_elsewhere(site: Path) -> None:
    """What a browser loads by itself; a link that a person clicks may lead out."""
    for file in site.glob("*.html"):
        text = file.read_text()
        loaded = re.findall(r"<(?:script|img|iframe|source)[^>]*?src=\"?([^\"\s>]+)", text)
        loaded += re.findall(r"<link[^>]*?href=\"?([^\"\s>]+)", text)
        assert [url for url in loaded if re.match(r"(https?:)?//", url)] == [], file.name
    for file in site.rglob("*.css"):
        assert not re.findall(r"url\(['\"]?(?:https?:)?//", file.read_text()), file.name
