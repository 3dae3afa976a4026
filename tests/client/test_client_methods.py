"""What editors and type checkers see of the clients, and that they cover the whole API."""

from __future__ import annotations

import inspect
import re
from collections.abc import Callable, Coroutine, Iterator
from io import BytesIO
from pathlib import Path
from types import UnionType
from typing import Any, Literal, Union, assert_type, get_args, get_origin, get_type_hints

import httpx
import numpy as np
import pytest

from inkling import (
    AsyncInklingClient,
    AsyncJob,
    Conflict,
    Explanation,
    InklingClient,
    Job,
    Picture,
    Prediction,
    Record,
    Table,
)
from inkling.jobs import Hyperparameters
from service.bootstrap import Service
from service.core import HYPERPARAMETERS, Hyperparameter
from service.datasets import Dataset
from service.web.app import create_app
from tests.web.serving import TINY

FIELDS: dict[str, Any] = {name: value for name, value in TINY.items() if name != "model"}
TYPES = {"integer": int, "number": float, "boolean": bool}


def typed(client: InklingClient, job: Job) -> None:
    """Never run: mypy checks what a client that waits returns, and what it may be given."""
    assert_type(client.train("softmax", learning_rate=0.1, classes=[2, 3], patience=None), Job)
    assert_type(client.jobs(state="running"), Table[Job])
    assert_type(client.predict("digit.png", model="a", version=1), Prediction)
    assert_type(client.explain("digit.png", digit=1), Explanation)
    assert_type(client.evaluate("a", 1), Record)
    assert_type(job.wait(progress=True).resume(epochs=3), Job)
    assert_type(job.picture("loss", width_px=640), Picture)
    client.train(learning_rate="fast")  # type: ignore[arg-type]
    client.train(learningrate=0.1)  # type: ignore[call-arg]
    client.train("forest")  # type: ignore[arg-type]
    client.predict("digit.png", modle="a")  # type: ignore[call-arg]
    job.picture("losses")  # type: ignore[arg-type]


async def typed_awaited(client: AsyncInklingClient, job: AsyncJob) -> None:
    """Never run: the same for the client that is awaited."""
    submitted: Coroutine[Any, Any, AsyncJob] = client.train(epochs=3)
    await submitted
    assert_type(await client.train(epochs=3), AsyncJob)
    assert_type(await client.jobs(), Table[AsyncJob])
    assert_type(await client.predict_all([b""]), Table[Prediction])
    assert_type(await job.wait(), AsyncJob)
    async for event in job.events():
        assert_type(event.id, int)


def is_type_of(row: Hyperparameter, annotation: Any) -> bool:
    parts = set(get_args(annotation)) if get_origin(annotation) in (UnionType, Union) else {annotation}
    assert row.nullable == (type(None) in parts), row.name
    (kind,) = parts - {type(None)}
    if row.kind == "choice":
        return get_origin(kind) is Literal and set(get_args(kind)) == set(row.choices)
    if row.kind == "text":
        return kind is str
    return bool(kind is TYPES[row.kind]) if row.kind in TYPES else "Sequence[int]" in str(kind)


def test_hyperparameters_are_those_of_the_table() -> None:
    hints = get_type_hints(Hyperparameters)
    rows = {row.name: row for row in HYPERPARAMETERS}
    model = rows.pop("model")
    assert list(hints) == list(rows)
    assert [name for name, row in rows.items() if not is_type_of(row, hints[name])] == []
    assert is_type_of(model, get_type_hints(InklingClient.train)["model"])
    for kind in (InklingClient, AsyncInklingClient):
        for method in (kind.train, kind.train_sweep):
            assert set(inspect.signature(method).parameters) >= set(hints)


def public_methods(owner: type) -> dict[str, Callable[..., Any]]:
    return {name: one for name, one in inspect.getmembers(owner, inspect.isfunction) if not name.startswith("_")}


@pytest.mark.parametrize(("one", "other"), [(InklingClient, AsyncInklingClient), (Job, AsyncJob)])
def test_both_clients_have_the_same_documented_methods(one: type, other: type) -> None:
    waited, awaited = public_methods(one), public_methods(other)
    assert list(waited) == list(awaited)
    for name, method in waited.items():
        assert (method.__doc__ and method.__doc__ == awaited[name].__doc__) or name in ("close", "events")
        assert list(inspect.signature(method).parameters) == list(inspect.signature(awaited[name]).parameters), name
        assert inspect.iscoroutinefunction(awaited[name]) or name == "events", name
        assert "Call[" not in str(inspect.signature(method)), name
    assert "-> 'Prediction'" in str(inspect.signature(InklingClient.predict))
    assert "learning_rate: 'float' = Ellipsis" in str(inspect.signature(InklingClient.train))
    assert "-> 'AsyncJob'" in str(inspect.signature(AsyncInklingClient.train))


@pytest.fixture(scope="module")
def asked(url: str) -> Iterator[tuple[InklingClient, list[tuple[str, str]]]]:
    """A client, and the requests that it has made."""
    requests: list[tuple[str, str]] = []

    def note(request: httpx.Request) -> None:
        requests.append((request.method, request.url.path))

    with httpx.Client(trust_env=False, event_hooks={"request": [note]}) as http_client:
        yield InklingClient(url, http_client=http_client), requests


@pytest.mark.slow
def test_every_route_has_a_method(
    asked: tuple[InklingClient, list[tuple[str, str]]], service: Service, mnist: Dataset, tmp_path: Path
) -> None:
    """Each is used once, and what it asks is compared with the routes of the server."""
    client, requests = asked
    digit = mnist.test.images[0]

    job = client.train(name="routes", **FIELDS).wait()
    assert client.job(job.id).state == "succeeded" and client.jobs(limit=1)[0].id == job.id
    written: Any = {"title": "Routes", "tags": ["routes"], "notes": "Of a test."}
    for one in (job.annotate(**written).data, client.annotate_version("routes", 1, **written)):
        assert {name: one[name] for name in written} == written
    assert client.annotate_dataset("mnist", tags=["routes"])["tags"] == ["routes"]
    assert [one.id for one in client.jobs(q="of test", tag="routes")] == [job.id] and "Routes" in repr(job)
    counted = {"tag": "routes", "n_tagged": 1}
    assert counted in client.tags() and counted in client.tags("datasets")
    assert (
        client.models(tag=["routes"])[0]["tags"] == ["routes"] and client.datasets(tag="routes")[0]["name"] == "mnist"
    )
    client.annotate_dataset("mnist", tags=[])
    assert job.history(max_points=10)["checks"] and job.resume(epochs=3).cancel().wait().is_over
    assert job.verify().wait().is_over and list(job.events())[-1].data["state"] == "succeeded"
    stepwise = client.train(name="routes-stepwise", paused=True, **FIELDS).proceed(steps=1).wait()
    assert len(stepwise.pause().numbers("gradient")["values"]) == len(stepwise.numbers("weights")["values"]) == 785
    assert stepwise.picture("gradient") and stepwise.cancel().wait().is_over
    assert job.picture("loss", format="svg")._repr_svg_() and job.picture("accuracy") and job.picture("weights")
    step = job.snapshots()["snapshots"][-1]["step"]
    assert len(job.snapshot_weights(since=step - 1)) == 785 * 10 * 4
    assert job.snapshot_picture(step, upscale=1) and job.snapshot_confusion(step)["accuracy"]
    assert job.snapshot_picture(step, "confusion", format="svg")._repr_svg_()

    sweep = client.train_sweep({"l2_penalty": [0.0, 0.1]}, name="routes-sweep", **FIELDS).wait()
    assert sweep.is_over and [member["rank"] for member in sweep.members] == [1, 2] and sweep.best
    assert client.sweep(sweep.id, rank_by="train_loss").refresh().cancel().id == client.sweeps()[0].id == sweep.id
    assert sweep.annotate(title="Swept").data["title"] == client.sweeps(q="swept", state="finished")[0].data["title"]
    assert sweep.picture("accuracy") and sweep.picture("norms", scale="log") and sweep.picture("weights", limit=1)
    grid = {"l2_penalty": [0.0, 0.1], "learning_rate": [0.01, 0.1]}
    assert client.train_sweep(grid, name="routes-sweep", **FIELDS).wait().picture("heatmap", metric="train_loss")

    report = client.train_report(quick=True, l2_penalties=[1.0]).wait()
    assert report.state == "succeeded" and report.findings and client.reports()[0].id == report.id
    assert report.annotate(notes="Read it.").id == client.reports(q="read it", state="finished")[0].id
    assert client.report(report.id).document("pdf").startswith(b"%PDF")
    figure = next(name for name in report.data["links"] if name.endswith(".svg"))
    assert report.figure(figure.removeprefix("figures/").removesuffix(".svg"), format="svg")._repr_svg_()
    with pytest.raises(Conflict):
        report.cancel()

    assert "routes" in [model["name"] for model in client.models()]
    assert client.default_version("routes") == client.version("routes")["version"]
    assert client.model("routes")["default"] and client.evaluate("routes", hardest=1)["hardest"]
    assert client.classified_images("routes", true=7, predicted=7, limit=1)["images"]
    assert client.confusion("routes", dpi=100) and client.calibration("mnist-digits", format="svg")._repr_svg_()
    assert client.weights("routes", colours="grey")
    assert client.architecture("routes")._repr_svg_()
    content = client.weights_file("routes")
    (tmp_path / "weights.npz").write_bytes(content)
    imported = client.import_weights("routes-imported", str(tmp_path / "weights.npz"), publish="last")
    assert client.compare(["routes/1", f"routes-imported/{imported['version']}"])["comparisons"]
    assert client.move_alias("routes", "tested", 1, reason="a test")["version"] == 1
    client.delete_alias("routes", "tested", expected=1)
    assert [move["version"] for move in client.alias_history("routes", "tested")] == [1, None]

    assert client.predict(digit).digit == client.predict(digit, model="routes").digit == 7
    assert client.predict(digit, model="routes", version=1).model == "routes"
    assert client.explain(digit).digit == client.explain(digit, model="mnist-digits").digit == 7
    assert client.explain(digit, model="mnist-softmax", version=1).picture
    assert client.preprocess(digit)._repr_png_()
    assert client.preprocess(digit, step=0)._repr_png_() == client.preprocess(digit, step="used")._repr_png_()
    assert client.read(digit).text == client.read(digit, model="mnist-digits").text == "7"
    assert client.read(digit, model="mnist-digits", version=1).version == 1
    assert client.draw_reading(digit) and client.draw_reading(digit, model="mnist-digits")
    assert client.draw_reading(digit, model="mnist-digits", version=1)._repr_png_()

    file = BytesIO()
    x, y = mnist.test.images[:200], mnist.test.labels[:200]
    np.savez(file, x_train=x, y_train=y, x_test=x, y_test=y)
    added = client.add_dataset("routes-digits", file.getvalue(), title="A test", class_names=list("0123456789"))
    assert added in client.datasets() and client.dataset("routes-digits") == added
    page = client.images("routes-digits", label=7, limit=2)
    assert client.images("routes-digits", label=7, after=page.next)[0]["index"] > page[-1]["index"]
    assert client.image(0) and client.contact_sheet("routes-digits", per_class=1)
    assert client.hyperparameters()[0]["name"] == "model" and client.audit(limit=1)
    made = client.add_collection("routes")
    assert made == client.collection("routes") and made in client.collections()
    image = client.collect("routes", digit, 7)
    assert client.relabel("routes", image["id"], 1)["label"] == 1
    assert client.collected_images("routes", label=1, limit=1)[0]["id"] == image["id"]
    assert client.collected_image("routes", image["id"], upscale=2)._repr_png_()
    assert client.collected_original("routes", image["id"])
    strokes = [{"width": 40, "is_eraser": False, "points": [[1, 2], [3, 4]]}]
    drawn = client.collect("routes", digit, 7, strokes=strokes)
    assert client.collected_strokes("routes", drawn["id"]) == strokes
    assert client.annotate_collection("routes", tags=["routes"])["tags"] == ["routes"]
    assert client.collections(tag="routes", limit=1)[0]["name"] == "routes"
    assert client.read_collection("routes", model="mnist-softmax/1", misread=False)["n_images"] == 2
    frozen = client.freeze_collection("routes")
    client.delete_collected_image("routes", image["id"])
    client.delete_collection("routes")
    client.delete_dataset(frozen["name"])

    client.delete_version("routes-imported", imported["version"])
    client.delete_model("routes")
    client.delete_dataset("routes-digits")
    report.delete()
    sweep.delete()
    job.delete()

    without_onnx = {("GET", "/api/v1/models/{name}/versions/{version}/weights.onnx")}  # needs an extra
    paths = create_app(service).openapi()["paths"]
    routes = {(method.upper(), path) for path in paths if path.startswith("/api/v1") for method in paths[path]}
    patterns = {route: re.compile(re.sub(r"\{\w+\}", "[^/]+", route[1])) for route in routes - without_onnx}
    unused = [
        route
        for route, pattern in patterns.items()
        if not any(method == route[0] and pattern.fullmatch(path) for method, path in requests)
    ]
    assert unused == []
