"""The model registry by HTTP: versions as they are, aliases as they move."""

from __future__ import annotations

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from io import BytesIO
from typing import Any

import httpx
import numpy as np
import pytest

from service.bootstrap import Service
from tests.web.serving import TINY, problem_of, wait_until_over


@pytest.fixture(scope="module")
def model(client: httpx.Client) -> str:
    """Return the path of a model with two versions."""
    for seed in range(2):
        body = {**TINY, "name": "registered", "seed": seed}
        wait_until_over(client, client.post("/jobs", json=body).json()["id"])
    return "/models/registered"


@pytest.fixture
def alias(client: httpx.Client, model: str) -> Iterator[str]:
    yield f"{model}/aliases/champion"
    client.delete(f"{model}/aliases/champion")


def test_all_models(client: httpx.Client, model: str) -> None:
    listing = client.get("/models").json()
    (listed,) = [listed for listed in listing["models"] if listed["name"] == "registered"]
    assert (listed["versions"], listed["aliases"], listed["default"]["version"]) == ([1, 2], {}, 2)


def test_one_model(client: httpx.Client, model: str) -> None:
    detail = client.get(model).json()
    assert [version["version"] for version in detail["versions"]] == [1, 2]
    assert all(version["metrics"]["validation_accuracy"] > 0.1 for version in detail["versions"])


def test_versions_come_in_pages_the_newest_first(client: httpx.Client, model: str) -> None:
    newest = client.get(model, params={"limit": 1}).json()
    older = client.get(model, params={"limit": 1, "before": newest["next"]}).json()
    assert [[version["version"] for version in page["versions"]] for page in (newest, older)] == [[2], [1]]
    assert older["next"] is None and client.get(model).json()["next"] is None
    assert client.get(model, params={"before": "1"}).json()["versions"] == []


def test_one_version(client: httpx.Client, model: str, alias: str) -> None:
    client.put(alias, json={"version": 1})
    detail = client.get(f"{model}/versions/1").json()
    assert detail["job_exists"] is True
    assert client.get("/models/mnist-softmax/versions/1").json()["job_exists"] is False
    assert (detail["version"], detail["aliases"], detail["config"]["seed"]) == (1, ["champion"], 0)
    assert detail["created_at"].endswith("Z")
    assert client.get(f"{model}/versions/champion").json() == detail
    assert client.get(f"{model}/versions/latest").json()["version"] == 2


def test_the_weight_file(client: httpx.Client, service: Service, model: str) -> None:
    answer = client.get(f"{model}/versions/2/weights.npz")
    assert answer.headers["content-disposition"] == 'attachment; filename="registered-2.npz"'
    with np.load(BytesIO(answer.content), allow_pickle=False) as file:
        found = service.registry.load("registered", 2)
        assert (file["best"] == found.function.layout.views(found.best)["W"]).all()


def test_an_alias_moves_and_keeps_its_history(client: httpx.Client, model: str, alias: str) -> None:
    began = len(service_history(client, alias))
    client.put(alias, json={"version": 1, "reason": "it is the better one"})
    assert client.get(model).json()["default"]["version"] == 1
    assert client.delete(alias).json()["version"] is None
    assert client.get(model).json()["default"]["version"] == 2
    history = service_history(client, alias)[began:]
    assert [(entry["version"], entry["reason"]) for entry in history] == [(1, "it is the better one"), (None, None)]


def service_history(client: httpx.Client, alias: str) -> list[dict[str, Any]]:
    answer = client.get(f"{alias}/history")
    if answer.status_code == 404:
        return []
    history: list[dict[str, Any]] = answer.json()["history"]
    return history


def test_compare_and_swap(client: httpx.Client, alias: str) -> None:
    client.put(alias, json={"version": 1})
    stale = client.put(alias, json={"version": 2}, headers={"If-Match": "2"})
    assert (stale.status_code, problem_of(stale)) == (412, "alias-moved")
    assert client.put(alias, json={"version": 2}, headers={"If-Match": '"1"'}).status_code == 200
    assert client.delete(alias, headers={"If-Match": "1"}).status_code == 412
    assert client.delete(alias, headers={"If-Match": "2"}).status_code == 200


def test_of_two_who_move_at_once_one_wins(client: httpx.Client, alias: str) -> None:
    client.put(alias, json={"version": 1})

    def move(version: int) -> int:
        return client.put(alias, json={"version": version}, headers={"If-Match": "1"}).status_code

    with ThreadPoolExecutor(2) as threads:
        # Both move away from 1, so the second finds it moved, whoever that is.
        assert sorted(threads.map(move, [2, 2])) == [200, 412]


@pytest.mark.parametrize(
    ("alias", "body", "headers", "status", "problem"),
    [
        ("champion", {"version": 99}, {}, 404, "model-not-found"),
        ("champion", {"version": 0}, {}, 422, "invalid-field"),
        ("champion", {"version": True}, {}, 422, "invalid-field"),
        ("champion", {"version": "1"}, {}, 422, "invalid-field"),
        ("champion", {}, {}, 422, "invalid-field"),
        ("champion", {"version": 1, "reason": "x" * 2001}, {}, 422, "invalid-field"),
        ("champion", {"version": 1, "by": "me"}, {}, 422, "invalid-field"),
        ("champion", {"version": 1}, {"If-Match": "x"}, 400, "malformed-input"),
        ("champion", {"version": 1}, {"If-Match": "1" * 99}, 400, "malformed-input"),
        ("latest", {"version": 1}, {}, 422, "invalid-field"),
        ("7", {"version": 1}, {}, 422, "invalid-field"),
        ("Champion", {"version": 1}, {}, 422, "invalid-field"),
    ],
)
def test_bad_moves(
    client: httpx.Client, model: str, alias: str, body: Any, headers: dict[str, str], status: int, problem: str
) -> None:
    answer = client.put(f"{model}/aliases/{alias}", json=body, headers=headers)
    assert (answer.status_code, problem_of(answer)) == (status, problem)


def test_damaged_weights_are_refused_and_other_versions_still_predict(client: httpx.Client, service: Service) -> None:
    wait_until_over(client, client.post("/jobs", json={**TINY, "name": "damaged"}).json()["id"])
    file = service.settings.store_dir / "damaged" / "1" / "weights.npz"
    file.chmod(0o600)
    content = bytearray(file.read_bytes())
    content[-100] ^= 1
    file.write_bytes(content)
    for answer in (
        client.get("/models/damaged/versions/1/weights.npz"),
        client.post("/models/damaged/predict", content=bytes(784)),
    ):
        assert (answer.status_code, problem_of(answer)) == (409, "corrupted")
    assert client.get("/models").status_code == 200
