"""How long single predictions take while training runs on all workers, beside those of an idle service.

    python -m benchmarks.latency [--apart] [--rounds N] [--seconds N] [--rate N] [--workers N] [--json FILE] ...

Open loop: a request is sent at its time whether or not those before it are answered, so one that is held up does not
hold up the question. A time is from just before sending until the kernel has the last byte of the answer, by its own
note (SO_TIMESTAMPNS), as for a client elsewhere: how long this client then waits for a core is not the service's doing.
How late it sent is told beside the times and is not in them. A round measures the service at rest and then in training,
with a job on each worker and a follower of its events. Workers, service and client share the machine; there are as many
workers as cores, one more than by default. Linux only.
"""

from __future__ import annotations

import argparse
import gc
import math
import os
import select
import socket
import statistics
import struct
import tempfile
import threading
import time
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import urlsplit

import httpx
from matplotlib.figure import Figure

from benchmarks.paired import interleave, new_figure, warn_if_busy, write
from benchmarks.serving import kinds
from benchmarks.start import service

WANTED = {"p99_ratio": 2.0, "longest_ms": 100.0}
IDLE, TRAINING = "idle", "training"
JOB = {"model": "softmax", "epochs": 10_000, "train_size": 20_000, "patience": None}
_WARM_UP_S = 0.5
_GIVE_UP_S = 30.0
_SO_TIMESTAMPNS = 35
"""Linux's name for "say with what is received when it arrived", which the module `socket` does not know."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Times:
    """Of the requests of one measurement, in milliseconds."""

    answered_ms: list[float]
    late_ms: list[float]
    """How much later than planned each was sent."""


class Client:
    """Sends one prediction again and again over as many connections as are needed at a time.

    Parameters
    ----------
    apart : whether head and body are sent in two segments, as most clients do, or in one.
    """

    def __init__(self, url: str, *, apart: bool) -> None:
        address = urlsplit(url)
        self._host, self._address = address.netloc, (address.hostname, address.port)
        path, body, media_type, _ = kinds()["raw"]
        head = f"POST {path} HTTP/1.1\r\nHost: {self._host}\r\nAccept: application/json\r\n"
        head = f"{head}Content-Type: {media_type}\r\nContent-Length: {len(body)}\r\n\r\n"
        self._segments = [head.encode(), body] if apart else [head.encode() + body]
        self._free: list[socket.socket] = []

    def load(self, rate: float, seconds: float) -> Times:
        """Send at a fixed rate."""
        times = Times(answered_ms=[], late_ms=[])
        begin_s = time.time()
        due_s = (begin_s + number / rate for number in range(int(rate * seconds)))
        next_s = next(due_s, None)
        waiting: dict[socket.socket, tuple[float, bytes]] = {}
        while waiting or next_s is not None:
            until_s = _GIVE_UP_S if next_s is None else max(0.0, next_s - time.time())
            ready, _, _ = select.select(list(waiting), (), (), until_s)
            if not ready and next_s is None:
                raise SystemExit(f"No answer within {_GIVE_UP_S:g} s.")
            for connection in ready:
                sent_s, before = waiting[connection]
                data, ancillary, _, _ = connection.recvmsg(65536, 64)
                answer = before + data
                waiting[connection] = sent_s, answer
                if is_whole(answer):
                    times.answered_ms.append(1e3 * (arrived_s(ancillary) - sent_s))
                    del waiting[connection]
                    self._free.append(connection)
            if next_s is not None and (sent_s := time.time()) >= next_s:
                connection = self._free.pop() if self._free else self._connect()  # that too is part of the time
                for segment in self._segments:
                    connection.sendall(segment)
                waiting[connection] = sent_s, b""
                times.late_ms.append(1e3 * (sent_s - next_s))
                next_s = next(due_s, None)
        return times

    def _connect(self) -> socket.socket:
        connection = socket.create_connection(self._address, timeout=_GIVE_UP_S)
        connection.setsockopt(socket.SOL_SOCKET, _SO_TIMESTAMPNS, 1)
        connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        return connection

    @contextmanager
    def following(self, job_ids: Sequence[str]) -> Iterator[None]:
        """Take the events of jobs as long as the block lasts."""
        with ExitStack() as until_left:
            for job_id in job_ids:
                connection = socket.create_connection(self._address)
                request = f"GET /api/v1/jobs/{job_id}/events HTTP/1.1\r\nHost: {self._host}\r\n\r\n"
                connection.sendall(request.encode())
                thread = threading.Thread(target=take_all, args=(connection,), daemon=True)
                thread.start()
                until_left.callback(connection.close)
                until_left.callback(thread.join)
                until_left.callback(connection.shutdown, socket.SHUT_RDWR)
            yield


def is_whole(answer: bytes) -> bool:
    """Whether an answer is there to its last byte; any other than 200 ends the measurement."""
    head, found, body = answer.partition(b"\r\n\r\n")
    if not found:
        return False
    if not head.startswith(b"HTTP/1.1 200 "):
        raise SystemExit(head.decode())
    return len(body) >= int(head.lower().partition(b"content-length: ")[2].partition(b"\r\n")[0])


def arrived_s(ancillary: list[tuple[int, int, bytes]]) -> float:
    """When the kernel had the last byte of what was received, by the clock of `time.time`."""
    for level, kind, data in ancillary:
        if (level, kind) == (socket.SOL_SOCKET, _SO_TIMESTAMPNS):
            seconds, nanoseconds = struct.unpack("@ll", data)
            return float(seconds + 1e-9 * nanoseconds)
    return time.time()  # the kernel begins to note it a moment after it was asked to


def take_all(connection: socket.socket) -> None:
    """Receive until the end."""
    while connection.recv(65536):
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


def load(url: str, job_ids: Sequence[str], rate: float, seconds: float, *, apart: bool) -> Times:
    """Measure once."""
    client = Client(url, apart=apart)
    with client.following(job_ids):
        client.load(rate, _WARM_UP_S)
        gc.collect()
        gc.disable()
        try:
            return client.load(rate, seconds)
        finally:
            gc.enable()


def measure(rounds: int, seconds: float, rate: float, n_workers: int, *, apart: bool) -> dict[str, list[Times]]:
    """Return the times of each round, at rest and in training."""
    with tempfile.TemporaryDirectory() as folder, service(Path(folder), "--workers", str(n_workers)) as (_, url):

        def in_training(_: int) -> Times:
            with training(url, n_workers) as job_ids:
                return load(url, job_ids, rate, seconds, apart=apart)

        return interleave({IDLE: lambda _: load(url, [], rate, seconds, apart=apart), TRAINING: in_training}, rounds)


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
    parser.add_argument("--apart", action="store_true", help="send head and body in two segments, as most clients do")
    parser.add_argument("--quick", action="store_true", help="two short rounds, to try")
    parser.add_argument("--json", type=Path)
    parser.add_argument("--picture", type=Path)
    arguments = parser.parse_args()
    rounds, seconds = (2, 3) if arguments.quick else (arguments.rounds, arguments.seconds)
    warn_if_busy()
    found = measure(rounds, seconds, arguments.rate, arguments.workers, apart=arguments.apart)
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
    facts = {
        "apart": arguments.apart,
        "rate": arguments.rate,
        "workers": arguments.workers,
        "p99_ratios": ratios,
        "wanted": WANTED,
        **told,
    }
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
