"""Reports, which point to the runs that they are made of."""

import sqlalchemy as sa
from alembic import op

from service.database.tables import RowNumber, UtcDateTime

revision = "0003"
down_revision = "0002"


def upgrade() -> None:
    """Make the table of reports."""
    op.create_table(
        "reports",
        sa.Column("number", RowNumber, primary_key=True, autoincrement=True, comment="order of arrival"),
        sa.Column("id", sa.String(26), nullable=False, comment="ULID"),
        sa.Column("options", sa.JSON, nullable=False),
        sa.Column("in_order_job_id", sa.String(26), comment="null once that job was deleted"),
        sa.Column("shuffled_job_id", sa.String(26), comment="null once that job was deleted"),
        sa.Column("sweep_id", sa.String(26), nullable=False),
        sa.Column("idempotency_key", sa.String(255)),
        sa.Column("request_sha256", sa.String(64), nullable=False),
        sa.Column("created_at", UtcDateTime, nullable=False),
        sa.PrimaryKeyConstraint("number", name="pk_reports"),
        sa.UniqueConstraint("id", name="uq_reports_id"),
        sa.UniqueConstraint("idempotency_key", name="uq_reports_idempotency_key"),
        sa.ForeignKeyConstraint(
            ["in_order_job_id"], ["jobs.id"], name="fk_reports_in_order_job_id", ondelete="SET NULL"
        ),
        sa.ForeignKeyConstraint(
            ["shuffled_job_id"], ["jobs.id"], name="fk_reports_shuffled_job_id", ondelete="SET NULL"
        ),
        sa.ForeignKeyConstraint(["sweep_id"], ["sweeps.id"], name="fk_reports_sweep_id"),
        sqlite_autoincrement=True,
    )
