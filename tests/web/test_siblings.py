"""Several web processes on one address: each answers, one trains, the dead are replaced, none outlives the first."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import httpx
import psutil
import pytest

from tests.web.serving import DEADLINE_S, TINY, wait_until_over

pytestmark = pytest.mark.slow

SERVE = """
from pathlib import Path
from service.settings import Settings
from service.web import run
run(Settings(port=0, data_dir=Path({data_dir!r}), executor="inline", workers=1, web_workers=3, log_level="error"),
    lambda url: print(url, flush=True))
"""


@contextmanager
def three_processes(data_dir: Path) -> Iterator[tuple[psutil.Process, str]]:
    root = Path(__file__).parents[2]
    with subprocess.Popen(
        [sys.executable, "-c", SERVE.format(data_dir=str(data_dir))],
        cwd=root,
        env={**os.environ, "PYTHONPATH": str(root)},
        stdout=subprocess.PIPE,
        text=True,
    ) as process:
        try:
            assert process.stdout is not None
            url = process.stdout.readline().strip()
            first = psutil.Process(process.pid)
            until(lambda: len(listening(first)) == 2)
            yield first, url
        finally:
            process.terminate()
            process.wait(DEADLINE_S)


def listening(first: psutil.Process) -> list[psutil.Process]:
    """The siblings that have taken the address."""
    found = []
    for child in first.children():
        try:
            if any(connection.status == psutil.CONN_LISTEN for connection in child.net_connections("tcp")):
                found.append(child)
        except psutil.Error:
            continue  # it has just gone
    return found


def until(condition: Callable[[], bool]) -> None:
    for _ in range(int(DEADLINE_S / 0.05)):
        if condition():
            return
        psutil.wait_procs([psutil.Process()], timeout=0.05)
    raise AssertionError("it did not come about")


def ask(url: str, n_times: int = 30) -> None:
    """Ask through new connections, which the kernel spreads over the processes."""
    for _ in range(n_times):
        assert httpx.get(f"{url}/readyz", timeout=DEADLINE_S).json() == {
            "ready": True,
            "parts": {"database": True, "model": True, "engine": True},
        }


def test_all_answer_and_every_job_runs_once(tmp_path: Path) -> None:
    with three_processes(tmp_path) as (_, url):
        ask(url)
        ids = []
        for _ in range(12):
            with httpx.Client(base_url=f"{url}/api/v1", timeout=DEADLINE_S) as client:
                ids.append(client.post("/jobs", json=TINY).raise_for_status().json()["id"])
        for job_id in ids:
            with httpx.Client(base_url=f"{url}/api/v1", timeout=DEADLINE_S) as client:
                job = wait_until_over(client, job_id)
            assert [move["state"] for move in job["history"]] == ["queued", "running", "succeeded"]


def test_one_that_is_killed_is_replaced(tmp_path: Path) -> None:
    with three_processes(tmp_path) as (first, url):
        victim = listening(first)[0]
        victim.send_signal(signal.SIGKILL)
        until(lambda: victim.pid not in {child.pid for child in listening(first)} and len(listening(first)) == 2)
        ask(url)


def test_none_minds_that_somebody_removes_their_figures(tmp_path: Path) -> None:
    """As a session that ends removes what its user has in memory."""
    with three_processes(tmp_path) as (first, url):
        ask(url)
        one, _ = listening(first)
        shutil.rmtree(one.environ()["PROMETHEUS_MULTIPROC_DIR"])
        assert {httpx.get(f"{url}/metrics").status_code for _ in range(12)} == {200}
        one.kill()
        until(lambda: len(listening(first)) == 2 and one not in listening(first))
        ask(url)


@pytest.mark.parametrize("sent", [signal.SIGTERM, signal.SIGKILL])
def test_none_outlives_the_first(tmp_path: Path, sent: signal.Signals) -> None:
    with three_processes(tmp_path) as (first, _):
        siblings = listening(first)
        figures = Path(siblings[0].environ()["PROMETHEUS_MULTIPROC_DIR"])
        assert figures.stat().st_mode & 0o777 == 0o700
        first.send_signal(sent)
        _, alive = psutil.wait_procs([first, *siblings], timeout=DEADLINE_S)
        assert alive == []
        assert not figures.exists()
