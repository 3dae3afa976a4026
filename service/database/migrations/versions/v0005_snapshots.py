"""The weights of a job at its checks; finished jobs have none."""

import sqlalchemy as sa
from alembic import op

from service.database.tables import RowNumber

revision = "0005"
down_revision = "0004"


def upgrade() -> None:
    op.create_table(
        "snapshots",
        sa.Column("job_id", sa.String(26), sa.ForeignKey("jobs.id", ondelete="CASCADE"), primary_key=True),
        sa.Column("number", sa.Integer, primary_key=True, comment="of its check, counted from 0"),
        sa.Column("step", sa.Integer, nullable=False),
        sa.Column("check_id", RowNumber, nullable=False, comment="the event of its check"),
        sa.Column("body", sa.LargeBinary, nullable=False, comment="weights, little-endian float32"),
        sa.UniqueConstraint("job_id", "step"),
    )
