"""The weights of a job at its checks."""

import sqlalchemy as sa
from alembic import op

from service.database.tables import RowNumber

revision = "0005"
down_revision = "0004"


def upgrade() -> None:
    """Create the table of snapshots; finished jobs have none."""
    op.create_table(
        "snapshots",
        sa.Column("job_id", sa.String(26), nullable=False),
        sa.Column("number", sa.Integer, nullable=False, comment="of its check, counted from 0"),
        sa.Column("step", sa.Integer, nullable=False),
        sa.Column("check_id", RowNumber, nullable=False, comment="the event of its check"),
        sa.Column("body", sa.LargeBinary, nullable=False, comment="weights, little-endian float32"),
        sa.PrimaryKeyConstraint("job_id", "number", name="pk_snapshots"),
        sa.ForeignKeyConstraint(["job_id"], ["jobs.id"], name="fk_snapshots_job_id", ondelete="CASCADE"),
        sa.UniqueConstraint("job_id", "step", name="uq_snapshots_job_id_step"),
    )
