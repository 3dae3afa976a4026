"""One contender in a process of its own: ``python -m benchmarks.peers.run NAME`` reads a task, prints what it found.

The data are read and scaled, and what compiles is compiled, before the clock starts. Then it says "ready", and trains
when it is given another line: how many times.
"""

from __future__ import annotations

import importlib
import json
import sys
import time
from dataclasses import asdict

from benchmarks.peers.task import Task


def main() -> None:
    """Prepare, train, print seconds and curves as one line of JSON."""
    contender = importlib.import_module(f"benchmarks.peers.{sys.argv[1]}")
    train = contender.prepare(Task.from_json(sys.stdin.readline()))
    print("ready", flush=True)
    times = int(sys.stdin.readline())
    began = time.perf_counter()
    for _ in range(times):
        curves = train()
    taken_s = time.perf_counter() - began
    print(json.dumps({"seconds": taken_s, "curves": [asdict(curve) for curve in curves]}))


if __name__ == "__main__":
    main()
