"""What clients see while a PostgreSQL server is away, how streams get over it, and services that share one."""

from __future__ import annotations

import re
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from pathlib import Path
from typing import Any
from urllib.parse import quote

import httpx
import numpy as np
import pytest
from sqlalchemy import text

from service.bootstrap import Service
from service.database import COLLECTIONS, NewJob, job_rows
from service.errors import NotFound
from service.jobs import LATE_S, EventCursor, JobState
from service.settings import Settings
from tests.jobs.job_system import eventually
from tests.postgresql import Server, a_server
from tests.web.serving import DEADLINE_S, LONG, TINY, problem_of, serving, wait_for, wait_until_over

Start = Callable[..., Service]
ZERO = "0" * 26
postgresql = pytest.fixture(scope="module")(a_server)  # services of other tests must not notice that it is stopped
ADDRESSES = ["/jobs", f"/jobs/{ZERO}", f"/jobs/{ZERO}/metrics", f"/jobs/{ZERO}/loss.png", "/sweeps", "/reports"]


@pytest.fixture
def start(tmp_path: Path, postgresql: Server) -> Iterator[Start]:
    """Start services on one database, each with a data folder of its own unless one is named; all are stopped."""
    with ExitStack() as at_end:
        url = at_end.enter_context(postgresql.migrated_database())

        def start_one(folder: str = "data", **settings: Any) -> Service:
            options = {"executor": "inline", "workers": 1, "database_url": url, **settings}
            return at_end.enter_context(Service(Settings(data_dir=tmp_path / folder, **options)))

        yield start_one


@pytest.mark.slow
def test_an_outage_is_503_for_a_while_and_never_500(start: Start, postgresql: Server) -> None:
    with serving(start()) as url, httpx.Client(base_url=f"{url}/api/v1", timeout=DEADLINE_S) as client:
        job_id = client.post("/jobs", json={**LONG, "seed": 5}).json()["id"]
        wait_for(client, job_id, "check")
        postgresql.kill()
        for _ in range(2):
            for address in ADDRESSES:
                away(client.get(address))
            away(client.post("/jobs", json=TINY))
            away(client.post("/sweeps", json={"base": TINY, "grid": {"l2_penalty": [0, 1]}}))
            away(client.post(f"/jobs/{job_id}/cancel"))
            away(client.delete(f"/jobs/{ZERO}"))
        ready = httpx.get(f"{url}/readyz")
        assert (ready.status_code, ready.json()["parts"]) == (503, {"database": False, "model": True, "engine": True})
        assert ready.json()["reasons"] == {"database": "The database does not answer."}
        assert client.get("/models").status_code == 200, "models need no database"
        assert client.get("/models/mnist-softmax/versions/1").json()["job_exists"] is None
        postgresql.start()
        eventually(lambda: httpx.get(f"{url}/readyz").status_code == 200)
        assert client.post(f"/jobs/{job_id}/cancel").status_code == 202
        assert [move["state"] for move in wait_until_over(client, job_id)["history"]] == [
            "queued",
            "running",
            "cancelling",
            "cancelled",
        ]
        job = wait_until_over(client, client.post("/jobs", json=TINY).json()["id"])
        assert job["state"] == "succeeded"


def away(answer: httpx.Response) -> None:
    assert (answer.status_code, problem_of(answer)) == (503, "storage-failed")
    assert int(answer.headers["retry-after"]) >= 1


@pytest.mark.slow
def test_two_hosts_share_the_work(start: Start, tmp_path: Path) -> None:
    """Two folders, as two hosts have; and on one of them two processes, of which one trains."""
    first, second, sibling = start("one"), start("two"), start("two")
    eventually(lambda: first.engine.working and (second.engine.working or sibling.engine.working))
    assert second.engine.working is not sibling.engine.working
    with ExitStack() as at_end:
        urls = [at_end.enter_context(serving(service)) for service in (first, second, sibling)]
        clients = [at_end.enter_context(httpx.Client(base_url=f"{url}/api/v1", timeout=DEADLINE_S)) for url in urls]
        ids = [
            clients[n % 3].post("/jobs", json={**TINY, "name": f"m{n}", "epochs": 20}).json()["id"] for n in range(12)
        ]
        for job_id in ids:
            job = wait_until_over(clients[0], job_id)
            assert [move["state"] for move in job["history"]] == ["queued", "running", "succeeded"]
        assert len(first.registry.names()) > 2 and len(second.registry.names()) > 2, "both trained"
        working = second if second.engine.working else sibling
        working.engine.stop()
        eventually(lambda: second.engine.working or sibling.engine.working)


def test_a_service_waits_for_a_database_that_starts_with_it(start: Start, postgresql: Server) -> None:
    postgresql.kill()
    starting = threading.Thread(target=postgresql.start)
    starting.start()
    service = start()
    starting.join()
    assert service.jobs.page() == ([], None)


def test_a_name_that_the_database_cannot_hold_is_not_found(start: Start) -> None:
    name = "a\0b"
    with serving(start()) as url, httpx.Client(base_url=f"{url}/api/v1", timeout=DEADLINE_S) as client:
        paths = client.get(f"{url}/openapi.json").json()["paths"]
        asked = [(method, path) for path, item in paths.items() if "{" in path for method in item]
        assert len(asked) > 80
        for method, path in asked:
            address = re.sub(r"{(version|step|index)}", "1", path).replace("{image_format}", "png")
            answer = client.request(method, url + re.sub(r"{\w+}", quote(name, safe=""), address))
            assert answer.status_code in (400, 404, 415, 422), (method, path, answer.text)
        mixture = {**TINY, "dataset": [{"name": name}]}
        assert client.post("/jobs", json=mixture).status_code == 422


def test_what_needs_a_collection_that_is_being_deleted_does_not_find_it(start: Start) -> None:
    service = start()
    collections, pixels = service.collections, np.full((28, 28), 255, np.uint8)
    collections.create("mine")
    collections.add("mine", 1, pixels)
    query = text("SELECT count(*) FROM pg_locks WHERE NOT granted")

    def all_wait() -> bool:
        with service.database.read() as connection:
            return int(connection.execute(query).scalar_one()) == len(requests)

    requests: list[Callable[[], object]] = [
        lambda: collections.add("mine", 2, pixels),
        lambda: collections.freeze("mine"),
        lambda: collections.delete("mine"),
        lambda: service.annotations.change("collections", "mine", {"notes": "n"}),
    ]
    with ThreadPoolExecutor() as threads:
        with service.database.write() as connection:
            COLLECTIONS.delete(connection, "mine")
            asked = [threads.submit(request) for request in requests]
            eventually(all_wait)
        for each in asked:
            with pytest.raises(NotFound):
                each.result(DEADLINE_S)


def test_an_event_that_is_committed_late_is_not_missed(start: Start) -> None:
    """Ids are given out before the commit, so a higher one may be seen first."""
    service = start(workers=1)
    service.engine.stop()
    now = [0.0]
    cursor = EventCursor(service.jobs, lambda: now[0])
    assert cursor.changed_jobs() == set()

    def insert(connection: Any, name: str) -> str:
        job = NewJob(id=name * 26, name="m", dataset="mnist", config={}, request_sha256="")
        job_rows.insert(connection, [job])
        return job.id

    with service.database.write() as late:
        slow = insert(late, "s")
        with service.database.write() as connection:
            quick = insert(connection, "q")
        assert cursor.changed_jobs() == {quick}
        assert cursor.changed_jobs() == set()
    assert cursor.changed_jobs() == {slow}
    assert cursor.changed_jobs() == set()
    with pytest.raises(RuntimeError), service.database.write() as connection:
        insert(connection, "r")
        raise RuntimeError("rolled back: its id will never be seen")
    with service.database.write() as connection:
        job_rows.move(connection, quick, to=JobState.CANCELLED, allowed_from=["queued"])
    assert cursor.changed_jobs() == {quick}
    assert cursor._settled < service.jobs.newest_event_id(), "the missing one is waited for"
    now[0] += LATE_S
    assert cursor.changed_jobs() == set()
    assert cursor._settled == service.jobs.newest_event_id() and cursor._seen_at == {}
