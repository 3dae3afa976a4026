"""Collections of labelled images."""

import sqlalchemy as sa
from alembic import op

from service.database.tables import RowNumber, UtcDateTime

revision = "0010"
down_revision = "0009"


def upgrade() -> None:
    op.create_table(
        "collections",
        sa.Column("number", RowNumber, primary_key=True, autoincrement=True, comment="order of making"),
        sa.Column("id", sa.String(40), nullable=False, unique=True, comment="its name"),
        sa.Column("n_versions", sa.Integer, nullable=False, comment="how often it was frozen"),
        sa.Column("created_at", UtcDateTime, nullable=False),
        sqlite_autoincrement=True,
    )
    op.create_table(
        "collection_images",
        sa.Column("number", RowNumber, primary_key=True, autoincrement=True, comment="order of arrival"),
        sa.Column("id", sa.String(26), nullable=False, unique=True, comment="ULID"),
        sa.Column("collection_id", sa.String(40), sa.ForeignKey("collections.id", ondelete="CASCADE"), nullable=False),
        sa.Column("label", sa.Integer, nullable=False),
        sa.Column("pixels", sa.LargeBinary, nullable=False, comment="28x28 bytes, as models get them"),
        sa.Column("original", sa.LargeBinary, comment="the file that was sent, unless it is too large"),
        sa.Column("media_type", sa.String(40), comment="of the original"),
        sa.Column("key_id", sa.String(12), comment="of whom it was sent by"),
        sa.Column("created_at", UtcDateTime, nullable=False),
        sqlite_autoincrement=True,
    )
    op.create_index("ix_collection_images_collection_id_number", "collection_images", ["collection_id", "number"])
