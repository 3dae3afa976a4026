"""Jobs that go on from another one's checkpoint, and jobs that train another one again."""

import sqlalchemy as sa
from alembic import op

revision = "0004"
down_revision = "0003"


def upgrade() -> None:
    """Let a job say where it comes from."""
    continues = sa.Column("continues", sa.JSON, comment="the job from whose checkpoint it began, and its first step")
    verification = sa.Column("verification", sa.JSON, comment="what it trains again, and what came of comparing")
    op.add_column("jobs", continues)
    op.add_column("jobs", verification)
