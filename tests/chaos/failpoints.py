"""Names for every gap in the order of writes, and a process that kills itself in one of them.

Nothing of this is in the product: the functions around which the gaps lie are replaced in the process under test.
"""

from __future__ import annotations

import os
import signal
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

from sqlalchemy import Connection

from service.bootstrap import Service
from service.database import (
    COLLECTED_IMAGES,
    Database,
    delivery_rows,
    event_rows,
    job_rows,
    weight_rows,
)
from service.stores import LocalStore

MODELS = ("alpha", "beta")
"""The models of the chaos client; the shipped one, installed at the start, is left alone."""

_STEPS = {
    "empty": "before the temporary file is made",
    "torn": "in the middle of its bytes",
    "written": "before they are durable",
    "durable": "before they have their name",
    "named": "before the name is durable",
    "settled": "before the temporary name is removed",
    "stored": "when everything is written and nothing is answered",
}
_BLOBS = {
    "weights": _STEPS,
    **dict.fromkeys(("manifest", "alias"), ("torn", "named", "stored")),
    "tombstone": ("stored",),
}
"""All are written by one function, which is cut off in each of its steps once."""
# A death after a claim leaves what the next start must take back; one after a delivery sends it again.
_ROWS = (
    *("accept", "claim", "requeued", "progress", "publishing", "succeeded", "cancelling", "cancelled"),
    *("deleted", "image", "delivered", "paused", "continued"),
)
_IMPORT = ("registered", "announced")
"""The version is stored before the message of it."""
GAPS = (
    *(f"{blob}:{step}" for blob, steps in _BLOBS.items() for step in steps),
    *(f"{row}:{moment}" for row in _ROWS for moment in ("uncommitted", "committed")),
    *(f"import:{step}" for step in _IMPORT),
)
"""``<what is written>:<what has been done of it>``."""


class Failpoints(threading.local):
    """Kills this process by SIGKILL when it comes to a gap.

    Parameters
    ----------
    gap : of `GAPS`.
    """

    def __init__(self, gap: str):
        assert gap in GAPS
        self.gap = gap
        self.blob: str | None = None
        self.linked = False
        self.rows: set[str] = set()

    def install(self) -> None:
        """Replace what lies around the gaps."""
        self._install_in_store()
        self._install_in_database()
        self._install_in_imports()

    def reach(self, gap: str) -> None:
        """Die here, if this is the gap."""
        if gap == self.gap:
            os.kill(os.getpid(), signal.SIGKILL)

    def _install_in_store(self) -> None:
        create = LocalStore.create

        def create_blob(store: LocalStore, key: str, data: bytes) -> None:
            if key.partition("/")[0] not in MODELS:
                return create(store, key, data)
            name = key.rpartition("/")[2]
            kinds = {"weights.npz": "weights", "manifest.json": "manifest", "deleted.json": "tombstone"}
            self.blob = kinds.get(name, "alias")
            self.linked = False
            try:
                create(store, key, data)
                self.reach(f"{self.blob}:stored")
            finally:
                self.blob = None

        def write(descriptor: int, data: Any) -> int:
            if self.gap == f"{self.blob}:torn":
                real_write(descriptor, data[: len(data) // 2])
            self.reach(f"{self.blob}:torn")
            return real_write(descriptor, data)

        def link(*args: Any, **kwargs: Any) -> None:
            self.reach(f"{self.blob}:durable")
            real_link(*args, **kwargs)
            self.linked = True

        def fsync(descriptor: int) -> None:
            self.reach(f"{self.blob}:{'named' if self.linked else 'written'}")
            real_fsync(descriptor)

        def open_file(path: Any, flags: int, *args: Any, **kwargs: Any) -> int:
            if flags & os.O_CREAT:
                self.reach(f"{self.blob}:empty")
            return real_open(path, flags, *args, **kwargs)

        def unlink(*args: Any, **kwargs: Any) -> None:
            self.reach(f"{self.blob}:settled")
            real_unlink(*args, **kwargs)

        real_open, real_write, real_fsync = os.open, os.write, os.fsync
        real_link, real_unlink = os.link, os.unlink
        LocalStore.create = create_blob  # type: ignore[method-assign, assignment]
        os.open, os.write, os.fsync = open_file, write, fsync  # type: ignore[assignment]
        os.link, os.unlink = link, unlink

    def _install_in_database(self) -> None:
        write = Database.write

        @contextmanager
        def write_and_reach(database: Database) -> Iterator[Connection]:
            self.rows = set()
            with write(database) as connection:
                yield connection
                for row in self.rows:
                    self.reach(f"{row}:uncommitted")
            for row in self.rows:
                self.reach(f"{row}:committed")

        Database.write = write_and_reach  # type: ignore[method-assign, assignment]
        self._note(job_rows, "insert", lambda *_, **__: "accept")
        self._note(job_rows, "claim_oldest", lambda *_, **__: "claim")
        self._note(event_rows, "append_checks", lambda _c, _j, checks, **__: "progress" if checks else None)
        self._note(weight_rows, "put_checkpoint", lambda *_, **__: "progress")
        self._note(job_rows, "update_columns", lambda *_, **values: "publishing" if "publishing" in values else None)
        self._note(job_rows, "remove", lambda *_, **__: "deleted")
        self._note(COLLECTED_IMAGES, "insert", lambda *_, **__: "image")
        self._note(delivery_rows, "remove", lambda *_, **__: "delivered")
        self._note(job_rows, "move", _name_of_move)
        self._note(job_rows, "_move_all", lambda _c, ids, to, **_: str(to) if ids else None)

    def _install_in_imports(self) -> None:
        announce = Service.announce

        def announce_and_reach(service: Service, event: str, object_id: str) -> None:
            self.reach("import:registered")
            announce(service, event, object_id)
            self.reach("import:announced")

        Service.announce = announce_and_reach  # type: ignore[method-assign, assignment]

    def _note(self, module: Any, name: str, row: Callable[..., str | None]) -> None:
        """Let a function of the database say what it changed, if it did."""
        real = getattr(module, name)

        def noted(*args: Any, **kwargs: Any) -> Any:
            result = real(*args, **kwargs)
            if (result is None or result) and (what := row(*args, **kwargs)):
                self.rows.add(what)
            return result

        setattr(module, name, noted)


def _name_of_move(*_: Any, to: str, reason: str | None = None, **__: Any) -> str:
    """Return what a move is called: a job is queued again because it was lost, or because it was continued."""
    return str(to) if to != "queued" else "requeued" if reason else "continued"
