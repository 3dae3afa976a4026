"""API keys, their scopes, and the audit log. A key is 256 random bits, of which only the SHA-256 is kept.

A key is ``inkling_ID_SECRET``. The id is no secret: by it a key is looked up, listed, revoked, and named in logs.
"""

import hashlib
import hmac
import logging
import re
import secrets
import time
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from enum import StrEnum
from typing import Any

from service.database import AUDIT_LINES, KEYS, AuditRow, Database, KeyRow, revoke_key
from service.errors import InvalidField, StorageFailed

logger = logging.getLogger(__name__)

KEY_FORM = re.compile(r"inkling_([0-9a-f]{12})_[A-Za-z0-9_-]{43}")
FRESH_S = 1.0
"""How old the keys in memory may be, so that a revoked key works no longer than that."""
MAX_AGE_S = 60.0
"""How old they may be while the database does not answer. After that all requests are refused."""

_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9 ._@-]{0,63}")
_SCOPE = re.compile(r"read|predict|collect:[a-z][a-z0-9-]{0,31}|train|admin")
_NO_DIGEST = bytes(32)


class Scope(StrEnum):
    """A kind of request: stored with each key, and stated by each route.

    A key has ``collect`` for one collection only, as ``collect:NAME``.
    """

    READ = "read"
    PREDICT = "predict"
    COLLECT = "collect"
    TRAIN = "train"
    ADMIN = "admin"

    @property
    def allows(self) -> str:
        """What it is for, in words."""
        return _ALLOWS[self]

    @property
    def of_a_key(self) -> str:
        """How a key states it."""
        return "collect:NAME" if self is Scope.COLLECT else self.value


_ALLOWS: Mapping[Scope, str] = {
    Scope.READ: "read jobs, sweeps, reports, models, data sets and their pictures",
    Scope.PREDICT: "predict, read and explain images, also by the Open Inference Protocol; nothing else",
    Scope.COLLECT: "add images to the one collection NAME, for a class; includes predict, nothing else",
    Scope.TRAIN: "submit, cancel and delete jobs, sweeps and reports, upload and delete data sets, fill collections; "
    "includes read",
    Scope.ADMIN: "move aliases, read the audit log; includes all others",
}

_INCLUDES: Mapping[Scope, frozenset[Scope]] = {
    Scope.READ: frozenset(),
    Scope.PREDICT: frozenset(),
    Scope.COLLECT: frozenset({Scope.PREDICT}),
    Scope.TRAIN: frozenset({Scope.READ, Scope.COLLECT}),
    Scope.ADMIN: frozenset(Scope),
}

EVERY_SCOPE: frozenset[str] = frozenset(Scope)


def is_scope_of_a_key(text: str) -> bool:
    """Whether a key can have it."""
    return _SCOPE.fullmatch(text) is not None


def granted(scopes: Iterable[str]) -> frozenset[str]:
    """Return the scopes of a key with those that they include; raise ValueError for what is none."""
    scopes = frozenset(scopes)
    return scopes.union(*(_INCLUDES[Scope(scope.partition(":")[0])] for scope in scopes))


@dataclass(frozen=True, slots=True, kw_only=True)
class _Entry:
    """What checking a key needs."""

    digest: bytes
    grants: frozenset[str]
    expires_at_s: float


@dataclass(frozen=True, slots=True, kw_only=True)
class _Snapshot:
    """The table when it was read. ``exist`` counts revoked keys too: a service with keys never opens by itself."""

    entries: Mapping[str, _Entry]
    exist: bool
    read_at_s: float


class Keys:
    """The keys of a migrated database, with a copy in memory: checking one costs microseconds and no I/O."""

    def __init__(self, database: Database):
        self._database = database
        self._snapshot = _Snapshot(entries={}, exist=False, read_at_s=-1e9)
        self._next_load_s = -1e9

    def create(self, name: str, scopes: Iterable[str], *, expires_at: datetime | None = None) -> tuple[KeyRow, str]:
        """Make a key; return its row, and the key itself this once; raise `InvalidField` for name, scopes or time."""
        scopes = frozenset(scopes)
        if not _NAME.fullmatch(name):
            allowed = "1 to 64 letters, digits, blanks and . _ @ -, the first a letter or digit"
            raise InvalidField("The name cannot be used.", field="name", allowed=allowed)
        if not scopes or not all(map(is_scope_of_a_key, scopes)):
            allowed = ", ".join(scope.of_a_key for scope in Scope)
            raise InvalidField("A key needs a scope, or several.", field="scope", allowed=allowed)
        now = datetime.now(UTC)
        if expires_at is not None and expires_at <= now:
            raise InvalidField("The key would be expired already.", field="expires_at", allowed="a time to come")
        key_id = secrets.token_hex(6)
        secret = f"inkling_{key_id}_{secrets.token_urlsafe(32)}"
        with self._database.write() as connection:
            made: dict[str, Any] = {
                "id": key_id,
                "name": name,
                "sha256": _digest(secret).hex(),
                "scopes": sorted(scopes),
            }
            KEYS.insert(connection, **made, created_at=now, expires_at=expires_at)
        self.load()
        key = KeyRow(**made, created_at=now, expires_at=expires_at, revoked_at=None)
        return key, secret

    def all(self) -> list[KeyRow]:
        """Return every key that was ever made, the oldest first."""
        with self._database.read() as connection:
            return KEYS.all(connection)

    def revoke(self, key_id: str) -> KeyRow:
        """Revoke a key, also again; raise `NotFound` if there is none of that id."""
        with self._database.write() as connection:
            revoke_key(connection, key_id)
            row = KEYS.get(connection, key_id)
        self.load()
        return row

    @property
    def exist(self) -> bool:
        """Whether a key was ever made, as far as is known in memory."""
        return self._snapshot.exist

    @property
    def stale(self) -> bool:
        """Whether it is time to `load`."""
        return time.monotonic() >= self._next_load_s

    def load(self) -> None:
        """Read the keys anew. Where the database does not answer, those known so far stay for a while."""
        self._next_load_s = time.monotonic() + FRESH_S
        try:
            with self._database.read() as connection:
                rows = KEYS.all(connection)
        except StorageFailed:
            logger.warning("the keys could not be read again; those known so far stay valid")
            return
        self._snapshot = _Snapshot(
            entries={row.id: _entry(row) for row in rows if row.revoked_at is None},
            exist=bool(rows),
            read_at_s=time.monotonic(),
        )

    def check(self, presented: str) -> tuple[str, frozenset[str]] | None:
        """Return the id of a key and its scopes; None if it is unknown, revoked or expired.

        The comparison takes the same time whether or not there is a key of that id. Raise `StorageFailed` if the keys
        in memory are too old to be trusted.
        """
        snapshot = self._snapshot
        if time.monotonic() - snapshot.read_at_s > MAX_AGE_S:
            raise StorageFailed("Keys cannot be checked at the moment.")
        match = KEY_FORM.fullmatch(presented)
        entry = snapshot.entries.get(match[1]) if match else None
        is_right = hmac.compare_digest(_digest(presented), entry.digest if entry else _NO_DIGEST)
        if match is None or entry is None or not is_right or entry.expires_at_s <= time.time():
            return None
        return match[1], entry.grants


def _digest(secret: str) -> bytes:
    return hashlib.sha256(secret.encode()).digest()


def _entry(row: KeyRow) -> _Entry:
    return _Entry(
        digest=bytes.fromhex(row.sha256),
        grants=granted(row.scopes),
        expires_at_s=row.expires_at.timestamp() if row.expires_at else float("inf"),
    )


class AuditLog:
    """The audit log of a migrated database: who changed what. Bodies are not in its lines."""

    def __init__(self, database: Database):
        self._database = database

    def append(self, line: Mapping[str, Any]) -> int:
        """Add a line, as `AuditedCall.line` gives it, and return its id. It is durable once this returns."""
        with self._database.write() as connection:
            return AUDIT_LINES.insert(connection, **line)

    def correct(self, line_id: int, *, status: int, object_id: str | None) -> None:
        """Say in a line that was written before a change what came of it."""
        with self._database.write() as connection:
            AUDIT_LINES.update(connection, line_id, status=status, object_id=object_id)

    def page(self, *, limit: int, before: int | None = None) -> list[AuditRow]:
        """Return the newest lines first, those older than the one of id ``before``."""
        with self._database.read() as connection:
            return AUDIT_LINES.page(connection, limit=limit, before=None if before is None else str(before))[0]
