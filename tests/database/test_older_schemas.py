"""A database of every schema there was comes up to the present one with all that was in it, and works."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest
from alembic import command
from alembic.config import Config
from alembic.script import ScriptDirectory
from sqlalchemy import Connection, MetaData, inspect, text

from service.core import TrainingConfig
from service.database import Database, migrate
from service.jobs import InlineExecutor, JobState
from tests.jobs.job_system import SHORT, JobSystem

CONFIG = Config()
CONFIG.set_main_option("script_location", "service.database:migrations")
SCHEMAS = [script.revision for script in ScriptDirectory.from_config(CONFIG).walk_revisions()][::-1]

WAITING, SUCCEEDED, SWEEP = "01" * 13, "02" * 13, "03" * 13
AT = "2026-01-02 03:04:05.678901"
JOB = {
    "name": "digits",
    "dataset": "mnist",
    "config": json.dumps(TrainingConfig(**SHORT).to_dict()),
    "state": "queued",
    "request_sha256": "a" * 64,
    "fence": 0,
    "losses": 0,
    "publishing": False,
    "created_at": AT,
}
OVER = {"state": "succeeded", "fence": 2, "losses": 1, "batches_per_epoch": 4, "model_version": 7, "finished_at": AT}
OVER |= {"dataset_sha256": "b" * 64, "latest_check_id": 4, "best_check_id": 4, "stop_reason": "max_epochs"}
CHECK = {"epoch": 0, "step": 3, "train_loss": 0.5, "train_accuracy": 0.75, "step_losses": bytes(16)}
CHECK |= {"validation_loss": 0.25, "validation_accuracy": 0.875}
METRICS = {name: value for name, value in CHECK.items() if name.endswith(("_loss", "_accuracy"))}
PROGRESS = {"fraction": 1.0, "epoch": 1, "step": 3, "images_per_s": 10.0, "eta_s": 0.0, "patience_left": None}
OVER |= dict.fromkeys(
    ("latest_check", "best_check"),
    json.dumps({"id": 4, "detail": PROGRESS, **{n: v for n, v in CHECK.items() if n != "step_losses"}}),
)
ROWS: Mapping[str, list[dict[str, Any]]] = {
    "sweeps": [
        {"number": 1, "id": SWEEP, "name": "digits", "dataset": "mnist", "base": "{}", "grid": "{}"}
        | {"idempotency_key": "sweep", "request_sha256": "c" * 64, "created_at": AT}
    ],
    "jobs": [
        {"number": 1, "id": SUCCEEDED, "idempotency_key": "job", **JOB, **OVER},
        {"number": 2, "id": WAITING, **JOB},
    ],
    "reports": [
        {"number": 1, "id": "04" * 13, "options": "{}", "in_order_job_id": SUCCEEDED, "sweep_id": SWEEP}
        | {"request_sha256": "d" * 64, "created_at": AT}
    ],
    "events": [
        {"id": 1, "job_id": SUCCEEDED, "kind": "state", "at": AT, "state": "queued"},
        {"id": 2, "job_id": WAITING, "kind": "state", "at": AT, "state": "queued"},
        {"id": 3, "job_id": SUCCEEDED, "kind": "state", "at": AT, "state": "running"},
        {"id": 4, "job_id": SUCCEEDED, "kind": "check", "at": AT, "detail": json.dumps(PROGRESS), **CHECK}
        | {"metrics": json.dumps(METRICS)},
        {"id": 5, "job_id": SUCCEEDED, "kind": "state", "at": AT, "state": "succeeded", "detail": "{}"},
    ],
    "checkpoints": [{"job_id": SUCCEEDED, "step": 3, "body": b"checkpoint", "at": AT}],
    "api_keys": [{"number": 1, "id": "a1", "name": "ada", "sha256": "e" * 64, "scopes": '["read"]', "created_at": AT}],
    "audit": [
        {"id": 1, "at": AT, "key_id": "a1", "method": "POST", "route": "/api/v1/jobs", "status": 202}
        | {"object_id": WAITING, "request_id": "05" * 13}
    ],
    "check_blocks": [],  # made of the checks among the events
    "collections": [{"number": 1, "id": "mine", "n_versions": 2, "created_at": AT}],
    "collection_images": [
        {"number": 1, "id": "06" * 13, "collection_id": "mine", "label": 3, "pixels": bytes(784), "created_at": AT}
    ],
    "deliveries": [
        {"number": 1, "target": "webhook", "event": "job.ended", "object_id": SUCCEEDED, "attempts": 2, "due_at_s": 3.0}
        | {"created_at": AT}
    ],
    "annotations": [{"kind": "jobs", "object_id": SUCCEEDED, "title": "One", "notes": "", "folded": "one\nfirst\n"}],
    "tags": [{"kind": "jobs", "object_id": SUCCEEDED, "tag": "first"}],
    "snapshots": [{"job_id": SUCCEEDED, "number": 0, "step": 3, "check_id": 4, "body": bytes(4)}],
}
"""What a database may hold. A new table needs a row here; a schema that lacks a column leaves it out."""
MOVED = {"latest_check_id", "best_check_id", *METRICS}
"""Columns that a later schema has otherwise. Checks of jobs that are over move, too, from the events to blocks."""


def contents(connection: Connection) -> dict[str, list[dict[str, Any]]]:
    """Return every row of every table, as it is stored."""
    tables = [name for name in inspect(connection).get_table_names() if name != "alembic_version"]
    return {
        name: [dict(row._mapping) for row in connection.execute(text(f"SELECT * FROM {name} ORDER BY 1, 2"))]
        for name in tables
    }


def make(database: Database, schema: str) -> dict[str, list[dict[str, Any]]]:
    """Make a database as the program of that schema did, with rows in every table; return them."""
    with database.write() as connection:
        CONFIG.attributes["connection"] = connection
        command.upgrade(CONFIG, schema)
        (known := MetaData()).reflect(connection)
        for table in known.sorted_tables:
            if table.name != "alembic_version":
                for row in ROWS[table.name]:
                    values = {name: value for name, value in row.items() if name in table.columns}
                    names = ", ".join(values)
                    holders = ", ".join(f":{name}" for name in values)
                    connection.execute(text(f"INSERT INTO {table.name} ({names}) VALUES ({holders})"), values)
        return contents(connection)


@pytest.mark.slow
@pytest.mark.parametrize("schema", SCHEMAS)
def test_every_schema_comes_up_to_the_present_one_with_its_rows(tmp_path: Path, schema: str) -> None:
    database = Database(f"sqlite:///{tmp_path / 'inkling.db'}")
    before = make(database, schema)
    assert before["jobs"] and before["events"]
    migrate(database)
    with database.read() as connection:
        after = contents(connection)
        assert connection.execute(text("PRAGMA integrity_check")).scalar_one() == "ok"
        assert connection.execute(text("PRAGMA foreign_key_check")).all() == []
    for table, rows in before.items():
        kept = [row for row in rows if row.get("kind") != "check" or len(after[table]) == len(rows)]
        for old, new in zip(kept, after[table], strict=True):
            still = {name: value for name, value in old.items() if name not in MOVED}
            assert new.items() >= still.items(), table

    system = JobSystem(tmp_path, lambda: InlineExecutor(1), database=database)
    system.engine.start()
    over = system.jobs.get(SUCCEEDED)
    assert over.state is JobState.SUCCEEDED and over.model == {"name": "digits", "version": 7}
    assert system.states(SUCCEEDED) == ["queued", "running", "succeeded"]
    assert system.curve(SUCCEEDED) == [(0, 3, 0.5, 0.75, 0.25, 0.875)]
    assert over.latest == over.best is not None and over.latest.validation_loss == 0.25
    waiting = system.wait(WAITING)
    assert waiting.state is JobState.SUCCEEDED, "what waited in the old version runs in the new one"
    assert system.registry.load("digits", 1).manifest.job_id == WAITING
    system.close()
