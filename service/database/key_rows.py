"""Rows of ``api_keys``. None is ever removed, so that the audit log can say whose a key was."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from datetime import datetime

from sqlalchemy import Connection, select, update

from .tables import api_keys


@dataclass(frozen=True, slots=True, kw_only=True)
class NewKey:
    """What is written down of a key when it is made: never the key itself."""

    id: str
    name: str
    sha256: str
    scopes: Sequence[str]
    created_at: datetime
    expires_at: datetime | None


@dataclass(frozen=True, slots=True, kw_only=True)
class KeyRow(NewKey):
    """A key as it stands."""

    revoked_at: datetime | None


_SHOWN = tuple(api_keys.c[name] for name in KeyRow.__dataclass_fields__)


def insert(connection: Connection, new: NewKey) -> None:
    """Write a new key down."""
    connection.execute(api_keys.insert().values(**asdict(new)))


def all_rows(connection: Connection) -> list[KeyRow]:
    """Return every key, the oldest first."""
    return [KeyRow(**row._mapping) for row in connection.execute(select(*_SHOWN).order_by(api_keys.c.number))]


def get(connection: Connection, key_id: str) -> KeyRow | None:
    """Return one key."""
    row = connection.execute(select(*_SHOWN).where(api_keys.c.id == key_id)).first()
    return None if row is None else KeyRow(**row._mapping)


def revoke(connection: Connection, key_id: str, *, at: datetime) -> None:
    """Set when a key was revoked, unless it was before."""
    unrevoked = (api_keys.c.id == key_id) & api_keys.c.revoked_at.is_(None)
    connection.execute(update(api_keys).where(unrevoked).values(revoked_at=at))
