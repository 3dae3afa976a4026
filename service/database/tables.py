"""The tables, as SQLAlchemy Core sees them. Migrations in ``migrations`` make them; a test compares the two."""

from datetime import UTC, datetime
from typing import Any

from sqlalchemy import (
    JSON,
    BigInteger,
    Boolean,
    CheckConstraint,
    Column,
    DateTime,
    Dialect,
    Double,
    ForeignKey,
    ForeignKeyConstraint,
    Index,
    Integer,
    LargeBinary,
    MetaData,
    String,
    Table,
    Text,
    TypeDecorator,
    UniqueConstraint,
)
from sqlalchemy.schema import SchemaItem

from .states import JobState


class UtcDateTime(TypeDecorator[datetime]):
    """Aware datetimes in UTC, also where the database has no time zones (SQLite)."""

    impl = DateTime(timezone=True)
    cache_ok = True

    def process_bind_param(self, value: datetime | None, dialect: Dialect) -> Any:
        """Store UTC; refuse naive times."""
        if value is None:
            return None
        if value.tzinfo is None:
            raise ValueError("times must be aware")
        return value.astimezone(UTC)

    def process_result_value(self, value: Any, dialect: Dialect) -> datetime | None:
        """Return UTC."""
        if value is None:
            return None
        time: datetime = value
        return time.replace(tzinfo=UTC) if time.tzinfo is None else time.astimezone(UTC)


RowNumber = BigInteger().with_variant(Integer, "sqlite")
"""SQLite numbers rows itself only where the type is exactly INTEGER."""

Document = JSON(none_as_null=True)
"""Plain data; None is stored as NULL, not as JSON's null."""


def _now() -> datetime:
    return datetime.now(UTC)


metadata = MetaData(
    naming_convention={
        "ix": "ix_%(table_name)s_%(column_0_N_name)s",
        "uq": "uq_%(table_name)s_%(column_0_N_name)s",
        "ck": "ck_%(table_name)s_%(constraint_name)s",
        "fk": "fk_%(table_name)s_%(column_0_name)s",
        "pk": "pk_%(table_name)s",
    }
)


def _numbered(name: str, order: str, *items: SchemaItem) -> Table:
    """Return a table whose rows are numbered in an order."""
    number = Column("number", RowNumber, primary_key=True, autoincrement=True, comment=order)
    return Table(name, metadata, number, *items, sqlite_autoincrement=True)


def _submitted(name: str, *items: SchemaItem) -> Table:
    """Return a table of requests that are accepted once for each idempotency key."""
    return _numbered(
        name,
        "order of arrival",
        Column("id", String(26), nullable=False, unique=True, comment="ULID"),
        *items,
        Column("idempotency_key", String(255), unique=True),
        Column("request_sha256", String(64), nullable=False),
        Column("created_at", UtcDateTime, nullable=False, default=_now),
    )


sweeps = _submitted(
    "sweeps",
    Column("name", String(64), nullable=False),
    Column("dataset", String(64), nullable=False),
    Column("base", Document, nullable=False, comment="the hyperparameters that the members share"),
    Column("grid", Document, nullable=False, comment="the values of those in which they differ"),
)

jobs = _submitted(
    "jobs",
    Column("name", String(64), nullable=False, comment="of the model it will be published under"),
    Column("dataset", String(64), nullable=False),
    Column("config", Document, nullable=False),
    Column("state", String(16), nullable=False, default=JobState.QUEUED),
    Column("sweep_id", String(26), comment="of the sweep that it is a member of"),
    Column("stack_key", String(64), comment="jobs that agree in it can be trained together"),
    Column("key_id", String(12), comment="of whom it was submitted by"),
    Column("fence", Integer, nullable=False, default=0, comment="number of the newest claim"),
    Column("losses", Integer, nullable=False, default=0, comment="workers that died with it"),
    Column("claimed_by", String(26)),
    Column("lease_expires_at_s", Double, comment="by the database's clock, seconds since 1970"),
    Column("pause_at_step", Integer, comment="the first step that it does not make without being continued"),
    Column("batches_per_epoch", Integer),
    Column("dataset_sha256", String(64)),
    Column("environment", Document),
    Column("latest_check", Document),
    Column("best_check", Document),
    Column("stop_reason", String(32)),
    Column("error", Document),
    Column("publishing", Boolean, nullable=False, default=False, comment="whether its model may be stored already"),
    Column("model_version", Integer),
    Column("continues", Document, comment="the job from whose checkpoint it began, and its first step"),
    Column("verification", Document, comment="what it trains again, and what came of comparing"),
    Column("origin", Document, comment="of the request: its id, and its trace"),
    Column("started_at", UtcDateTime),
    Column("finished_at", UtcDateTime),
    CheckConstraint(f"state IN ({', '.join(repr(state) for state in map(str, JobState))})", name="state"),
    Index(None, "state", "number"),
    Index(None, "sweep_id", "number"),
)

reports = _submitted(
    "reports",
    Column("options", Document, nullable=False),
    *(
        Column(name, String(26), ForeignKey("jobs.id", ondelete="SET NULL"), comment="null once that job was deleted")
        for name in ("in_order_job_id", "shuffled_job_id")
    ),
    Column("sweep_id", String(26), ForeignKey("sweeps.id"), nullable=False),
    Column("repeats_sweep_id", String(26), comment="of the runs of logistic regression with further seeds"),
)
REPORT_JOBS = reports.c.in_order_job_id, reports.c.shuffled_job_id
REPORT_SWEEPS = reports.c.sweep_id, reports.c.repeats_sweep_id

events = Table(
    "events",
    metadata,
    Column("id", RowNumber, primary_key=True, autoincrement=True),
    Column("job_id", String(26), ForeignKey("jobs.id", ondelete="CASCADE"), nullable=False),
    Column("kind", String(8), nullable=False, comment="state or check"),
    Column("at", UtcDateTime, nullable=False),
    Column("state", String(16)),
    Column("epoch", Integer),
    Column("step", Integer),
    Column("metrics", Document, comment="of a check, by name"),
    Column("detail", Document, comment="progress of a check, reason of a state"),
    # Also as float64, with a byte before: see `pack_losses`. To change what the database says would take a migration.
    Column("step_losses", LargeBinary, comment="training losses since the last check, little-endian float32"),
    UniqueConstraint("job_id", "step"),
    Index(None, "job_id", "id"),
    sqlite_autoincrement=True,
)

check_blocks = Table(
    "check_blocks",
    metadata,
    Column("job_id", String(26), ForeignKey("jobs.id", ondelete="CASCADE"), primary_key=True),
    Column("first_id", RowNumber, primary_key=True, autoincrement=False, comment="of the events that the checks were"),
    Column("last_id", RowNumber, nullable=False),
    Column("last_step", Integer, nullable=False),
    Column(
        "metrics", Document, comment="which its checks have, in their order; null: the four of before there were names"
    ),
    Column("checks", LargeBinary, nullable=False, comment="their numbers, as an array"),
    Column("details", LargeBinary, nullable=False, comment="their progress, as compressed JSON"),
    Column("step_losses", LargeBinary, nullable=False, comment="as in events, end to end"),
    Column("owner_id", String(26), index=True, comment="the job that has the bytes; null: this one"),
)

checkpoints = Table(
    "checkpoints",
    metadata,
    Column("job_id", String(26), ForeignKey("jobs.id", ondelete="CASCADE"), primary_key=True),
    Column("step", Integer, nullable=False),
    Column("body", LargeBinary, nullable=False),
    Column("at", UtcDateTime, nullable=False),
    Column("owner_id", String(26), index=True, comment="the job that has the bytes; null: this one"),
)

snapshots = Table(
    "snapshots",
    metadata,
    Column("job_id", String(26), ForeignKey("jobs.id", ondelete="CASCADE"), primary_key=True),
    Column("number", Integer, primary_key=True, autoincrement=False, comment="of its check, counted from 0"),
    Column("step", Integer, nullable=False),
    Column("check_id", RowNumber, nullable=False, comment="the event of its check"),
    Column("body", LargeBinary, nullable=False, comment="weights, little-endian float32"),
    Column("owner_id", String(26), index=True, comment="the job that has the bytes; null: this one"),
    UniqueConstraint("job_id", "step"),
)

collections = _numbered(
    "collections",
    "order of making",
    Column("id", String(40), nullable=False, unique=True, comment="its name"),
    Column("n_versions", Integer, nullable=False, default=0, comment="how often it was frozen"),
    Column("created_at", UtcDateTime, nullable=False, default=_now),
)

collection_images = _numbered(
    "collection_images",
    "order of arrival",
    Column("id", String(26), nullable=False, unique=True, comment="ULID"),
    Column("collection_id", String(40), ForeignKey("collections.id", ondelete="CASCADE"), nullable=False),
    Column("label", Integer, nullable=False),
    Column("pixels", LargeBinary, nullable=False, comment="28x28 bytes, as models get them"),
    Column("original", LargeBinary, comment="the file that was sent, unless it is too large"),
    Column("media_type", String(40), comment="of the original"),
    Column("key_id", String(12), comment="of whom it was sent by"),
    Column("created_at", UtcDateTime, nullable=False, default=_now),
    Column("strokes", LargeBinary, comment="JSON, if it was drawn here"),
    Column("n_strokes", Integer),
    Index(None, "collection_id", "number"),
)

deliveries = _numbered(
    "deliveries",
    "order of arrival",
    Column("target", String(16), nullable=False, comment="webhook or mlflow"),
    Column("event", String(16), nullable=False, comment="job.ended and the like"),
    Column("object_id", String(200), nullable=False),
    Column("attempts", Integer, nullable=False, default=0),
    Column("due_at_s", Double, nullable=False, default=0.0, comment="by the database's clock, seconds since 1970"),
    Column("created_at", UtcDateTime, nullable=False, default=_now),
    Index(None, "target", "number"),
)


_KIND = String(8).with_variant(String(16), "postgresql")
"""SQLite does not hold text to a length, nor can it change one."""


def _annotated() -> tuple[SchemaItem, ...]:
    """Return the columns that name what is annotated."""
    return (
        Column("kind", _KIND, primary_key=True, comment="jobs, sweeps, reports, versions, datasets or collections"),
        Column("object_id", String(80), primary_key=True, comment="id, name, or name/version"),
    )


annotated = Table(
    "annotations",
    metadata,
    *_annotated(),
    Column("title", String(200), nullable=False),
    Column("notes", Text, nullable=False),
    Column("folded", Text, nullable=False, comment="title, tags and notes, for searching in any case"),
)

tags = Table(
    "tags",
    metadata,
    *_annotated(),
    Column("tag", String(40), primary_key=True),
    ForeignKeyConstraint(["kind", "object_id"], ["annotations.kind", "annotations.object_id"], ondelete="CASCADE"),
    Index(None, "kind", "tag"),
)

api_keys = _numbered(
    "api_keys",
    "order of making",
    Column("id", String(12), nullable=False, unique=True, comment="the part of a key that is no secret"),
    Column("name", String(64), nullable=False),
    Column("sha256", String(64), nullable=False, comment="of the whole key"),
    Column("scopes", Document, nullable=False),
    Column("created_at", UtcDateTime, nullable=False),
    Column("expires_at", UtcDateTime),
    Column("revoked_at", UtcDateTime),
)

audit = Table(
    "audit",
    metadata,
    Column("id", RowNumber, primary_key=True, autoincrement=True),
    Column("at", UtcDateTime, nullable=False, default=_now),
    Column("key_id", String(12), comment="null where no key was needed"),
    Column("method", String(8), nullable=False),
    Column("route", String(128), nullable=False, comment="as it is declared, without its parameters"),
    Column("object_id", String(200), comment="what was made or changed"),
    Column("status", Integer, nullable=False),
    Column("request_id", String(64), nullable=False, comment="of the answer and of the log"),
    sqlite_autoincrement=True,
)
