"""Run by test_connection.py in processes of its own: read a number and write it back, one more, many times."""

from __future__ import annotations

import sys

from sqlalchemy import select

from service.database import Database, job_rows
from service.database.tables import jobs

if __name__ == "__main__":
    database = Database(sys.argv[1])
    for _ in range(int(sys.argv[2])):
        with database.write() as connection:
            job_id, fence = connection.execute(select(jobs.c.id, jobs.c.fence)).one()
            job_rows.update_columns(connection, job_id, fence=fence + 1)
    database.close()
