"""Look inside a model, promote another version, and compare versions."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import httpx
import pytest
from playwright.sync_api import expect

from tests.browser.conftest import OpenPage
from tests.web.serving import TINY, wait_until_over

pytestmark = [pytest.mark.slow, pytest.mark.needs("browser")]


@pytest.fixture(scope="module")
def jobs(client: httpx.Client) -> list[dict[str, Any]]:
    """Two versions of one model, the second with far smaller weights."""
    made = []
    for penalty in (0, 1):
        fields = {**TINY, "epochs": 20, "l2_penalty": penalty, "name": "pair", "patience": None}
        made.append(wait_until_over(client, client.post("/jobs", json=fields).raise_for_status().json()["id"]))
    return made


def test_a_cell_of_the_confusion_opens_its_images(open_page: OpenPage, client: httpx.Client) -> None:
    evaluation = client.get("/models/mnist-softmax/versions/1/evaluation").json()
    n_images = evaluation["confusion"][4][9]
    assert n_images > 1
    with open_page("/?view=models&model=mnist-softmax/1") as page:
        page.get_by_role("button", name=f"{n_images} images of 4 classified as 9", exact=True).click()
        expect(page.locator(".cell-images")).to_contain_text(f"{n_images} images of 4 classified as 9")
        expect(page.locator(".cell-images li")).to_have_count(min(48, n_images))
        expect(page.locator(".gallery").last.locator("li")).to_have_count(24)
        shown = page.locator("table:has(caption:text('Class by class'))").locator("tbody tr").nth(4)
        expect(shown).to_contain_text(f"{100 * evaluation['per_class'][4]['precision']:.1f}")
        assert int(page.locator(".chart-card").get_attribute("data-points") or 0) > 2
        page.get_by_label("one scale for all").check()
        page.locator(".cell-images a").first.click()
        expect(page.locator("#reading strong")).to_have_text("9")


def test_the_training_run_of_a_model(open_page: OpenPage, jobs: list[dict[str, Any]]) -> None:
    with open_page("/?view=models&model=mnist-softmax/1") as page:
        expect(page.get_by_text("Its training job is not on this server")).to_be_visible()
        expect(page.get_by_role("link", name="Training run")).to_have_count(0)
        page.goto(page.url.replace("mnist-softmax/1", "pair/2"))
        page.get_by_role("link", name="Training run").click()
        expect(page.get_by_role("heading", name="Training pair")).to_be_visible()
        assert jobs[1]["id"] in page.url


def test_a_version_is_promoted_and_rolled_back(
    open_page: OpenPage, client: httpx.Client, jobs: list[dict[str, Any]]
) -> None:
    def champion() -> int | None:
        number: int | None = client.get("/models/pair").json()["aliases"].get("champion")
        return number

    with open_page("/?view=models&model=pair", allowed=("412",)) as page:
        expect(page.get_by_text("No version is the champion yet")).to_be_visible()
        page.get_by_role("button", name="Promote version 1").click()
        expect(page.get_by_role("region", name="Champion history")).to_contain_text("version 1")
        assert champion() == 1
        promote = page.get_by_role("button", name="Promote version 2")
        promote.click()
        worse = page.get_by_role("dialog", name="Use version 2, although it is worse?")
        compared = client.get("/compare", params={"model": ["pair/1", "pair/2"]}).json()["comparisons"][0]
        expect(worse).to_contain_text(compared["sentence"])
        page.keyboard.press("Escape")
        expect(worse).to_have_count(0)
        assert champion() == 1
        promote.click()
        page.get_by_role("button", name="Use version 2").click()
        expect(page.get_by_role("button", name="Roll back to version 1")).to_be_visible()
        assert champion() == 2
        page.get_by_role("button", name="Roll back to version 1").click()
        expect(page.get_by_role("region", name="Champion history")).to_contain_text("rolled back from version 2")
        assert champion() == 1
        client.put("/models/pair/aliases/champion", json={"version": 2}).raise_for_status()
        promote.click()
        page.get_by_role("button", name="Use version 2").click()
        expect(page.get_by_role("alert").filter(has_text="changed by somebody else")).to_be_visible()
        assert champion() == 2


def test_weights_from_elsewhere_are_imported(open_page: OpenPage, client: httpx.Client, tmp_path: Path) -> None:
    file = tmp_path / "weights.npz"
    file.write_bytes(client.get("/models/mnist-softmax/versions/1/weights.npz").content)
    with open_page("/?view=models", allowed=("400",)) as page:
        page.get_by_text("Import weights that were trained elsewhere").click()
        page.get_by_label("Model", exact=True).fill("elsewhere")
        page.get_by_label("File", exact=True).set_input_files({"name": "a.npz", "mimeType": "", "buffer": b"nothing"})
        page.get_by_role("button", name="Import").click()
        expect(page.get_by_role("alert")).to_be_visible()
        page.get_by_label("File", exact=True).set_input_files(file)
        page.get_by_role("button", name="Import").click()
        expect(page.get_by_role("heading", name="elsewhere, version 1", exact=True)).to_be_visible()
    imported, first = (
        client.get(f"/models/{name}/versions/1/evaluation").json()["confusion"]
        for name in ("elsewhere", "mnist-softmax")
    )
    assert imported == first


def test_two_jobs_are_compared(open_page: OpenPage, client: httpx.Client, jobs: list[dict[str, Any]]) -> None:
    compared = client.get("/compare", params={"model": ["pair/1", "pair/2"]}).json()
    with open_page("/?view=jobs&state=succeeded") as page:
        for version in (1, 2):
            page.get_by_role("checkbox", name=f"Compare pair, version {version}").check()
        page.get_by_role("link", name="Compare these 2").click()
        expect(page.locator(".verdict p")).to_have_text(compared["comparisons"][0]["sentence"])
        side_by_side = page.get_by_role("region", name="Runs side by side")
        expect(side_by_side.get_by_role("row", name="L2 penalty λ")).to_contain_text("1")
        expect(side_by_side.get_by_role("row")).to_have_count(6)  # nothing else differs
        points = {int(chart.get_attribute("data-points") or 0) for chart in page.locator(".chart-card").all()}
        assert points == {len(client.get(f"/jobs/{jobs[0]['id']}/metrics").json()["checks"])}
        expect(page.get_by_role("heading", name="pair/2 minus pair/1")).to_be_visible()
        expect(page.locator(".tile")).to_have_count(20)
        assert jobs[1]["id"] in page.url
        page.get_by_label("Add a version").select_option("mnist-2-vs-3/1")
        expect(page.get_by_text("No curves for mnist-2-vs-3/1")).to_be_visible()
        expect(page.locator(".verdict")).to_have_count(2)
        page.get_by_role("link", name="Remove mnist-2-vs-3/1").click()
        expect(page.locator(".verdict")).to_have_count(1)


def test_nothing_to_compare_shows_the_next_step(open_page: OpenPage) -> None:
    with open_page("/?view=compare") as page:
        expect(page.get_by_text("Nothing to compare yet")).to_be_visible()
        page.get_by_label("Add a version").select_option("mnist-softmax/1")
        expect(page.get_by_text("No curves for mnist-softmax/1")).to_be_visible()
    with open_page("/?view=compare&with=nobody/1", allowed=("404",)) as page:
        page.get_by_role("link", name="Start over").click()
        expect(page.get_by_text("Nothing to compare yet")).to_be_visible()
