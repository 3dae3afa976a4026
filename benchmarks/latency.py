"""How long single predictions take while training runs on all workers, beside those of an idle service.

    python -m benchmarks.latency [--rounds N] [--seconds N] [--rate N] [--workers N] [--json FILE] [--picture FILE]

Open loop: a request is sent at its time whether or not those before it are answered, so one that is held up does not
hold up the question. A time is from sending to the last byte of the answer; how late the client itself was is told
beside it. A round measures the service at rest and then in training, with a job on each worker and a follower of its
events. Workers, service and client share the machine; there are as many workers as cores, one more than by default.
"""

from __future__ import annotations

import argparse
import asyncio
import gc
import math
import os
import statistics
import tempfile
import time
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import urlsplit

import httpx
import uvloop
from matplotlib.figure import Figure

from benchmarks.paired import interleave, new_figure, warn_if_busy, write
from benchmarks.serving import kinds
from benchmarks.start import service

WANTED = {"p99_ratio": 2.0, "longest_ms": 100.0}
IDLE, TRAINING = "idle", "training"
JOB = {"model": "softmax", "epochs": 10_000, "train_size": 20_000, "patience": None}
_WARM_UP_S = 0.5


@dataclass(frozen=True, slots=True, kw_only=True)
class Times:
    """Of the requests of one measurement, in milliseconds."""

    answered_ms: list[float]
    late_ms: list[float]
    """How much later than planned each was sent."""


class Client:
    """Sends one prediction again and again over as many connections as are needed at a time."""

    def __init__(self, url: str) -> None:
        self._address = urlsplit(url)
        path, body, media_type, _ = kinds()["raw"]
        head = f"POST {path} HTTP/1.1\r\nHost: {self._address.netloc}\r\nAccept: application/json\r\n"
        self._request = f"{head}Content-Type: {media_type}\r\nContent-Length: {len(body)}\r\n\r\n".encode() + body
        self._free: list[tuple[asyncio.StreamReader, asyncio.StreamWriter]] = []

    async def load(self, rate: float, seconds: float) -> Times:
        """Send at a fixed rate."""
        times = Times(answered_ms=[], late_ms=[])
        begin_s = time.perf_counter()
        async with asyncio.TaskGroup() as group:
            for number in range(int(rate * seconds)):
                due_s = begin_s + number / rate
                await asyncio.sleep(max(0.0, due_s - time.perf_counter()))
                group.create_task(self._ask(due_s, times))
        return times

    async def _ask(self, due_s: float, times: Times) -> None:
        sent_s = time.perf_counter()  # a new connection is part of the time
        reader, writer = self._free.pop() if self._free else await self._connect()
        writer.write(self._request)
        head = await reader.readuntil(b"\r\n\r\n")
        if not head.startswith(b"HTTP/1.1 200 "):
            raise SystemExit(head.decode())
        await reader.readexactly(int(head.lower().partition(b"content-length: ")[2].partition(b"\r\n")[0]))
        times.answered_ms.append(1e3 * (time.perf_counter() - sent_s))
        times.late_ms.append(1e3 * (sent_s - due_s))
        self._free.append((reader, writer))

    async def _connect(self) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
        return await asyncio.open_connection(self._address.hostname, self._address.port)

    async def follow(self, job_id: str) -> None:
        """Take the events of a job until cancelled."""
        reader, writer = await self._connect()
        writer.write(f"GET /api/v1/jobs/{job_id}/events HTTP/1.1\r\nHost: {self._address.netloc}\r\n\r\n".encode())
        while await reader.read(65536):
            pass


@contextmanager
def training(url: str, n_jobs: int) -> Iterator[list[str]]:
    """Have so many jobs trained as long as the block lasts, and yield their ids."""
    with httpx.Client(base_url=f"{url}/api/v1", timeout=30) as client:
        ids = [
            client.post("/jobs", json=JOB | {"seed": seed}).raise_for_status().json()["id"] for seed in range(n_jobs)
        ]

        def wait_until(*states: str) -> None:
            give_up_s = time.monotonic() + 60
            while any(client.get(f"/jobs/{job_id}").json()["state"] not in states for job_id in ids):
                if time.monotonic() > give_up_s:
                    raise SystemExit(f"The jobs are not {' or '.join(states)} after a minute.")
                time.sleep(0.1)

        wait_until("running")
        try:
            yield ids
        finally:
            for job_id in ids:
                client.post(f"/jobs/{job_id}/cancel")
            wait_until("cancelled")


@asynccontextmanager
async def followed(client: Client, job_ids: list[str]) -> AsyncIterator[None]:
    """Follow jobs as long as the block lasts."""
    tasks = [asyncio.create_task(client.follow(job_id)) for job_id in job_ids]
    try:
        yield
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)


async def load(url: str, job_ids: list[str], rate: float, seconds: float) -> Times:
    """Measure once."""
    client = Client(url)
    async with followed(client, job_ids):
        await client.load(rate, _WARM_UP_S)
        gc.collect()
        gc.disable()
        try:
            return await client.load(rate, seconds)
        finally:
            gc.enable()


def measure(rounds: int, seconds: float, rate: float, n_workers: int) -> dict[str, list[Times]]:
    """Return the times of each round, at rest and in training."""
    with tempfile.TemporaryDirectory() as folder, service(Path(folder), "--workers", str(n_workers)) as (_, url):

        def in_training(_: int) -> Times:
            with training(url, n_workers) as job_ids:
                return uvloop.run(load(url, job_ids, rate, seconds))

        return interleave({IDLE: lambda _: uvloop.run(load(url, [], rate, seconds)), TRAINING: in_training}, rounds)


def quantile(values: list[float], share: float) -> float:
    """Return the value that ``share`` of all do not exceed."""
    return sorted(values)[max(0, math.ceil(share * len(values)) - 1)]


def summary(rounds: list[Times]) -> dict[str, float]:
    """Return medians over the rounds of p50, p99 and lateness, and the longest of all."""
    return {
        "p50_ms": statistics.median(quantile(times.answered_ms, 0.5) for times in rounds),
        "p99_ms": statistics.median(quantile(times.answered_ms, 0.99) for times in rounds),
        "longest_ms": max(max(times.answered_ms) for times in rounds),
        "late_p99_ms": statistics.median(quantile(times.late_ms, 0.99) for times in rounds),
        "requests": sum(len(times.answered_ms) for times in rounds),
    }


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=7)
    parser.add_argument("--seconds", type=float, default=10, help="of each measurement")
    parser.add_argument("--rate", type=float, default=200, help="requests a second")
    parser.add_argument("--workers", type=int, default=os.cpu_count())
    parser.add_argument("--quick", action="store_true", help="two short rounds, to try")
    parser.add_argument("--json", type=Path)
    parser.add_argument("--picture", type=Path)
    arguments = parser.parse_args()
    rounds, seconds = (2, 3) if arguments.quick else (arguments.rounds, arguments.seconds)
    warn_if_busy()
    found = measure(rounds, seconds, arguments.rate, arguments.workers)
    told = {name: summary(times) for name, times in found.items()}
    print(f"{arguments.rate:g} predictions a second, {arguments.workers} workers; ms")
    print(f"{'':10}{'p50':>8}{'p99':>8}{'longest':>9}   client late, p99")
    for name, one in told.items():
        print(
            f"{name:10}{one['p50_ms']:8.2f}{one['p99_ms']:8.2f}{one['longest_ms']:9.2f}{one['late_p99_ms']:8.2f}"
            f"   ({one['requests']:,} requests)"
        )
    ratios = [
        quantile(busy.answered_ms, 0.99) / quantile(rest.answered_ms, 0.99)
        for rest, busy in zip(found[IDLE], found[TRAINING], strict=True)
    ]
    ratio, longest_ms = statistics.median(ratios), told[TRAINING]["longest_ms"]
    print(f"p99 in training is {ratio:.2f} times that at rest ({min(ratios):.2f} to {max(ratios):.2f}), ", end="")
    print(f"wanted at most {WANTED['p99_ratio']:g}: {'yes' if ratio <= WANTED['p99_ratio'] else 'NO'}")
    print(f"longest {longest_ms:.1f} ms, wanted at most {WANTED['longest_ms']:g}: ", end="")
    print("yes" if longest_ms <= WANTED["longest_ms"] else "NO")
    facts = {"rate": arguments.rate, "workers": arguments.workers, "p99_ratios": ratios, "wanted": WANTED, **told}
    write(facts, picture(found), json_file=arguments.json, picture=arguments.picture)


def picture(found: dict[str, list[Times]]) -> Figure:
    """The share of requests that took longer, over the time, both on logarithmic axes."""
    figure = new_figure(8, 3.5)
    axes = figure.add_subplot()
    for (name, rounds), colour in zip(found.items(), ("0.5", "tab:blue"), strict=True):
        values = sorted(value for times in rounds for value in times.answered_ms)
        axes.plot(values, [1 - place / len(values) for place in range(len(values))], color=colour, label=name)
    axes.axvline(WANTED["longest_ms"], color="tab:red", linestyle="--", linewidth=1)
    axes.axhline(0.01, color="0.8", linewidth=1)
    axes.set(xscale="log", yscale="log", xlabel="ms", ylabel="share of requests that took longer")
    axes.legend()
    return figure


if __name__ == "__main__":
    main()
