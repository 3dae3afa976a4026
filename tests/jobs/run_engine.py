"""Run by test_engine_deaths.py in a process of its own: ``FOLDER URL``, an engine that runs until it is killed."""

from __future__ import annotations

import logging
import signal
import sys
import threading
from pathlib import Path

from service.database import Database, migrate
from service.jobs import Engine, EngineLock, ProcessesExecutor, Recorder
from service.registry import LocalStore, Registry

logging.basicConfig(level=logging.ERROR)
folder = Path(sys.argv[1])
database = Database(sys.argv[2])
migrate(database)
recorder = Recorder(database, Registry(LocalStore(folder / "model_store")))
engine = Engine(database, recorder, lambda: ProcessesExecutor(1), EngineLock(folder / "engine.lock"))
asked_to_stop = threading.Event()
signal.signal(signal.SIGTERM, lambda *_: asked_to_stop.set())
engine.start()
asked_to_stop.wait()
engine.stop()
database.close()
