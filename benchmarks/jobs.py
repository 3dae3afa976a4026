"""How the desk of jobs bears numbers: submissions, listings, long histories, followers.

    python -m benchmarks.jobs [--rounds N] [--seconds N] [--json FILE] [--picture FILE]

A real server in a process of its own, over HTTP on this machine; medians of the rounds.

- submit: 1,000 jobs over one connection, each durable before it is answered. The first is in training meanwhile.
- list: the first page of 50, with 10,000 jobs in the database.
- metrics: the history of 100,000 checks thinned to 1,000 points.
- follow: 500 streams of one job in training, in a process beside, on the same cores. From the moment that the engine
  writes into an event, just before it commits it, until the last follower has it; and predictions meanwhile.
"""

from __future__ import annotations

import argparse
import asyncio
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from dataclasses import asdict
from datetime import UTC, datetime
from pathlib import Path

import httpx
import numpy as np
from matplotlib.figure import Figure
from sqlalchemy import select, update
from ulid import ULID

from benchmarks.paired import new_figure, show, warn_if_busy, write
from service.bootstrap import Service
from service.core import Check, TrainingConfig
from service.database import Database, NewCheck, NewJob, event_rows, job_rows, migrate
from service.database.tables import events, jobs
from service.settings import Settings
from service.web.app import create_app
from service.web.server import Server, listen

N_SUBMISSIONS = 1_000
N_JOBS = 10_000
N_CHECKS = 100_000
N_FOLLOWERS = 500
WANTED = {"submit": 4_000, "list": 30, "metrics": 50, "follow": 1_000}
"""At most so many milliseconds."""
_CATCH_UP_S = 4.0
_LOOK_S = 0.5
JOB = {"model": "softmax", "epochs": 10_000, "train_size": 20_000, "patience": None}


def serve(folder: Path) -> None:
    """Serve on a free port, printing it once requests are answered."""
    listener = listen("127.0.0.1", 0)
    settings = Settings(data_dir=folder, log_level="warning", workers=1, max_queue_length=1_000_000)
    with Service(settings) as service:
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
        return Check(epoch=step // 100, step=step, **metrics), progress, losses

    with database.write() as connection:
        job_rows.insert(connection, new)
        shown = {"id": 0, **asdict(check(0)[0]), "detail": progress}
        over = {"state": "cancelled", "latest_check": shown, "best_check": shown, "finished_at": datetime.now(UTC)}
        connection.execute(update(jobs).values(over))
        event_rows.append_states(connection, [job.id for job in new], "cancelled", at=datetime.now(UTC))
        for start in range(0, N_CHECKS, event_rows.BLOCK_LENGTH):
            steps = range(start, min(start + event_rows.BLOCK_LENGTH, N_CHECKS))
            event_rows.append_checks(connection, new[-1].id, list(map(check, steps)), at=datetime.now(UTC))
            event_rows.pack_checks(connection, new[-1].id)
    database.close()
    return new[-1].id


def timed(ask: Callable[[], httpx.Response]) -> float:
    """Return how many milliseconds an answer takes."""
    started_at = time.perf_counter()
    ask().raise_for_status()
    return 1e3 * (time.perf_counter() - started_at)


def submit(client: httpx.Client) -> float:
    """Return how many milliseconds a thousand submissions take, one after the other."""
    started_at = time.perf_counter()
    for seed in range(N_SUBMISSIONS):
        client.post("/jobs", json={**JOB, "seed": seed}).raise_for_status()
    return 1e3 * (time.perf_counter() - started_at)


async def follow(url: str, database: Database, seconds: float) -> dict[str, float]:
    """Follow one job 500 times, predict meanwhile, and say how late events and predictions are, in milliseconds."""
    arrivals: dict[int, list[float]] = {}
    written: dict[int, float] = {}
    predictions: list[float] = []

    async def watch(job_id: str) -> None:
        _, _, rest = url.partition("://")
        address, _, path = rest.partition("/")
        host, _, port = address.partition(":")
        reader, writer = await asyncio.open_connection(host, int(port))
        writer.write(f"GET /{path}/jobs/{job_id}/events HTTP/1.1\r\nHost: {address}\r\n\r\n".encode())
        while line := await reader.readline():
            if line.startswith(b"id: "):
                arrivals.setdefault(int(line[4:]), []).append(time.time())

    async def look() -> None:
        """See when events were written, before they are packed into blocks."""
        while True:
            newest = max(written, default=0)
            with database.read() as connection:
                rows = connection.execute(select(events.c.id, events.c.at).where(events.c.id > newest)).all()
            written.update({row.id: row.at.timestamp() for row in rows})
            await asyncio.sleep(_LOOK_S)

    async def predict(client: httpx.AsyncClient) -> None:
        while True:
            started_at = time.perf_counter()
            answer = await client.post(
                "/predict", content=bytes(784), headers={"Content-Type": "application/octet-stream"}
            )
            answer.raise_for_status()
            predictions.append(1e3 * (time.perf_counter() - started_at))
            await asyncio.sleep(0.01)

    async with httpx.AsyncClient(base_url=url, timeout=60) as client:
        job_id = (await client.post("/jobs", json=JOB)).raise_for_status().json()["id"]
        tasks = [asyncio.create_task(watch(job_id)) for _ in range(N_FOLLOWERS)]
        await asyncio.sleep(_CATCH_UP_S)  # until all are connected and have what there was
        begun = max(arrivals, default=0)
        tasks += [asyncio.create_task(predict(client)), asyncio.create_task(look())]
        await asyncio.sleep(seconds)
        ended = max(arrivals)
        await asyncio.sleep(2)  # until the last of them has what the first has
        for task in tasks:
            task.cancel()
        for outcome in await asyncio.gather(*tasks, return_exceptions=True):
            if isinstance(outcome, Exception):
                raise outcome
        await client.post(f"/jobs/{job_id}/cancel")
    measured = [event_id for event_id in arrivals if begun < event_id <= ended]
    for event_id in measured:
        if len(arrivals[event_id]) != N_FOLLOWERS:
            raise SystemExit(f"event {event_id} reached {len(arrivals[event_id])} followers")
    lags = [1e3 * (max(arrivals[event_id]) - written[event_id]) for event_id in measured if event_id in written]
    return {
        "events": len(lags),
        "last_has_it_ms": statistics.median(lags),
        "last_has_it_worst_ms": max(lags),
        "last_after_first_ms": statistics.median(
            1e3 * (max(arrivals[event_id]) - min(arrivals[event_id])) for event_id in measured
        ),
        "predict_median_ms": statistics.median(predictions),
        "predict_p99_ms": sorted(predictions)[int(0.99 * len(predictions))],
    }


def measure(rounds: int, seconds: float) -> tuple[dict[str, list[float]], dict[str, float]]:
    """Return the milliseconds of each claim, a value for each time it was measured, and what else followers told."""
    found: dict[str, list[float]] = {}
    show(f"writing {N_JOBS:,} jobs and {N_CHECKS:,} checks")
    with tempfile.TemporaryDirectory() as folder:
        long_id = fill(Path(folder))
        show("list and metrics")
        with Served(Path(folder)) as client:
            client.get("/jobs").raise_for_status()
            found["list"] = [timed(lambda: client.get("/jobs")) for _ in range(10 * rounds)]
            address, thinned = f"/jobs/{long_id}/metrics", {"max_points": 1000}
            found["metrics"] = [timed(lambda: client.get(address, params=thinned)) for _ in range(5 * rounds)]
    followers = []
    for number in range(rounds):
        show(f"round {number + 1} of {rounds}: submit")
        with tempfile.TemporaryDirectory() as folder, Served(Path(folder)) as client:
            found.setdefault("submit", []).append(submit(client))
        show(f"round {number + 1} of {rounds}: follow")
        with tempfile.TemporaryDirectory() as folder, Served(Path(folder)) as client:
            database = Database(f"sqlite:///{folder}/inkling.db")
            followers.append(asyncio.run(follow(str(client.base_url).rstrip("/"), database, seconds)))
            database.close()
    show("")
    found["follow"] = [told["last_has_it_worst_ms"] for told in followers]
    return found, {key: statistics.median(told[key] for told in followers) for key in followers[0]}


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("what", nargs="?", choices=["serve"], help=argparse.SUPPRESS)
    parser.add_argument("--folder", type=Path, help=argparse.SUPPRESS)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--seconds", type=float, default=6, help="for which the job is followed")
    parser.add_argument("--quick", action="store_true", help="one short round, to try")
    parser.add_argument("--json", type=Path)
    parser.add_argument("--picture", type=Path)
    arguments = parser.parse_args()
    if arguments.what == "serve":
        serve(arguments.folder)
        return
    warn_if_busy()
    found, followers = measure(*((1, 2) if arguments.quick else (arguments.rounds, arguments.seconds)))
    for name, wanted_ms in WANTED.items():
        median_ms = statistics.median(found[name])
        line = (
            f"{name:8} {median_ms:8,.0f} ms ({min(found[name]):,.0f} to {max(found[name]):,.0f}), wanted {wanted_ms:,}"
        )
        print(f"{line}: {'yes' if median_ms <= wanted_ms else 'NO'}")
    print("followers, medians of the rounds:", ", ".join(f"{key} {value:,.1f}" for key, value in followers.items()))
    facts = {"measured_ms": found, "followers": followers, "wanted_ms": WANTED}
    write(facts, picture(found), json_file=arguments.json, picture=arguments.picture)


def picture(found: dict[str, list[float]]) -> Figure:
    """Each claim as a share of what is wanted."""
    figure = new_figure(8, 2.5)
    axes = figure.add_subplot()
    for place, (name, wanted_ms) in enumerate(WANTED.items()):
        median_ms = statistics.median(found[name])
        axes.barh(place, median_ms / wanted_ms, color="tab:blue")
        axes.plot([ms / wanted_ms for ms in found[name]], [place] * len(found[name]), "o", color="0.2", markersize=3)
        axes.text(max(found[name]) / wanted_ms, place, f"  {median_ms:,.0f} of {wanted_ms:,} ms", va="center")
    axes.axvline(1, color="tab:red", linestyle="--", linewidth=1)
    axes.set_yticks(range(len(WANTED)), list(WANTED))
    axes.invert_yaxis()
    axes.set_xlim(0, 1.3 * max(1, *(max(found[name]) / wanted for name, wanted in WANTED.items())))
    axes.set_xlabel("of the time that is wanted at most")
    return figure


if __name__ == "__main__":
    main()
