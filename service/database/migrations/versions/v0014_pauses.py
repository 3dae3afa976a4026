"""Jobs that wait to be continued: the step at which a job pauses, and the state in which it waits."""

import sqlalchemy as sa
from alembic import op

revision = "0014"
down_revision = "0013"

_BEFORE = "state IN ('queued', 'running', 'cancelling', 'succeeded', 'failed', 'cancelled')"
_NOW = "state IN ('queued', 'running', 'paused', 'cancelling', 'succeeded', 'failed', 'cancelled')"


def upgrade() -> None:
    comment = "the first step that it does not make without being continued"
    op.add_column("jobs", sa.Column("pause_at_step", sa.Integer, comment=comment))
    connection = op.get_bind()
    if connection.dialect.name != "sqlite":
        op.drop_constraint(op.f("ck_jobs_state"), "jobs")
        op.create_check_constraint("state", "jobs", _NOW)
        return
    # SQLite cannot alter a constraint, and a table that is dropped to be made anew takes what refers to it along; the
    # text of a table may be edited where its rows stay as they are: "ALTER TABLE" in its documentation.
    (version,) = connection.exec_driver_sql("PRAGMA schema_version").one()
    connection.exec_driver_sql("PRAGMA writable_schema = ON")
    edit = "UPDATE sqlite_schema SET sql = replace(sql, ?, ?) WHERE type = 'table' AND name = 'jobs'"
    connection.exec_driver_sql(edit, (_BEFORE, _NOW))
    connection.exec_driver_sql(f"PRAGMA schema_version = {version + 1}")
    connection.exec_driver_sql("PRAGMA writable_schema = OFF")
