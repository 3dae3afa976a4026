"""What ended is sent to other programs: at least once, also after a kill, and not for ever."""

import logging
from collections.abc import Callable
from datetime import timedelta
from typing import Literal, TypeAlias

from service.background import POLL_S
from service.database import Database, DeliveryRow, delivery_rows
from service.errors import InvalidInput, ServiceError

logger = logging.getLogger(__name__)

MAX_WAITING = 10_000
MAX_ATTEMPTS = 100
MAX_AGE = timedelta(days=3)
LEASE_S = 120.0
"""How long no other process sends what one has claimed."""
RETRY_S, MAX_RETRY_S = 5.0, 600.0
"""Before the second attempt; twice as long before each further one, up to ten minutes."""
_MAX_PAUSE_S = 60.0
"""After failures in a row, before anything else is sent."""
_REFUSED_S = 600.0
"""After a refusal that only a person can end."""

_GIVEN_UP = "%s: %d that ended are given up; they were not received"

Outcome: TypeAlias = Literal["delivered", "failed", "given up"]
Record: TypeAlias = Callable[[str, Outcome, int], None]


class Deliverer:
    """Sends what waits for one target, the oldest first, one at a time.

    What fails is sent again: at most `MAX_ATTEMPTS` times and for `MAX_AGE`, while no more than `MAX_WAITING` wait. The
    reason is logged when it is a new one, and what is given up.

    Parameters
    ----------
    send : sends one, or raises; `InvalidInput` says what a person has to change first.
    record : counts what became of an attempt.
    n_before : so many of the newest jobs that were over at the start are sent too.
    """

    def __init__(
        self,
        database: Database,
        target: str,
        send: Callable[[DeliveryRow], None],
        *,
        record: Record = lambda target, outcome, number: None,
        n_before: int = 0,
    ):
        self._database = database
        self._target = target
        self._send = send
        self._record = record
        self._n_before = n_before
        self._has_begun = False
        self._n_failures = 0
        self._reported = ""

    def step(self) -> float:
        """Send one, if one is due; return the seconds to wait then."""
        if not self._has_begun:
            self._begin()
        with self._database.read() as connection:
            if not delivery_rows.is_due(connection, self._target):
                return POLL_S
        with self._database.write() as connection:
            n_given_up = delivery_rows.give_up(connection, self._target, max_waiting=MAX_WAITING, max_age=MAX_AGE)
            row = delivery_rows.claim(connection, self._target, lease_s=LEASE_S)
        if n_given_up:
            self._give_up(n_given_up)
        if row is None:
            return 0.0
        try:
            self._send(row)
        except Exception as error:
            return self._fail(row, error)
        with self._database.write() as connection:
            delivery_rows.remove(connection, row.number)
        self._record(self._target, "delivered", 1)
        self._n_failures, self._reported = 0, ""
        return 0.0

    def _begin(self) -> None:
        with self._database.write() as connection:
            if self._database.exclusive:
                delivery_rows.release(connection, self._target)
            if self._n_before:
                delivery_rows.append_newest_jobs(connection, self._target, self._n_before)
        self._has_begun = True

    def _fail(self, row: DeliveryRow, error: Exception) -> float:
        self._record(self._target, "failed", 1)
        is_refusal, is_last = isinstance(error, InvalidInput), row.attempts >= MAX_ATTEMPTS
        by_s = _REFUSED_S if is_refusal else min(RETRY_S * 2.0 ** (row.attempts - 1), MAX_RETRY_S)
        with self._database.write() as connection:
            if is_last:
                delivery_rows.remove(connection, row.number)
            else:
                delivery_rows.postpone(connection, row.number, by_s=by_s)
        if is_last:
            self._give_up(1)
        reason = error.message if isinstance(error, ServiceError) else f"{self._target}: {type(error).__name__}."
        if reason != self._reported:
            logger.warning("%s%s", reason, "" if is_refusal else " What ended is sent again later.")
            logger.debug("the error of %s", self._target, exc_info=error)
        self._reported = reason
        self._n_failures += 1
        return _REFUSED_S if is_refusal else min(2.0 ** (self._n_failures - 1), _MAX_PAUSE_S)

    def _give_up(self, number: int) -> None:
        self._record(self._target, "given up", number)
        logger.warning(_GIVEN_UP, self._target, number)


def give_up_removed(database: Database, record: Record) -> None:
    """Give up what has waited for `MAX_AGE` for targets that are in the settings no longer.

    Not sooner: another host that shares the database may have them in its settings, and so may the next start.
    """
    with database.write() as connection:
        given_up = delivery_rows.give_up_removed(connection, max_age=MAX_AGE)
    for target, number in given_up.items():
        record(target, "given up", number)
        logger.warning(_GIVEN_UP, target, number)
