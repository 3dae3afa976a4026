"""What a resumed job takes over is stored once; earlier ones keep their copies."""

import sqlalchemy as sa
from alembic import op

revision = "0011"
down_revision = "0010"


def upgrade() -> None:
    """Let rows of bytes refer to the job that has them."""
    comment = "the job that has the bytes; null: this one"
    for table in ("check_blocks", "checkpoints", "snapshots"):
        op.add_column(table, sa.Column("owner_id", sa.String(26), comment=comment))
        op.create_index(f"ix_{table}_owner_id", table, ["owner_id"])
