"""What ended and is still to be sent to other programs."""

import sqlalchemy as sa
from alembic import op

from service.database.tables import RowNumber, UtcDateTime

revision = "0013"
down_revision = "0012"


def upgrade() -> None:
    op.create_table(
        "deliveries",
        sa.Column("number", RowNumber, primary_key=True, autoincrement=True, comment="order of arrival"),
        sa.Column("target", sa.String(16), nullable=False, comment="webhook or mlflow"),
        sa.Column("event", sa.String(16), nullable=False, comment="job.ended and the like"),
        sa.Column("object_id", sa.String(200), nullable=False),
        sa.Column("attempts", sa.Integer, nullable=False),
        sa.Column("due_at_s", sa.Double, nullable=False, comment="by the database's clock, seconds since 1970"),
        sa.Column("created_at", UtcDateTime, nullable=False),
        sqlite_autoincrement=True,
    )
    op.create_index("ix_deliveries_target_number", "deliveries", ["target", "number"])
