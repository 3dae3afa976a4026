"""Jobs, their events and their newest checkpoint."""

import sqlalchemy as sa
from alembic import op

from service.database.tables import RowNumber, UtcDateTime

revision = "0001"
down_revision = None


def upgrade() -> None:
    op.create_table(
        "jobs",
        sa.Column("number", RowNumber, primary_key=True, autoincrement=True, comment="order of arrival"),
        sa.Column("id", sa.String(26), nullable=False, unique=True, comment="ULID"),
        sa.Column("name", sa.String(64), nullable=False, comment="of the model it will be published under"),
        sa.Column("dataset", sa.String(64), nullable=False),
        sa.Column("config", sa.JSON, nullable=False),
        sa.Column("state", sa.String(16), nullable=False),
        sa.Column("idempotency_key", sa.String(255), unique=True),
        sa.Column("request_sha256", sa.String(64), nullable=False),
        sa.Column("fence", sa.Integer, nullable=False, comment="number of the newest claim"),
        sa.Column("losses", sa.Integer, nullable=False, comment="workers that died with it"),
        sa.Column("claimed_by", sa.String(26)),
        sa.Column("lease_expires_at_s", sa.Double, comment="by the database's clock, seconds since 1970"),
        sa.Column("batches_per_epoch", sa.Integer),
        sa.Column("dataset_sha256", sa.String(64)),
        sa.Column("environment", sa.JSON),
        sa.Column("latest_check_id", RowNumber),
        sa.Column("best_check_id", RowNumber),
        sa.Column("stop_reason", sa.String(32)),
        sa.Column("error", sa.JSON),
        sa.Column("publishing", sa.Boolean, nullable=False, comment="whether its model may be stored already"),
        sa.Column("model_version", sa.Integer),
        sa.Column("created_at", UtcDateTime, nullable=False),
        sa.Column("started_at", UtcDateTime),
        sa.Column("finished_at", UtcDateTime),
        sa.CheckConstraint(
            "state IN ('queued', 'running', 'cancelling', 'succeeded', 'failed', 'cancelled')", name="state"
        ),
        sqlite_autoincrement=True,
    )
    op.create_index("ix_jobs_state_number", "jobs", ["state", "number"])
    op.create_table(
        "events",
        sa.Column("id", RowNumber, primary_key=True, autoincrement=True),
        sa.Column("job_id", sa.String(26), sa.ForeignKey("jobs.id", ondelete="CASCADE"), nullable=False),
        sa.Column("kind", sa.String(8), nullable=False, comment="state or check"),
        sa.Column("at", UtcDateTime, nullable=False),
        sa.Column("state", sa.String(16)),
        sa.Column("epoch", sa.Integer),
        sa.Column("step", sa.Integer),
        sa.Column("train_loss", sa.Double),
        sa.Column("train_accuracy", sa.Double),
        sa.Column("validation_loss", sa.Double),
        sa.Column("validation_accuracy", sa.Double),
        sa.Column("detail", sa.JSON, comment="progress of a check, reason of a state"),
        sa.Column("step_losses", sa.LargeBinary, comment="training losses since the last check, little-endian float32"),
        sa.UniqueConstraint("job_id", "step"),
        sqlite_autoincrement=True,
    )
    op.create_index("ix_events_job_id_id", "events", ["job_id", "id"])
    op.create_table(
        "checkpoints",
        sa.Column("job_id", sa.String(26), sa.ForeignKey("jobs.id", ondelete="CASCADE"), primary_key=True),
        sa.Column("step", sa.Integer, nullable=False),
        sa.Column("body", sa.LargeBinary, nullable=False),
        sa.Column("at", UtcDateTime, nullable=False),
    )
