"""Keys, who submitted a job, and the audit log."""

import sqlalchemy as sa
from alembic import op

from service.database.tables import RowNumber, UtcDateTime

revision = "0007"
down_revision = "0006"


def upgrade() -> None:
    op.create_table(
        "api_keys",
        sa.Column("number", RowNumber, primary_key=True, autoincrement=True, comment="order of making"),
        sa.Column("id", sa.String(12), nullable=False, unique=True, comment="the part of a key that is no secret"),
        sa.Column("name", sa.String(64), nullable=False),
        sa.Column("sha256", sa.String(64), nullable=False, comment="of the whole key"),
        sa.Column("scopes", sa.JSON, nullable=False),
        sa.Column("created_at", UtcDateTime, nullable=False),
        sa.Column("expires_at", UtcDateTime),
        sa.Column("revoked_at", UtcDateTime),
        sqlite_autoincrement=True,
    )
    op.create_table(
        "audit",
        sa.Column("id", RowNumber, primary_key=True, autoincrement=True),
        sa.Column("at", UtcDateTime, nullable=False),
        sa.Column("key_id", sa.String(12), comment="null where no key was needed"),
        sa.Column("method", sa.String(8), nullable=False),
        sa.Column("route", sa.String(128), nullable=False, comment="as it is declared, without its parameters"),
        sa.Column("object_id", sa.String(200), comment="what was made or changed"),
        sa.Column("status", sa.Integer, nullable=False),
        sa.Column("request_id", sa.String(64), nullable=False, comment="of the answer and of the log"),
        sqlite_autoincrement=True,
    )
    op.add_column("jobs", sa.Column("key_id", sa.String(12), comment="of whom it was submitted by"))
