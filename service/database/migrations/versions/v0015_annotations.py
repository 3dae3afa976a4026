"""Titles, tags and notes."""

import sqlalchemy as sa
from alembic import op

revision = "0015"
down_revision = "0014"


def upgrade() -> None:
    op.create_table(
        "annotations",
        sa.Column("kind", sa.String(8), primary_key=True, comment="jobs, sweeps, reports, versions or datasets"),
        sa.Column("object_id", sa.String(80), primary_key=True, comment="id, name, or name/version"),
        sa.Column("title", sa.String(200), nullable=False),
        sa.Column("notes", sa.Text, nullable=False),
        sa.Column("folded", sa.Text, nullable=False, comment="title, tags and notes, for searching in any case"),
    )
    op.create_table(
        "tags",
        sa.Column("kind", sa.String(8), primary_key=True, comment="jobs, sweeps, reports, versions or datasets"),
        sa.Column("object_id", sa.String(80), primary_key=True, comment="id, name, or name/version"),
        sa.Column("tag", sa.String(40), primary_key=True),
        sa.ForeignKeyConstraint(
            ["kind", "object_id"],
            ["annotations.kind", "annotations.object_id"],
            name="fk_tags_kind",
            ondelete="CASCADE",
        ),
    )
    op.create_index("ix_tags_kind_tag", "tags", ["kind", "tag"])
