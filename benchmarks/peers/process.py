"""Processes that train, started and timed from outside; only the training is in their time."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

from benchmarks.peers.task import Task

ROOT = Path(__file__).parents[2]


def train_in_processes(contender: str, task: Task, *, processes: int = 1, times: int = 1) -> dict[str, Any]:
    """Train ``times`` times in each of some processes at once, which begin together when all are ready.

    Returns
    -------
    ``seconds`` of the slowest process, and its last ``curves``.
    """
    command = [sys.executable, "-m", "benchmarks.peers.run", contender]
    started = [
        subprocess.Popen(command, cwd=ROOT, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        for _ in range(processes)
    ]
    for process in started:
        tell(process, task.to_json())
    for process in started:
        if process.stdout.readline() != "ready\n":
            raise SystemExit(f"{contender} did not start; `make bench` installs what it needs.")
    for process in started:
        tell(process, str(times))
    said = [json.loads(process.communicate()[0]) for process in started]
    return max(said, key=lambda answer: answer["seconds"])


def tell(process: subprocess.Popen[str], line: str) -> None:
    """Give a process a line."""
    process.stdin.write(line + "\n")
    process.stdin.flush()


def measure_floors() -> dict[str, Any]:
    """Run `benchmarks.floors` in a process of its own."""
    command = [sys.executable, "-m", "benchmarks.floors"]
    return json.loads(subprocess.run(command, cwd=ROOT, check=True, capture_output=True, text=True).stdout)
