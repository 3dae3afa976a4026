"""Run by test_connection.py in a process of its own: write jobs until no file may grow any more."""

from __future__ import annotations

import resource
import sys

from service.database import Database, NewJob, job_rows, migrate
from service.errors import StorageFailed

if __name__ == "__main__":
    database = Database(f"sqlite:///{sys.argv[1]}")
    migrate(database)
    resource.setrlimit(resource.RLIMIT_FSIZE, (150_000, resource.RLIM_INFINITY))
    acknowledged = 0
    try:
        while True:
            job = NewJob(
                id=f"{acknowledged:026}",
                name="digits",
                dataset="mnist",
                config={},
                idempotency_key=None,
                request_sha256="",
            )
            with database.write() as connection:
                job_rows.insert(connection, [job])
            acknowledged += 1
    except StorageFailed as error:
        print("refused after", acknowledged, error.message)
    with database.read() as connection:
        assert job_rows.count(connection, "queued") == acknowledged
    resource.setrlimit(resource.RLIMIT_FSIZE, (resource.RLIM_INFINITY, resource.RLIM_INFINITY))
    with database.write() as connection:
        job_rows.update_columns(connection, f"{0:026}", name="healed")
    database.close()
