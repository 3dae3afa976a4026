"""Reports, which point to the runs that they are made of."""

import sqlalchemy as sa
from alembic import op

from service.database.tables import RowNumber, UtcDateTime

revision = "0003"
down_revision = "0002"

_COMMENT = "null once that job was deleted"


def upgrade() -> None:
    op.create_table(
        "reports",
        sa.Column("number", RowNumber, primary_key=True, autoincrement=True, comment="order of arrival"),
        sa.Column("id", sa.String(26), nullable=False, unique=True, comment="ULID"),
        sa.Column("options", sa.JSON, nullable=False),
        *(
            sa.Column(name, sa.String(26), sa.ForeignKey("jobs.id", ondelete="SET NULL"), comment=_COMMENT)
            for name in ("in_order_job_id", "shuffled_job_id")
        ),
        sa.Column("sweep_id", sa.String(26), sa.ForeignKey("sweeps.id"), nullable=False),
        sa.Column("idempotency_key", sa.String(255), unique=True),
        sa.Column("request_sha256", sa.String(64), nullable=False),
        sa.Column("created_at", UtcDateTime, nullable=False),
        sqlite_autoincrement=True,
    )
