"""The strokes of collected drawings. They stay empty for existing images."""

import sqlalchemy as sa
from alembic import op

revision = "0012"
down_revision = "0011"


def upgrade() -> None:
    op.add_column("collection_images", sa.Column("strokes", sa.LargeBinary, comment="JSON, if it was drawn here"))
    op.add_column("collection_images", sa.Column("n_strokes", sa.Integer))
