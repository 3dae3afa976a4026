"""Sweeps by HTTP: submitted, ranked, cancelled, pictured; and refused with the field named."""

from __future__ import annotations

import json
import time
from concurrent.futures import ThreadPoolExecutor
from io import BytesIO
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import httpx
import numpy as np
import pytest
from PIL import Image

from service.bootstrap import Service
from service.charts import TileGrid
from service.core import norm
from service.settings import Settings
from service.web.app import create_app
from tests.web.serving import DEADLINE_S, LONG, TINY, problem_of, serving, wait_until_over

JSON = {"Content-Type": "application/json"}
NO_SWEEP = "01ARZ3NDEKTSV4RRFFQ69G5FAV"
ENDLESS = {**LONG, "checks_per_epoch": 1}


def submit(client: httpx.Client, grid: dict[str, Any], base: dict[str, Any] = TINY, **more: Any) -> dict[str, Any]:
    answer = client.post("/sweeps", json={"base": base, "grid": grid, **more})
    assert answer.status_code == 202
    sweep: dict[str, Any] = answer.json()
    return sweep


def wait_until_all_over(client: httpx.Client, sweep: dict[str, Any]) -> dict[str, Any]:
    assert client.get(f"/jobs/{sweep['members'][0]['job']}").json()["sweep"] == sweep["id"]
    for member in sweep["members"]:
        wait_until_over(client, member["job"])
    sweep = client.get(f"/sweeps/{sweep['id']}").json()
    assert sweep["state"] == "finished"
    return sweep


def values_of(sweep: dict[str, Any], name: str) -> list[Any]:
    return [member["values"][name] for member in sweep["members"]]


@pytest.fixture(scope="module")
def penalties(client: httpx.Client) -> dict[str, Any]:
    """Return a finished sweep over the penalty and the seed."""
    return wait_until_all_over(
        client, submit(client, {"l2_penalty": [0, 0.1, 1], "seed": [0, 1]}, {**TINY, "epochs": 4}, name="penalties")
    )


@pytest.fixture(scope="module")
def plain(client: httpx.Client) -> dict[str, Any]:
    """Return a finished sweep over the penalty alone."""
    return wait_until_all_over(client, submit(client, {"l2_penalty": [1, 0]}))


@pytest.fixture(scope="module")
def pairs(client: httpx.Client) -> dict[str, Any]:
    """Return a finished sweep over two numbers and the seed."""
    grid = {"learning_rate": [0.1, 0.01], "l2_penalty": [0, 0.1], "seed": [3, 4]}
    return wait_until_all_over(client, submit(client, grid))


def test_a_sweep_is_accepted_with_its_address(client: httpx.Client) -> None:
    answer = client.post("/sweeps", json={"base": TINY, "grid": {"l2_penalty": [0, 1], "seed": [0, 1]}})
    assert answer.status_code == 202
    sweep = client.get(answer.headers["location"].removeprefix("/api/v1")).json()
    assert sweep["id"] == answer.json()["id"]
    assert (sweep["base"], sweep["grid"]) == (TINY, {"seed": [0, 1], "l2_penalty": [0, 1]})
    assert (sweep["dataset"], sweep["name"]) == ("mnist", "mnist-softmax-sweep")
    values = [member["values"] for member in answer.json()["members"]]
    assert values == [{"seed": seed, "l2_penalty": penalty} for seed in (0, 1) for penalty in (0, 1)]
    wait_until_all_over(client, sweep)


def test_a_finished_sweep_names_its_best_member(client: httpx.Client, penalties: dict[str, Any]) -> None:
    assert penalties["states"] == {"succeeded": 6}
    assert (penalties["fraction"], penalties["ranked_by"]) == (1, "validation_loss")
    assert [member["rank"] for member in penalties["members"]] == [1, 2, 3, 4, 5, 6]
    assert values_of(penalties, "l2_penalty")[-2:] == [1, 1]
    for metric, sign in {
        "validation_loss": 1,
        "validation_accuracy": -1,
        "train_loss": 1,
        "train_accuracy": -1,
    }.items():
        ranked = client.get(f"/sweeps/{penalties['id']}", params={"rank_by": metric}).json()
        figures = [sign * member["metrics"]["best"][metric] for member in ranked["members"]]
        assert figures == sorted(figures)
        assert (ranked["ranked_by"], ranked["best"]) == (metric, ranked["members"][0]["job"])
    versions = [member["model"]["version"] for member in penalties["members"]]
    assert sorted(versions) == [1, 2, 3, 4, 5, 6]
    assert {member["model"]["name"] for member in penalties["members"]} == {"penalties"}


def test_a_member_is_a_job_like_any_other(client: httpx.Client, penalties: dict[str, Any]) -> None:
    for member in penalties["members"]:
        job = client.get(f"/jobs/{member['job']}").json()
        assert all(job["config"][name] == value for name, value in member["values"].items())
        assert job["metrics"] == member["metrics"]
        assert [move["state"] for move in job["history"]] == ["queued", "running", "succeeded"]
    assert client.get(f"/jobs/{penalties['best']}/loss.png").status_code == 200


def test_the_same_key_gives_the_same_sweep(client: httpx.Client) -> None:
    body = {"base": TINY, "grid": {"l2_penalty": [0, 1]}}
    first, again, other = (
        client.post("/sweeps", json=body, headers={"Idempotency-Key": key}).json() for key in ("one", "one", "two")
    )
    assert first["id"] == again["id"] != other["id"]
    written_out = {"base": {**TINY, "learning_rate": 0.01}, "grid": {"l2_penalty": [0.0, 1.0]}, "dataset": "mnist"}
    answer = client.post("/sweeps", json=written_out, headers={"Idempotency-Key": "one"})
    assert (answer.status_code, answer.json()["id"]) == (202, first["id"])
    refused = client.post("/sweeps", json={**body, "grid": {"l2_penalty": [0, 2]}}, headers={"Idempotency-Key": "one"})
    assert (refused.status_code, problem_of(refused)) == (422, "idempotency-mismatch")
    for sweep in (first, other):
        wait_until_all_over(client, sweep)


def test_pages_follow_each_other_without_members(client: httpx.Client) -> None:
    sweeps = [submit(client, {"seed": [seed]}) for seed in range(3)]
    first = client.get("/sweeps", params={"limit": 2}).json()
    second = client.get("/sweeps", params={"limit": 2, "before": first["next"]}).json()
    listed = first["sweeps"] + second["sweeps"]
    assert [sweep["id"] for sweep in listed[:3]] == [sweep["id"] for sweep in sweeps[::-1]]
    assert "members" not in listed[0]
    assert sum(listed[0]["states"].values()) == 1
    for sweep in sweeps:
        wait_until_all_over(client, sweep)


def test_one_member_and_then_all_are_cancelled(client: httpx.Client) -> None:
    sweep = submit(client, {"l2_penalty": [0, 0.1, 1]}, ENDLESS)
    one = sweep["members"][1]["job"]
    assert client.post(f"/jobs/{one}/cancel").status_code == 202
    wait_until_over(client, one)
    running = client.get(f"/sweeps/{sweep['id']}").json()
    assert (running["state"], running["states"].pop("cancelled")) == ("running", 1)
    assert sum(running["states"].values()) == 2
    answer = client.post(f"/sweeps/{sweep['id']}/cancel")
    assert answer.status_code == 202
    assert client.post(f"/sweeps/{sweep['id']}/cancel").status_code == 202
    assert wait_until_all_over(client, sweep)["states"] == {"cancelled": 3}


def test_a_deleted_member_is_missing(client: httpx.Client) -> None:
    sweep = wait_until_all_over(client, submit(client, {"l2_penalty": [0, 1]}))
    for left in (1, 0):
        client.delete(f"/jobs/{sweep['members'][left]['job']}").raise_for_status()
        rest = client.get(f"/sweeps/{sweep['id']}").json()
        assert (len(rest["members"]), rest["state"], rest["fraction"]) == (left, "finished", 1)
    assert problem_of(client.get(f"/sweeps/{sweep['id']}/accuracy.png")) == "no-data-yet"


def raw(field: str, text: str) -> bytes:
    return b'{"grid": {"%s": %s}}' % (field.encode(), text.encode())


def body(grid: Any = None, **fields: Any) -> bytes:
    return json.dumps({"base": TINY, "grid": {"seed": [0]} if grid is None else grid, **fields}).encode()


INVALID = {
    "list": (b"[]", "#"),
    "no grid": (b'{"base": {}}', "#/grid"),
    "empty grid": (body(grid={}), "#/grid"),
    "grid as a list": (body(grid=[1]), "#/grid"),
    "base as a list": (body(base=[]), "#/base"),
    "base null": (body(base=None), "#/base"),
    "no values": (body(grid={"seed": []}), "#/grid/seed"),
    "values null": (body(grid={"seed": None}), "#/grid/seed"),
    "one value, not in a list": (body(grid={"seed": 3}), "#/grid/seed"),
    "values NaN": (raw("l2_penalty", "[0, NaN]"), "#/grid/l2_penalty/1"),
    "values infinite": (raw("l2_penalty", "[1e999]"), "#/grid/l2_penalty/0"),
    "values true": (body(grid={"l2_penalty": [True]}), "#/grid/l2_penalty/0"),
    "seed true": (body(grid={"seed": [0, True]}), "#/grid/seed/1"),
    "seed as a float": (body(grid={"seed": [1.0]}), "#/grid/seed/0"),
    "seed as a string": (body(grid={"seed": ["1"]}), "#/grid/seed/0"),
    "seed null": (body(grid={"seed": [None]}), "#/grid/seed/0"),
    "seed 2^64": (body(grid={"seed": [2**64]}), "#/grid/seed/0"),
    "penalty negative": (body(grid={"l2_penalty": [0, -1]}), "#/grid/l2_penalty/1"),
    "a value twice": (body(grid={"l2_penalty": [0.1, 1, 0.1]}), "#/grid/l2_penalty"),
    "a value twice, written differently": (raw("l2_penalty", "[0, 0.0]"), "#/grid/l2_penalty"),
    "a value twice, with a sign": (raw("l2_penalty", "[0.0, -0.0]"), "#/grid/l2_penalty"),
    "no patience twice": (body(grid={"patience": [None, 3, None]}), "#/grid/patience"),
    "classes twice": (body(grid={"classes": [[1, 2], [1, 2]]}), "#/grid/classes"),
    "one class": (body(grid={"classes": [[1]]}), "#/grid/classes/0"),
    "unknown in the grid": (body(grid={"dropout": [1]}), "#/grid/dropout"),
    "unknown in the base": (body(base={"epoch": 1}), "#/base/epoch"),
    "unknown beside them": (body(epochs=3), "#/epochs"),
    "name in the grid": (body(grid={"name": ["a"]}), "#/grid/name"),
    "data set in the base": (body(base={"dataset": "mnist"}), "#/base/dataset"),
    "in both": (body(base={"seed": 1}), "#/base/seed"),
    "base out of range": (body(base={"learning_rate": 11}), "#/base/learning_rate"),
    "base true": (body(base={"epochs": True}), "#/base/epochs"),
    "base of three classes": (body(base={"classes": [1, 2, 3]}, grid={"model": ["logistic"]}), "#/base/classes"),
    "grid of three classes": (
        body(base={"model": "logistic"}, grid={"classes": [[1, 2], [1, 2, 3]]}),
        "#/grid/classes",
    ),
    "batch above the images": (body(grid={"batch_size": [512, 513]}), "#/grid/batch_size"),
    "base batch above the images": (body(base={**TINY, "batch_size": 513}), "#/base/batch_size"),
    "training images beyond the data": (body(base={"train_size": 60_001}), "#/base/train_size"),
    "1,001 members": (body(grid={"seed": list(range(1001))}), "#/grid"),
    "1,024 members": (body(grid={"seed": list(range(32)), "l2_penalty": list(range(32))}), "#/grid"),
    "unknown data set": (body(dataset="nist"), "#/dataset"),
    "name that climbs": (body(name="../../x"), "#/name"),
}


@pytest.mark.parametrize(("content", "pointer"), INVALID.values(), ids=INVALID)
def test_what_is_well_formed_but_invalid(client: httpx.Client, content: bytes, pointer: str) -> None:
    answer = client.post("/sweeps", content=content, headers=JSON)
    assert (answer.status_code, problem_of(answer)) == (422, "invalid-field")
    assert answer.json()["errors"][0]["pointer"] == pointer


def test_refusals_state_the_range(client: httpx.Client) -> None:
    def entry(content: bytes) -> dict[str, Any]:
        found: dict[str, Any] = client.post("/sweeps", content=content, headers=JSON).json()["errors"][0]
        return found

    assert entry(body(grid={"l2_penalty": [101]}))["message"] == "l2_penalty must be a number from 0 to 100."
    assert entry(body(base={"learning_rate": 11}))["allowed"] == "a number from 1e-06 to 10"
    assert entry(body(grid={"l2_penalty": 1}))["allowed"] == "a list"
    assert entry(body(grid={"seed": list(range(1001))}))["allowed"] == "1 to 1,000 members"
    assert entry(body(grid={"seed": []}))["allowed"] == "one value or more, each once"
    assert entry(body(grid={"batch_size": [513]}))["allowed"] == "a whole number from 1 to 512"


def test_a_body_full_of_errors_is_answered_briefly(client: httpx.Client) -> None:
    answer = client.post("/sweeps", content=raw("seed", "[" + "true," * 50_000 + "true]"), headers=JSON)
    assert problem_of(answer) == "invalid-field"
    assert len(answer.json()["errors"]) == 20


@pytest.mark.parametrize(
    ("method", "path", "status", "problem"),
    [
        ("GET", "/sweeps/1", 404, "job-not-found"),
        ("GET", f"/sweeps/{NO_SWEEP}", 404, "job-not-found"),
        ("POST", f"/sweeps/{NO_SWEEP}/cancel", 404, "job-not-found"),
        ("GET", f"/sweeps/{NO_SWEEP}/accuracy.png", 404, "job-not-found"),
        ("GET", f"/sweeps/{NO_SWEEP}/norms.svg", 404, "job-not-found"),
        ("GET", f"/sweeps/{NO_SWEEP}/weights.png", 404, "job-not-found"),
        ("GET", f"/sweeps/{NO_SWEEP}/heatmap.png", 404, "job-not-found"),
        ("GET", "/sweeps?limit=201", 422, "invalid-field"),
        ("GET", "/sweeps?before=forged", 422, "invalid-field"),
        ("GET", f"/sweeps/{NO_SWEEP}?rank_by=luck", 422, "invalid-field"),
        ("GET", f"/sweeps/{NO_SWEEP}/accuracy.pdf", 422, "invalid-field"),
        ("GET", f"/sweeps/{NO_SWEEP}/accuracy.png?width_px=1", 422, "invalid-field"),
        ("GET", f"/sweeps/{NO_SWEEP}/norms.png?scale=cubic", 422, "invalid-field"),
        ("GET", f"/sweeps/{NO_SWEEP}/heatmap.png?metric=luck", 422, "invalid-field"),
        ("GET", f"/sweeps/{NO_SWEEP}/weights.png?scale=none", 422, "invalid-field"),
        ("GET", f"/sweeps/{NO_SWEEP}/weights.png?limit=51", 422, "invalid-field"),
        ("DELETE", f"/sweeps/{NO_SWEEP}", 404, "job-not-found"),
        ("PUT", f"/sweeps/{NO_SWEEP}", 405, "method-not-allowed"),
    ],
)
def test_bad_addresses(client: httpx.Client, method: str, path: str, status: int, problem: str) -> None:
    answer = client.request(method, path)
    assert (answer.status_code, problem_of(answer)) == (status, problem)


def test_a_full_queue_counts_members(tmp_path: Path) -> None:
    settings = Settings(data_dir=tmp_path, executor="inline", workers=1, max_queue_length=3)
    with Service(settings) as service, serving(service) as url, httpx.Client(base_url=f"{url}/api/v1") as client:
        answer = client.post("/sweeps", json={"base": ENDLESS, "grid": {"seed": [0, 1, 2, 3]}})
        assert (answer.status_code, problem_of(answer)) == (429, "queue-full")
        assert client.get("/sweeps").json() == {"sweeps": [], "next": None}
        submit(client, {"seed": [0, 1, 2]}, ENDLESS)


def picture(answer: httpx.Response) -> Image.Image:
    assert answer.status_code == 200
    assert answer.headers["content-type"] == "image/png"
    image = Image.open(BytesIO(answer.content))
    image.load()
    return image


def texts(answer: httpx.Response) -> list[str]:
    """Return what an SVG says; matplotlib notes each text beside its outlines, as a comment."""
    assert answer.headers["content-type"].startswith("image/svg+xml")
    parser = ElementTree.XMLParser(target=ElementTree.TreeBuilder(insert_comments=True))
    comments = ElementTree.fromstring(answer.text, parser).iter(ElementTree.Comment)  # type: ignore[call-overload]
    return [(comment.text or "").strip() for comment in comments]


CHARTS = ["accuracy.png", "norms.png", "heatmap.png"]


@pytest.mark.slow
@pytest.mark.parametrize("chart", CHARTS)
def test_a_chart_says_where_it_comes_from(client: httpx.Client, pairs: dict[str, Any], chart: str) -> None:
    answer = client.get(f"/sweeps/{pairs['id']}/{chart}", params={"width_px": 640, "height_px": 400})
    image = picture(answer)
    assert image.size == (640, 400)
    assert image.info["sweep"] == pairs["id"]
    assert image.info["learning_rate"] == "[0.1, 0.01]"
    assert image.info["epochs"] == "2"
    assert len(image.info["dataset_sha256"]) == 64
    assert json.loads(image.info["states"]) == {"succeeded": 8}


@pytest.mark.slow
@pytest.mark.parametrize("chart", [*CHARTS, "weights.png", "accuracy.svg"])
def test_what_the_client_has_is_not_sent_again(client: httpx.Client, pairs: dict[str, Any], chart: str) -> None:
    path = f"/sweeps/{pairs['id']}/{chart}"
    first = client.get(path)
    tag = first.headers["etag"]
    again = client.get(path, headers={"If-None-Match": tag})
    assert (again.status_code, again.content) == (304, b"")
    assert client.get(path).content == first.content


@pytest.mark.slow
def test_another_style_is_another_picture(client: httpx.Client, pairs: dict[str, Any]) -> None:
    asked: list[tuple[str, dict[str, Any]]] = [
        ("accuracy.png", {}),
        ("accuracy.svg", {}),
        ("accuracy.png", {"width_px": 640}),
        ("norms.png", {}),
        ("norms.png", {"scale": "linear"}),
        ("heatmap.png", {}),
        ("heatmap.png", {"metric": "train_accuracy"}),
        ("weights.png", {}),
        ("weights.png", {"scale": "per_row"}),
        ("weights.png", {"scale": "per_tile"}),
        ("weights.png", {"weights": "last"}),
        ("weights.png", {"limit": 3}),
        ("weights.png", {"limit": 3, "rank_by": "train_loss"}),
    ]
    tags = [client.get(f"/sweeps/{pairs['id']}/{chart}", params=style).headers["etag"] for chart, style in asked]
    assert len(set(tags[:-1])) == len(tags) - 1


def test_accuracy_has_a_line_for_each_member(client: httpx.Client, plain: dict[str, Any]) -> None:
    said = texts(client.get(f"/sweeps/{plain['id']}/accuracy.svg"))
    assert {"L2 penalty", "0", "1", "Validation accuracy: mnist-softmax-sweep"} <= set(said)
    assert "2 of 2 members finished" in " ".join(said)


def test_repeated_seeds_are_drawn_as_their_mean(client: httpx.Client, penalties: dict[str, Any]) -> None:
    said = texts(client.get(f"/sweeps/{penalties['id']}/accuracy.svg"))
    assert "L2 penalty – mean of 2 seeds, band from min to max" in said
    said = texts(client.get(f"/sweeps/{penalties['id']}/norms.svg"))
    assert "mean of 2 seeds, bars from min to max" in said


def test_labels_name_all_that_differs(client: httpx.Client, pairs: dict[str, Any]) -> None:
    said = texts(client.get(f"/sweeps/{pairs['id']}/accuracy.svg"))
    assert {"0.01, 0", "0.01, 0.1", "0.1, 0", "0.1, 0.1"} <= set(said)
    assert any(text.startswith("learning rate, L2 penalty – mean of 2 seeds") for text in said)
    assert "mean of 4 members, bars from min to max" in texts(client.get(f"/sweeps/{pairs['id']}/norms.svg"))


def test_norms_are_those_of_the_last_weights(client: httpx.Client, service: Service, plain: dict[str, Any]) -> None:
    said = texts(client.get(f"/sweeps/{plain['id']}/norms.svg"))
    for member in plain["members"]:
        assert f"{norm(service.jobs.weights(member['job'], 'last').parameters):.3g}" in said
    assert "L2 penalty λ (log scale)" in said
    assert "L2 penalty λ" in texts(client.get(f"/sweeps/{plain['id']}/norms.svg", params={"scale": "linear"}))


def test_a_heat_map_frames_the_best_mean(client: httpx.Client, pairs: dict[str, Any]) -> None:
    cells: dict[tuple[float, float], list[float]] = {}
    for member in pairs["members"]:
        values = member["values"]
        key = values["learning_rate"], values["l2_penalty"]
        cells.setdefault(key, []).append(member["metrics"]["best"]["validation_accuracy"])
    best = max(cells, key=lambda key: np.mean(cells[key]))
    answer = client.get(f"/sweeps/{pairs['id']}/heatmap.svg", params={"metric": "validation_accuracy"})
    where = f"learning rate {best[0]:g}, L2 penalty {best[1]:g}"
    assert f"highest validation accuracy {np.mean(cells[best]):.4f}: {where}" in texts(answer)
    assert any(
        text.startswith("lowest validation loss") for text in texts(client.get(f"/sweeps/{pairs['id']}/heatmap.svg"))
    )


@pytest.mark.parametrize("scale", ["shared", "per_row", "per_tile"])
def test_weights_have_a_row_for_each_member(
    client: httpx.Client, service: Service, plain: dict[str, Any], scale: str
) -> None:
    params = {"scale": scale, "upscale": 2, "weights": "last"}
    image = picture(client.get(f"/sweeps/{plain['id']}/weights.png", params=params))
    grid = TileGrid(
        n_rows=2,
        n_columns=10,
        upscale=2,
        row_captions=["L2 penalty 1", "L2 penalty 0"],
        column_captions=[str(digit) for digit in range(10)],
    )
    jobs = {member["values"]["l2_penalty"]: member["job"] for member in plain["members"]}
    for row, penalty in enumerate((1, 0)):
        weights = service.jobs.weights(jobs[penalty], "last").pictures()["tiles"][3]
        tile = np.asarray(image.crop(grid.box(row, 3))).astype(int)
        redness = tile[::2, ::2, 0] - tile[::2, ::2, 2]
        assert (redness[weights > 0] >= 0).all()
        assert (redness[weights < 0] <= 0).all()


def test_weights_show_only_the_best(client: httpx.Client, pairs: dict[str, Any]) -> None:
    heights = [
        picture(client.get(f"/sweeps/{pairs['id']}/weights.png", params={"limit": limit, "scale_bar": False})).height
        for limit in (1, 2, 8, 50)
    ]
    assert heights[0] < heights[1] < heights[2] == heights[3]


@pytest.mark.slow
def test_pictures_that_a_grid_does_not_give(client: httpx.Client) -> None:
    seeds = wait_until_all_over(client, submit(client, {"seed": [0, 1]}))
    models = wait_until_all_over(
        client,
        submit(
            client,
            {"model": ["softmax", "logistic"], "dtype": ["float32", "float64"]},
            {"epochs": 1, "train_size": 1500, "validation_size": 500},
        ),
    )
    for sweep, chart in (
        (seeds, "norms.png"),
        (seeds, "heatmap.png"),
        (models, "norms.svg"),
        (models, "heatmap.svg"),
        (models, "weights.png"),
    ):
        answer = client.get(f"/sweeps/{sweep['id']}/{chart}")
        assert (answer.status_code, problem_of(answer)) == (422, "invalid-input")
    assert "mean of 2 seeds, band from min to max" in texts(client.get(f"/sweeps/{seeds['id']}/accuracy.svg"))
    assert {"softmax, float32", "logistic, float64"} <= set(texts(client.get(f"/sweeps/{models['id']}/accuracy.svg")))
    assert picture(client.get(f"/sweeps/{seeds['id']}/weights.png"))


@pytest.mark.slow
def test_pictures_while_it_runs_and_before(client: httpx.Client) -> None:
    running = submit(client, {"l2_penalty": [0, 1], "learning_rate": [0.01, 0.02]}, ENDLESS)
    waiting = submit(client, {"l2_penalty": [0, 1], "learning_rate": [0.01, 0.02]}, ENDLESS)
    charts = ["accuracy.png", "norms.png", "heatmap.png", "weights.png"]
    try:
        deadline = time.monotonic() + DEADLINE_S
        while client.get(f"/sweeps/{running['id']}/norms.png").status_code == 409:
            assert time.monotonic() < deadline
        for chart in charts:
            image = picture(client.get(f"/sweeps/{running['id']}/{chart}"))
            assert json.loads(image.info["states"]) == {"running": 4}
            answer = client.get(f"/sweeps/{waiting['id']}/{chart}", headers={"If-None-Match": "*"})
            assert (answer.status_code, problem_of(answer)) == (409, "no-data-yet")
    finally:
        for sweep in (waiting, running):
            client.post(f"/sweeps/{sweep['id']}/cancel")
        wait_until_all_over(client, running)


@pytest.mark.slow
def test_a_thousand_members_are_submitted_and_cancelled_by_ten_at_once(tmp_path: Path) -> None:
    settings = Settings(data_dir=tmp_path, executor="inline", workers=1)
    with (
        Service(settings) as service,
        serving(service) as url,
        httpx.Client(base_url=f"{url}/api/v1", timeout=DEADLINE_S) as client,
    ):
        service.engine.stop()
        grid = {"l2_penalty": list(range(100)), "learning_rate": [n / 100 for n in range(1, 11)]}
        sweep = submit(client, grid)
        assert len(client.get(f"/sweeps/{sweep['id']}").json()["members"]) == 1000
        assert client.get("/sweeps").json()["sweeps"][0]["states"] == {"queued": 1000}
        with ThreadPoolExecutor(10) as threads:  # no longer than a writer waits for another
            cancels = threads.map(lambda _: client.post(f"/sweeps/{sweep['id']}/cancel"), range(10))
            assert {answer.status_code for answer in cancels} == {202}
        assert client.get("/sweeps").json()["sweeps"][0]["states"] == {"cancelled": 1000}


@pytest.mark.slow
def test_the_documented_fields_are_those_of_the_table() -> None:
    schemas = create_app(settings=Settings()).openapi()["components"]["schemas"]
    training = set(schemas["TrainingRequest"]["properties"]) - {"dataset", "name", "paused", "title", "tags", "notes"}
    assert set(schemas["SweepRequestBase"]["properties"]) == set(schemas["SweepRequestGrid"]["properties"]) == training
    assert schemas["SweepRequestGrid"]["properties"]["l2_penalty"]["items"]["maximum"] == 100
