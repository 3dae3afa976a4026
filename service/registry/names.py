"""Legal names of models, aliases and versions; checked before a key of a store is made of one."""

import re
from typing import TypeGuard

from service.errors import InvalidField

CHAMPION = "champion"
"""The alias that is used when a request names neither a version nor an alias."""

LATEST = "latest"
"""The highest version, wherever the aliases point. Reserved: no alias can have this name."""

NAME_RULE = "1 to 64 of a-z, 0-9, '.', '_' and '-', beginning with a letter or a digit, without '..'"
ALIAS_RULE = f"{NAME_RULE}; not digits alone, and not '{LATEST}'"
MAX_VERSION = 999_999_999

_NAME_PATTERN = r"(?!.*\.\.)[a-z0-9][a-z0-9._-]{0,63}$"
ALIAS_PATTERN = rf"^(?![0-9]+$)(?!{LATEST}$){_NAME_PATTERN}"
"""`ALIAS_RULE`, as a description of the API writes it."""

_VERSION = re.compile(r"[1-9][0-9]{0,8}")


def is_model_name(name: object) -> TypeGuard[str]:
    """Whether ``name`` follows `NAME_RULE`."""
    return isinstance(name, str) and re.fullmatch(_NAME_PATTERN, name) is not None


def is_alias(alias: object) -> TypeGuard[str]:
    """Whether ``alias`` follows `ALIAS_RULE`, which excludes version numbers."""
    return isinstance(alias, str) and re.fullmatch(ALIAS_PATTERN, alias) is not None


def is_version(version: object) -> TypeGuard[int]:
    """Whether ``version`` is a number that a version may have."""
    return type(version) is int and 1 <= version <= MAX_VERSION


def parse_version(text: str) -> int | None:
    """Return the version that a text denotes, if it denotes one."""
    return int(text) if _VERSION.fullmatch(text) else None


def parse_version_id(text: str) -> tuple[str, int]:
    """Return the model and the version of ``name/version``."""
    name, _, version = text.rpartition("/")
    return name, int(version)


def check_model_name(name: str) -> None:
    """Raise `InvalidField` unless ``name`` follows `NAME_RULE`."""
    if not is_model_name(name):
        raise InvalidField("A model cannot have this name.", field="name", allowed=NAME_RULE)


def check_alias(alias: str) -> None:
    """Raise `InvalidField` unless ``alias`` follows `ALIAS_RULE`."""
    if not is_alias(alias):
        raise InvalidField("An alias cannot have this name.", field="alias", allowed=ALIAS_RULE)
