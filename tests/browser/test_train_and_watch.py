"""Train a model from the form, and watch its training."""

from __future__ import annotations

import re
from io import BytesIO
from typing import TypeAlias

import httpx
import numpy as np
import numpy.typing as npt
import pytest
from PIL import Image
from playwright.sync_api import Page, Route, expect

from tests.browser.conftest import OpenPage
from tests.browser.waiting import wait_until
from tests.web.serving import LONG, TINY, long_job, wait_until_over

pytestmark = [pytest.mark.slow, pytest.mark.needs("browser")]

Floats: TypeAlias = npt.NDArray[np.float64]

LOSS = ".chart-card >> nth=0"


def n_points(page: Page) -> int:
    return int(page.locator(LOSS).get_attribute("data-points") or 0)


def wait_for_points(page: Page, more_than: int) -> None:
    wait_until(page, "n => Number(document.querySelector('.chart-card')?.dataset.points ?? 0) > n", more_than)


def test_train_and_see_the_curves_grow(open_page: OpenPage, client: httpx.Client) -> None:
    # 404: of a live run, a snapshot may be thinned out before its confusion is requested; the page shows the next one.
    with open_page("/?view=train&train_size=2000&validation_size=500&patience=", allowed=("404",)) as page:
        page.get_by_label("Epochs").fill("3000")
        expect(page.locator("#estimate")).to_contain_text("45,000 steps")
        assert "epochs=3000" in page.url
        page.get_by_role("button", name="Start training").click()
        page.wait_for_url("**/?job=*")
        wait_for_points(page, 1)
        n_before = n_points(page)
        wait_for_points(page, n_before)
        expect(page.locator(".chart canvas")).to_have_count(2)
        expect(page.locator(".when")).to_contain_text("Now, after step")
        assert float(page.get_by_role("progressbar", name="Progress").get_attribute("value") or 0) > 0

        page.reload()
        wait_for_points(page, n_before)

        page.get_by_role("button", name="Cancel").click()
        expect(page.locator(".state .badge")).to_have_text("cancelled")
        expect(page.locator(".story")).to_contain_text("Cancelled at step")
        expect(page.get_by_role("button", name="Cancel")).to_be_hidden()
        job = client.get(f"/jobs/{page.url.partition('job=')[2]}").json()
        assert (job["state"], job["config"]["epochs"], job["config"]["patience"]) == ("cancelled", 3000, None)

        page.get_by_role("link", name="Use these settings").click()
        expect(page.get_by_label("Epochs")).to_have_value("3000")
        expect(page.locator("#field-patience")).to_have_value("")


def test_a_run_is_trained_step_by_step(open_page: OpenPage, client: httpx.Client) -> None:
    with open_page("/?view=train&train_size=2000&validation_size=500&epochs=3&seed=7") as page:
        page.get_by_role("button", name="Train step by step").click()
        page.wait_for_url("**/?job=*")
        job_id = page.url.partition("job=")[2]
        expect(page.locator(".rest")).to_contain_text("Paused before step 0")
        expect(page.locator('.stepwise [data-step="0"] canvas')).to_have_count(20)
        gradient = page.get_by_role("group", name="The gradient of each pixel")
        gradient.focus()
        for key in ("ArrowUp", *("ArrowDown", "ArrowRight") * 15, "ArrowDown"):
            page.keyboard.press(key)
        numbers = client.get(f"/jobs/{job_id}/gradient").json()
        value = numbers["values"][28 * 27 + 1][1]
        pointed = page.locator(".stepwise .pointed").last
        expect(pointed).to_have_text(re.compile(f"^1, row 27, column 1: [+−]{abs(value):.3g}"[:36]))
        page.locator(".stepwise [aria-label='4: weight of each pixel']").hover()
        expect(page.locator(".stepwise .pointed").first).to_have_text(
            re.compile(r"^4, row 1[34], column 1[34]: \+0\.0000$")
        )
        page.get_by_role("button", name="One step").click()
        expect(page.locator(".rest")).to_contain_text("Paused before step 1,")
        expect(page.locator('.stepwise [data-step="1"]')).to_have_count(2)
        page.keyboard.press("s")
        expect(page.locator(".rest")).to_contain_text("Paused before step 2,")
        wait_for_points(page, 1)  # the loss of each step, though there was one check
        page.keyboard.press("e")
        expect(page.locator(".rest")).to_contain_text("Paused before step 15,")
        assert page.evaluate("document.activeElement.textContent").startswith("One step"), "the focus stays"
        page.reload()
        expect(page.locator(".rest")).to_contain_text("Paused before step 15,")
        page.get_by_role("button", name="Go on").click()
        expect(page.locator(".state .badge")).to_have_text("succeeded")
        expect(page.locator(".stepwise")).to_have_count(0)
    whole = client.post("/jobs", json={**client.get(f"/jobs/{job_id}").json()["config"], "name": "at-once"}).json()
    wait_until_over(client, whole["id"])
    files = [client.get(f"/jobs/{each}/snapshots/weights.f32").content for each in (job_id, whole["id"])]
    assert files[0] == files[1], "the same bits"


def test_a_running_job_is_paused_with_a_key(open_page: OpenPage, client: httpx.Client) -> None:
    with long_job(client) as job_id, open_page(f"/?job={job_id}", allowed=("404",)) as page:
        wait_for_points(page, 1)
        page.keyboard.press("p")
        expect(page.locator(".rest")).to_contain_text("Paused before step")
        expect(page.get_by_role("button", name="Pause")).to_have_count(0)
        page.get_by_role("button", name="Cancel").click()
        expect(page.locator(".state .badge")).to_have_text("cancelled")


def probabilities_at(client: httpx.Client, job_id: str, step: int, pixels: Floats) -> Floats:
    """The prediction of the weights of a snapshot for an image, computed here."""
    answer = client.get(f"/jobs/{job_id}/snapshots/weights.f32")
    place = [int(each) for each in answer.headers["snapshot-steps"].split(",")].index(step)
    weights = np.frombuffer(answer.content, "<f4").reshape(-1, 785, 10)[place].astype(float)
    logits = np.append(pixels / 127.5 - 1, 1) @ weights
    powers = np.exp(logits - logits.max())
    return np.asarray(powers / powers.sum())


def test_a_run_starts_from_a_model_on_augmented_images_that_are_shown(
    open_page: OpenPage, client: httpx.Client
) -> None:
    first = {**TINY, "model": "softmax", "hidden_layers": [8], "name": "first"}
    wait_until_over(client, client.post("/jobs", json=first).json()["id"])
    with open_page("/?view=train&epochs=1&train_size=512&validation_size=500&start_from=first") as page:
        page.get_by_label("Augmentation").select_option("strong")
        shown = page.get_by_alt_text("Images after strong augmentation")
        wait_until(page, "() => document.querySelector('img[alt*=strong]')?.naturalWidth > 100")
        expect(shown).to_be_visible()
        page.get_by_role("button", name="Start training").click()
        page.wait_for_url("**/?job=*")
        job = wait_until_over(client, page.url.rpartition("=")[2])
    assert job["state"] == "succeeded" and job["config"]["hidden_layers"] == [8]
    assert job["starts_from"]["name"] == "first"


def test_time_travel(open_page: OpenPage, client: httpx.Client) -> None:
    job_id = client.post("/jobs", json={**TINY, "epochs": 20, "patience": None}).raise_for_status().json()["id"]
    wait_until_over(client, job_id)
    steps = [each["step"] for each in client.get(f"/jobs/{job_id}/snapshots").json()["snapshots"]]
    assert len(steps) > 50
    image = client.get("/datasets/mnist/images/0.png?part=test").content
    pixels = np.asarray(Image.open(BytesIO(image)), float).ravel()
    with open_page("/?image=mnist/test/0") as page:  # the 7 that was shown last is classified
        expect(page.locator("#reading strong")).to_have_text("7")
        page.goto(page.url.partition("?")[0] + f"?job={job_id}")
        slider = page.get_by_role("slider", name="Check")
        expect(slider).to_have_value(str(len(steps) - 1))
        for place in (0, 7, len(steps) - 1):
            slider.fill(str(place))
            expect(page.locator(".when")).to_contain_text(f"step {steps[place]:,} in epoch")
            share = probabilities_at(client, job_id, steps[place], pixels)
            shown = page.locator(".asked .bars li").nth(7).locator(".value")
            expect(shown).to_have_text(f"{100 * share[7]:.1f}\u00a0%")
            counts = client.get(f"/jobs/{job_id}/snapshots/{steps[place]}/confusion").json()["confusion"]
            row = page.locator(".confusion tbody tr").nth(7).locator("td")
            expect(row).to_have_text([f"{count:,}" if count else "·" for count in counts[7]])
        slider.fill("3")
        assert f"step={steps[3]}" in page.url
        page.reload()
        expect(slider).to_have_value("3")
        page.get_by_role("button", name="Play").click()
        expect(slider).to_have_value(str(len(steps) - 1), timeout=20_000)
        expect(page.get_by_role("button", name="Play")).to_be_visible()


def test_a_run_is_resumed(open_page: OpenPage, client: httpx.Client) -> None:
    job_id = client.post("/jobs", json={**TINY, "patience": None}).raise_for_status().json()["id"]
    wait_until_over(client, job_id)
    with open_page(f"/?job={job_id}", allowed=("422",)) as page:
        more = page.get_by_text("More", exact=True)
        more.click()
        page.get_by_label("Continue to epoch").fill("1")
        page.get_by_role("button", name="Resume").click()
        expect(page.get_by_role("alert").filter(has_text="to resume it needs 3 or more")).to_be_visible()
        page.get_by_label("Continue to epoch").fill("6")
        page.get_by_role("button", name="Resume").click()
        page.wait_for_url(lambda address: job_id not in address)
        expect(page.locator(".story")).to_contain_text("All epochs are complete")
        new_id = page.url.partition("job=")[2]
        assert client.get(f"/jobs/{new_id}").json()["continues"]["job"] == job_id
        expect(page.locator(".chart-card").nth(1)).to_have_attribute("data-points", str(6 * 4))
        more.click()
        page.get_by_role("button", name="Train it again and compare").click()
        expect(page.locator(".story")).to_contain_text("the weights are identical, bit for bit")


def test_what_is_typed_while_the_curves_arrive_stays(open_page: OpenPage, client: httpx.Client) -> None:
    job_id = client.post("/jobs", json={**TINY, "patience": None}).raise_for_status().json()["id"]
    wait_until_over(client, job_id)
    with open_page() as page:
        held: list[Route] = []
        page.route("**/events*", lambda route: held.append(route))  # noqa: PLW0108 - Playwright takes no built-in
        page.goto(page.url + f"?job={job_id}")
        page.get_by_text("More", exact=True).click()
        page.get_by_label("Continue to epoch").fill("7")
        while not held:
            page.wait_for_timeout(5)  # lets the route be called; pytest's own time limit ends it
        with page.expect_response(re.compile(rf"/jobs/{job_id}$")):
            held[0].continue_()
        expect(page.locator(".chart-card").nth(1)).to_have_attribute("data-points", str(TINY["epochs"] * 4))
        expect(page.get_by_label("Continue to epoch")).to_have_value("7")


def test_early_stopping_is_described_in_a_sentence(open_page: OpenPage, client: httpx.Client) -> None:
    fields = {**TINY, "epochs": 2000, "learning_rate": 1, "patience": 3}
    job_id = client.post("/jobs", json=fields).raise_for_status().json()["id"]
    job = wait_until_over(client, job_id)
    assert job["stop_reason"] == "early_stopping"
    with open_page(f"/?job={job_id}") as page:
        expect(page.locator(".story")).to_contain_text(f"best check was at step {job['metrics']['best']['step']:,}")
        expect(page.locator(".meter").nth(1)).to_contain_text("0 of 3 checks")
        page.get_by_role("link", name="Draw with it").click()
        expect(page.get_by_role("heading", name="Draw a digit, and see why")).to_be_visible()


def test_a_lost_connection_is_shown_and_restored(open_page: OpenPage, client: httpx.Client) -> None:
    # Requested weights may have been thinned out since they were announced, a 404; the next ones are shown.
    with long_job(client) as job_id, open_page(allowed=("ERR_FAILED", "404")) as page:
        cut = {"is": True}
        page.route("**/events*", lambda route: route.abort() if cut["is"] else route.continue_())
        page.goto(page.url + f"?job={job_id}")
        expect(page.get_by_text("The server cannot be reached")).to_be_visible()
        cut["is"] = False
        expect(page.get_by_text("The server cannot be reached")).to_be_hidden(timeout=20_000)
        wait_for_points(page, 1)


def test_the_l2_comparison_is_a_sweep(open_page: OpenPage) -> None:
    with open_page("/?view=train") as page:
        page.get_by_role("button", name="L2 comparison").click()
        expect(page.get_by_label("L2 penalty λ")).to_have_value("0, 1, 0.1, 0.01, 0.001")
        page.get_by_label("Epochs").fill("2")
        page.get_by_text("More settings").click()
        page.get_by_label("Train size").fill("2000")
        page.get_by_role("button", name="Start the sweep").click()
        expect(page.get_by_text("All runs have finished")).to_be_visible(timeout=30_000)
        assert page.locator(".list tbody tr").count() == 5
        expect(page.get_by_role("img", name="The weights of the best members")).to_be_visible()


def test_a_smoothed_curve_is_the_mean_of_what_came_before(open_page: OpenPage) -> None:
    with open_page() as page:
        found = page.evaluate("async () => (await import('/static/page/job/curves.js')).smoothed([4, 2, 2, 8])")
    weights = 0.95 ** np.arange(4)[::-1]
    expected = [np.average([4, 2, 2, 8][: n + 1], weights=weights[-n - 1 :]) for n in range(4)]
    np.testing.assert_allclose(found, expected)


def test_the_layers_are_drawn_while_they_are_typed_and_make_a_sweep(open_page: OpenPage) -> None:
    with open_page("/?view=train") as page:
        page.get_by_role("button", name="Hidden layers or none").click()
        expect(page.locator(".network figcaption")).to_have_text(
            ["7,850 parameters", "50,890 parameters", "109,386 parameters"]
        )
        page.get_by_label("Hidden layers", exact=True).fill("32")
        expect(page.get_by_role("img", name="Layers of 784, 32, 10 units")).to_be_visible()
        expect(page.get_by_role("button", name="Start training")).to_be_visible()
        page.get_by_role("button", name="Augmentation on and off").click()
        expect(page.locator("#field-augmentation")).to_have_value("none, soft")
        expect(page.locator("#estimate")).to_contain_text("2 runs")


def test_a_decimal_comma_is_no_sweep(open_page: OpenPage) -> None:
    with open_page("/?view=train") as page:
        rate = page.get_by_label("Learning rate", exact=True)
        for text in ("0,05", "0,5", "0.1,05"):
            rate.fill(text)
            expect(page.locator("#problem-learning_rate")).to_contain_text("with a point")
        for text in ("0.05, 0.5", "0.05,0.5", "0.05 0.5", "0.05; 0.5"):
            rate.fill(text)
            expect(page.locator("#estimate")).to_contain_text("2 runs")
        rate.fill("0.05")
        page.get_by_role("button", name="÷10: Learning rate").click()
        expect(rate).to_have_value("0.005")


def test_a_value_out_of_range_is_refused_where_it_stands(open_page: OpenPage) -> None:
    with open_page("/?view=train&learning_rate=50") as page:
        expect(page.locator("#problem-learning_rate")).to_have_text("Learning rate: a number from 0.000001 to 10.")
        page.get_by_role("button", name="Start training").click()
        expect(page.get_by_label("Learning rate", exact=True)).to_be_focused()
        page.get_by_role("button", name="Report task 2").click()
        expect(page.locator("#field-model")).to_have_value("logistic")
        expect(page.locator("#problem-learning_rate")).to_be_hidden()
        page.go_back()
        expect(page.get_by_label("Learning rate", exact=True)).to_have_value("50")


def test_a_job_is_opened_from_the_list(open_page: OpenPage, client: httpx.Client) -> None:
    client.post("/jobs", json={**LONG, "epochs": 1}).raise_for_status()
    with open_page("/?view=jobs") as page:
        page.locator("tbody a").first.click()
        expect(page.get_by_role("heading", level=1)).to_contain_text("Training")
