"""Every command, in this process, on a data folder of its own; each is written once, so one place is enough."""

from __future__ import annotations

import csv
import json
import os
import shlex
import subprocess
import sys
import zipfile
from collections.abc import Callable
from contextlib import closing
from io import BytesIO, StringIO
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from click.testing import Result
from PIL import Image

from service.bootstrap import Service
from service.cli.local import LocalBackend
from service.cli.root import Failure
from service.cli.sweeps import SweepView
from service.cli.terminal import STANDARD_OUTPUT, write_file
from service.core import TrainingConfig
from service.datasets import Dataset
from service.errors import NoDataYet
from service.jobs import JobRequest
from service.settings import Settings

Run = Callable[..., Result]
Here = Callable[..., str]
NO_SWEEP = "01ARZ3NDEKTSV4RRFFQ69G5FAV"
TINY = ("--train-size", "512", "--validation-size", "500", "--epochs", "2")


@pytest.fixture(scope="module")
def job(here: Here) -> dict[str, Any]:
    """Return a job that has succeeded."""
    job: dict[str, Any] = json.loads(here("train", *TINY, "--json"))
    return job


def test_training_prints_how_it_went(here: Here) -> None:
    text = here("train", *TINY, "--name", "short")
    assert text.splitlines()[0].startswith("short, job 01")
    assert "epoch   0  step      3" in text
    assert "epoch   1  step      7" in text
    assert "All epochs were trained." in text
    assert "short, version 1" in text
    assert "inkling models show short 1 --data-dir" in text


def test_a_first_job_leaves_the_shipped_versions_their_numbers(run: Run, tmp_path: Path) -> None:
    job = json.loads(run("train", *TINY, "--json", "--data-dir", tmp_path).output)
    assert job["model"] == {"name": "mnist-softmax", "version": 3}
    default = json.loads(run("models", "list", "--json", "--data-dir", tmp_path).output)["models"][-1]["default"]
    assert default["version"] == 2


def test_training_for_programs(here: Here) -> None:
    job = json.loads(here("train", *TINY, "--name", "for-programs", "--json"))
    assert (job["state"], job["model"]) == ("succeeded", {"name": "for-programs", "version": 1})


def test_a_job_can_be_submitted_and_followed_later(here: Here) -> None:
    submitted = json.loads(here("train", *TINY, "--no-follow", "--json"))
    assert submitted["state"] == "queued"
    assert submitted["id"] in here("jobs", "list", "--state", "queued")
    assert "All epochs were trained." in here("jobs", "follow", submitted["id"])


def test_a_job_can_be_cancelled_before_it_begins(here: Here) -> None:
    job = json.loads(here("train", *TINY, "--no-follow", "--json"))
    assert here("jobs", "cancel", job["id"]) == "The job is cancelled.\n"
    assert "It was cancelled before it began." in here("jobs", "follow", job["id"], exit_code=130)
    assert "is deleted" in here("jobs", "delete", job["id"])
    assert f"There is no job {job['id']}." in here("jobs", "show", job["id"], exit_code=1)


def test_a_job_is_trained_step_by_step(here: Here) -> None:
    job = json.loads(here("train", *TINY, "--paused", "--json"))
    assert (job["state"], job["pause_at_step"]) == ("paused", 0)
    assert "paused" in here("jobs", "list", "--state", "paused")
    assert "It is paused before step 1, and continues by itself" in here("jobs", "continue", job["id"], "--steps", "1")
    assert "paused before step 4," in here("jobs", "continue", job["id"], "--epochs", "1")
    assert here("jobs", "pause", job["id"]) == "The job is paused.\n"
    assert f"inkling jobs continue {job['id']} --steps 1" in here("jobs", "follow", job["id"])
    assert "All epochs were trained." in here("jobs", "continue", job["id"])


def test_a_run_that_diverges_fails(here: Here) -> None:
    args = ("--learning-rate", "10", "--l2-penalty", "100", "--patience", "none", "--train-size", "512")
    text = here("train", *args, "--name", "wild", exit_code=1)
    assert "learning rate" in text


def test_a_job_is_resumed_and_verified(here: Here, job: dict[str, Any]) -> None:
    assert "3 or more" in here("jobs", "resume", job["id"], exit_code=1)
    assert f"job {job['id']}, from step 8" in here("jobs", "resume", job["id"], "--epochs", "3")
    assert "identical, to the bit" in here("verify", job["id"])


def test_lists(here: Here, job: dict[str, Any]) -> None:
    lines = here("jobs", "list").splitlines()
    assert max(map(len, lines)) <= 80
    model = f"mnist-softmax {job['model']['version']}"
    assert any(job["id"] in line and model in line and "succeeded" in line for line in lines)
    here("train", *TINY)
    page = here("jobs", "list", "--limit", "1", "--search", "mnist softmax")
    assert "More: inkling jobs list --search 'mnist softmax' --limit 1 --before" in page


@pytest.mark.parametrize("noun", ["jobs", "models", "datasets"])
def test_a_search_that_finds_nothing_does_not_say_that_there_is_nothing(here: Here, noun: str) -> None:
    assert here(noun, "list", "--search", "nosuchword").startswith("There are no such ")


def test_models_are_listed(run: Run, tmp_path: Path) -> None:
    lines = run("models", "list", "--data-dir", tmp_path).output.splitlines()
    assert max(map(len, lines)) <= 80
    assert any(line.startswith("mnist-softmax ") and "0 to 9" in line for line in lines)


def test_empty_lists_say_what_to_do(run: Run, tmp_path: Path) -> None:
    assert "inkling train --data-dir" in run("jobs", "list", "--data-dir", tmp_path).output


def test_a_job_is_shown(here: Here, job: dict[str, Any]) -> None:
    text = here("jobs", "show", job["id"])
    assert "All epochs were trained." in text
    assert "learning_rate" in text
    assert "queued" in text
    assert json.loads(here("jobs", "show", job["id"], "--json")) == job


def test_metrics(here: Here, job: dict[str, Any]) -> None:
    history = json.loads(here("jobs", "metrics", job["id"], "--json"))
    rows = list(csv.DictReader(StringIO(here("jobs", "metrics", job["id"], "--csv"))))
    assert [float(row["validation_loss"]) for row in rows] == [c["validation_loss"] for c in history["checks"]]
    assert len(history["train_loss"]["values"]) == 8
    assert here("jobs", "metrics", job["id"]).splitlines()[-1].endswith("best")
    here("jobs", "metrics", job["id"], "--json", "--csv", exit_code=2)


def test_pictures(here: Here, job: dict[str, Any], tmp_path: Path) -> None:
    for picture, suffix, start in (
        ("loss", "png", b"\x89PNG"),
        ("accuracy", "svg", b"<?xml"),
        ("weights", "png", b"\x89PNG"),
    ):
        file = tmp_path / f"{picture}.{suffix}"
        assert f"Wrote {file}" in here("jobs", "picture", job["id"], picture, "-o", file)
        assert file.read_bytes().startswith(start)
    assert "cannot be written" in here(
        "jobs", "picture", job["id"], "loss", "-o", tmp_path / "no" / "x.png", exit_code=1
    )


def test_a_file_is_in_the_form_that_its_name_says(
    here: Here, job: dict[str, Any], digit_png: Path, tmp_path: Path
) -> None:
    for file, *command in (
        ("loss.pdf", "jobs", "picture", job["id"], "loss", "-o"),
        ("loss.csv", "jobs", "picture", job["id"], "loss", "-o"),
        ("weights.svg", "jobs", "picture", job["id"], "weights", "-o"),
        ("gradient.svg", "jobs", "picture", job["id"], "gradient", "-o"),
        ("weights.onnx", "models", "weights", "mnist-softmax", "-o"),
        ("digits.png", "models", "export", "mnist-softmax", "-o"),
        ("why.svg", "explain", digit_png, "-o"),
        ("read.jpg", "read", digit_png, "-o"),
        ("steps.gif", "predict", digit_png, "--steps"),
    ):
        assert "must end in" in here(*command, tmp_path / file, exit_code=2)
    assert not [*tmp_path.iterdir()]
    here("explain", digit_png, "-o", tmp_path / "WHY.PNG")
    here("jobs", "picture", job["id"], "loss", "-o", tmp_path / "loss")
    assert {file.read_bytes()[:4] for file in tmp_path.iterdir()} == {b"\x89PNG"}


def test_weights(here: Here, tmp_path: Path) -> None:
    here("models", "weights", "mnist-softmax", "1", "-o", tmp_path / "weights.npz")
    with np.load(tmp_path / "weights.npz", allow_pickle=False) as arrays:
        assert {name: arrays[name].shape for name in arrays} == {"best": (785, 10), "last": (785, 10)}
    here("models", "weights", "mnist-softmax", "-o", tmp_path / "weights.png")
    assert (tmp_path / "weights.png").read_bytes().startswith(b"\x89PNG")
    here("models", "weights", "mnist-softmax", "-o", tmp_path / "weights.gif", exit_code=2)


def test_a_model_is_shown_with_its_weights(here: Here, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COLUMNS", "80")
    text = here("models", "show", "mnist-softmax", "1")
    assert max(map(len, text.splitlines())) <= 80
    assert "which is not here" in " ".join(text.split())
    assert "0               1               2               3               4" in text
    assert json.loads(here("models", "show", "mnist-softmax", "1", "--json"))["version"] == 1
    here("train", *TINY, "--model", "logistic", "--classes", "3,7", "--batch-size", "32")
    text = here("models", "show", "mnist-logistic")
    assert "3 v 7" in text and "which is not here" not in " ".join(text.split())


@pytest.mark.slow
def test_a_pipe_gets_whole_lines_in_any_encoding(tmp_path: Path) -> None:
    name = "long-" * 10 + "name"
    idle = Service(Settings(data_dir=tmp_path))
    idle.require_keys_if_exposed()
    idle.jobs.submit(JobRequest(config=TrainingConfig(), name=name))
    idle.stop()
    for encoding, words in (("ascii", ["jobs", "list"]), ("cp1252", ["models", "show", "mnist-softmax"])):
        environment = {**os.environ, "PYTHONIOENCODING": encoding, "INKLING_DATA_DIR": str(tmp_path)}
        environment.pop("COLUMNS", None)  # of the terminal in which the tests run
        command = [sys.executable, "-P", "-m", "service", *words]
        shown = subprocess.run(command, env=environment, capture_output=True, check=True).stdout.decode(encoding)
        assert words[1] == "show" or any(name in line and "queued" in line for line in shown.splitlines()), shown


@pytest.mark.parametrize("named", [["mnist-softmax", "1"], ["mnist-softmax/1"], ["mnist-softmax@first"]])
def test_one_way_to_name_a_version(here: Here, digit_png: Path, named: list[str]) -> None:
    here("models", "promote", "mnist-softmax/1", "--alias", "first")
    assert json.loads(here("models", "show", *named, "--json"))["version"] == 1
    if len(named) == 1:
        assert json.loads(here("predict", digit_png, "--model", *named, "--json"))["version"] == 1
        assert json.loads(here("explain", digit_png, "--model", *named, "--json"))["digit"] == 7
        compared = json.loads(here("models", "compare", "mnist-softmax", *named, "--json"))
        assert [model["version"] for model in compared["models"]] == [2, 1]
        assert "already" in here("models", "show", *named, "2", exit_code=2)


@pytest.mark.parametrize(
    ("name", "words"),
    [
        ("mnist-sofmax", "There is no model mnist-sofmax. Did you mean mnist-softmax"),
        ("nothing", "There is no model nothing.\n"),
        ("mnist-softmax/99", "The versions of mnist-softmax: 1, 2"),
    ],
)
def test_what_was_not_found_is_named_with_what_is_near(here: Here, name: str, words: str) -> None:
    assert words in here("models", "show", name, exit_code=1)


def test_ids_and_data_sets_that_were_not_found_are_named_too(here: Here, job: dict[str, Any]) -> None:
    for asked in (job["id"][:12], f"{job['id'][:-2]}00"):
        assert here("jobs", "cancel", asked, exit_code=1) == (
            f"Error: There is no job {asked}. Did you mean {job['id']}?\n"
        )
    assert here("sweeps", "show", "mine", exit_code=1) == "Error: There is no sweep mine.\n"
    deleted = here("datasets", "delete", "mnst", "--yes", exit_code=1)
    assert deleted == "Error: There is no data set mnst. Did you mean mnist?\n"
    assert here("collections", "show", "mine", exit_code=1) == "Error: There is no collection mine.\n"


@pytest.mark.parametrize(
    "command", [["models", "list"], ["jobs", "list"], ["datasets", "list"], ["models", "show", "x"]]
)
def test_reading_creates_nothing(run: Run, tmp_path: Path, command: list[str]) -> None:
    result = run(*command, "--data-dir", tmp_path / "new")
    assert ("mnist-softmax" in result.output) is (command == ["models", "list"])
    assert list(tmp_path.iterdir()) == []


def test_aliases(here: Here) -> None:
    moved = here("models", "promote", "mnist-softmax", "1", "--alias", "mine", "--reason", "it is [red]good[/]")
    assert moved == "mnist-softmax: mine is version 1 now.\n"
    text = here("models", "aliases", "mnist-softmax")
    assert "mine is version 1" in text
    assert "it is [red]good[/]" in text
    assert "no such version" in here("models", "promote", "mnist-softmax", "99", exit_code=1)
    assert "NAME/VERSION" in here("models", "promote", "mnist-softmax@mine", exit_code=2)
    assert "An alias cannot have this name" in here(
        "models", "promote", "mnist-softmax", "1", "--alias", "1", exit_code=1
    )


def test_a_worse_champion_is_asked_for(here: Here, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    here("models", "export", "mnist-softmax", "1", "-o", tmp_path / "good.npz")
    arrays = np.load(tmp_path / "good.npz")
    np.savez(tmp_path / "worse.npz", **{name: np.roll(arrays[name], 1, axis=1) for name in ("best", "last")})
    for file in ("good.npz", "worse.npz"):
        here("models", "import", tmp_path / file, "asked")
    assert "version 1 now" in here("models", "promote", "asked/1")
    worse = ("models", "promote", "asked/2")
    refused = here(*worse, exit_code=1)
    assert "asked/2" in refused and refused.endswith("Promote it all the same with --yes.\n")
    monkeypatch.setattr("service.cli.terminal._is_terminal", lambda: True)
    asked = here(*worse, input="n\n", exit_code=1)
    assert "although it is worse? [y/N]" in asked and "version 1" in here("models", "aliases", "asked")
    assert "version 2 now" in here(*worse, input="y\n")
    assert "version 1 now" in here("models", "promote", "asked/1")  # it is better
    assert "version 2 now" in here(*worse, "--yes")


@pytest.mark.parametrize(
    "command", ["jobs delete", "sweeps delete", "reports delete --keep-runs", "datasets delete", "models delete"]
)
def test_a_deletion_asks_by_the_name_alone(here: Here, monkeypatch: pytest.MonkeyPatch, command: str) -> None:
    monkeypatch.setattr("service.cli.terminal._is_terminal", lambda: True)
    assert here(*command.split(), "mine", input="n\n", exit_code=1).startswith("Delete mine? [y/N]")


def test_a_prediction(here: Here, digit_png: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COLUMNS", "80")
    text = here("predict", digit_png, "--model", "mnist-softmax", "--version", "1", "--show")
    assert max(map(len, text.splitlines())) <= 80
    assert "mnist-softmax, version 1" in text
    assert "Preprocessing: " in text
    assert "%@@" in text, "the 28x28 is drawn"
    answer = json.loads(here("predict", "-", "--alias", "latest", "--json", input=digit_png.read_bytes()))
    assert answer["predictions"][0]["file"] == "standard input"
    assert sum(answer["predictions"][0]["probabilities"].values()) == pytest.approx(1)
    here("predict", digit_png, "--version", "1", exit_code=2)


@pytest.mark.parametrize(
    ("options", "verdict"),
    [([], "digit"), (["--unsure-below", "1"], "unsure"), (["--digit-below", "1"], "not-a-digit")],
)
def test_the_thresholds_of_verdicts_are_options(here: Here, digit_png: Path, options: list[str], verdict: str) -> None:
    answer = json.loads(here("predict", digit_png, digit_png, *options, "--json"))
    assert [one["verdict"] for one in answer["predictions"]] == [verdict] * 2


def test_the_steps_of_preprocessing_are_written_as_one_picture(here: Here, digit_png: Path, tmp_path: Path) -> None:
    enlarged, sheet = tmp_path / "enlarged.png", tmp_path / "steps.png"
    with Image.open(digit_png) as digit:
        digit.convert("L").resize((150, 150)).crop((-40, -20, 200, 200)).save(enlarged)
    assert "Wrote " in here("predict", enlarged, "--steps", sheet)
    with Image.open(sheet) as drawn:
        assert drawn.width == 4 * 256 and drawn.height < 4 * 300
    assert "one image" in here("predict", digit_png, enlarged, "--steps", sheet, exit_code=1)


def test_several_files_one_of_them_no_image(here: Here, digit_png: Path, tmp_path: Path) -> None:
    (tmp_path / "note.txt").write_text("7")
    text = here("predict", digit_png, tmp_path / "note.txt", digit_png, exit_code=1)
    assert text.count("seven.png") == 2
    assert "%@@" in here("predict", digit_png, tmp_path / "note.txt", "--show", exit_code=1)
    assert "PNG, JPEG or WebP" in " ".join(text.split())
    answer = json.loads(here("predict", tmp_path / "note.txt", digit_png, "--json", exit_code=1))
    assert [("error" in prediction) for prediction in answer["predictions"]] == [True, False]
    assert "PNG, JPEG or WebP" in here("predict", tmp_path / "note.txt", exit_code=1)
    assert "None of the files" in here("predict", tmp_path / "note.txt", tmp_path / "note.txt", exit_code=1)


def test_an_archive_that_cannot_be_read_is_a_row(here: Here, digit_png: Path, tmp_path: Path) -> None:
    (tmp_path / "cut.zip").write_bytes(b"PK\x03\x04")
    files = [tmp_path / "missing.zip", tmp_path / "cut.zip", digit_png]
    rows = list(csv.DictReader(StringIO(here("predict", *files, "--csv", exit_code=1))))
    assert [(row["name"], row["digit"]) for row in rows] == [
        (str(files[0]), ""),
        (str(files[1]), ""),
        (str(files[2]), "7"),
    ]
    assert "No such file" in rows[0]["error"] and "archive" in rows[1]["error"]


def test_the_next_page_of_a_collection_is_one_of_the_same_images(here: Here, digit_png: Path) -> None:
    here("collections", "add", "paged", digit_png, digit_png, "--label", "7")
    asked = ("paged", "--model", "mnist-softmax/1", "--label", "7", "--limit", "1")
    more = here("collections", "show", *asked).splitlines()[-1]
    assert more.startswith(f"More: inkling collections show {' '.join(asked)} --before ")
    misread = here("collections", "show", "paged", "--label", "7", "--misread")
    assert "More" not in misread
    (page,) = [line for line in here(*shlex.split(more)[2:-2]).splitlines() if "%" in line]
    assert page not in here("collections", "show", *asked)
    here("collections", "delete", "paged", "--yes")


def test_files_and_archives_as_csv(here: Here, digit_png: Path, tmp_path: Path) -> None:
    (tmp_path / "note.txt").write_text("7")
    with zipfile.ZipFile(tmp_path / "scans.zip", "w") as archive:
        for file in (digit_png, tmp_path / "note.txt"):
            archive.write(file, file.name)
    files = [tmp_path / "scans.zip", tmp_path / "missing.png", digit_png]
    rows = list(csv.DictReader(StringIO(here("predict", *files, "--csv", exit_code=1))))
    names = [f"{files[0]}/{digit_png.name}", f"{files[0]}/note.txt", str(files[1]), str(digit_png)]
    assert [(row["name"], row["digit"], bool(row["error"])) for row in rows] == [
        (name, digit, not digit) for name, digit in zip(names, ["7", "", "", "7"], strict=True)
    ]
    assert rows[0]["probability"] == rows[3]["probability"]
    piped = list(csv.DictReader(StringIO(here("predict", "-", "--csv", exit_code=1, input=files[0].read_bytes()))))
    assert [row["name"] for row in piped] == [f"standard input/{digit_png.name}", "standard input/note.txt"]
    assert [row["digit"] for row in piped] == ["7", ""]
    here("predict", digit_png, "--csv", "--json", exit_code=2)


def test_many_images_in_one_file(here: Here, mnist: Dataset, tmp_path: Path) -> None:
    np.save(tmp_path / "three.npy", mnist.test.images[:3])
    assert len(json.loads(here("predict", tmp_path / "three.npy", "--json"))["predictions"]) == 3
    assert here("predict", tmp_path / "three.npy").count("three.npy") == 3


def test_data_sets(here: Here) -> None:
    text = here("datasets", "list")
    assert "60,000" in text
    listed = {each["name"]: each for each in json.loads(here("datasets", "list", "--json"))["datasets"]}
    assert listed["mnist"]["test"]["n_images"] == 10_000


def test_a_data_set_of_one_s_own(here: Here, mnist: Dataset, tmp_path: Path) -> None:
    chosen = mnist.test.labels < 2
    images, labels = mnist.test.images[chosen], mnist.test.labels[chosen]
    np.savez(tmp_path / "own.npz", x_train=images, y_train=labels, x_test=images[:50], y_test=labels[:50])
    added = here("datasets", "add", "own", "--npz", tmp_path / "own.npz", "--class-names", "nought,one")
    assert "2,115 training and 50 test images in 2 classes" in added
    assert "inkling train --dataset own" in added
    assert "0 nought" in here("datasets", "list")
    assert "class names do not fit" in here(
        "datasets", "add", "own2", "--npz", tmp_path / "own.npz", "--class-names", "nought", exit_code=1
    )


def test_a_data_set_of_a_folder_and_of_a_table(here: Here, mnist: Dataset, tmp_path: Path) -> None:
    folder = tmp_path / "My digits"
    rows = []
    for n, (image, label) in enumerate(zip(mnist.test.images[:20], mnist.test.labels[:20].tolist(), strict=True)):
        (folder / str(label)).mkdir(parents=True, exist_ok=True)
        Image.fromarray(255 - image).resize((56, 56)).save(folder / str(label) / f"{n}.png")
        rows.append(",".join(map(str, [label, *image.ravel().tolist()])))
    (folder / ".DS_Store").write_text("of another system")
    (tmp_path / "train.csv").write_text("\n".join(rows))
    for name, source in (("my-digits", folder), ("table", tmp_path / "train.csv")):
        added = here("datasets", "add", *([] if name == "my-digits" else [name]), source)
        assert f"Added {name}: " in added and "in 10 classes" in added
    (tmp_path / "train.csv").write_text("\n".join([*rows, "1,2,3"]))
    assert "line 21 has 3 columns" in here("datasets", "add", "broken", tmp_path / "train.csv", exit_code=1)
    assert "cannot be read" in here("datasets", "add", "broken", tmp_path / "nothing", exit_code=1)


def test_a_collection(here: Here, digit_png: Path, tmp_path: Path) -> None:
    assert "There are no collections" in here("collections", "list")
    (tmp_path / "note.txt").write_text("no picture")
    added = here("collections", "add", "mine", digit_png, tmp_path / "note.txt", "--label", "3", "--json", exit_code=1)
    (image,) = json.loads(added)["images"]
    assert (image["label"], image["has_original"]) == (3, True)
    assert "mine" in here("collections", "list")
    shown = here("collections", "show", "mine", "--model", "mnist-softmax@champion", "--misread")
    assert "Images: 1, misread by mnist-softmax, version 2: 1." in shown and image["id"] in shown
    assert "It is a 7 now." in here("collections", "relabel", "mine", image["id"], "7")
    assert json.loads(here("collections", "show", "mine", "--json"))["n_misread"] == 0
    assert "inkling train --dataset mine-v1" in here("collections", "freeze", "mine")
    assert "Deleted 1" in here("collections", "remove", "mine", image["id"])
    assert "no image of this id" in here("collections", "remove", "mine", image["id"], exit_code=1)
    assert "is deleted" in here("collections", "delete", "mine")


def test_an_explanation(here: Here, digit_png: Path, tmp_path: Path) -> None:
    text = here("explain", digit_png, "--against", "3", "-o", tmp_path / "why.png")
    assert "Why 7 and not 3? mnist-digits" in text and "together" in text
    assert (tmp_path / "why.png").read_bytes().startswith(b"\x89PNG")
    assert json.loads(here("explain", digit_png, "--json"))["digit"] == 7
    assert "another class" in here("explain", digit_png, "--digit", "7", "--against", "7", exit_code=1)
    assert "exclude each other" in here("explain", digit_png, "--json", "-o", "-", exit_code=2)


@pytest.mark.parametrize("command", ["explain {} -o -", "read {} -o -", "predict {} --steps -"])
def test_a_picture_to_standard_output_is_all_that_is_written(
    run: Run, digit_png: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, command: str
) -> None:
    with Image.open(digit_png) as large:
        large.resize((90, 90)).save(tmp_path / "digit.png")
    monkeypatch.chdir(tmp_path)
    result = run(*command.format("digit.png").split(), "--data-dir", tmp_path / "none")
    assert result.exit_code == 0, result.output
    with Image.open(BytesIO(result.stdout_bytes)) as picture:
        picture.load()
    assert not Path("-").exists()


def test_no_picture_is_written_to_a_terminal(monkeypatch: pytest.MonkeyPatch) -> None:
    master, slave = os.openpty()
    with open(slave, "w") as screen, monkeypatch.context() as patch:  # noqa: PTH123 - a descriptor
        patch.setattr(sys, "stdout", screen)
        with pytest.raises(Failure, match="not text"):
            write_file(STANDARD_OUTPUT, b"\x89PNG\0")
    os.close(master)


def test_a_number_is_read(here: Here, mnist: Dataset, tmp_path: Path) -> None:
    strip = np.hstack(list(mnist.test.images[:3])).repeat(3, axis=0).repeat(3, axis=1)
    Image.fromarray(strip).save(tmp_path / "number.png")
    text = here("read", tmp_path / "number.png", "--expect", "4", "-o", tmp_path / "read.png")
    assert "721" in text and "mnist-digits, version 1" in text
    assert "Warning: 4 digits were expected, and 3 found." in text
    assert (tmp_path / "read.png").read_bytes().startswith(b"\x89PNG")
    assert json.loads(here("read", tmp_path / "number.png", "--json"))["lines"][0]["text"] == "721"
    assert "excludes --alias" in here("read", tmp_path / "number.png", "--version", "1", exit_code=2)


def test_how_well_versions_do(here: Here) -> None:
    text = here("models", "evaluate", "mnist-softmax", "1")
    assert "92.20 % of 10,000 test images" in " ".join(text.split())
    assert "41 times a 5 is classified as a 3" in text
    text = here("models", "compare", "mnist-softmax/1", "mnist-2-vs-3/1")
    assert "2,042" in text or "95 % interval" in text
    assert json.loads(here("models", "compare", "mnist-softmax/1", "mnist-softmax/1", "--json"))["n_images"] == 10_000
    here("models", "compare", "mnist-softmax/1", exit_code=2)


def test_a_sweep_prints_how_it_went(here: Here) -> None:
    text = here("sweep", *TINY, "--grid", "l2-penalty=0,100", "--grid", "seed=0..1", "--name", "four")
    lines = text.splitlines()
    assert lines[0].startswith("four, sweep 01")
    assert lines[0].endswith(", 4 members")
    assert sum(": succeeded, validation loss " in line for line in lines) == 4
    assert "4 members: 4 succeeded" in text
    assert "Best: l2_penalty 0, seed " in text
    assert "inkling sweeps picture 01" in text
    assert "inkling models show four " in text


@pytest.mark.slow
def test_sweeps_for_programs(here: Here, tmp_path: Path) -> None:
    args = ("sweep", *TINY, "--grid", "l2_penalty=0,0.1", "--grid", "learning_rate=0.01,0.1", "--json")
    sweep = json.loads(here(*args, "--rank-by", "validation_accuracy"))
    assert (sweep["states"], sweep["ranked_by"]) == ({"succeeded": 4}, "validation_accuracy")
    shown_ = json.loads(here("sweeps", "show", sweep["id"], "--json"))
    assert shown_["ranked_by"] == "validation_loss"
    assert json.loads(here("sweeps", "list", "--json", "--limit", "1"))["sweeps"][0]["id"] == sweep["id"]
    lines = here("sweeps", "list").splitlines()
    assert max(map(len, lines)) <= 80
    assert any(line.startswith(sweep["id"]) for line in lines)
    assert "Ranked by validation loss" in here("sweeps", "show", sweep["id"])
    for picture, suffix, start in (("accuracy", "svg", b"<?xml"), ("heatmap", "png", b"\x89PNG")):
        file = tmp_path / f"{picture}.{suffix}"
        assert f"Wrote {file}" in here("sweeps", "picture", sweep["id"], picture, "-o", file)
        assert file.read_bytes().startswith(start)
    here("sweeps", "picture", sweep["id"], "weights", "-o", "weights.svg", exit_code=2)


def test_a_model_in_the_grid_is_no_base(here: Here) -> None:
    sweep = json.loads(here("sweep", *TINY, "--grid", "model=softmax,logistic", "--batch-size", "32", "--json"))
    assert sweep["states"] == {"succeeded": 2}
    assert "model" not in sweep["base"]


def test_a_sweep_can_be_submitted_and_followed_later(here: Here) -> None:
    text = here("sweep", *TINY, "--grid", "seed=0,1", "--no-follow")
    sweep_id = text.split()[1]
    assert text.startswith(f"Sweep {sweep_id} is submitted on this machine")
    assert "2 queued" in here("sweeps", "show", sweep_id)
    with_nothing = here("sweeps", "picture", sweep_id, "accuracy", exit_code=1)
    assert NoDataYet.__name__ not in with_nothing
    assert "2 members: 2 succeeded" in here("sweeps", "follow", sweep_id)


def test_a_sweep_can_be_cancelled_before_it_begins(here: Here) -> None:
    sweep = json.loads(here("sweep", *TINY, "--grid", "seed=0,1", "--no-follow", "--json"))
    assert here("sweeps", "cancel", sweep["id"]) == "The members are: 2 cancelled.\n"
    assert "2 members: 2 cancelled" in here("sweeps", "follow", sweep["id"], exit_code=130)
    assert "is deleted" in here("sweeps", "delete", sweep["id"])
    assert "There is no job " in here("jobs", "show", sweep["members"][0]["job"], exit_code=1)
    assert "There is no sweep " in here("sweeps", "show", NO_SWEEP, exit_code=1)


def test_a_grid_that_is_too_large(here: Here) -> None:
    text = here("sweep", "--grid", "seed=0..99", "--grid", "epochs=1..11", exit_code=1)
    assert "1 to 1,000 members" in text


def test_a_sweep_in_a_new_folder_starts_from_a_shipped_model(run: Run, tmp_path: Path) -> None:
    sweep = run("sweep", "--grid", "seed=0,1", "--start-from", "mnist-softmax", "--no-follow", "--data-dir", tmp_path)
    assert sweep.exit_code == 0, sweep.output


def test_an_empty_list_of_sweeps_says_what_to_do(run: Run, tmp_path: Path) -> None:
    assert "inkling sweep --grid seed=0..4 --data-dir" in run("sweeps", "list", "--data-dir", tmp_path).output


@pytest.mark.parametrize(
    ("states", "code"),
    [({"succeeded": 2}, 0), ({"succeeded": 1, "cancelled": 1}, 130), ({"failed": 1, "cancelled": 1}, 1)],
)
def test_exit_codes_of_sweeps(states: dict[str, int], code: int) -> None:
    assert SweepView({"id": "", "fraction": 1.0, "states": states}).exit_code() == code


def test_models_and_data_sets_are_deleted_by_name(here: Here) -> None:
    here("train", *TINY, "--name", "passing", "--json")
    here("train", *TINY, "--name", "passing", "--seed", "1", "--json")
    assert here("models", "delete", "passing/1") == "passing/1 is deleted.\n"
    assert here("models", "delete", "passing", "--yes") == "passing is deleted.\n"
    assert "There is no model" in here("models", "show", "passing", exit_code=1)
    assert "NAME/NUMBER" in here("models", "delete", "passing/champion", exit_code=2)
    assert "part of Inkling" in here("datasets", "delete", "mnist", exit_code=1)


def test_what_people_write_is_set_changed_printed_and_searched(here: Here) -> None:
    written = ("--title", "A larger rate", "--tag", "week-3", "--tag", "both words", "--notes", "It oscillates.")
    job = json.loads(here("train", *TINY, "--name", "noted", *written, "--json"))
    assert (job["title"], job["tags"], job["notes"]) == ("A larger rate", ["both words", "week-3"], "It oscillates.")
    search = ("--tag", "week-3", "--search", "OSCILLATES")
    assert "A larger rate #both words #week-3" in here("jobs", "list", *search, env={"COLUMNS": "120"})
    assert "There are no such jobs" in here("jobs", "list", "--tag", "week-4")
    assert "It oscillates." in here("jobs", "show", job["id"])
    assert "annotated" in here("jobs", "annotate", job["id"], "--no-tags", "--title", "Renamed")
    changed = json.loads(here("jobs", "show", job["id"], "--json"))
    assert (changed["title"], changed["tags"], changed["notes"]) == ("Renamed", [], "It oscillates.")
    assert "at most 200" in here("jobs", "annotate", job["id"], "--title", "x" * 201, exit_code=1)
    assert "Name what is to change" in here("jobs", "annotate", job["id"], exit_code=2)
    here("models", "annotate", "noted/1", "--tag", "handed-in")
    assert "#handed-in" in here("models", "list", "--search", "noted")
    assert "#handed-in" in here("models", "show", "noted@latest", "--no-picture")
    here("datasets", "annotate", "mnist", "--notes", "The one of the course.")
    assert "The one of the course." in here("datasets", "list", "--search", "course")
    here("datasets", "annotate", "mnist", "--notes", "")


def test_reports_are_listed_and_deleted(run: Run, tmp_path: Path) -> None:
    with closing(LocalBackend(Settings(data_dir=tmp_path))) as backend:
        report = backend.submit("reports", {"quick": True, "l2_penalties": [1.0], "tags": ["handed-in"]})

    def here(*args: str) -> str:
        result = run("reports", *args, "--data-dir", tmp_path, env={"COLUMNS": "120"})
        assert result.exit_code == 0, result.output
        return result.output

    assert "The report is cancelled." in here("cancel", report["id"])
    shown = here("show", report["id"])
    assert report["sweep"] in shown and "cancelled" in shown
    assert json.loads(here("show", report["id"], "--json"))["jobs"] == report["jobs"]
    assert "#handed-in" in here("list", "--state", "finished", "--tag", "handed-in")
    here("annotate", report["id"], "--title", "The last one")
    assert "The last one #handed-in" in here("list", "--search", "LAST")
    assert "the models of its runs stay" in here("delete", report["id"])
    assert "There are no reports" in here("list")
    gone = run("jobs", "show", report["jobs"][0], "--data-dir", tmp_path).output
    assert gone == f"Error: There is no job {report['jobs'][0]}.\n"
