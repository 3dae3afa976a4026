"""Run by `supervisor.py`: a program that has imported the service once and forks a process for each start of it.

A start then takes a fraction of a second, and a minute holds many kills. Each line of standard input is an `Order`
as JSON; the answers on standard output are ``pid N`` and, once requests are answered, ``ready URL``.
"""

from __future__ import annotations

import faulthandler
import json
import multiprocessing
import os
import signal
import sys
from pathlib import Path
from typing import Any

import uvicorn._subprocess

from service import deliveries
from service.settings import Settings
from service.web.server import run
from tests.chaos import planted
from tests.chaos.failpoints import Failpoints


def say(line: str) -> None:
    os.write(1, f"{line}\n".encode())


def serve(order: dict[str, Any]) -> None:
    """Run the service in its own process group, with the faults of the order."""
    os.setsid()
    signal.signal(signal.SIGCHLD, signal.SIG_DFL)
    log = os.open(order["log"], os.O_WRONLY | os.O_CREAT | os.O_APPEND)
    os.dup2(log, 2)
    faulthandler.enable()
    # What failed is sent again at once, and what another process was sending when it was killed soon.
    deliveries.RETRY_S, deliveries._MAX_PAUSE_S, deliveries.LEASE_S = 0.1, 0.1, 2.0
    # Web processes are forks too, so that they start as fast, and with the same faults.
    uvicorn._subprocess.spawn = multiprocessing.get_context("fork")  # type: ignore[assignment]
    for fault in order["faults"]:
        planted.FAULTS[fault]()
    if order["crash_at"]:
        Failpoints(order["crash_at"]).install()
    settings = {**order["settings"], "data_dir": Path(order["settings"]["data_dir"])}
    run(Settings(port=0, **settings), lambda url: say(f"ready {url}"))


if __name__ == "__main__":
    signal.signal(signal.SIGCHLD, signal.SIG_IGN)  # children are reaped by the kernel
    for line in sys.stdin:
        assert len(list(Path("/proc/self/task").iterdir())) == 1, "a fork copies one thread only"
        child = os.fork()
        if child == 0:
            try:
                serve(json.loads(line))
            except BaseException:
                import traceback

                traceback.print_exc()
                os._exit(1)
            os._exit(0)
        say(f"pid {child}")
