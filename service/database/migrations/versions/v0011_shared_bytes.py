"""What a resumed job takes over is stored once, and refers to the job that has the bytes; earlier ones keep copies."""

import sqlalchemy as sa
from alembic import op

revision = "0011"
down_revision = "0010"


def upgrade() -> None:
    comment = "the job that has the bytes; null: this one"
    for table in ("check_blocks", "checkpoints", "snapshots"):
        op.add_column(table, sa.Column("owner_id", sa.String(26), comment=comment))
        op.create_index(f"ix_{table}_owner_id", table, ["owner_id"])
