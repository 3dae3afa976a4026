"""Lists on the terminal, and the pages that long ones come in."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import click
from rich.table import Table

from .backend import Backend, Json
from .terminal import print_json, terminal


def in_pages(command: Callable[..., Any]) -> Callable[..., Any]:
    """Add ``--limit`` and ``--before``."""
    before = click.option("--before", metavar="CURSOR", help="The page after the one that ended with this cursor.")
    limit = click.option(
        "--limit", type=click.IntRange(1, 200), default=20, help="At most so many, 1 to 200. [default 20]"
    )
    return limit(before(command))


def print_list(
    answer: Json,
    noun: str,
    table: Callable[[Sequence[Json]], Table],
    backend: Backend,
    *,
    maker: str,
    as_json: bool,
) -> None:
    """Print what is listed, and how to see more of it or to make the first one.

    Parameters
    ----------
    noun : of what is listed: its name in the answer, and of its group of commands.
    maker : the command that makes one.
    """
    if as_json:
        print_json(answer)
    elif not answer[noun]:
        click.echo(f"There are no {noun} {backend.place}. Make one: inkling {maker}{backend.arguments}")
    else:
        terminal().print(table(answer[noun]))
        if cursor := answer.get("next"):
            click.echo(f"More: inkling {noun} list --before {cursor}{backend.arguments}")
