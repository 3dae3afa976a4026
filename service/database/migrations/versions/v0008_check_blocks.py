"""Checks of runs that are over, a thousand a row; and the newest and the best check beside each job.

The form of a block is written out here as it was then, so that it cannot change with the program.
"""

import json
import zlib
from collections.abc import Sequence
from typing import Any

import numpy as np
import sqlalchemy as sa
from alembic import op

from service.database.tables import RowNumber

revision = "0008"
down_revision = "0007"


def upgrade() -> None:
    blocks = op.create_table(
        "check_blocks",
        sa.Column("job_id", sa.String(26), sa.ForeignKey("jobs.id", ondelete="CASCADE"), primary_key=True),
        sa.Column("first_id", RowNumber, primary_key=True, comment="of the events that the checks were"),
        sa.Column("last_id", RowNumber, nullable=False),
        sa.Column("last_step", sa.Integer, nullable=False),
        sa.Column("checks", sa.LargeBinary, nullable=False, comment="their numbers, as an array"),
        sa.Column("details", sa.LargeBinary, nullable=False, comment="their progress, as compressed JSON"),
        sa.Column("step_losses", sa.LargeBinary, nullable=False, comment="as in events, end to end"),
    )
    connection = op.get_bind()
    jobs = sa.table("jobs", *(sa.column(name, sa.JSON if name.endswith("check") else None) for name in _JOB))
    names = (*_CHECK, "job_id", "kind", "step_losses")
    events = sa.table("events", *(sa.column(name, sa.JSON if name == "detail" else None) for name in names))
    checks = [events.c[name] for name in _CHECK]
    for name in ("latest_check", "best_check"):
        op.add_column("jobs", sa.Column(name, sa.JSON))
        rows = connection.execute(
            sa.select(jobs.c.id, *checks).join_from(jobs, events, jobs.c[f"{name}_id"] == events.c.id)
        ).all()
        for job_id, *values in rows:
            document = dict(zip(_CHECK, values, strict=True))
            connection.execute(sa.update(jobs).where(jobs.c.id == job_id).values({name: document}))
        op.drop_column("jobs", f"{name}_id")
    over = sa.select(jobs.c.id).where(jobs.c.state.in_(("succeeded", "failed", "cancelled")))
    for job_id in connection.execute(over).scalars().all():
        loose = (events.c.job_id == job_id) & (events.c.kind == "check")
        rows = connection.execute(sa.select(*checks, events.c.step_losses).where(loose).order_by(events.c.id)).all()
        for start in range(0, len(rows), 1000):
            connection.execute(blocks.insert().values(job_id=job_id, **_block(rows[start : start + 1000])))
        connection.execute(sa.delete(events).where(loose))


def _block(rows: Sequence[sa.Row[Any]]) -> dict[str, Any]:
    numbers = [(*row[:7], len(row.step_losses) // 4) for row in rows]  # four bytes a loss
    dtype = [(name, "<i8" if name in ("id", "step") else "<i4" if name == "epoch" else "<f8") for name in _CHECK[:7]]
    return {
        "first_id": rows[0].id,
        "last_id": rows[-1].id,
        "last_step": rows[-1].step,
        "checks": np.array(numbers, dtype=[*dtype, ("n_losses", "<i4")]).tobytes(),
        "details": zlib.compress(json.dumps([row.detail for row in rows]).encode()),
        "step_losses": b"".join(row.step_losses for row in rows),
    }


_JOB = ("id", "state", "latest_check", "latest_check_id", "best_check", "best_check_id")
_CHECK = ("id", "epoch", "step", "train_loss", "train_accuracy", "validation_loss", "validation_accuracy", "detail")
