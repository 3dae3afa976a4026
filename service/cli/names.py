"""The names and ids that there are: what completes an argument in a shell, and what was meant by one that is not there.

A shell waits for what completes: a server has two seconds, a folder is read without changing anything in it, and what
does not work completes nothing.
"""

from __future__ import annotations

import os
import re
from collections.abc import Callable, Mapping
from contextlib import closing, suppress
from difflib import get_close_matches
from enum import Enum
from typing import TYPE_CHECKING, Any

import click

if TYPE_CHECKING:
    from .backend import Backend

_TIMEOUT_S = 2.0
_N_NEWEST = 100
"""Of jobs, sweeps and reports."""
_ALIKE = 0.75


class Noun(Enum):
    """What has names or ids; its value is how a sentence calls one."""

    JOB = "job"
    SWEEP = "sweep"
    REPORT = "report"
    COLLECTION = "collection"
    MODEL = "model"
    DATASET = "data set"

    @property
    def plural(self) -> str:
        """Its name in paths of the API, in tables and in methods of backends."""
        return f"{self.value.replace(' ', '')}s"

    @property
    def has_id(self) -> bool:
        """Whether it is named by an id, which a person does not choose."""
        return self in (Noun.JOB, Noun.SWEEP, Noun.REPORT)

    @property
    def example(self) -> str:
        """What stands for one in examples."""
        return self.name if self.has_id else "mine"

    @property
    def argument(self) -> Callable[[Any], Any]:
        """The argument of a command that names one: ``JOB`` as ``job_id``, or ``NAME`` as ``name``."""
        return argument(f"{self.value}_id", self, metavar=self.name) if self.has_id else argument("name", self)

    def called(self, name: str) -> str:
        """Return the subject of a sentence about one: its name, or its kind for an id."""
        return f"The {self.value}" if self.has_id else name

    def known_to(self, backend: Backend) -> list[str]:
        """Return the names that a backend has, or the newest ids."""
        if self.has_id:
            return [one["id"] for one in backend.page(self.plural, limit=_N_NEWEST)[self.plural]]
        return [one["name"] for one in every(backend, self.plural)]


def every(backend: Backend, plural: str) -> list[dict[str, Any]]:
    """Return all models, data sets or collections, page by page."""
    found: list[dict[str, Any]] = []
    cursor: str | None = None
    while True:
        page = backend.page(plural, limit=200, before=cursor)
        found += page[plural]
        cursor = page["next"]
        if cursor is None:
            return found


_NOT_FOUND = re.compile(rf"There is no ({'|'.join(noun.value for noun in Noun)}) of (this name|that id)\.")


def argument(name: str, noun: Noun, **attributes: Any) -> Callable[[Any], Any]:
    """Return `click.argument`, completed by the names of a noun."""
    return click.argument(name, shell_complete=completion(noun), **attributes)


def completion(noun: Noun) -> Callable[[click.Context, click.Parameter, str], list[str]]:
    """Return what completes a parameter, for its ``shell_complete``."""

    def complete(ctx: click.Context, _: click.Parameter, incomplete: str) -> list[str]:
        with suppress(Exception):  # a message would stand in the middle of what is typed
            return [name for name in _names(noun, ctx.params) if name.startswith(incomplete)]
        return []

    return complete


def meant(message: str, backend: Backend, options: Mapping[str, Any]) -> str:
    """Name what a command did not find, and up to three that are there and alike."""
    found = _NOT_FOUND.fullmatch(message)
    if found is None:
        return message
    noun = Noun(found[1])
    asked = options.get(f"{noun.value}_id") or options.get(noun.plural[:-1]) or options.get("name")
    if not isinstance(asked, str):
        return message
    known = noun.known_to(backend)
    near = [name for name in known if name.startswith(asked)] or get_close_matches(asked, known, cutoff=_ALIKE)
    return f"There is no {noun.value} {asked}." + (f" Did you mean {' or '.join(near[:3])}?" if near else "")


def _names(noun: Noun, given: Mapping[str, Any]) -> list[str]:
    url = None if given.get("data_dir") else given.get("url") or os.environ.get("INKLING_URL")
    if url:
        from .remote import RemoteBackend  # noqa: PLC0415

        key_file = given.get("key_file")
        key = key_file.read_text().strip() if key_file else os.environ.get("INKLING_KEY", "")
        with closing(RemoteBackend(url, key, timeout=_TIMEOUT_S, retries=0)) as backend:
            return noun.known_to(backend)
    from service.bootstrap import inspected, stored_names  # noqa: PLC0415

    from .settings_options import read_settings  # noqa: PLC0415

    settings = read_settings({"data_dir": given.get("data_dir")})
    if noun in (Noun.MODEL, Noun.DATASET):
        return stored_names(settings)[noun.plural]
    with inspected(settings) as database:
        return database.newest_ids(noun.plural, _N_NEWEST)
