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

from service.errors import ModelNotFound, NotFound

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
        cursor = page.get("next")
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


def split_reference(text: str) -> tuple[str, str | None]:
    """Return the model and the version or alias of ``NAME``, ``NAME/3`` or ``NAME@alias``."""
    name, _, reference = text.replace("@", "/", 1).partition("/")
    return name, reference or None


def not_found_message(error: NotFound, backend: Backend, options: Mapping[str, Any]) -> str:
    """Name what a command did not find, and up to three that are there and alike, or the versions of its model."""
    if isinstance(error, ModelNotFound):
        asked = [options.get("model") or options.get("name"), *options.get("versions", ())]
        names = [split_reference(text)[0] for text in asked if isinstance(text, str)]
        versions = {model["name"]: model["versions"] for model in every(backend, "models")}
        for name in names:
            if name not in versions:
                return _not_found(Noun.MODEL, name, [*versions])
        has = (f" The versions of {name}: {', '.join(map(str, versions[name][-10:]))}." for name in names)
        return "".join((error.message, *has))
    found = _NOT_FOUND.fullmatch(error.message)
    if found is None:
        return error.message
    noun = Noun(found[1])
    named = options.get(f"{noun.value}_id") or options.get(noun.plural[:-1]) or options.get("name")
    return _not_found(noun, named, noun.known_to(backend)) if isinstance(named, str) else error.message


def _not_found(noun: Noun, asked: str, known: list[str]) -> str:
    near = [name for name in known if name.startswith(asked)] or get_close_matches(asked, known, cutoff=_ALIKE)
    return f"There is no {noun.value} {asked}." + (f" Did you mean {' or '.join(near[:3])}?" if near else "")


def _names(noun: Noun, given: Mapping[str, Any]) -> list[str]:
    url = None if given.get("data_dir") else given.get("url") or os.environ.get("INKLING_URL")
    if url:
        from .remote import RemoteBackend  # noqa: PLC0415

        with closing(RemoteBackend(url, given.get("key_file"), timeout=_TIMEOUT_S, retries=0)) as backend:
            return noun.known_to(backend)
    from service.bootstrap import inspected, stored_names  # noqa: PLC0415

    from .settings_options import read_settings  # noqa: PLC0415

    settings = read_settings({"data_dir": given.get("data_dir")})
    if noun in (Noun.MODEL, Noun.DATASET):
        return stored_names(settings)[noun.plural]
    with inspected(settings) as database:
        return database.newest_ids(noun.plural, _N_NEWEST)
