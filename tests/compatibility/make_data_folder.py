"""Make `data_folder.tar.xz`, a data folder as the last commit wrote it in which a model was one matrix (265546f).

Run at that commit, in a shell of its own, since bits depend on the kernels that a processor is given::

    git worktree add /tmp/before 265546f && cd /tmp/before
    OPENBLAS_CORETYPE=Haswell NPY_DISABLE_CPU_FEATURES="X86_V4 AVX512_ICL AVX512_SPR" PYTHONPATH=. \
        python -P .../tests/compatibility/make_data_folder.py .../tests/compatibility/data_folder.tar.xz

It holds finished jobs of both models in all L2 conventions and both dtypes, a resumed job, a sweep, a cancelled job,
and a job that was interrupted and waits, with a checkpoint, to go on. ``expected.json`` beside the database has what
the old code made of them: checksums of weights and predictions, and the weights of the interrupted job had it gone on.
"""

from __future__ import annotations

import hashlib
import json
import sqlite3
import sys
import tarfile
import time
from dataclasses import asdict
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from service.core import TrainingConfig, train
from service.database import Database, migrate
from service.datasets import load_dataset, split
from service.inference import predict
from service.jobs import Engine, EngineLock, InlineExecutor, JobRequest, Jobs, Recorder, SweepRequest, Sweeps
from service.registry import Registry

SHORT: dict[str, Any] = {"batch_size": 32, "epochs": 3, "checks_per_epoch": 1, "learning_rate": 0.05}
FINISHED: dict[str, dict[str, Any]] = {
    "digits": {**SHORT, "train_size": 320, "validation_size": 300, "l2_penalty": 0.01},
    "halves": {**SHORT, "model": "logistic", "train_size": 2000, "validation_size": 500, "l2_penalty": 0.1}
    | {"l2_convention": "half_squared", "dtype": "float64", "shuffle": False, "publish": "last"},
    "spared": {**SHORT, "classes": (1, 7, 4), "train_size": 1000, "validation_size": 500, "validation": "holdout"}
    | {"l2_convention": "squared_without_bias", "l2_penalty": 0.1, "dtype": "float64", "drop_last": False, "seed": 3},
    "stopped": {**SHORT, "model": "logistic", "classes": (4, 9), "train_size": 2000, "validation_size": 500}
    | {"learning_rate": 5.0, "patience": 2, "epochs": 50, "seed": 1},
}
SWEPT: dict[str, Any] = {**SHORT, "model": "logistic", "train_size": 1000, "validation_size": 500}
GRID: dict[str, Any] = {"l2_penalty": [0.0, 1.0], "l2_convention": ["squared", "half_squared"]}
LONG: dict[str, Any] = {"model": "logistic", "batch_size": 1, "epochs": 25, "checks_per_epoch": 1, "patience": None}


def make(folder: Path) -> dict[str, Any]:
    database = Database(f"sqlite:///{folder / 'inkling.db'}")
    migrate(database)
    from service.registry import LocalStore  # type: ignore[attr-defined] # where it is at that commit

    registry = Registry(LocalStore(folder / "model_store"))
    engine = Engine(
        database, Recorder(database, registry), lambda: InlineExecutor(1), EngineLock(folder / "engine.lock")
    )
    jobs: Any = Jobs(database, max_queue_length=100, wake_engine=engine.wake)
    sweeps = Sweeps(database, max_queue_length=100, wake_engine=engine.wake)
    engine.start()

    def submit(name: str, config: dict[str, Any]) -> str:
        return jobs.submit(JobRequest(config=TrainingConfig(**config), name=name), idempotency_key=f"key-{name}").id

    def wait(job_id: str, at_step: int | None = None) -> None:
        while not (job := jobs.get(job_id)).state.final:
            if at_step is not None and job.latest and job.latest.step >= at_step:
                return
            time.sleep(0.01)

    ids = {name: submit(name, config) for name, config in FINISHED.items()}
    for job_id in ids.values():
        wait(job_id)
    ids["resumed"] = jobs.resume(ids["digits"], {"epochs": 5}, idempotency_key="key-resumed").id
    wait(ids["resumed"])
    sweep = sweeps.submit(SweepRequest(base=SWEPT, grid=GRID, name="swept"), idempotency_key="key-swept")
    for number, member in enumerate(sweep.members):
        ids[f"swept-{number}"] = member.job.id  # type: ignore[attr-defined]  # a member has its job at that commit
        wait(ids[f"swept-{number}"])
    ids["cancelled"] = submit("cancelled", LONG)
    wait(ids["cancelled"], 8000)
    jobs.cancel(ids["cancelled"])
    wait(ids["cancelled"])
    interrupted = submit("interrupted", {**LONG, "seed": 7})
    wait(interrupted, 8000)
    engine.stop()
    assert jobs.get(interrupted).state.value == "queued"

    images = load_dataset("mnist").test.images[:40]
    models: dict[str, Any] = {}
    for name in registry.names():
        for version in registry.versions(name):
            model = registry.load(name, version)
            labels, table = predict(model, images)
            models[f"{name}/{version}"] = {
                "weights_sha256": model.manifest.weights_sha256,
                "probabilities_sha256": sha256(table),
                "digits": labels.tolist(),
            }
    config = TrainingConfig(**LONG, seed=7)
    whole = train(config, split(load_dataset("mnist"), config))
    expected = {
        "jobs": ids,
        "sweep": sweep.id,
        "interrupted": interrupted,
        "interrupted_next_step": jobs.weights(interrupted, "last").next_step,
        "interrupted_to_its_end_sha256": {which: sha256(getattr(whole, which)) for which in ("best", "last")},
        "models": models,
        "checks": {name: [asdict(check) for check in jobs.metrics(job_id).checks] for name, job_id in ids.items()},
        "weights_sha256": {
            name: {which: sha256(jobs.weights(job_id, which).weights) for which in ("best", "last")}
            for name, job_id in ids.items()
        },
    }
    database.close()
    return expected


def sha256(array: Any) -> str:
    return hashlib.sha256(array.tobytes()).hexdigest()


def main(archive: Path) -> None:
    with TemporaryDirectory() as name:
        folder = Path(name) / "data"
        folder.mkdir()
        expected = make(folder)
        connection = sqlite3.connect(folder / "inkling.db")
        connection.execute("PRAGMA journal_mode = DELETE")
        connection.execute("VACUUM")
        connection.close()
        (folder / "engine.lock").unlink()
        (folder / "expected.json").write_text(json.dumps(expected, indent=1))
        with tarfile.open(archive, "w:xz", preset=9) as tar:
            tar.add(folder, "data", filter=_anonymous)


def _anonymous(info: tarfile.TarInfo) -> tarfile.TarInfo:
    info.uid = info.gid = info.mtime = 0
    info.uname = info.gname = ""
    return info


if __name__ == "__main__":
    main(Path(sys.argv[1]))
