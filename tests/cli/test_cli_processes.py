"""The command line as a shell runs it: processes, signals, and a server that answers its own examples."""

from __future__ import annotations

import json
import os
import shlex
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import closing
from functools import partial
from pathlib import Path
from typing import IO, NamedTuple

import pytest
from click.testing import Result

from service.cli.following import poll
from service.cli.local import LocalBackend
from service.cli.remote import RemoteBackend
from service.settings import Settings
from tests.new_folder import add_database

Start = Callable[..., subprocess.Popen[str]]
ENDLESS = ("--epochs", "10000", "--patience", "none", "--train-size", "2000", "--validation-size", "500")
DEADLINE_S = 60.0
ROOT = Path(__file__).parents[2]

pytestmark = pytest.mark.slow


def outcome(process: subprocess.Popen[str]) -> tuple[str, str]:
    return process.communicate(timeout=DEADLINE_S)


def wait_for_line(stream: IO[str] | None, start: str) -> str:
    assert stream is not None
    return next(line for line in stream if line.startswith(start))


@pytest.fixture
def start(tmp_path: Path) -> Start:
    """Start a command line in a process of its own, as a shell does."""
    return partial(start_in, tmp_path)


def start_in(folder: Path, *args: str | Path) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [sys.executable, "-m", "service", *map(str, args)],
        cwd=folder,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


class Server(NamedTuple):
    """A running server: its URL, its data folder, and what it printed."""

    url: str
    folder: Path
    printed: str


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """Run ``inkling serve`` on a free port."""
    folder = tmp_path_factory.mktemp("served")
    add_database(folder)
    process = start_in(folder, "serve", "--port", "0", "--data-dir", folder)
    try:
        assert process.stdout is not None
        lines = []
        for line in process.stdout:
            lines.append(line)
            if line.startswith("Ctrl-C"):
                break
        yield Server(lines[0].split()[3], folder, "".join(lines))
    finally:
        process.send_signal(signal.SIGINT)
        _, errors = outcome(process)
    assert (process.returncode, "Traceback" in errors) == (0, False)


def test_a_prediction_prints_itself_and_nothing_else(start: Start, digit_png: Path) -> None:
    predict = start("predict", digit_png, "--model", "mnist-softmax", "--version", "1")
    text, errors = outcome(predict)
    assert (predict.returncode, errors) == (0, "")
    assert "mnist-softmax, version 1" in text


def test_the_first_ctrl_c_cancels_and_keeps_the_best(start: Start, tmp_path: Path) -> None:
    train = start("train", *ENDLESS, "--name", "interrupted")
    wait_for_line(train.stdout, "epoch   1")
    train.send_signal(signal.SIGINT)
    text, errors = outcome(train)
    assert train.returncode == 130
    assert errors == "Cancelling; the best weights so far are kept. Ctrl-C again leaves at once.\n"
    assert "interrupted, version 1" in text


def test_a_server_on_the_same_folder_trains_what_is_submitted(
    start: Start, run: Callable[..., Result], server: Server
) -> None:
    train = start("train", *ENDLESS, "--data-dir", server.folder)
    job_id = wait_for_line(train.stdout, "mnist-softmax, job").split()[-1]
    wait_for_line(train.stdout, "epoch   1")
    train.send_signal(signal.SIGINT)
    _, errors = outcome(train)
    assert train.returncode == 130
    assert errors.startswith(f"No longer following; the job continues on this machine, in {server.folder}.")
    with closing(RemoteBackend(server.url)) as remote:
        assert remote.one("jobs", job_id)["state"] == "running"
        assert run("jobs", "cancel", job_id, "--data-dir", server.folder).output == "The job is cancelling.\n"
        list(remote.events(job_id))
        assert remote.one("jobs", job_id)["state"] == "cancelled"


def test_ctrl_c_at_a_server_only_stops_following(start: Start, server: Server) -> None:
    train = start("train", *ENDLESS, "--follow", "--url", server.url)
    job_id = wait_for_line(train.stdout, "mnist-softmax, job").split()[-1]
    wait_for_line(train.stdout, "epoch   1")
    train.send_signal(signal.SIGINT)
    _, errors = outcome(train)
    assert train.returncode == 130
    assert f"inkling jobs cancel {job_id} --url {server.url}" in errors
    with closing(RemoteBackend(server.url)) as remote:
        assert remote.act("jobs", job_id, "cancel")["state"] in ("cancelling", "cancelled")


@pytest.mark.needs("curl")
def test_the_lines_that_the_server_prints_work(server: Server, tmp_path: Path) -> None:
    assert str(server.folder / "inkling.db") in server.printed
    assert str(server.folder / "model_store") in server.printed
    lines = [line.strip() for line in server.printed.splitlines() if line.startswith("  curl")]
    assert len(lines) == 4
    _, _, predicted, submitted = (
        subprocess.run(
            [*shlex.split(line), "--fail-with-body", "--silent"], cwd=tmp_path, capture_output=True, check=True
        ).stdout
        for line in lines
    )
    assert set(json.loads(predicted)) == {"model", "version", "predictions"}
    with closing(RemoteBackend(server.url)) as remote:
        events = list(remote.events(json.loads(submitted)["id"]))
        assert [event.data["state"] for event in events if event.kind == "state"][-1] == "succeeded"


def test_a_port_that_is_taken_is_one_line(run: Callable[..., Result], tmp_path: Path, url: str) -> None:
    result = run("serve", "--port", url.rpartition(":")[2], "--data-dir", tmp_path)
    assert (result.exit_code, result.stdout) == (1, "")
    assert result.stderr.startswith("Error: ") and result.stderr.count("\n") == 1


def test_the_first_ctrl_c_cancels_all_members(start: Start, tmp_path: Path) -> None:
    sweep = start("sweep", *ENDLESS, "--grid", "l2_penalty=0,0.1", "--data-dir", tmp_path)
    assert sweep.stdout is not None
    sweep_id = sweep.stdout.readline().split()[2].removesuffix(",")
    with closing(LocalBackend(Settings(data_dir=tmp_path))) as beside:
        checked = (sweep for sweep in poll(lambda: beside.one("sweeps", sweep_id)) if sweep["best"])
        assert next(checked)["states"] == {"running": 2}
    sweep.send_signal(signal.SIGINT)
    text, errors = outcome(sweep)
    assert sweep.returncode == 130
    assert errors == "Cancelling; the best weights so far are kept. Ctrl-C again leaves at once.\n"
    assert "2 members: 2 cancelled" in text
    assert "inkling models show mnist-softmax-sweep" in text
