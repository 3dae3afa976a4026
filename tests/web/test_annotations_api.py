"""Titles, tags and notes by HTTP: of everything that has a list, found by them, and gone with what they describe."""

from __future__ import annotations

import io
from typing import Any

import httpx
import numpy as np
import pytest

from service.bootstrap import Service
from service.database import annotation_rows
from service.datasets import Dataset
from tests.web.serving import TINY, problem_of, wait_until_over

WRITTEN = {"title": "Åpen KJØRING", "tags": ["baseline", "uke 3"], "notes": "First line.\nSecond: 100 %_sure."}
NO_ID = "01ARZ3NDEKTSV4RRFFQ69G5FAV"


def names(answer: httpx.Response) -> list[str]:
    (found,) = (each for each in answer.raise_for_status().json().values() if isinstance(each, list))
    return [each.get("name") if "id" not in each else each["id"] for each in found]


def make_one_of_each(client: httpx.Client, mnist: Dataset, name: str) -> dict[str, str]:
    """Return the paths of what was made, none of it annotated."""
    job = client.post("/jobs", json={**TINY, "name": name}).raise_for_status().json()
    sweep = client.post("/sweeps", json={"base": TINY, "grid": {"seed": [0, 1]}}).raise_for_status().json()
    report = client.post("/reports", json={"quick": True, "l2_penalties": [1]}).raise_for_status().json()
    client.post(f"/reports/{report['id']}/cancel").raise_for_status()
    for each in (job["id"], *(member["job"] for member in sweep["members"]), *report["jobs"]):
        wait_until_over(client, each)
    file, (x, y) = io.BytesIO(), (mnist.test.images[:200], mnist.test.labels[:200])
    np.savez(file, x_train=x, y_train=y, x_test=x, y_test=y)
    client.post("/collections", json={"name": name}).raise_for_status()
    form = {"name": name, "title": "Own title"}
    client.post("/datasets", data=form, files={"file": file.getvalue()}).raise_for_status()
    return {
        "jobs": f"/jobs/{job['id']}",
        "sweeps": f"/sweeps/{sweep['id']}",
        "reports": f"/reports/{report['id']}",
        "versions": f"/models/{name}/versions/1",
        "datasets": f"/datasets/{name}",
        "collections": f"/collections/{name}",
    }


@pytest.fixture(scope="module")
def paths(client: httpx.Client, mnist: Dataset) -> dict[str, str]:
    return make_one_of_each(client, mnist, "annotated")


def tags_of(client: httpx.Client, kind: str) -> dict[str, int]:
    answer = client.get("/tags", params={"kind": kind}).raise_for_status()
    return {each["tag"]: each["n_tagged"] for each in answer.json()["tags"]}


KINDS = pytest.mark.parametrize("kind", ["jobs", "sweeps", "reports", "versions", "datasets", "collections"])


@pytest.mark.slow
@KINDS
def test_everything_is_annotated_found_and_cleared(client: httpx.Client, paths: dict[str, str], kind: str) -> None:
    path, listed = paths[kind], f"/{'models' if kind == 'versions' else kind}"
    before, tags_before = client.get(path).json(), tags_of(client, kind)
    assert (before["tags"], before["notes"]) == ([], "")
    changed = client.patch(path, json={**WRITTEN, "tags": ["uke 3", "baseline", "uke 3"]}).raise_for_status().json()
    assert changed == {**before, **WRITTEN} == client.get(path).json()
    assert client.patch(path, json={"notes": "Only these."}).json() == {**changed, "notes": "Only these."}
    client.patch(path, json={"notes": WRITTEN["notes"]})
    own = before.get("id", "annotated")
    found: dict[str, Any]
    for found in (
        {"q": "åpen kjør"},
        {"q": "SECOND: %_sure. line"},
        {"q": own[:9].lower()},
        {"tag": "baseline"},
        {"tag": ["baseline", "uke 3"]},
        {"q": "uke", "tag": "baseline"},
    ):
        assert own in names(client.get(listed, params=found)), found
    for found in ({"q": "åpen nowhere"}, {"q": "firstXline"}, {"tag": "base"}, {"tag": ["baseline", "uke 4"]}):
        assert own not in names(client.get(listed, params=found)), found
    assert tags_of(client, kind) == {**tags_before, **{tag: tags_before.get(tag, 0) + 1 for tag in WRITTEN["tags"]}}
    assert client.patch(path, json={"title": "", "tags": [], "notes": ""}).json() == before
    assert tags_of(client, kind) == tags_before


@pytest.mark.parametrize(
    ("body", "rule"),
    [
        ({"title": "x" * 201}, "at most 200 characters"),
        ({"title": "two\nlines"}, "one line"),
        ({"tags": ["x"] * 21}, "at most 20"),
        ({"tags": ["x" * 41]}, "1 to 40 characters"),
        ({"tags": [""]}, "1 to 40 characters"),
        ({"tags": ["a,b"]}, "without commas"),
        ({"tags": [" a"]}, "no space at its ends"),
        ({"notes": "x" * 5001}, "at most 5,000 characters"),
        ({"notes": "\0"}, "the character 0"),
        ({"title": None}, "one line"),
    ],
)
def test_what_is_too_long_is_refused_with_the_limit(
    client: httpx.Client, paths: dict[str, str], body: dict[str, Any], rule: str
) -> None:
    answer = client.patch(paths["jobs"], json=body)
    assert (answer.status_code, problem_of(answer)) == (422, "invalid-field")
    (error,) = answer.json()["errors"]
    assert rule in error["allowed"] and error["pointer"].startswith(f"#/{next(iter(body))}")


@pytest.mark.parametrize(
    "path",
    [
        *(f"/{kind}/{NO_ID}" for kind in ("jobs", "sweeps", "reports")),
        "/models/none/versions/1",
        "/datasets/none",
        "/collections/none",
    ],
)
def test_what_is_not_there_cannot_be_annotated(client: httpx.Client, path: str) -> None:
    assert client.patch(path, json={"title": "x"}).status_code == 404


@pytest.mark.parametrize(
    "query", [{"q": "x" * 101}, {"q": "\0"}, {"tag": ["x"] * 6}, {"tag": "a,b"}, {"state": "asleep"}]
)
def test_a_search_is_bounded(client: httpx.Client, query: dict[str, Any]) -> None:
    for path in ("/jobs", "/sweeps", "/reports", "/models", "/datasets", "/collections"):
        assert client.get(path, params=query).status_code == 422


def test_states_and_pages_are_those_of_the_search(client: httpx.Client, paths: dict[str, str]) -> None:
    made = [client.post("/jobs", json={**TINY, "tags": ["paged"]}).raise_for_status().json()["id"] for _ in range(3)]
    for job in made:
        wait_until_over(client, job)
    first = client.get("/jobs", params={"tag": "paged", "limit": 2}).json()
    rest = client.get("/jobs", params={"tag": "paged", "limit": 2, "before": first["next"]}).json()
    assert [each["id"] for each in first["jobs"] + rest["jobs"]] == made[::-1] and rest["next"] is None
    assert names(client.get("/jobs", params={"tag": "paged", "state": "failed"})) == []
    for kind in ("sweeps", "reports"):
        own = paths[kind].rpartition("/")[2]
        assert own in names(client.get(f"/{kind}", params={"state": "finished"}))
        assert own not in names(client.get(f"/{kind}", params={"state": "running"}))


@pytest.mark.parametrize("noun", ["models", "datasets", "collections"])
def test_pages_of_names_are_the_whole_list(client: httpx.Client, paths: dict[str, str], noun: str) -> None:
    client.post("/collections", json={"name": "paged"})
    whole = client.get(f"/{noun}").json()
    assert len(whole[noun]) > 1 and whole["next"] is None
    found, asked = [], {"limit": 1}
    while True:
        page = client.get(f"/{noun}", params=asked).raise_for_status().json()
        found += page[noun]
        if page["next"] is None:
            break
        asked["before"] = page["next"]
    assert found == whole[noun]
    assert len(client.get(f"/{noun}", params={"limit": 1, "q": "annotated"}).json()[noun]) == 1
    for wrong in ({"limit": 0}, {"limit": 201}, {"before": "/"}):
        assert client.get(f"/{noun}", params=wrong).status_code == 422


def test_a_submission_is_annotated_and_its_key_belongs_to_it(client: httpx.Client) -> None:
    key, body = {"Idempotency-Key": "annotated"}, {**TINY, **WRITTEN}
    job = client.post("/jobs", json=body, headers=key).raise_for_status().json()
    assert {name: job[name] for name in WRITTEN} == WRITTEN
    client.patch(f"/jobs/{job['id']}", json={"title": "Renamed"})
    assert client.post("/jobs", json=body, headers=key).json()["title"] == "Renamed"
    assert client.post("/jobs", json={**body, "title": "Other"}, headers=key).status_code == 422
    wait_until_over(client, job["id"])
    sweep = client.post("/sweeps", json={"base": TINY, "grid": {"seed": [0]}, **WRITTEN}).raise_for_status().json()
    assert {name: sweep[name] for name in WRITTEN} == WRITTEN
    wait_until_over(client, sweep["members"][0]["job"])
    report = {"quick": True, "l2_penalties": [1], "title": "At its head", "tags": ["a"], "notes": "b"}
    made = client.post("/reports", json=report).raise_for_status().json()
    path = f"/reports/{made['id']}"
    assert (made["title"], made["tags"], made["notes"]) == ("At its head", ["a"], "b")
    assert client.patch(path, json={"title": "In the list"}).json()["options"]["title"] == "At its head"
    assert client.get(path).json()["title"] == "In the list"
    client.post(f"{path}/cancel")
    for each in made["jobs"]:
        wait_until_over(client, each)


def test_the_same_bits_are_trained_and_verified_under_any_title(client: httpx.Client) -> None:
    jobs = [client.post("/jobs", json={**TINY, "seed": 7, **each}).json()["id"] for each in ({}, WRITTEN)]
    models = [wait_until_over(client, job)["model"] for job in jobs]
    manifests = [client.get(f"/models/{each['name']}/versions/{each['version']}").json() for each in models]
    assert manifests[0]["weights_sha256"] == manifests[1]["weights_sha256"]
    assert manifests[1]["tags"] == []  # those of the job are not those of the version
    verifying = client.post(f"/jobs/{jobs[1]}/verify").json()
    assert wait_until_over(client, verifying["id"])["verification"]["outcome"]["identical"]


def test_changes_are_audited(client: httpx.Client, paths: dict[str, str]) -> None:
    client.patch(paths["versions"], json={"tags": []})
    line = client.get("/audit?limit=1").json()["entries"][0]
    assert (line["method"], line["object_id"], line["status"]) == ("PATCH", "annotated/1", 200)


def test_what_is_deleted_leaves_nothing(client: httpx.Client, service: Service, mnist: Dataset) -> None:
    paths = make_one_of_each(client, mnist, "deleted")
    members = [member["job"] for member in client.get(paths["sweeps"]).json()["members"]]
    for path in (*paths.values(), *(f"/jobs/{job}" for job in members)):
        client.patch(path, json=WRITTEN).raise_for_status()

    def written() -> set[str]:
        with service.database.read() as connection:
            return {each for kind in annotation_rows.ANNOTATED_KINDS for each in annotation_rows.ids(connection, kind)}

    described = {path.split("/")[2] for path in paths.values()} | {"deleted/1", *members}
    assert written() >= described
    for path in paths.values():
        client.delete(path).raise_for_status()
    assert not written() & described


def test_a_start_deletes_what_an_interrupted_deletion_left(service: Service) -> None:
    with service.database.write() as connection:
        for kind, object_id in (("versions", "never/1"), ("datasets", "never"), ("versions", "mnist-softmax/1")):
            annotation_rows.put(connection, kind, object_id, annotation_rows.Annotation(tags=("left",)))
    service.annotations.clean()
    with service.database.read() as connection:
        assert "never/1" not in annotation_rows.ids(connection, "versions")
        assert "mnist-softmax/1" in annotation_rows.ids(connection, "versions")
        assert "never" not in annotation_rows.ids(connection, "datasets")
    service.annotations.change("versions", "mnist-softmax/1", {"tags": []})
