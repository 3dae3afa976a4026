"""A disk that fails is an answer, not an outage: what is stored stays, and all goes on when the disk does."""

from __future__ import annotations

import shutil
import sqlite3
from collections.abc import Callable
from contextlib import AbstractContextManager, closing
from pathlib import Path
from typing import Any

import httpx
import psutil
import pytest

from service.registry import Registry
from service.stores import LocalStore
from tests.chaos.disks import (
    WITHOUT_OVERRIDE,
    broken,
    denied,
    device_errors,
    full,
    read_only,
    seen_by,
    small_disk,
    unnamed,
    unread_database,
    unsynced,
    unsynced_database,
    unwritten_database,
)
from tests.chaos.supervisor import Program, program
from tests.jobs.job_system import eventually
from tests.web.serving import LONG, TINY, problem_of, wait_until_over
from tests.web.test_supervisor import web_processes

pytestmark = [pytest.mark.slow]

NEEDS_STRACE, NEEDS_MOUNTS = pytest.mark.needs("strace"), pytest.mark.needs("mounts")

Fault = Callable[[Program, Path], AbstractContextManager[object]]
REFUSED = 503, "storage-failed"
PIXELS = {"pixels": [list(range(0, 224, 8))] * 28}
UNHARMED = ("/jobs", "/models", "/models/digits", "/models/digits/aliases/champion/history", "/datasets")


def client_of(service: Program) -> httpx.Client:
    assert service.url, service.log.read_text()
    return httpx.Client(base_url=f"{service.url}/api/v1", timeout=30)


def train(client: httpx.Client, **fields: Any) -> dict[str, Any]:
    job = client.post("/jobs", json={**TINY, "name": "digits", **fields}).raise_for_status().json()
    return wait_until_over(client, job["id"])


def promote(client: httpx.Client, version: int) -> httpx.Response:
    return client.put("/models/digits/aliases/champion", json={"version": version})


def still_serves(client: httpx.Client) -> None:
    """Everything that only reads goes on as if nothing were."""
    for path in UNHARMED:
        assert client.get(path).status_code == 200, path
    answer = client.post("/models/digits/predict", json=PIXELS)
    assert (answer.status_code, answer.json().get("version")) == (200, 1)


@pytest.mark.parametrize(
    "faults",
    [
        pytest.param({full: (507, "storage-full"), read_only: REFUSED}, marks=NEEDS_MOUNTS),
        {denied: REFUSED},
        pytest.param({unsynced: REFUSED, unnamed: REFUSED}, marks=NEEDS_STRACE),
    ],
)
def test_the_model_store_cannot_be_written(tmp_path: Path, faults: dict[Fault, tuple[int, str]]) -> None:
    store = tmp_path / "store"
    before = small_disk(store, "4m") if full in faults else WITHOUT_OVERRIDE
    with program(tmp_path / "data", *before, **{"store-url": store}) as service, client_of(service) as client:
        assert train(client)["model"] == {"name": "digits", "version": 1}
        promote(client, 1).raise_for_status()
        for seed, (fault, (status, code)) in enumerate(faults.items(), start=1):
            with fault(service, store):
                job = train(client, seed=seed)
                assert (job["state"], job["model"], job["error"]["type"]) == ("failed", None, f"/problems/{code}")
                refused = promote(client, 1)
                assert (refused.status_code, problem_of(refused)) == (status, code)
                still_serves(client)
            assert train(client, seed=seed)["state"] == "succeeded", "it heals without a restart"
            promote(client, 1).raise_for_status()
        moves = client.get("/models/digits/aliases/champion/history").json()["history"]
        assert [move["number"] for move in moves] == [1, *(n + 2 for n in range(len(faults)))]
        registry = Registry(LocalStore(seen_by(service, store)))
        assert all(registry.load("digits", version) for version in registry.versions("digits"))
        assert list((seen_by(service, store) / ".tmp").iterdir()) == []
        assert service.stop() == 0


@pytest.mark.parametrize(
    ("fault", "problem"),
    [
        pytest.param(full, (507, "storage-full"), marks=NEEDS_MOUNTS),
        (broken, REFUSED),
        pytest.param(unwritten_database, REFUSED, marks=NEEDS_STRACE),
        pytest.param(unsynced_database, REFUSED, marks=[NEEDS_STRACE, pytest.mark.long]),
    ],
)
def test_the_database_cannot_be_written(tmp_path: Path, fault: Fault, problem: tuple[int, str]) -> None:
    """A job that runs waits with what it has to say; nothing new is accepted; all that reads goes on."""
    data = tmp_path / "data"
    # Afterwards there must be room for the weights that the long job kept meanwhile, and for those of all the others.
    before = small_disk(data, "128m") if fault is full else ()
    with program(data, *before) as service, client_of(service) as client:
        train(client)
        promote(client, 1).raise_for_status()
        running = client.post("/jobs", json=LONG).json()["id"]
        eventually(lambda: client.get(f"/jobs/{running}").json()["metrics"]["latest"])
        with fault(service, data):
            accepted = []
            # What the file has room for already can still be accepted.
            while (answer := client.post("/jobs", json={**TINY, "seed": len(accepted)})).status_code == 202:
                accepted.append(answer.json()["id"])
                assert len(accepted) < 2000
            assert (answer.status_code, problem_of(answer)) == problem
            still_serves(client)
            assert client.get(f"/jobs/{running}").json()["state"] == "running"
            copy = Path(
                shutil.copytree(seen_by(service, data), tmp_path / "copy", ignore=shutil.ignore_patterns("*.bin"))
            )
        with closing(sqlite3.connect(copy / "inkling.db")) as connection:
            assert connection.execute("PRAGMA integrity_check").fetchall() == [("ok",)]
            kept = {row[0] for row in connection.execute("SELECT id FROM jobs")}
            assert {running, *accepted} < kept
            # A row whose commit could not be made durable may exist or not: its client received 503.
            assert fault is unsynced_database or len(kept) == 2 + len(accepted)
        print(f"{len(accepted)} jobs were accepted until there was no room, 0 were lost")
        client.post(f"/jobs/{running}/cancel").raise_for_status()
        assert wait_until_over(client, running)["state"] == "cancelled"
        for job_id in accepted:
            assert wait_until_over(client, job_id)["state"] == "succeeded"
        assert train(client, seed=2)["state"] == "succeeded", "it heals without a restart"
        assert service.stop() == 0
        assert "an engine cycle failed" not in service.log.read_text()


@NEEDS_STRACE
def test_the_database_cannot_be_read(tmp_path: Path) -> None:
    """What needs it is 503 meanwhile, or still in memory; nothing is a bug, and a model that is loaded answers."""
    with program(tmp_path / "data") as service, client_of(service) as client:
        train(client)
        running = client.post("/jobs", json=LONG).json()["id"]
        eventually(lambda: client.get(f"/jobs/{running}").json()["metrics"]["latest"])
        client.post("/models/digits/predict", json=PIXELS).raise_for_status()
        with unread_database(service, tmp_path / "data"):
            paths = ("/jobs", f"/jobs/{running}", f"/jobs/{running}/metrics", f"/jobs/{running}/snapshots", "/sweeps")

            def refusals() -> list[httpx.Response]:
                answers = [client.get(path) for path in paths] + [client.post("/jobs", json=TINY)]
                return [answer for answer in answers if not answer.is_success]

            # All may be in memory still; then the job is accepted, and what was in memory is no longer as it is.
            refused = refusals() or refusals()
            assert refused and {(answer.status_code, problem_of(answer)) for answer in refused} == {REFUSED}
            assert client.post("/models/digits/predict", json=PIXELS).status_code == 200
        step = client.get(f"/jobs/{running}").json()["metrics"]["latest"]["step"]
        eventually(lambda: client.get(f"/jobs/{running}").json()["metrics"]["latest"]["step"] > step)
        client.post(f"/jobs/{running}/cancel").raise_for_status()
        over = wait_until_over(client, running)
        assert [move["state"] for move in over["history"]] == ["queued", "running", "cancelling", "cancelled"]
        assert train(client, seed=1)["state"] == "succeeded", "it heals without a restart"
        assert service.stop() == 0
        assert "an engine cycle failed" not in service.log.read_text()


@NEEDS_STRACE
def test_the_bytes_of_a_version_cannot_be_written_or_read(tmp_path: Path) -> None:
    data = tmp_path / "data"
    with program(data) as service, client_of(service) as client:
        assert train(client)["model"] == {"name": "digits", "version": 1}
        promote(client, 1).raise_for_status()
        with unsynced(service, data) as met:
            train(client, seed=1)
        # Answers and lines to workers are written as files are: it must be the engine alone that cannot.
        with device_errors(service, "write", thread=met[0]):
            job = train(client, seed=1)
            assert (job["state"], job["model"], job["error"]["type"]) == ("failed", None, "/problems/storage-failed")
            still_serves(client)
        more = client.post(f"/jobs/{job['id']}/resume", json={"epochs": 3}).raise_for_status().json()
        assert wait_until_over(client, more["id"])["model"]["version"] == 2, "what it learned is not lost"
        promote(client, 2).raise_for_status()
        assert train(client, seed=2)["model"]["version"] == 3
        with device_errors(service, "read", data / "model_store/digits/3/weights.npz"):
            answer = client.post("/models/digits/versions/3/predict", json=PIXELS)
            assert (answer.status_code, problem_of(answer)) == REFUSED
            assert client.post("/models/digits/predict", json=PIXELS).json()["version"] == 2, "others go on"
        assert client.post("/models/digits/versions/3/predict", json=PIXELS).json()["version"] == 3
        assert list((data / "model_store/.tmp").iterdir()) == []
        assert service.stop() == 0


def test_a_folder_that_cannot_be_written_is_refused_at_the_start(tmp_path: Path) -> None:
    data = tmp_path / "data"
    data.mkdir(mode=0o500)
    with program(data, *WITHOUT_OVERRIDE) as service:
        assert service.process.wait(30) not in (0, None)
        assert service.url == ""
        said = service.log.read_text()
        assert "Traceback" not in said and 0 < len(said) < 500, said
    assert list(data.iterdir()) == []


@NEEDS_MOUNTS
def test_a_full_disk_kills_none_of_several_web_processes(tmp_path: Path) -> None:
    """Their figures are in memory: who writes to a page of a mapped file that finds no room on its disk is killed."""
    data = tmp_path / "data"
    with program(data, *small_disk(data, "24m"), **{"web-workers": 2}) as service, client_of(service) as client:
        supervisor = psutil.Process(service.process.pid)
        processes = [supervisor, *web_processes(supervisor)]
        assert client.get("/jobs").status_code == 200
        routes = httpx.get(f"{service.url}/openapi.json").json()["paths"]
        with full(service, data):
            for route, methods in routes.items():
                for method in methods:  # each is counted under labels of its own, which need room
                    with httpx.Client() as stranger:
                        stranger.request(method, f"{service.url}{route}")
            assert client.get("/jobs").status_code == 200
        assert [process.is_running() and process.status() != psutil.STATUS_ZOMBIE for process in processes] == [
            True
        ] * 3
        assert service.stop() == 0
