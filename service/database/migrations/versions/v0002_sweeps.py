"""Sweeps, and in jobs of which they are members."""

import sqlalchemy as sa
from alembic import op

from service.database.tables import RowNumber, UtcDateTime

revision = "0002"
down_revision = "0001"


def upgrade() -> None:
    op.create_table(
        "sweeps",
        sa.Column("number", RowNumber, primary_key=True, autoincrement=True, comment="order of arrival"),
        sa.Column("id", sa.String(26), nullable=False, unique=True, comment="ULID"),
        sa.Column("name", sa.String(64), nullable=False),
        sa.Column("dataset", sa.String(64), nullable=False),
        sa.Column("base", sa.JSON, nullable=False, comment="the hyperparameters that the members share"),
        sa.Column("grid", sa.JSON, nullable=False, comment="the values of those in which they differ"),
        sa.Column("idempotency_key", sa.String(255), unique=True),
        sa.Column("request_sha256", sa.String(64), nullable=False),
        sa.Column("created_at", UtcDateTime, nullable=False),
        sqlite_autoincrement=True,
    )
    sweep_id = sa.Column("sweep_id", sa.String(26), comment="of the sweep that it is a member of")
    stack_key = sa.Column("stack_key", sa.String(64), comment="jobs that agree in it can be trained together")
    op.add_column("jobs", sweep_id)
    op.add_column("jobs", stack_key)
    op.create_index("ix_jobs_sweep_id_number", "jobs", ["sweep_id", "number"])
