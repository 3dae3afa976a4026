"""Jobs that resume another one, and jobs that verify another one: a reference to that."""

import sqlalchemy as sa
from alembic import op

revision = "0004"
down_revision = "0003"


def upgrade() -> None:
    continues = sa.Column("continues", sa.JSON, comment="the job from whose checkpoint it began, and its first step")
    verification = sa.Column("verification", sa.JSON, comment="what it trains again, and what came of comparing")
    op.add_column("jobs", continues)
    op.add_column("jobs", verification)
