"""An engine in a process of its own, for test_engine_deaths.py: it runs until it is killed."""

from __future__ import annotations

import logging
import os
import signal
import threading
from pathlib import Path

from service.database import Database, migrate
from service.jobs import Engine, EngineLock, ProcessesExecutor, Recorder
from service.registry import Registry
from service.stores import LocalStore


def run(folder: Path, url: str, log: Path) -> None:
    """Run an engine until SIGTERM; what it logs and prints goes to a file."""
    with log.open("w") as file:
        os.dup2(file.fileno(), 2)
    logging.basicConfig(level=logging.ERROR)
    database = Database(url)
    migrate(database)
    recorder = Recorder(database, Registry(LocalStore(folder / "model_store")))
    engine = Engine(database, recorder, lambda: ProcessesExecutor(1), EngineLock(folder / "engine.lock"))
    asked_to_stop = threading.Event()
    signal.signal(signal.SIGTERM, lambda *_: asked_to_stop.set())
    engine.start()
    asked_to_stop.wait()
    engine.stop()
    database.close()
