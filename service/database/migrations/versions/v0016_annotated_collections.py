"""Titles, tags and notes of collections: on PostgreSQL the column of kinds gets room for their name.

SQLite keeps text of any length, and could only copy the table.
"""

import sqlalchemy as sa
from alembic import op

revision = "0016"
down_revision = "0015"


def upgrade() -> None:
    if op.get_bind().dialect.name != "postgresql":
        return
    comment = "jobs, sweeps, reports, versions, datasets or collections"
    for table in ("annotations", "tags"):
        op.alter_column(table, "kind", type_=sa.String(16), existing_nullable=False, comment=comment)
