"""Checks of runs that are over, a thousand a row; and the newest and the best check beside each job."""

import sqlalchemy as sa
from alembic import op

from service.database import check_rows
from service.database.tables import RowNumber

revision = "0008"
down_revision = "0007"


def upgrade() -> None:
    """Make the table of blocks, and move what is there."""
    op.create_table(
        "check_blocks",
        sa.Column("job_id", sa.String(26), nullable=False),
        sa.Column("first_id", RowNumber, nullable=False, comment="of the events that the checks were"),
        sa.Column("last_id", RowNumber, nullable=False),
        sa.Column("last_step", sa.Integer, nullable=False),
        sa.Column("checks", sa.LargeBinary, nullable=False, comment="their numbers, as an array"),
        sa.Column("details", sa.LargeBinary, nullable=False, comment="their progress, as compressed JSON"),
        sa.Column("step_losses", sa.LargeBinary, nullable=False, comment="as in events, end to end"),
        sa.PrimaryKeyConstraint("job_id", "first_id", name="pk_check_blocks"),
        sa.ForeignKeyConstraint(["job_id"], ["jobs.id"], name="fk_check_blocks_job_id", ondelete="CASCADE"),
    )
    connection = op.get_bind()
    jobs = sa.table("jobs", *(sa.column(name, sa.JSON if name.endswith("check") else None) for name in _JOB))
    events = sa.table("events", *(sa.column(name, sa.JSON if name == "detail" else None) for name in _CHECK))
    for name in ("latest_check", "best_check"):
        op.add_column("jobs", sa.Column(name, sa.JSON))
        rows = connection.execute(
            sa.select(jobs.c.id, *events.c).join_from(jobs, events, jobs.c[f"{name}_id"] == events.c.id)
        ).all()
        for job_id, *values in rows:
            document = dict(zip(_CHECK, values, strict=True))
            connection.execute(sa.update(jobs).where(jobs.c.id == job_id).values({name: document}))
        op.drop_column("jobs", f"{name}_id")
    over = sa.select(jobs.c.id).where(jobs.c.state.in_(("succeeded", "failed", "cancelled")))
    for job_id in connection.execute(over).scalars().all():
        check_rows.pack(connection, job_id)


_JOB = ("id", "state", "latest_check", "latest_check_id", "best_check", "best_check_id")
_CHECK = (
    "id",
    "epoch",
    "step",
    "train_loss",
    "train_accuracy",
    "validation_loss",
    "validation_accuracy",
    "detail",
)
