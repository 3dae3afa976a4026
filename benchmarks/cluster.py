"""How a sweep of 256 small members runs on a Dask cluster: of 1 and 2 workers, and of 10 and 100 that only wait.

    python -m benchmarks.cluster [--members N] [--quick] [--json FILE] [--picture FILE]

The whole way: an engine with its database and model store in a new folder, a scheduler and single-threaded workers in
processes of their own on this machine. The members differ in their seeds, so none can share a stack with another: the
worst case for engine and scheduler.

This machine has no 10 cores, so workers beyond the second do not compute: they wait as long as a member trained on
one worker, and say meanwhile, at the same pace, what it said. Engine, scheduler, database, model store and queues do
all that they do for real workers, on the cores that the workers' processes use too: what is told is the least that a
cluster of real machines would do. Linux only.
"""

from __future__ import annotations

import argparse
import os
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path

from distributed import Client
from distributed.deploy import SubprocessCluster
from matplotlib.figure import Figure

import service.worker.cluster
from benchmarks.paired import new_figure, warn_if_busy, write
from benchmarks.start import processor_s
from benchmarks.web_workers import family
from service.bootstrap import Service
from service.database import job_rows
from service.jobs import JobState, SweepRequest
from service.jobs.stack import Stack
from service.settings import Settings
from service.worker import (
    Checked,
    Checkpointed,
    Ended,
    Message,
    StackSpec,
    Started,
    StopRequests,
    decode_message,
    encode_message,
)
from service.worker.run import CHECKPOINT_INTERVAL_S

CONFIG = {
    "model": "softmax",
    "epochs": 40,
    "train_size": 6000,
    "validation_size": 1000,
    "patience": None,
    "checks_per_epoch": 1,
}
LONG_S = 10.0
"""A member as long as a few runs of the course report, on workers that only wait."""
_THREADS = 10
"""Of a process whose threads wait."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Member:
    """What one member says, each message as bytes, and how long it is in training, s."""

    said: Sequence[bytes]
    took_s: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Measured:
    """A sweep on a cluster; processor times and what passed through the scheduler are of one member."""

    workers: int
    member_s: float
    waiting: bool
    seconds: float
    members: int
    worker_ms: float
    engine_ms: float
    scheduler_ms: float
    messages: float
    kilobytes: float

    @property
    def rate(self) -> float:
        """Members a second."""
        return self.members / self.seconds

    @property
    def busy(self) -> float:
        """Which part of the time the workers trained, or waited in place of it."""
        return self.rate * self.member_s / self.workers


def measure(n_workers: int, n_members: int, pattern: Member | None = None) -> tuple[Measured, Member]:
    """Run the sweep and return what it took, and what its last member said; workers wait where a pattern is given."""
    n_processes = -(-n_workers // _THREADS) if pattern else n_workers
    threads = n_workers // n_processes
    received: list[tuple[float, Message]] = []
    with (
        tempfile.TemporaryDirectory() as folder,
        SubprocessCluster(
            n_workers=n_processes, threads_per_worker=threads, dashboard_address=None, silence_logs=40
        ) as cluster,
        Client(cluster.scheduler_address, set_as_default=False) as client,
    ):
        client.wait_for_workers(n_processes)
        if pattern:
            client.run(only_wait, list(pattern.said), pattern.took_s)
        address = cluster.scheduler_address
        settings = Settings(data_dir=Path(folder), executor="dask", dask_scheduler=address, log_level="error")
        with Service(settings) as service, recording(lambda message: received.append((time.monotonic(), message))):
            run(service, max(8, 2 * n_workers))  # every worker imports what it needs, and loads MNIST
            received.clear()
            pids = {
                "engine": [os.getpid()],
                "scheduler": [cluster.scheduler.process.pid],
                "worker": [worker.process.pid for worker in cluster.workers.values()],
            }
            before_s = {part: used_s(of_part) for part, of_part in pids.items()}
            seconds = run(service, n_members)
            ms = {part: 1e3 * (used_s(of_part) - before_s[part]) / n_members for part, of_part in pids.items()}
    said = [encode_message(message) for _, message in received]
    began, ended = ([at for at, message in received if isinstance(message, kind)] for kind in (Started, Ended))
    member_s = pattern.took_s if pattern else (sum(ended) - sum(began)) / n_members
    measured = Measured(
        workers=n_workers,
        member_s=member_s,
        waiting=pattern is not None,
        seconds=seconds,
        members=n_members,
        worker_ms=ms["worker"],
        engine_ms=ms["engine"],
        scheduler_ms=ms["scheduler"],
        messages=len(said) / n_members,
        kilobytes=sum(map(len, said)) / n_members / 1e3,
    )
    print(row(measured), flush=True)
    last_began = max(number for number, (_, message) in enumerate(received) if isinstance(message, Started))
    return measured, Member(said=said[last_began:], took_s=member_s)


def used_s(pids: Sequence[int]) -> float:
    """Return the processor time of processes and all that they started."""
    return sum(processor_s(one) for pid in pids for one in (family(pid) if pid != os.getpid() else [pid]))


def run(service: Service, n_members: int) -> float:
    """Run a sweep and return how long it took, s."""
    began = time.monotonic()
    sweep = service.sweeps.submit(SweepRequest(base=CONFIG, grid={"seed": list(range(n_members))}))
    while open_jobs(service):
        time.sleep(0.05)
    took_s = time.monotonic() - began
    assert service.sweeps.get(sweep.id).states == {"succeeded": n_members}
    return took_s


def open_jobs(service: Service) -> int:
    """Return how many jobs are not over."""
    with service.database.read() as connection:
        return sum(job_rows.count(connection, state) for state in JobState if not state.final)


@contextmanager
def recording(record: Callable[[Message], None]) -> Iterator[None]:
    """Have each message of every stack received here too, until the block is left."""
    original = Stack.on_message

    def on_message(stack: Stack, message: Message) -> None:
        record(message)
        original(stack, message)

    Stack.on_message = on_message  # type: ignore[method-assign]
    try:
        yield
    finally:
        Stack.on_message = original  # type: ignore[method-assign]


def only_wait(said: Sequence[bytes], took_s: float) -> None:
    """Have this process's tasks say what a member said, over as long a time, and compute nothing; runs in a worker."""
    messages = [decode_message(message) for message in said]
    checkpoint = next(message for message in reversed(messages) if isinstance(message, Checkpointed))
    tale = [message for message in messages if not isinstance(message, Checkpointed)]
    pause_s = took_s / sum(isinstance(message, Checked) for message in tale)

    def wait(spec: StackSpec, send: Callable[[Message], None], stop: StopRequests) -> None:
        at = checkpointed_at = time.monotonic()
        for message in tale:
            if isinstance(message, Checked):
                at += pause_s
                time.sleep(max(0.0, at - time.monotonic()))
            send(message)
            if isinstance(message, Checked) and time.monotonic() - checkpointed_at >= CHECKPOINT_INTERVAL_S:
                checkpointed_at = time.monotonic()
                send(checkpoint)

    service.worker.cluster.run_training = wait


HEADER = (
    "workers      a member    the sweep   members  workers   ms of a processor for a member  through the scheduler\n"
    "                    s            s  a second     busy   worker   engine  scheduler       messages       kB"
)


def row(measured: Measured) -> str:
    """Return a line of the table."""
    kind = "wait " if measured.waiting else "train"
    return (
        f"{measured.workers:4} {kind}  {measured.member_s:9.2f}  {measured.seconds:11.1f}  {measured.rate:8.2f}  "
        f"{measured.busy:7.0%}  {measured.worker_ms:7.0f}  {measured.engine_ms:7.0f}  {measured.scheduler_ms:9.0f}  "
        f"{measured.messages:13.1f}  {measured.kilobytes:7.0f}"
    )


def picture(found: Sequence[Measured]) -> Figure:
    """Members a second by workers, beside what workers that lose no time would do."""
    figure = new_figure(8, 4)
    axes = figure.add_subplot()
    short, workers = found[0].member_s, [1, 2, 10, 100]
    for member_s, marker in ((short, "o"), (LONG_S, "s")):
        axes.plot(workers, [n / member_s for n in workers], "--", color="0.6", linewidth=1)
        points = [one for one in found if (one.member_s == LONG_S) == (member_s == LONG_S)]
        axes.plot([one.workers for one in points], [one.rate for one in points], marker, label=f"{member_s:.2g} s")
        for one in points:
            axes.annotate(f"  {one.rate:.1f}", (one.workers, one.rate), va="center", fontsize=8)
    axes.set_xscale("log")
    axes.set_yscale("log")
    axes.set_xlim(0.9, 150)
    axes.set_xticks(workers, [str(n) for n in workers])
    axes.minorticks_off()
    axes.set_xlabel("workers; 10 and more only wait")
    axes.set_ylabel("members a second")
    axes.set_title(f"A sweep of {found[-1].members} members; dashed: workers that lose no time", fontsize=10)
    axes.legend(title="a member takes")
    return figure


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--members", type=int, default=256)
    parser.add_argument("--workers", type=int, nargs="+", default=[1, 2, 10, 100], help="more than two only wait")
    parser.add_argument("--quick", action="store_true", help="32 members, to try")
    parser.add_argument("--json", type=Path)
    parser.add_argument("--picture", type=Path)
    given = parser.parse_args()
    n_members = 32 if given.quick else given.members
    warn_if_busy()
    print(HEADER)
    trains, waits = ([n for n in given.workers if (n > 2) == only] for only in (False, True))
    one, member = measure(1, n_members if 1 in trains else 16)
    found = [one, *(measure(n_workers, n_members)[0] for n_workers in trains if n_workers > 1)]
    found += [measure(n_workers, n_members, member)[0] for n_workers in waits]
    if waits:
        found.append(measure(max(waits), n_members, Member(said=member.said, took_s=LONG_S))[0])
    for two in found[1 : len(trains)]:
        print(f"{two.workers} workers do {two.rate / one.rate:.2f} times as many members a second as one.")
    facts = {"measured": [asdict(each) | {"members_per_s": each.rate, "busy": each.busy} for each in found]}
    write(facts, picture(found), json_file=given.json, picture=given.picture)


if __name__ == "__main__":
    main()
