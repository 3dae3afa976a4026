"""Titles, tags and notes on the command line: options that set, change and search them, and how they are printed."""

import functools
from collections.abc import Callable
from typing import Any, TypeVar

import click
from rich.console import Console
from rich.text import Text

from .backend import Json
from .hyperparameters import given

_Function = TypeVar("_Function", bound=Callable[..., Any])

_TITLE = click.option("--title", metavar="TEXT", help="What people call it: one line.")
_TAGS = click.option("--tag", "tags", multiple=True, metavar="TAG", help="To find it by; may be given several times.")
_NOTES = click.option("--notes", metavar="TEXT", help="Whatever is worth knowing about it.")


def tags_and_notes(command: _Function) -> _Function:
    """Add ``--tag`` and ``--notes`` to a command that submits something."""
    return _TAGS(_NOTES(command))


def annotated(command: _Function) -> _Function:
    """Add ``--title``, ``--tag`` and ``--notes``, likewise."""
    return _TITLE(tags_and_notes(command))


def searched(command: _Function) -> _Function:
    """Add ``--search`` and ``--tag`` to a command that lists something, as ``q`` and ``tag``."""
    words = "Only those with all these words in their name, title, tags or notes, or beginning their id."
    search = click.option("--search", "q", metavar="TEXT", help=words)
    tag = click.option("--tag", multiple=True, metavar="TAG", help="Only those with this tag; of several, with all.")
    return search(tag(command))


def annotates(command: Callable[..., Any]) -> Callable[..., Any]:
    """Add the options of a command that changes an annotation; it gets those that are given as ``changes``."""

    @annotated
    @click.option("--no-tags", is_flag=True, help="Remove all tags.")
    @functools.wraps(command)
    def run(
        *args: Any, title: str | None, tags: tuple[str, ...], notes: str | None, no_tags: bool, **named: Any
    ) -> Any:
        changes = given(click.get_current_context(), {"title": title, "tags": list(tags), "notes": notes})
        if no_tags and tags:
            raise click.UsageError("--tag and --no-tags exclude each other.")
        if no_tags:
            changes["tags"] = []
        if not changes:
            raise click.UsageError("Name what is to change: --title, --tag, --no-tags or --notes.")
        return command(*args, changes=changes, **named)

    return run


def about_text(thing: Json) -> str:
    """Return title and tags in a line: ``A smaller rate #baseline #week-3``; nothing of a server without them."""
    return " ".join(filter(None, [thing.get("title", ""), *(f"#{tag}" for tag in thing.get("tags", ()))]))


def print_about(thing: Json, console: Console) -> None:
    """Print title, tags and notes, if there are any."""
    for text, style in ((about_text(thing), "bold"), (thing.get("notes", ""), "")):
        if text:
            console.print(Text(text, style))
