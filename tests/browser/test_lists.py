"""Jobs, sweeps, data and reports: the lists, and the pages behind them."""

from __future__ import annotations

import json
import re
from pathlib import Path

import httpx
import numpy as np
import pytest
from PIL import Image
from playwright.sync_api import Route, expect

from service.datasets import Dataset
from tests.browser.conftest import OpenPage
from tests.browser.waiting import wait_until
from tests.web.serving import LONG, TINY, long_job, wait_until_over

pytestmark = [pytest.mark.slow, pytest.mark.needs("browser")]


@pytest.fixture
def digits_npz(mnist: Dataset, tmp_path: Path) -> Path:
    """Return a file of the first images of 0, 1 and 2."""
    arrays = {}
    for part, suffix in ((mnist.training, "train"), (mnist.test, "test")):
        chosen = np.flatnonzero(part.labels < 3)[:1000]
        arrays |= {f"x_{suffix}": part.images[chosen], f"y_{suffix}": part.labels[chosen]}
    np.savez_compressed(tmp_path / "digits.npz", **arrays)
    return tmp_path / "digits.npz"


def test_jobs_by_state(open_page: OpenPage, client: httpx.Client) -> None:
    tags = {"tags": ["by-state"]}
    wait_until_over(client, client.post("/jobs", json={**TINY, **tags}).raise_for_status().json()["id"])
    with long_job(client, **tags) as job_id, open_page("/?view=jobs&tag=by-state") as page:
        expect(page.locator("tbody tr")).to_have_count(2)
        page.get_by_role("link", name="running").click()
        expect(page.locator("tbody .badge")).to_have_text(["running"])
        expect(page.locator(f"tbody a[href*='{job_id}']")).to_be_visible()
        client.post(f"/jobs/{job_id}/cancel")
        expect(page.get_by_text("Nothing matches.")).to_be_visible()  # it is updated without a click
        page.get_by_role("link", name="cancelled").click()
        expect(page.locator("tbody .badge")).to_have_text(["cancelled"])


def test_a_sweep_is_ranked_and_pictured(open_page: OpenPage, client: httpx.Client) -> None:
    grid = {"l2_penalty": [0, 1], "learning_rate": [0.01, 0.1]}
    sweep = client.post("/sweeps", json={"base": TINY, "grid": grid}).raise_for_status().json()
    with open_page("/?view=sweeps") as page:
        page.locator(f"tbody a[href*='{sweep['id']}']").first.click()
        expect(page.get_by_text("All runs have finished")).to_be_visible()
        expect(page.get_by_role("heading", name="A sweep over Learning rate and L2 penalty λ")).to_be_visible()
        pictures = ["Validation accuracy of each run", "The norm of the weights", "The lowest validation loss for each"]
        for name in [*pictures, "The weights of the best members"]:
            expect(page.get_by_role("img", name=name)).to_be_visible()
        lines = page.locator(".parallel polyline")
        expect(lines).to_have_count(4)
        best = client.get(f"/sweeps/{sweep['id']}").json()["members"][0]
        expect(lines.last.locator("title")).to_contain_text(f"{best['metrics']['best']['validation_loss']:.4f}")
        page.get_by_role("button", name="Make it the champion").click()
        expect(page.get_by_text("It is the champion")).to_be_visible()
        model = client.get(f"/models/{best['model']['name']}").json()
        assert model["aliases"]["champion"] == best["model"]["version"]
        page.get_by_label("Ranked by").select_option("train_accuracy")
        assert "rank_by=train_accuracy" in page.url
        for box in page.get_by_role("checkbox").all()[:2]:
            box.check()
        page.get_by_role("link", name="Compare these 2").click()
        expect(page.locator(".verdict")).to_have_count(1)


def test_a_sweep_that_is_drawn_again_leaves_the_focus_where_it_is(open_page: OpenPage, client: httpx.Client) -> None:
    body = {"base": LONG, "grid": {"l2_penalty": [0, 1]}}
    sweep = client.post("/sweeps", json=body).raise_for_status().json()
    try:
        with open_page(f"/?sweep={sweep['id']}", width=360) as page:
            page.locator("#rank-by").evaluate("select => window.select = select")
            for role, name in (("checkbox", "Compare L2 penalty λ 1"), ("link", "Watch the run with L2 penalty λ 1")):
                page.get_by_role(role, name=name).focus()
                page.locator(".list").evaluate("table => { table.parentNode.scrollLeft = 70; }")
                before = page.locator("tbody").inner_text()
                wait_until(page, "before => document.querySelector('tbody').innerText !== before", before)
                expect(page.get_by_role(role, name=name)).to_be_focused()
                assert page.locator(".scroll").evaluate("part => part.scrollLeft") == 70
            assert page.evaluate("window.select.isConnected")  # an open list stays open
    finally:
        client.post(f"/sweeps/{sweep['id']}/cancel")
        for member in sweep["members"]:
            wait_until_over(client, member["job"])


def test_a_data_set_is_added_and_trained_on(open_page: OpenPage, digits_npz: Path) -> None:
    names = ["ring", "stroke", "swan"]
    with open_page("/?view=data", allowed=("422", "409")) as page:
        page.get_by_text("Add a data set of your own").click()
        add, name = page.get_by_role("button", name="Add it"), page.get_by_label("Name", exact=True)
        add.click()
        expect(page.locator("#upload-name-problem")).to_have_text("Enter a name.")
        expect(page.locator("#upload-file-problem")).to_have_text("Choose a file.")
        expect(name).to_be_focused()
        name.fill("mnist")
        file = page.get_by_label("Files", exact=True)
        file.set_input_files({"name": "a.npz", "mimeType": "application/zip", "buffer": b"PK"})
        add.click()
        expect(page.locator("#upload-file-problem")).to_contain_text("The .npz file is truncated")
        expect(file).to_be_focused()
        expect(page.locator("#upload-name-problem")).to_be_hidden()
        file.set_input_files(digits_npz)
        page.get_by_label("Class names").fill("ring, stroke")
        add.click()
        expect(page.locator("#upload-class_names-problem")).to_contain_text("3 different names")
        page.get_by_label("Class names").fill(", ".join(names))
        add.click()
        expect(page.locator("#upload-name-problem")).to_contain_text("another data set of this name")
        name.fill("birds")
        page.get_by_label("Title").fill("Rings and birds")
        add.click()
        expect(page.get_by_role("heading", name="Rings and birds")).to_be_visible()
        expect(page.get_by_role("status")).to_have_text("Rings and birds was added.")
        expect(page.get_by_role("group", name="Which images").get_by_role("link", name="swan")).to_be_visible()
        page.get_by_role("link", name="Train on it").click()
        expect(page.get_by_label("Data set", exact=True)).to_have_value("birds")
        for field, all_of_them in (("train_size", ""), ("validation_size", "1000")):  # the default is more than that
            expect(page.locator(f"#field-{field}")).to_have_value(all_of_them)
        expect(page.locator("#estimate")).to_contain_text("steps")
        page.get_by_label("Epochs").fill("2")
        page.get_by_role("button", name="Start training").click()
        expect(page.get_by_text("saved as birds-softmax, version 1")).to_be_visible()
        expect(page.locator(".travel .tile .digit")).to_have_text(names)
        page.get_by_role("link", name="Look inside").click()
        expect(page.locator("#inside .tile .digit")).to_have_text(names)
        expect(page.locator("#inside .confusion tbody th")).to_have_text(names)  # the job's page has one too
        expect(page.locator(".gallery li span").first).to_have_text(
            re.compile("^(ring|stroke|swan) classified as (ring|stroke|swan)$")
        )
        page.goto(page.url.split("?")[0] + "?image=birds/test/0&model=birds-softmax/1")
        expect(page.locator("#bars .digit")).to_have_text(names)
        expect(page.locator("#reading strong")).to_have_text(re.compile("^(ring|stroke|swan)$"))
        page.get_by_role("link", name="Train", exact=True).click()
        expect(page.locator("#field-validation_size")).to_have_value("10000")
        # The default of the API, not the first by name.
        expect(page.get_by_label("Data set", exact=True)).to_have_value("mnist")
        page.goto(page.url + "&dataset=nobody")
        expect(page.locator("#problem-dataset")).to_have_text("Data set: one of those on this server.")


def test_a_folder_of_pictures_and_a_table_are_added(open_page: OpenPage, mnist: Dataset, tmp_path: Path) -> None:
    rows = []
    for n, (image, label) in enumerate(zip(mnist.test.images[:20], mnist.test.labels[:20].tolist(), strict=True)):
        (tmp_path / "digits" / str(label)).mkdir(parents=True, exist_ok=True)
        Image.fromarray(255 - image).resize((56, 56)).save(tmp_path / "digits" / str(label) / f"{n}.png")
        rows.append(",".join(map(str, [label, *image.ravel().tolist()])))
    table = {"name": "train.csv", "mimeType": "text/csv", "buffer": "\n".join([*rows, "1,2"]).encode()}
    with open_page("/?view=data", allowed=("422",)) as page:
        page.get_by_text("Add a data set of your own").click()
        name, add = page.get_by_label("Name", exact=True), page.get_by_role("button", name="Add it")
        name.fill("by-class")
        page.get_by_label("Or a folder").set_input_files(tmp_path / "digits")
        add.click()
        expect(page.get_by_text(re.compile("^1[0-9] training images and [1-9] test images"))).to_be_visible()
        name.fill("table")  # the form stays open
        page.get_by_label("Files", exact=True).set_input_files(table)
        add.click()
        expect(page.locator("#upload-file-problem")).to_contain_text("train.csv.gz, line 21 has 2 columns")
        form = page.locator("#upload form")
        given = page.evaluate_handle(
            """([name, text]) => {
              const data = new DataTransfer();
              data.items.add(new File([text], name));
              return data;
            }""",
            [table["name"], "\n".join(rows)],
        )
        page.get_by_label("Files", exact=True).set_input_files([])
        form.dispatch_event("drop", {"dataTransfer": given})
        expect(page.get_by_text("1 file dropped.")).to_be_visible()
        add.click()
        expect(page.get_by_role("heading", name="table")).to_be_visible()


def test_four_files_are_sent_and_stopped(open_page: OpenPage) -> None:
    held: list[Route] = []
    with open_page("/?view=data") as page:
        page.route(
            "**/api/v1/datasets",
            lambda route: held.append(route) if route.request.method == "POST" else route.continue_(),
        )
        page.get_by_text("Add a data set of your own").click()
        page.get_by_label("Name", exact=True).fill("four")
        page.get_by_label("Kind").select_option("idx")
        expect(page.get_by_label("Files", exact=True)).to_be_hidden()
        for label in ("Training images", "Training labels", "Test images", "Test labels"):
            page.get_by_label(label).set_input_files({"name": "a", "mimeType": "", "buffer": bytes(1000)})
        page.get_by_role("button", name="Add it").click()
        expect(page.get_by_role("progressbar", name="Upload")).to_be_visible()
        page.get_by_role("link", name="Models").click()  # it continues
        page.get_by_role("link", name="Data").click()
        page.get_by_role("button", name="Cancel").click()
        expect(page.get_by_role("progressbar", name="Upload")).to_be_hidden()
        expect(page.get_by_text("Cancelled: nothing was added.")).to_be_visible()
        sent = held[0].request.post_data_buffer or b""
        for part in ("train_images", "train_labels", "test_images", "test_labels"):
            assert f'name="{part}"'.encode() in sent
        assert b'name="file"' not in sent


def test_the_images_of_a_data_set(open_page: OpenPage) -> None:
    with open_page("/?view=data") as page:
        expect(page.locator(".images li")).to_have_count(60)
        page.get_by_role("link", name="test", exact=True).click()
        page.get_by_role("group", name="Which images").get_by_role("link", name="7", exact=True).click()
        expect(page.locator(".images li span:not(.hint)")).to_have_text(["7"] * 60)
        page.get_by_role("link", name="More images").click()
        expect(page.locator(".images li .hint").first).not_to_have_text("no. 0")
        wait_until(page, "() => [...document.images].every(image => image.complete && image.naturalWidth > 28)")
        page.locator(".images a").first.click()
        expect(page.locator("#reading strong")).to_be_visible()
        assert "image=mnist%2Ftest%2F" in page.url


def test_a_report_is_made_and_shown(open_page: OpenPage) -> None:
    with open_page("/?view=reports", allowed=("422",)) as page:
        expect(page.get_by_text("No report yet")).to_be_visible()
        page.get_by_label("Assignment").select_option("2")
        expect(page.get_by_text("It trains nine runs")).to_be_visible()
        expect(page.get_by_label("Classes")).to_have_count(0)
        page.get_by_label("Assignment").select_option("1")
        page.get_by_label("quick").check()
        page.get_by_label("Seeds", exact=True).fill("eleven")
        page.get_by_role("button", name="Make a report").click()
        expect(page.get_by_role("alert")).to_contain_text("seeds")
        page.get_by_label("Seeds", exact=True).fill("1")
        page.get_by_label("Classes").fill("3, 2")
        page.get_by_label("Authors").fill("Ada, Blaise")
        page.get_by_label("Group").fill("Group 7")
        page.get_by_role("button", name="Make a report").click()
        expect(page.get_by_role("heading", name="A quick course report, assignment 1")).to_be_visible()
        expect(page.get_by_role("heading", name="2d Early stopping")).to_be_visible(timeout=60_000)
        wait_until(
            page, "() => [...document.images].length === 11 && [...document.images].every(image => image.complete)"
        )
        with page.expect_download() as saved:
            page.get_by_role("link", name="Save as JSON").click()
        assert saved.value.suggested_filename == "report.json"
        options = json.loads(Path(saved.value.path()).read_text())["options"]
        assert options["classes"] == [3, 2] and options["seeds"] == 1
        assert (options["authors"], options["group"]) == (["Ada", "Blaise"], "Group 7")
        with page.expect_download() as saved:
            page.get_by_role("link", name="Save as ZIP").click()
        assert saved.value.suggested_filename == "hand-in.zip"


def test_what_is_deleted_is_gone_and_what_is_needed_says_why(open_page: OpenPage, client: httpx.Client) -> None:
    jobs = [client.post("/jobs", json={**TINY, "name": "shortlived"}).json()["id"] for _ in range(3)]
    for job in jobs:
        wait_until_over(client, job)
    client.put("/models/shortlived/aliases/champion", json={"version": 1}).raise_for_status()
    # 404: what the page was still loading of something may be gone with it.
    with open_page(f"/?job={jobs[0]}", allowed=("409", "404")) as page:
        delete, confirm = page.get_by_role("button", name="Delete", exact=True), page.get_by_role("dialog")
        more = page.get_by_text("More", exact=True)
        expect(delete).to_be_hidden()
        more.press("Enter")
        page.keyboard.press("Escape")
        expect(delete).to_be_hidden()
        expect(more).to_be_focused()
        page.keyboard.press("Enter")
        delete.click()
        expect(confirm).to_contain_text("The version that it made stays.")
        page.keyboard.press("Enter")  # the focus is on what loses nothing
        expect(confirm).to_have_count(0)
        assert client.get(f"/jobs/{jobs[0]}").status_code == 200
        delete.click()
        confirm.get_by_role("button", name="Delete").click()
        expect(page.get_by_role("heading", name="Jobs")).to_be_visible()
        for version in (2, 3):
            page.get_by_role("checkbox", name=f"Compare shortlived, version {version}").check()
        page.get_by_role("button", name="Delete 2 jobs").click()
        confirm.get_by_role("button", name="Delete").click()
        expect(page.get_by_role("checkbox", name="Compare shortlived")).to_have_count(0)
        assert {client.get(f"/jobs/{job}").status_code for job in jobs} == {404}

        page.goto(page.url.partition("?")[0] + "?view=models&model=shortlived/1")
        page.get_by_role("button", name="Delete this version").click()
        confirm.get_by_role("button", name="Delete").click()
        expect(page.get_by_role("alert").filter(has_text="champion")).to_be_visible()
        page.get_by_role("button", name="Delete the model").click()
        expect(confirm).to_contain_text("All its versions, 3 in number")
        confirm.get_by_role("button", name="Delete").click()
        expect(page.get_by_role("heading", name="Models", exact=True)).to_be_visible()
        assert client.get("/models/shortlived").status_code == 404
