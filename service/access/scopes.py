"""What a key may be allowed, as four words."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from enum import StrEnum


class Scope(StrEnum):
    """A kind of request. Each value stands in a key's row and in the table of routes."""

    READ = "read"
    PREDICT = "predict"
    TRAIN = "train"
    ADMIN = "admin"

    @property
    def allows(self) -> str:
        """What it is for, in words."""
        return _ALLOWS[self]


_ALLOWS: Mapping[Scope, str] = {
    Scope.READ: "look at jobs, sweeps, reports, models, data sets and their pictures",
    Scope.PREDICT: "ask models about images, also by the Open Inference Protocol; nothing else",
    Scope.TRAIN: "submit, cancel and delete jobs, sweeps and reports, upload data sets; includes read",
    Scope.ADMIN: "move aliases, read the audit log; includes all others",
}

_INCLUDES: Mapping[Scope, frozenset[Scope]] = {
    Scope.READ: frozenset({Scope.READ}),
    Scope.PREDICT: frozenset({Scope.PREDICT}),
    Scope.TRAIN: frozenset({Scope.TRAIN, Scope.READ}),
    Scope.ADMIN: frozenset(Scope),
}

EVERY_SCOPE = frozenset(Scope)


def granted(scopes: Iterable[Scope]) -> frozenset[Scope]:
    """Return scopes with those that they include."""
    return frozenset[Scope]().union(*(_INCLUDES[scope] for scope in scopes))
