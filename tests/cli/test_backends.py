"""One suite over both backends, on one data folder: both must return the same."""

from __future__ import annotations

from collections.abc import Iterator
from functools import partial
from io import BytesIO
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from service.cli.backend import Backend
from service.cli.following import poll
from service.cli.local import LocalBackend
from service.cli.remote import RemoteBackend
from service.cli.sweeps import SweepView
from service.datasets import Dataset
from service.errors import (
    DatasetNotFound,
    ExtraMissing,
    InUse,
    InvalidField,
    InvalidImage,
    InvalidInput,
    InvalidJobTransition,
    JobNotFound,
    MalformedInput,
    ModelNotFound,
    NameTaken,
    ServiceUnreachable,
    UnsupportedMedia,
)
from service.inference import ImageFile
from tests.web.serving import LONG, TINY

NO_JOB = NO_SWEEP = "01ARZ3NDEKTSV4RRFFQ69G5FAV"
GRID = {"l2_penalty": [0.0, 1.0], "seed": [0, 1]}


def test_a_job_from_submission_to_its_end(backend: Backend) -> None:
    job = backend.submit("jobs", {**TINY, "name": "both-ways"})
    assert job["config"]["name"] == "both-ways"
    events = list(backend.events(job["id"]))
    assert [event.id for event in events] == sorted({event.id for event in events})
    assert [event.data["state"] for event in events if event.kind == "state"] == ["queued", "running", "succeeded"]
    checks = [event.data for event in events if event.kind == "check"]
    assert checks[-1]["progress"]["epoch"] == 1
    over = backend.one("jobs", job["id"])
    assert (over["state"], over["model"]["name"]) == ("succeeded", "both-ways")
    assert over["metrics"]["latest"] == {name: checks[-1][name] for name in over["metrics"]["latest"]}


def test_events_go_on_after_any_of_them(backend: Backend, finished_job: dict[str, Any]) -> None:
    events = list(backend.events(finished_job["id"]))
    assert list(backend.events(finished_job["id"], after=events[2].id)) == events[3:]
    assert list(backend.events(finished_job["id"], after=events[-1].id)) == []


def test_cancelling_keeps_the_best_so_far(backend: Backend) -> None:
    job = backend.submit("jobs", LONG)
    events = backend.events(job["id"])
    for event in events:
        if event.kind == "check":
            break
    assert backend.act("jobs", job["id"], "cancel")["state"] in ("cancelling", "cancelled")
    list(events)
    over = backend.one("jobs", job["id"])
    assert (over["state"], over["stop_reason"]) == ("cancelled", "cancelled")
    assert over["model"] is not None
    with pytest.raises(InvalidJobTransition):
        backend.act("jobs", job["id"], "cancel")


def test_paused_and_continued(backend: Backend) -> None:
    job = backend.submit("jobs", {**TINY, "paused": True})
    assert backend.act("jobs", job["id"], "pause")["state"] == "paused"
    assert backend.act("jobs", job["id"], "proceed", steps=1, epochs=None)["state"] == "queued"
    for event in backend.events(job["id"]):
        if event.kind == "state" and event.data["reason"] == "Before step 1.":
            break
    assert backend.file("jobs", job["id"], "gradient.png").startswith(b"\x89PNG")
    assert backend.file("jobs", job["id"], "gradient.csv").startswith(b"input,0,1,")
    backend.act("jobs", job["id"], "proceed")
    assert list(backend.events(job["id"]))[-1].data["state"] == "succeeded"


def test_resumed_and_verified(backend: Backend, finished_job: dict[str, Any]) -> None:
    resumed = backend.act("jobs", finished_job["id"], "resume", changes={"epochs": 3})
    list(backend.events(resumed["id"]))
    verifying = backend.act("jobs", resumed["id"], "verify")
    list(backend.events(verifying["id"]))
    assert backend.one("jobs", resumed["id"])["continues"]["job"] == finished_job["id"]
    assert backend.one("jobs", verifying["id"])["verification"]["outcome"]["identical"]


def test_weights_leave_and_come_back(backend: Backend, finished_job: dict[str, Any]) -> None:
    model = finished_job["model"]
    version_id = f"{model['name']}/{model['version']}"
    content = backend.file("versions", version_id, "weights.npz")
    made = backend.import_weights("came-back", content, classes=(), publish="last", dataset="mnist")
    assert made == backend.version("came-back", made["version"])
    assert backend.file("versions", f"came-back/{made['version']}", "weights.npz") == content
    with pytest.raises(MalformedInput):
        backend.import_weights("came-back", content[:-1], classes=(), publish="best", dataset="mnist")
    with pytest.raises(ExtraMissing, match="inkling-digits"):
        backend.file("versions", version_id, "weights.onnx")


def test_a_job_that_is_over_can_be_deleted(backend: Backend) -> None:
    job = backend.submit("jobs", TINY)
    with pytest.raises(InvalidJobTransition):
        backend.delete("jobs", job["id"])
    list(backend.events(job["id"]))
    backend.delete("jobs", job["id"])
    with pytest.raises(JobNotFound):
        backend.one("jobs", job["id"])


@pytest.mark.slow
def test_versions_models_data_sets_and_sweeps_are_deleted_unless_they_are_needed(
    backend: Backend, finished_job: dict[str, Any]
) -> None:
    content = backend.file("versions", "{name}/{version}".format(**finished_job["model"]), "weights.npz")
    first, second = (
        backend.import_weights("passing", content, classes=(), publish="last", dataset="mnist")["version"]
        for _ in range(2)
    )
    backend.delete("versions", f"passing/{first}")
    assert [version["version"] for version in backend.one("models", "passing")["versions"]] == [second]
    backend.delete("models", "passing")
    with pytest.raises(ModelNotFound):
        backend.one("models", "passing")
    with pytest.raises(InUse):
        backend.delete("models", "mnist-digits")
    with pytest.raises(InUse):
        backend.delete("datasets", "mnist")
    with pytest.raises(JobNotFound):
        backend.delete("sweeps", "01ARZ3NDEKTSV4RRFFQ69G5FAV")


def test_pages_of_jobs(backend: Backend, finished_job: dict[str, Any]) -> None:
    backend.one("jobs", backend.submit("jobs", TINY)["id"])
    newest = backend.page("jobs", limit=1)
    older = backend.page("jobs", limit=1, before=newest["next"])
    assert older["jobs"][0]["id"] < newest["jobs"][0]["id"]
    assert {job["state"] for job in backend.page("jobs", state="succeeded")["jobs"]} == {"succeeded"}


@pytest.mark.slow
def test_both_return_the_same(local: LocalBackend, remote: RemoteBackend, finished_job: dict[str, Any]) -> None:
    job_id, model = finished_job["id"], finished_job["model"]
    name, version = model["name"], model["version"]
    assert local.one("jobs", job_id) == remote.one("jobs", job_id)
    assert local.metrics(job_id) == remote.metrics(job_id)
    assert local.page("models")["models"] == remote.page("models")["models"]
    assert local.one("models", name) == remote.one("models", name)
    assert local.version(name) == remote.version(name)
    assert local.version(name, version) == remote.version(name, str(version))
    assert local.page("datasets") == remote.page("datasets")
    local.move_alias(name, "both", version, reason="asked twice")
    assert local.alias_history(name, "both") == remote.alias_history(name, "both")
    for picture in ("loss", "accuracy", "weights"):
        assert local.file("jobs", job_id, f"{picture}.png") == remote.file("jobs", job_id, f"{picture}.png")
    for version_id in (f"{name}/{version}", "mnist-digits/1"):  # a network's units are in one order
        for file in ("weights.npz", "weights.png"):
            assert local.file("versions", version_id, file) == remote.file("versions", version_id, file)


def test_predictions(local: LocalBackend, remote: RemoteBackend, finished_job: dict[str, Any], digit_png: Path) -> None:
    file = ImageFile(content=digit_png.read_bytes())
    name, version = finished_job["model"]["name"], finished_job["model"]["version"]
    local.move_alias(name, "asked", version)
    answers = [
        backend.predict(file, model=name, **asked)
        for backend in (local, remote)
        for asked in ({"version": version}, {"alias": "asked"})
    ]
    assert answers[1:] == answers[:-1]
    assert (answers[0]["model"], answers[0]["version"]) == (name, version)
    assert local.predict(file) == remote.predict(file)
    for step in (None, 0):
        seen = local.preprocess(file, step=step), remote.preprocess(file, step=step)
        assert _pixels(seen[0]) == _pixels(seen[1])


def test_errors_come_back_as_themselves(backend: Backend, finished_job: dict[str, Any]) -> None:
    with pytest.raises(InvalidField) as refused:
        backend.submit("jobs", {"model": "softmax", "epochs": 0})
    assert refused.value.field == "epochs"
    assert refused.value.allowed == "a whole number from 1 to 10,000"
    with pytest.raises(InvalidField) as refused:
        backend.submit("jobs", {"model": "softmax", "name": "No Such Name"})
    assert refused.value.field == "name"
    with pytest.raises((DatasetNotFound, InvalidField)):
        backend.submit("jobs", {"model": "softmax", "dataset": "nothing"})
    with pytest.raises(JobNotFound):
        backend.one("jobs", NO_JOB)
    with pytest.raises(JobNotFound):
        next(iter(backend.events(NO_JOB)))
    with pytest.raises(ModelNotFound):
        backend.version("nothing")
    with pytest.raises(ModelNotFound):
        backend.move_alias(finished_job["model"]["name"], "champion", 999)
    with pytest.raises(UnsupportedMedia):
        backend.predict(ImageFile(content=b"not an image", media_type="text/plain"))
    with pytest.raises(InvalidImage):
        backend.predict(ImageFile(content=b"", media_type="image/png"))


def _pixels(png: bytes) -> bytes:
    with Image.open(BytesIO(png)) as image:
        return image.tobytes()


def test_explanations_evaluations_and_comparisons(backend: Backend, digit_png: Path) -> None:
    image, question = ImageFile(content=digit_png.read_bytes()), {"model": "mnist-softmax", "version": 1, "against": 3}
    found = backend.explain(image, **question)
    assert found["against"] == 3 and found["sum"] == pytest.approx(found["logit"])
    picture = backend.explanation_picture(image, **question)
    assert Image.open(BytesIO(picture)).format == "PNG"
    assert backend.evaluation("mnist-softmax", 1)["accuracy"] == 0.922
    with pytest.raises(ModelNotFound):
        backend.evaluation("mnist-softmax", 99)
    both = backend.comparison(["mnist-softmax/1", "mnist-2-vs-3/1"])
    assert [one["model"] for one in both["models"]] == ["mnist-softmax", "mnist-2-vs-3"]


def test_both_read_the_same(local: LocalBackend, remote: RemoteBackend, digit_png: Path) -> None:
    image = ImageFile(content=digit_png.read_bytes())
    asked = {"expect": 1, "model": "mnist-softmax", "version": 1}
    assert [line["text"] for line in local.read(image, **asked)["lines"]] == ["7"]
    assert local.read(image, **asked) == remote.read(image, **asked)
    assert _pixels(local.reading_picture(image, **asked)) == _pixels(remote.reading_picture(image, **asked))


def test_a_data_set_is_added(backend: Backend, mnist: Dataset) -> None:
    name = f"{'remote' if backend.is_remote else 'local'}-digits"
    file = BytesIO()
    chosen = mnist.test.labels < 2
    images, labels = mnist.test.images[chosen], mnist.test.labels[chosen]
    np.savez(file, x_train=images, y_train=labels, x_test=images[:100], y_test=labels[:100])
    words = {"name": name, "class_names": ["nought", "one"]}
    files = {"file": ImageFile(content=file.getvalue())}
    made = backend.add_dataset(words, files)
    assert made in backend.page("datasets")["datasets"] and made["class_names"] == ["nought", "one"]
    with pytest.raises(NameTaken):
        backend.add_dataset({"name": name}, files)
    with pytest.raises(InvalidField):
        backend.add_dataset({**words, "name": "No"}, files)


def test_a_collection_from_its_first_image_to_a_data_set(backend: Backend, digit_png: Path) -> None:
    name = f"{'remote' if backend.is_remote else 'local'}-collection"
    assert backend.add_collection(name) in backend.page("collections")["collections"]
    image = backend.collect(name, ImageFile(content=digit_png.read_bytes(), media_type="image/png"), 3)
    backend.annotate("collections", name, {"tags": ["both"]})
    assert [each["name"] for each in backend.page("collections", q=name, tag=("both",))["collections"]] == [name]
    assert backend.relabel(name, image["id"], 7) == {**image, "label": 7}
    found = backend.read_collection(name, model="mnist-softmax/1", limit=1)
    assert (found["n_images"], found["images"][0]["digit"], found["next"]) == (1, 7, None)
    assert backend.freeze_collection(name)["name"] == f"{name}-v1"
    backend.delete_collected_image(name, image["id"])
    backend.delete("collections", name)
    with pytest.raises(DatasetNotFound):
        backend.collect(name, ImageFile(content=digit_png.read_bytes()), 3)
    backend.delete("datasets", f"{name}-v1")


def states(backend: Backend, sweep_id: str, rank_by: str = "validation_loss") -> Iterator[dict[str, Any]]:
    return poll(lambda: backend.one("sweeps", sweep_id, rank_by=rank_by))


def over(backend: Backend, sweep_id: str, rank_by: str = "validation_loss") -> dict[str, Any]:
    *_, sweep = states(backend, sweep_id, rank_by)
    return sweep


@pytest.fixture(scope="module")
def finished_sweep(remote: RemoteBackend) -> dict[str, Any]:
    return over(remote, remote.submit("sweeps", {"base": TINY, "grid": GRID, "name": "compared"})["id"])


def test_a_sweep_from_submission_to_its_end(backend: Backend) -> None:
    sweep = backend.submit("sweeps", {"base": TINY, "grid": GRID})
    assert (sweep["name"], len(sweep["members"])) == ("mnist-softmax-sweep", 4)
    sweep = over(backend, sweep["id"], "train_accuracy")
    assert (sweep["state"], sweep["states"], sweep["fraction"]) == ("finished", {"succeeded": 4}, 1.0)
    assert sweep["ranked_by"] == "train_accuracy"
    accuracies = [member["metrics"]["best"]["train_accuracy"] for member in sweep["members"]]
    assert accuracies == sorted(accuracies, reverse=True)
    assert sweep["best"] == sweep["members"][0]["job"]
    assert backend.one("jobs", sweep["best"])["model"] == sweep["members"][0]["model"]
    assert backend.page("sweeps", limit=1)["sweeps"][0]["id"] == sweep["id"]


@pytest.mark.slow
def test_both_return_the_same_of_sweeps(
    local: LocalBackend, remote: RemoteBackend, finished_sweep: dict[str, Any]
) -> None:
    sweep_id = finished_sweep["id"]
    assert local.one("sweeps", sweep_id) == remote.one("sweeps", sweep_id) == finished_sweep
    assert local.one("sweeps", sweep_id, rank_by="train_loss") == remote.one("sweeps", sweep_id, rank_by="train_loss")
    assert local.page("sweeps", limit=2) == remote.page("sweeps", limit=2)
    for picture in ("accuracy", "norms", "weights", "heatmap"):
        png = local.file("sweeps", sweep_id, f"{picture}.png")
        assert png.startswith(b"\x89PNG")
        assert png == remote.file("sweeps", sweep_id, f"{picture}.png")
    svg = local.file("sweeps", sweep_id, "accuracy.svg")
    assert b"<svg" in svg
    assert svg == remote.file("sweeps", sweep_id, "accuracy.svg")


def test_pages_of_sweeps(backend: Backend, finished_sweep: dict[str, Any]) -> None:
    backend.act("sweeps", backend.submit("sweeps", {"base": TINY, "grid": {"seed": [5]}})["id"], "cancel")
    newest = backend.page("sweeps", limit=1)
    older = backend.page("sweeps", limit=1, before=newest["next"])
    assert older["sweeps"][0]["id"] < newest["sweeps"][0]["id"]


def test_cancelling_a_sweep_keeps_the_best_so_far(backend: Backend) -> None:
    sweep = backend.submit("sweeps", {"base": LONG, "grid": {"learning_rate": [0.01, 0.02]}})
    news = states(backend, sweep["id"])
    next(newest for newest in news if newest["best"])
    assert set(backend.act("sweeps", sweep["id"], "cancel")["states"]) <= {"cancelling", "cancelled"}
    *_, sweep = news
    assert sweep["states"] == {"cancelled": 2}
    assert all(member["model"] for member in sweep["members"])
    assert backend.act("sweeps", sweep["id"], "cancel")["states"] == {"cancelled": 2}, "asking again changes nothing"
    assert SweepView(sweep).exit_code() == 130


def test_errors_of_sweeps_come_back_as_themselves(backend: Backend, finished_sweep: dict[str, Any]) -> None:
    for ask in (backend.one, partial(backend.act, verb="cancel")):
        with pytest.raises(JobNotFound):
            ask("sweeps", NO_SWEEP)
    with pytest.raises(InvalidField):
        backend.submit("sweeps", {"base": {"model": "softmax"}, "grid": {}})
    with pytest.raises(InvalidField, match="members"):
        backend.submit("sweeps", {"base": {"model": "softmax"}, "grid": {"seed": list(range(1001))}})
    sweep = backend.submit("sweeps", {"base": LONG, "grid": {"learning_rate": [0.01, 0.02]}})
    backend.act("sweeps", sweep["id"], "cancel")
    over(backend, sweep["id"])
    with pytest.raises(InvalidInput):
        backend.file("sweeps", sweep["id"], "norms.png")
    with pytest.raises(JobNotFound):
        backend.file("sweeps", NO_SWEEP, "accuracy.png")


def test_a_server_that_is_away_for_a_moment_is_asked_again(monkeypatch: pytest.MonkeyPatch) -> None:
    answers: Iterator[Any] = iter([{"state": "running"}, ServiceUnreachable("away"), {"state": "finished"}])
    pauses: list[float] = []
    monkeypatch.setattr("time.sleep", pauses.append)

    def ask() -> Any:
        answer = next(answers)
        if isinstance(answer, Exception):
            raise answer
        return answer

    assert [sweep["state"] for sweep in poll(ask)] == ["running", "finished"]
    assert len(pauses) == 2

    def away() -> Any:
        raise ServiceUnreachable("away")

    with pytest.raises(ServiceUnreachable):
        next(poll(away))


def test_everything_is_annotated_and_found(backend: Backend, finished_job: dict[str, Any]) -> None:
    job = backend.submit("jobs", {**TINY, "name": "both-noted", "title": "Notes", "tags": ["both", "a b"]})
    list(backend.events(job["id"]))
    version = f"both-noted/{backend.one('jobs', job['id'])['model']['version']}"
    sweep = backend.submit("sweeps", {"base": TINY, "grid": {"seed": [0]}, "tags": ["both"]})
    list(backend.events(sweep["members"][0]["job"]))
    report = backend.submit("reports", {"quick": True, "l2_penalties": [1.0], "notes": "both of them"})
    backend.act("reports", report["id"], "cancel")
    for run in report["jobs"]:
        list(backend.events(run))
    for kind, object_id in (("reports", report["id"]), ("versions", version), ("datasets", "mnist")):
        backend.annotate(kind, object_id, {"tags": ["both"]})
    backend.annotate("jobs", job["id"], {"notes": "Ærlig"})
    noted = backend.one("jobs", job["id"])
    assert (noted["title"], noted["tags"]) == ("Notes", ["a b", "both"])
    assert [each["id"] for each in backend.page("jobs", q="ærlig notes", tag=("both", "a b"))["jobs"]] == [job["id"]]
    assert [each["id"] for each in backend.page("sweeps", tag=("both",), state="finished")["sweeps"]] == [sweep["id"]]
    assert [each["id"] for each in backend.page("reports", q="both of")["reports"]] == [report["id"]]
    assert [each["name"] for each in backend.page("models", tag=("both",))["models"]] == ["both-noted"]
    assert (
        backend.version("both-noted")["tags"] == ["both"] == backend.one("models", "both-noted")["versions"][-1]["tags"]
    )
    assert [each["name"] for each in backend.page("datasets", tag=("both",), q="handwritten")["datasets"]] == ["mnist"]
    with pytest.raises(InvalidField, match="tags"):
        backend.annotate("sweeps", sweep["id"], {"tags": ["a,b"]})
    backend.delete("reports", report["id"], keep_runs=True)
    assert backend.page("reports", q="both of")["reports"] == []
    for kind, object_id in (("versions", version), ("datasets", "mnist")):
        backend.annotate(kind, object_id, {"tags": []})
    backend.delete("sweeps", sweep["id"])
    backend.delete("jobs", job["id"])
