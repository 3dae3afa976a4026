"""Aliases: movable names for versions, each kept as the whole history of its moves.

The history is a list of numbered entries, the highest of which is current. A move is the exclusive creation of the
next number: of two simultaneous moves one wins, nothing is ever overwritten, and no number is skipped.
"""

import re
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from enum import Enum
from typing import Final

from service.errors import AliasMoved, Corrupted, InvalidField
from service.stores import BlobStore

from .document import MAX_DOCUMENT_BYTES, read_document, write_document
from .names import is_alias, is_model_name, is_version

MAX_REASON_CHARS = 2000

_ENTRY = re.compile(r"([0-9]{6,9})\.json")


class Unset(Enum):
    """The type of `UNSET`."""

    UNSET = "unset"


UNSET: Final = Unset.UNSET
"""No expectation; None, in contrast, expects that the alias names no version."""


@dataclass(frozen=True, slots=True, kw_only=True)
class AliasEntry:
    """One move of an alias of a model, numbered from 1: to a version, or to None, which deletes it.

    The time is UTC; ``reason`` says why, if given. ``by`` is None: who moved it stands in the audit log.
    """

    model: str
    alias: str
    number: int
    version: int | None
    at: datetime
    by: str | None
    reason: str | None

    def __post_init__(self) -> None:
        if self.version is not None and not is_version(self.version):
            raise ValueError(f"version cannot be {self.version!r}")

    def to_json(self) -> bytes:
        """Return the stored form: a sealed document, the time to the microsecond."""
        return write_document({**asdict(self), "at": self.at.isoformat()})


class AliasHistory:
    """The moves of one alias of one model: none, if either name is not a legal one. `move` takes legal ones."""

    def __init__(self, store: BlobStore, model: str, alias: str) -> None:
        self._store = store
        self._model = model
        self._alias = alias
        self._folder = f"{model}/aliases/{alias}"

    def length(self) -> int:
        """Return how many moves there were; no entry is read."""
        names = self._store.list(self._folder) if is_model_name(self._model) and is_alias(self._alias) else []
        return max((int(match[1]) for name in names if (match := _ENTRY.fullmatch(name))), default=0)

    def entries(self) -> tuple[AliasEntry, ...]:
        """Return every move, the oldest first; raise `Corrupted` if one of them is missing or damaged."""
        return tuple(self._entry(number) for number in range(1, self.length() + 1))

    def version(self) -> int | None:
        """Return the current version of the alias; raise as `entries`."""
        number = self.length()
        return self._entry(number).version if number else None

    def move(self, version: int | None, *, expected: int | Unset | None, reason: str | None = None) -> AliasEntry:
        """Point the alias to another version, or to none. See `Registry.set_alias`."""
        if reason is not None and len(reason) > MAX_REASON_CHARS:
            allowed = f"at most {MAX_REASON_CHARS} characters"
            raise InvalidField("The text is too long.", field="reason", allowed=allowed)
        (reason or "").encode()  # a half of a surrogate pair could be stored, and in no answer be sent
        while True:
            number = self.length()
            # Without an expectation nothing is read, so that a damaged entry can be superseded.
            if expected is not UNSET and expected != (self._entry(number).version if number else None):
                raise AliasMoved("The alias does not name the expected version.")
            entry = AliasEntry(
                model=self._model,
                alias=self._alias,
                number=number + 1,
                version=version,
                at=datetime.now(UTC),
                by=None,
                reason=reason,
            )
            try:
                self._store.create(self._key(entry.number), entry.to_json())
            except FileExistsError:
                continue  # another process took this number
            return entry

    def _key(self, number: int) -> str:
        return f"{self._folder}/{number:06d}.json"

    def _entry(self, number: int) -> AliasEntry:
        try:
            stored = read_document(self._store.read(self._key(number), max_bytes=MAX_DOCUMENT_BYTES))
            stored["at"] = datetime.fromisoformat(stored["at"])
            entry = AliasEntry(**stored)
        except (FileNotFoundError, KeyError, TypeError, ValueError) as error:
            raise Corrupted("The history of this alias is damaged.") from error
        # The seal proves that it was written so; this, that it was written for this alias.
        if (entry.model, entry.alias, entry.number) != (self._model, self._alias, number):
            raise Corrupted("The history of this alias holds an entry of another alias.")
        return entry
