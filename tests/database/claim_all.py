"""Run by test_postgresql.py in processes of its own: ``URL ENGINE`` claims jobs until none waits, and prints them."""

from __future__ import annotations

import sys

from service.database import Database, job_rows

if __name__ == "__main__":
    database = Database(sys.argv[1])
    while True:
        with database.write() as connection:
            claims = job_rows.claim_oldest(connection, claimed_by=sys.argv[2], lease_s=30, max_members=4)
        if not claims:
            break
        print(*(claim.id for claim in claims), flush=True)
    database.close()
