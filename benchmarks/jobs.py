"""How the desk of jobs bears numbers: submissions, listings, long histories, followers.

    python -m benchmarks.jobs [--rounds N] [--json FILE]

A real server in a process of its own, over HTTP on this machine; medians of the rounds.

- submit: 1,000 jobs over one connection, each durable before it is answered.
- list: the first page of 50, with 10,000 jobs in the database.
- metrics: the history of 100,000 checks thinned to 1,000 points.
- follow: 500 streams of one job in training; how long after it is recorded an event is with the last of them, and how
  long predictions take meanwhile. The followers run in a process beside, on the same two cores.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from contextlib import suppress
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import httpx
import numpy as np
from sqlalchemy import update
from ulid import ULID

from service.bootstrap import build
from service.core import TrainingConfig
from service.database import Database, NewCheck, NewJob, check_rows, event_rows, job_rows, migrate
from service.database.tables import jobs
from service.settings import Settings
from service.web.app import create_app
from service.web.server import Server, listen

N_SUBMISSIONS = 1_000
N_JOBS = 10_000
N_CHECKS = 100_000
N_FOLLOWERS = 500
FOLLOW_S = 8.0
JOB = {"model": "softmax", "epochs": 10_000, "train_size": 20_000, "patience": None}


def serve(folder: Path) -> None:
    """Serve on a free port, printing it once requests are answered."""
    listener = listen("127.0.0.1", 0)
    settings = Settings(data_dir=folder, log_level="warning", workers=1, max_queue_length=1_000_000)
    with build(settings) as service:
        Server(create_app(service), lambda: print(listener.getsockname()[1], flush=True)).run([listener])


class Served:
    """A server on a folder, until the block is left."""

    def __init__(self, folder: Path) -> None:
        self._process = subprocess.Popen(
            [sys.executable, "-m", "benchmarks.jobs", "serve", "--folder", str(folder)],
            stdout=subprocess.PIPE,
            text=True,
        )
        assert self._process.stdout is not None
        self.url = f"http://127.0.0.1:{int(self._process.stdout.readline())}/api/v1"

    def __enter__(self) -> httpx.Client:
        self._client = httpx.Client(base_url=self.url, timeout=60)
        return self._client

    def __exit__(self, *_: object) -> None:
        self._client.close()
        self._process.terminate()
        self._process.wait(30)


def fill(folder: Path) -> str:
    """Write 10,000 jobs that are over, and return the id of one with 100,000 checks."""
    database = Database(f"sqlite:///{folder / 'inkling.db'}")
    migrate(database)
    config, rng = TrainingConfig().to_dict(), np.random.default_rng(0)
    new = [NewJob(id=str(ULID()), name="x", dataset="mnist", config=config, request_sha256="") for _ in range(N_JOBS)]
    progress = {"fraction": 0.5, "epoch": 1, "step": 5, "images_per_s": 1e5, "eta_s": 3.0, "patience_left": 7}

    def check(step: int) -> NewCheck:
        loss = float(rng.random())
        metrics = {"train_loss": loss, "train_accuracy": 0.9, "validation_loss": loss, "validation_accuracy": 0.9}
        losses = rng.random(1).astype("<f4").tobytes()
        return NewCheck(epoch=step // 100, step=step, **metrics, detail=progress, step_losses=losses)

    with database.write() as connection:
        job_rows.insert(connection, new)
        shown = check(0).shown(0)
        over = {"state": "cancelled", "latest_check": shown, "best_check": shown, "finished_at": datetime.now(UTC)}
        connection.execute(update(jobs).values(over))
        event_rows.append_states(connection, [job.id for job in new], "cancelled", at=datetime.now(UTC))
        for start in range(0, N_CHECKS, check_rows.BLOCK_LENGTH):
            steps = range(start, min(start + check_rows.BLOCK_LENGTH, N_CHECKS))
            check_rows.append(connection, new[-1].id, list(map(check, steps)), at=datetime.now(UTC))
            check_rows.pack(connection, new[-1].id)
    database.close()
    return new[-1].id


def timed(ask: Callable[[], httpx.Response]) -> float:
    """Return how many seconds an answer takes."""
    started_at = time.perf_counter()
    ask().raise_for_status()
    return time.perf_counter() - started_at


def submit(client: httpx.Client) -> float:
    """Return how long a thousand submissions take, one after the other."""
    started_at = time.perf_counter()
    for seed in range(N_SUBMISSIONS):
        client.post("/jobs", json={**JOB, "seed": seed}).raise_for_status()
    return time.perf_counter() - started_at


async def follow(url: str) -> dict[str, float]:
    """Follow one job 500 times, predict meanwhile, and say how late events and predictions are."""
    arrivals: dict[int, list[float]] = {}
    predictions: list[float] = []

    async def watch(job_id: str) -> None:
        _, _, rest = url.partition("://")
        address, _, path = rest.partition("/")
        host, _, port = address.partition(":")
        reader, writer = await asyncio.open_connection(host, int(port))
        try:
            writer.write(f"GET /{path}/jobs/{job_id}/events HTTP/1.1\r\nHost: {address}\r\n\r\n".encode())
            while line := await reader.readline():
                if line.startswith(b"id: "):
                    arrivals.setdefault(int(line[4:]), []).append(time.perf_counter())
        finally:
            writer.close()

    async def predict(client: httpx.AsyncClient) -> None:
        while True:
            started_at = time.perf_counter()
            answer = await client.post(
                "/predict", content=bytes(784), headers={"Content-Type": "application/octet-stream"}
            )
            answer.raise_for_status()
            predictions.append(time.perf_counter() - started_at)
            await asyncio.sleep(0.01)

    async with httpx.AsyncClient(base_url=url, timeout=60) as client:
        job_id = (await client.post("/jobs", json=JOB)).raise_for_status().json()["id"]
        tasks = [asyncio.create_task(watch(job_id)) for _ in range(N_FOLLOWERS)]
        await asyncio.sleep(4)  # until all are connected and have caught up
        begun = max(arrivals, default=0)
        tasks.append(asyncio.create_task(predict(client)))
        await asyncio.sleep(FOLLOW_S)
        ended = max(arrivals)
        await asyncio.sleep(2)  # until the last of them has what the first has
        for task in tasks:
            task.cancel()
        with suppress(asyncio.CancelledError):
            await asyncio.gather(*tasks, return_exceptions=True)
        await client.post(f"/jobs/{job_id}/cancel")
    spreads = []
    for event_id, times in arrivals.items():
        if begun < event_id <= ended:
            assert len(times) == N_FOLLOWERS, f"event {event_id} reached {len(times)} followers"
            spreads.append(max(times) - min(times))
    predictions.sort()
    return {
        "events": len(spreads),
        "last_after_first_ms": 1e3 * statistics.median(spreads),
        "last_after_first_worst_ms": 1e3 * max(spreads),
        "predict_median_ms": 1e3 * statistics.median(predictions),
        "predict_p99_ms": 1e3 * predictions[int(0.99 * len(predictions))],
    }


def measure(rounds: int) -> dict[str, Any]:
    """Return the medians of all four."""
    found: dict[str, Any] = {}
    with tempfile.TemporaryDirectory() as folder:
        long_id = fill(Path(folder))
        with Served(Path(folder)) as client:
            client.get("/jobs").raise_for_status()
            found["list_ms"] = 1e3 * statistics.median(timed(lambda: client.get("/jobs")) for _ in range(10 * rounds))
            thinned = {"max_points": 1000}
            found["metrics_ms"] = 1e3 * statistics.median(
                timed(lambda: client.get(f"/jobs/{long_id}/metrics", params=thinned)) for _ in range(5 * rounds)
            )
    for name in ("submit_s", "follow"):
        results = []
        for _ in range(rounds):
            with tempfile.TemporaryDirectory() as folder, Served(Path(folder)) as client:
                results.append(
                    submit(client) if name == "submit_s" else asyncio.run(follow(str(client.base_url).rstrip("/")))
                )
        if name == "submit_s":
            found[name] = statistics.median(results)
        else:
            found[name] = {key: statistics.median(result[key] for result in results) for key in results[0]}
    return found


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("what", nargs="?", choices=["serve"], help=argparse.SUPPRESS)
    parser.add_argument("--folder", type=Path, help=argparse.SUPPRESS)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--json", type=Path, help="also write the figures here")
    arguments = parser.parse_args()
    if arguments.what == "serve":
        serve(arguments.folder)
        return
    found = measure(arguments.rounds)
    text = json.dumps(found, indent=2)
    print(text)
    if arguments.json:
        arguments.json.write_text(text)


if __name__ == "__main__":
    main()
