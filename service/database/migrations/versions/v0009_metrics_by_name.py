"""What a check measured, by name: a new metric needs no new column. Blocks say which metrics they hold.

The four metrics of before are written out here, so that they cannot change with the program.
"""

import sqlalchemy as sa
from alembic import op

revision = "0009"
down_revision = "0008"

_METRICS = ("train_loss", "train_accuracy", "validation_loss", "validation_accuracy")


def upgrade() -> None:
    metrics = sa.JSON(none_as_null=True)
    op.add_column("events", sa.Column("metrics", metrics, comment="of a check, by name"))
    comment = "which its checks have, in their order; null: the four of before there were names"
    op.add_column("check_blocks", sa.Column("metrics", metrics, comment=comment))
    events = sa.table("events", *(sa.column(name) for name in ("id", "kind", *_METRICS)), sa.column("metrics", metrics))
    connection = op.get_bind()
    for event_id, *values in connection.execute(
        sa.select(events.c.id, *(events.c[name] for name in _METRICS)).where(events.c.kind == "check")
    ).all():
        named = dict(zip(_METRICS, values, strict=True))
        connection.execute(sa.update(events).where(events.c.id == event_id).values(metrics=named))
    for name in _METRICS:
        op.drop_column("events", name)
