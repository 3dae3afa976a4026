"""Look at a data folder as a service does that is started on it, and print what is found as JSON."""

from __future__ import annotations

import hashlib
import json
import sys
import time
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np

from service.core import TrainingConfig
from service.database import Database, migrate
from service.datasets import load_dataset
from service.inference import predict
from service.jobs import (
    Engine,
    EngineLock,
    InlineExecutor,
    JobRequest,
    Jobs,
    Recorder,
    Snapshots,
    SweepRequest,
    Sweeps,
)
from service.registry import Registry
from service.stores import LocalStore
from tests.compatibility.make_data_folder import FINISHED, GRID, SWEPT


def look(folder: Path) -> dict[str, Any]:
    expected = json.loads((folder / "expected.json").read_text())
    database = Database(f"sqlite:///{folder / 'inkling.db'}")
    migrate(database)
    registry = Registry(LocalStore(folder / "model_store"))
    lock = EngineLock(folder / "engine.lock")
    engine = Engine(database, Recorder(database, registry), lambda: InlineExecutor(1), lock)
    jobs = Jobs(database, max_queue_length=100, wake_engine=engine.wake)
    sweeps = Sweeps(database, max_queue_length=100, wake_engine=engine.wake)

    def weights(job_id: str) -> dict[str, str]:
        found = {which: jobs.weights(job_id, which) for which in ("best", "last")}
        return {which: sha256(one.model.layout.to_stored(one.parameters)) for which, one in found.items()}

    def wait(job_id: str) -> str:
        while not jobs.get(job_id).state.final:
            time.sleep(0.05)
        return job_id

    found: dict[str, Any] = {
        "weights_sha256": {name: weights(job_id) for name, job_id in expected["jobs"].items()},
        "checks": {
            name: [asdict(check) for check in jobs.metrics(job_id).checks] for name, job_id in expected["jobs"].items()
        },
        "models": {name: _predictions(registry, name) for name in expected["models"]},
    }
    snapshots = Snapshots(database)
    cancelled = expected["jobs"]["cancelled"]
    listed = snapshots.list(cancelled)["snapshots"]
    found["snapshots"] = len(listed)
    at = listed[-1]["step"]
    assert snapshots.weights(cancelled, at).pictures()["tiles"].shape == (1, 28, 28)
    assert len(snapshots.file(cancelled)[1]) == 4 * 785 * len(listed)
    assert snapshots.confusion(cancelled, at).confusion.trace() > 1900
    request = JobRequest(config=TrainingConfig(**FINISHED["digits"]), name="digits")
    found["accepted"] = jobs.submit(request, idempotency_key="key-digits").id
    swept = SweepRequest(base=SWEPT, grid=GRID, name="swept")
    found["accepted_sweep"] = sweeps.submit(swept, idempotency_key="key-swept").id
    engine.start()
    found["interrupted"] = weights(wait(expected["interrupted"]))
    again = jobs.resume(expected["jobs"]["digits"], {"epochs": 5})
    found["resumed"] = weights(wait(again.id))
    verifying = {name: jobs.verify(job_id).id for name, job_id in expected["jobs"].items()}
    found["verified"] = {name: _outcome(jobs.get(wait(job_id))) for name, job_id in verifying.items()}
    engine.stop()
    database.close()
    return found


def _outcome(job: Any) -> Any:
    assert job.state.value == "succeeded", job
    return job.verification["outcome"]


def _predictions(registry: Registry, name: str) -> dict[str, Any]:
    model = registry.load(*_parts(name))
    labels, table = predict(model, load_dataset("mnist").test.images[:40])
    return {
        "weights_sha256": model.manifest.weights_sha256,
        "probabilities_sha256": sha256(table),
        "digits": labels.tolist(),
    }


def _parts(name: str) -> tuple[str, int]:
    model, version = name.split("/")
    return model, int(version)


def sha256(array: Any) -> str:
    return hashlib.sha256(np.ascontiguousarray(array).tobytes()).hexdigest()


if __name__ == "__main__":
    print(json.dumps(look(Path(sys.argv[1]))))
