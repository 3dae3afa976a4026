"""What test_postgresql.py does in several processes at once."""

from __future__ import annotations

from multiprocessing.queues import SimpleQueue

from service.database import Database, job_rows


def claim_all(url: str, engine: str, claimed: SimpleQueue[tuple[str, list[str]]]) -> None:
    """Claim jobs until none waits, and send their ids."""
    database = Database(url)
    ids: list[str] = []
    while True:
        with database.write() as connection:
            claims = job_rows.claim_oldest(connection, claimed_by=engine, lease_s=30, max_members=4)
        if not claims:
            break
        ids += [claim.id for claim in claims]
    database.close()
    claimed.put((engine, ids))
