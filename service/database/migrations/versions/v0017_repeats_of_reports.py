"""A sweep of its own for the repeated logistic runs of a report over several seeds.

In earlier reports its runs are members of the one sweep.
"""

import sqlalchemy as sa
from alembic import op

revision = "0017"
down_revision = "0016"


def upgrade() -> None:
    comment = "of the runs of logistic regression with further seeds"
    op.add_column("reports", sa.Column("repeats_sweep_id", sa.String(26), comment=comment))
