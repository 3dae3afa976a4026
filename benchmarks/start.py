"""How soon the command answers, how soon the service does, how much memory it takes, and whether that grows.

    python -m benchmarks.start [--rounds N] [--predictions N] [--json FILE]

Resident memory (VmRSS) is that of the service's own process, five seconds after it was ready and while predictions are
made; its worker, which is idle, is told beside it. Times are by the clock; next to them is the processor time,
which a busy machine hardly changes. Linux only; wrk and taskset must be installed.
"""

from __future__ import annotations

import argparse
import json
import os
import re
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from benchmarks.paired import machine, warn_if_busy
from benchmarks.serving import drive, kinds

WANTED = {"help_s": 0.3, "ready_s": 1.5, "resident_mb": 130}

_INKLING = [sys.executable, "-m", "service"]
_REST_S = 5


@contextmanager
def service(folder: Path, *options: str) -> Iterator[tuple[subprocess.Popen[str], str]]:
    """Start the service on a free port and yield its process and its URL once it answers."""
    command = [*_INKLING, "serve", "--port", "0", "--data-dir", str(folder), "--log-level", "warning", *options]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        url = re.search(r"http://\S+", process.stdout.readline())
        assert url is not None
        try:
            yield process, url[0]
        finally:
            process.terminate()


def resident_mb(pid: int) -> float:
    """Return the resident memory of a process."""
    found = re.search(r"VmRSS:\s+(\d+)", Path(f"/proc/{pid}/status").read_text())
    assert found is not None
    return int(found[1]) / 1024


def processor_s(pid: int) -> float:
    """Return the processor time that a process has taken."""
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def help_s() -> float:
    """Return how long the command takes to say what it can do."""
    started_s = time.perf_counter()
    subprocess.run([*_INKLING, "--help"], check=True, stdout=subprocess.DEVNULL)
    return time.perf_counter() - started_s


def ready(folder: Path) -> tuple[float, float]:
    """Return how long a start takes, by the clock and in processor time. The first in a folder makes a database."""
    started_s = time.perf_counter()
    with service(folder) as (process, _):
        return time.perf_counter() - started_s, processor_s(process.pid)


def memory(folder: Path, n_predictions: int, tell: Callable[[str], None]) -> dict[str, Any]:
    """Return what the service holds at rest, and after each second of predictions until there were enough."""
    with service(folder) as (process, url):
        time.sleep(_REST_S)
        threads = Path(f"/proc/{process.pid}/task").glob("*/children")
        children = [child for thread in threads for child in thread.read_text().split()]
        at_rest_mb, workers_mb = resident_mb(process.pid), [resident_mb(int(child)) for child in children]
        path, body, media_type, _ = kinds()["raw"]
        grown: list[tuple[int, float]] = []
        made = 0
        while made < n_predictions:
            rate = drive(url + path, body, media_type, folder, seconds=5, connections=16, accept="application/json")
            made += round(5 * rate)
            grown.append((made, resident_mb(process.pid)))
            tell(f"{made:,} predictions: {grown[-1][1]:.1f} MB")
    return {"at_rest_mb": at_rest_mb, "workers_mb": workers_mb, "by_predictions_mb": grown}


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--predictions", type=int, default=200_000)
    parser.add_argument("--json", type=Path)
    arguments = parser.parse_args()
    warn_if_busy()
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        helps_s = [help_s() for _ in range(arguments.rounds)]
        print(f"help   {statistics.median(helps_s):.2f} s, wanted {WANTED['help_s']:g}")
        ready(folder)
        starts = [ready(folder) for _ in range(arguments.rounds)]
        clock_s, busy_s = (statistics.median(times) for times in zip(*starts, strict=True))
        print(f"ready  {clock_s:.2f} s, of which {busy_s:.2f} s processor time, wanted {WANTED['ready_s']:g}")
        held = memory(folder, arguments.predictions, print)
    workers = ", ".join(f"{mb:.0f} MB" for mb in held["workers_mb"])
    print(f"rest   {held['at_rest_mb']:.0f} MB, workers {workers}, wanted {WANTED['resident_mb']:g}")
    if arguments.json:
        facts = {"machine": machine(), "help_s": helps_s, "starts_s": starts, "memory": held, "wanted": WANTED}
        arguments.json.write_text(json.dumps(facts, indent=1) + "\n")


if __name__ == "__main__":
    main()
