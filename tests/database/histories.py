"""A recorded history as one piece."""

from __future__ import annotations

import numpy as np
from sqlalchemy import Connection

from service.database import CheckSeries, event_rows


def check_series(connection: Connection, job_id: str, *, since: int = 0) -> CheckSeries:
    """Return the checks of a job after an event."""
    pieces = list(event_rows.check_pieces(connection, job_id, since=since))
    checks = np.concatenate([np.zeros(0, event_rows.CHECK), *(piece.checks for piece in pieces)])
    return CheckSeries(
        checks=checks, step_losses=np.concatenate([np.zeros(0), *(piece.step_losses for piece in pieces)])
    )
