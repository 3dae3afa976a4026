"""Lists that are searched and filtered, titles that are changed in place, tags and notes."""

from __future__ import annotations

from pathlib import Path

import httpx
import pytest
from playwright.sync_api import expect

from tests.browser.conftest import OpenPage
from tests.web.serving import TINY, wait_until_over

pytestmark = [pytest.mark.slow, pytest.mark.needs("browser")]


def test_lists_are_searched_and_filtered_by_their_address(open_page: OpenPage, client: httpx.Client) -> None:
    written = [{"title": "Alpha rate", "tags": ["week 3"]}, {"title": "=Beta, rate", "tags": ["week 3", "kept"]}]
    for each in written:
        wait_until_over(client, client.post("/jobs", json={**TINY, **each}).raise_for_status().json()["id"])
    with open_page("/?view=jobs&tag=week+3") as page:
        rows, tags = page.locator("tbody tr"), page.get_by_role("group", name="Filter by tag")
        expect(rows).to_have_count(2)
        search = page.get_by_role("searchbox", name="Search the jobs")
        search.fill("ALPHA")
        expect(rows).to_have_count(1)
        assert "q=ALPHA" in page.url and "tag=week+3" in page.url
        page.reload()
        expect(rows).to_have_count(1)
        expect(search).to_have_value("ALPHA")
        tags.get_by_role("link", name="kept").click()
        expect(page.get_by_text("Nothing matches.")).to_be_visible()
        page.go_back()
        expect(rows).to_have_count(1)
        expect(tags.get_by_role("link", name="week 3")).to_have_attribute("aria-current", "true")
        search.fill("")
        expect(rows).to_have_count(2)
        rows.first.get_by_role("link", name="kept").click()  # of the row
        expect(rows).to_have_count(1)
        with page.expect_download() as saved:
            page.get_by_role("button", name="Save as CSV").click()
        head, row, *_ = Path(saved.value.path()).read_text().splitlines()
        assert head == "Started,Title,Model,State,Accuracy,Progress,Settings"
        assert '"\'=Beta, rate kept week 3",' in row and '"mnist-softmax, version' in row


def test_a_title_is_changed_in_place_by_keyboard(open_page: OpenPage, client: httpx.Client) -> None:
    job = wait_until_over(client, client.post("/jobs", json={**TINY, "tags": ["renamed"]}).json()["id"])
    with open_page("/?view=jobs&tag=renamed") as page:
        rename = page.get_by_role("button", name="Rename the run of")
        for keys, title in ((("Typed first", "Enter"), "Typed first"), (("Typed then", "Escape"), "Typed first")):
            rename.focus()
            for key in ("Enter", *keys):
                page.keyboard.press(key) if key in ("Enter", "Escape") else page.keyboard.type(key)
            expect(rename).to_be_focused()
            expect(page.get_by_role("link", name=title, exact=True)).to_be_visible()
        assert client.get(f"/jobs/{job['id']}").json()["title"] == "Typed first"
        page.get_by_role("link", name="Typed first").click()
        expect(page.get_by_role("heading", name="Typed first")).to_be_visible()
        expect(page.get_by_text("Training mnist-softmax")).to_be_visible()
        page.get_by_role("button", name="Rename Training").click()
        page.get_by_label("Title of").fill("Left, so saved")
        page.get_by_label("New tag").click()
        expect(page.get_by_role("heading", name="Left, so saved")).to_be_visible()


@pytest.mark.parametrize("kind", ["job", "sweep", "report", "version", "dataset", "collection"])
def test_tags_and_notes_are_edited_where_the_thing_is_shown(
    open_page: OpenPage, client: httpx.Client, kind: str
) -> None:
    api, address = {
        "job": ("/jobs/{}", "/?job={}"),
        "sweep": ("/sweeps/{}", "/?sweep={}"),
        "report": ("/reports/{}", "/?report={}"),
        "version": ("/models/mnist-softmax/versions/1", "/?view=models&model=mnist-softmax/1"),
        "dataset": ("/datasets/mnist", "/?view=data"),
        "collection": ("/collections/noted", "/?view=data&collection=noted"),
    }[kind]
    bodies = {"job": TINY, "sweep": {"base": TINY, "grid": {"seed": [0]}}, "report": {"quick": True}}
    made = {"id": ""}
    if kind == "collection":
        client.post("/collections", json={"name": "noted"}).raise_for_status()
    if kind in bodies:
        made = client.post(f"/{kind}s", json=bodies[kind]).raise_for_status().json()
        client.post(f"/{kind}s/{made['id']}/cancel")
    with open_page(address.format(made["id"]), allowed=("422",)) as page:
        field = page.get_by_label("New tag")
        field.fill("a long, " + "x" * 41)
        page.keyboard.press("Enter")
        expect(page.get_by_role("alert").filter(has_text="1 to 40 characters")).to_be_visible()
        field.fill("a long, edited")
        page.keyboard.press("Enter")
        page.get_by_role("button", name="Remove the tag a long").click()
        expect(page.get_by_role("button", name="Remove the tag")).to_have_count(1)
        expect(field).to_be_focused()
        page.get_by_role("button", name="Add notes").click()
        page.keyboard.type("First <b>line\nsecond")
        page.get_by_role("button", name="Save the notes").click()
        expect(page.locator(".notes")).to_have_text("First <b>line\nsecond")
        page.get_by_role("button", name="Rename").click()
        page.keyboard.type(f"The {kind}")
        page.keyboard.press("Enter")
        expect(page.get_by_role("heading", name=f"The {kind}")).to_be_visible()
        expect(page).to_have_title(f"The {kind} · Inkling" if kind != "dataset" else "Data · Inkling")
    found = client.get(api.format(made["id"])).json()
    assert (found["title"], found["tags"], found["notes"]) == (f"The {kind}", ["edited"], "First <b>line\nsecond")
    client.patch(api.format(made["id"]), json={"title": "", "tags": [], "notes": ""}).raise_for_status()


def test_lists_of_names_have_pages(open_page: OpenPage, client: httpx.Client) -> None:
    names = [model["name"] for model in client.get("/models").json()["models"]]
    with open_page(f"/?view=models&before={names[0]}") as page:
        expect(page.locator(".models h2")).to_have_text(names[1:25])
    for name in ("found", "other"):
        client.post("/collections", json={"name": name}).raise_for_status()
    with open_page("/?view=data&q=fou") as page:
        expect(page.locator(".collections .chip")).to_have_text("found, 0 images")
