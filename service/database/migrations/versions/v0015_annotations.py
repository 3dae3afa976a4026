"""Titles, tags and notes."""

import sqlalchemy as sa
from alembic import op

revision = "0015"
down_revision = "0014"


def upgrade() -> None:
    """Create the tables of annotations and of their tags."""
    op.create_table(
        "annotations",
        sa.Column("kind", sa.String(8), nullable=False, comment="jobs, sweeps, reports, versions or datasets"),
        sa.Column("object_id", sa.String(80), nullable=False, comment="id, name, or name/version"),
        sa.Column("title", sa.String(200), nullable=False),
        sa.Column("notes", sa.Text, nullable=False),
        sa.Column("folded", sa.Text, nullable=False, comment="title, tags and notes, for searching in any case"),
        sa.PrimaryKeyConstraint("kind", "object_id", name="pk_annotations"),
    )
    op.create_table(
        "tags",
        sa.Column("kind", sa.String(8), nullable=False, comment="jobs, sweeps, reports, versions or datasets"),
        sa.Column("object_id", sa.String(80), nullable=False, comment="id, name, or name/version"),
        sa.Column("tag", sa.String(40), nullable=False),
        sa.PrimaryKeyConstraint("kind", "object_id", "tag", name="pk_tags"),
        sa.ForeignKeyConstraint(
            ["kind", "object_id"],
            ["annotations.kind", "annotations.object_id"],
            name="fk_tags_kind",
            ondelete="CASCADE",
        ),
    )
    op.create_index("ix_tags_kind_tag", "tags", ["kind", "tag"])
