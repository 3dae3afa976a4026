"""The origin of a job: its request id and its trace. It stays empty for existing jobs."""

import sqlalchemy as sa
from alembic import op

revision = "0006"
down_revision = "0005"


def upgrade() -> None:
    op.add_column("jobs", sa.Column("origin", sa.JSON, comment="of the request: its id, and its trace"))
