"""The command line as a shell runs it: processes, signals, and a server that answers its own examples."""

from __future__ import annotations

import json
import shlex
import signal
import subprocess
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from typing import IO

import pytest

from service.cli.following import poll
from service.cli.local import LocalBackend
from service.cli.remote import RemoteBackend
from service.settings import Settings

Start = Callable[..., subprocess.Popen[str]]
TINY = ("--train-size", "512", "--validation-size", "500", "--epochs", "2")
ENDLESS = ("--epochs", "10000", "--patience", "none", "--train-size", "2000", "--validation-size", "500")
DEADLINE_S = 60.0

pytestmark = pytest.mark.slow


def outcome(process: subprocess.Popen[str]) -> tuple[str, str]:
    return process.communicate(timeout=DEADLINE_S)


def wait_for_line(stream: IO[str] | None, start: str) -> str:
    assert stream is not None
    return next(line for line in stream if line.startswith(start))


@contextmanager
def served(start: Start, *args: str | Path) -> Iterator[tuple[str, str]]:
    """Run ``inkling serve`` on a free port; yield its URL and what it printed."""
    server = start("serve", "--port", "0", *args)
    try:
        assert server.stdout is not None
        lines = []
        for line in server.stdout:
            lines.append(line)
            if line.startswith("Ctrl-C"):
                break
        yield lines[0].split()[3], "".join(lines)
    finally:
        server.send_signal(signal.SIGINT)
        _, errors = outcome(server)
    assert (server.returncode, "Traceback" in errors) == (0, False)


def test_train_then_predict(start: Start, digit_png: Path) -> None:
    train = start("train", *TINY, "--json")
    job = json.loads(outcome(train)[0])
    assert (train.returncode, job["state"]) == (0, "succeeded")
    predict = start("predict", digit_png, "--model", "mnist-softmax", "--version", str(job["model"]["version"]))
    text, errors = outcome(predict)
    assert (predict.returncode, errors) == (0, "")
    assert f"mnist-softmax, version {job['model']['version']}" in text


def test_the_first_ctrl_c_cancels_and_keeps_the_best(start: Start, tmp_path: Path) -> None:
    train = start("train", *ENDLESS, "--name", "interrupted")
    wait_for_line(train.stdout, "epoch   1")
    train.send_signal(signal.SIGINT)
    text, errors = outcome(train)
    assert train.returncode == 130
    assert errors == "Cancelling; the best weights so far are kept. Ctrl-C again leaves at once.\n"
    assert "interrupted, version 1" in text


def test_a_server_on_the_same_folder_trains_what_is_submitted(start: Start, tmp_path: Path) -> None:
    folder = tmp_path / "shared"
    with served(start, "--data-dir", folder) as (url, _):
        train = start("train", *ENDLESS, "--data-dir", folder)
        job_id = wait_for_line(train.stdout, "mnist-softmax, job").split()[-1]
        wait_for_line(train.stdout, "epoch   1")
        train.send_signal(signal.SIGINT)
        _, errors = outcome(train)
        assert train.returncode == 130
        assert errors.startswith(f"No longer following; the job continues on this machine, in {folder}.")
        with closing(RemoteBackend(url)) as remote:
            assert remote.one("jobs", job_id)["state"] == "running"
            cancel = start("jobs", "cancel", job_id, "--data-dir", folder)
            assert outcome(cancel)[0] == "The job is cancelling.\n"
            list(remote.events(job_id))
            assert remote.one("jobs", job_id)["state"] == "cancelled"


def test_ctrl_c_at_a_server_only_stops_following(start: Start, tmp_path: Path) -> None:
    with served(start, "--data-dir", tmp_path / "elsewhere") as (url, _):
        train = start("train", *ENDLESS, "--follow", "--url", url)
        job_id = wait_for_line(train.stdout, "mnist-softmax, job").split()[-1]
        wait_for_line(train.stdout, "epoch   1")
        train.send_signal(signal.SIGINT)
        _, errors = outcome(train)
        assert train.returncode == 130
        assert f"inkling jobs cancel {job_id} --url {url}" in errors
        with closing(RemoteBackend(url)) as remote:
            assert remote.cancel("jobs", job_id)["state"] in ("cancelling", "cancelled")


@pytest.mark.needs("curl")
def test_the_lines_that_the_server_prints_work(start: Start, tmp_path: Path) -> None:
    folder = tmp_path / "tried"
    assert outcome(start("train", *TINY, "--data-dir", folder)), "a model to ask"
    with served(start, "--data-dir", folder) as (url, text):
        assert str(folder / "inkling.db") in text
        assert str(folder / "model_store") in text
        lines = [line.strip() for line in text.splitlines() if line.startswith("  curl")]
        assert len(lines) == 4
        for line in lines:
            done = subprocess.run(
                [*shlex.split(line), "--fail-with-body", "--silent"], cwd=tmp_path, capture_output=True, check=True
            )
        job = json.loads(done.stdout)
        answer = subprocess.run(
            [*shlex.split(lines[2]), "--silent"], cwd=tmp_path, capture_output=True, check=True
        ).stdout
        assert set(json.loads(answer)) == {"model", "version", "predictions"}
        with closing(RemoteBackend(url)) as remote:
            assert [event.data["state"] for event in remote.events(job["id"]) if event.kind == "state"][
                -1
            ] == "succeeded"


def test_a_port_that_is_taken_is_one_line(start: Start, tmp_path: Path, url: str) -> None:
    server = start("serve", "--port", url.rpartition(":")[2], "--data-dir", tmp_path)
    text, errors = outcome(server)
    assert (server.returncode, text) == (1, "")
    assert errors.startswith("Error: ")
    assert errors.count("\n") == 1


def test_the_first_ctrl_c_cancels_all_members(start: Start, tmp_path: Path) -> None:
    sweep = start("sweep", *ENDLESS, "--grid", "l2_penalty=0,0.1", "--data-dir", tmp_path)
    assert sweep.stdout is not None
    sweep_id = sweep.stdout.readline().split()[2].removesuffix(",")
    with closing(LocalBackend(Settings(data_dir=tmp_path))) as beside:
        newest = poll(lambda: beside.one("sweeps", sweep_id), lambda sweep: bool(sweep["best"]))
        assert list(newest)[-1]["states"] == {"running": 2}
    sweep.send_signal(signal.SIGINT)
    text, errors = outcome(sweep)
    assert sweep.returncode == 130
    assert errors == "Cancelling; the best weights so far are kept. Ctrl-C again leaves at once.\n"
    assert "2 members: 2 cancelled" in text
    assert "inkling models show mnist-softmax-sweep" in text
