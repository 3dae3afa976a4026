"""Where a job comes from: the request that asked for it, and the trace that this belongs to."""

import sqlalchemy as sa
from alembic import op

revision = "0006"
down_revision = "0005"


def upgrade() -> None:
    """Add the column; nothing is known of jobs that are there already."""
    op.add_column("jobs", sa.Column("origin", sa.JSON, comment="of the request: its id, and its trace"))
