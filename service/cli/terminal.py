"""The terminal, and the few shapes in which everything is laid out on it.

Text is never markup: what names, reasons and messages hold is shown as it is.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

import click
from rich.console import Console
from rich.table import Table
from rich.text import Text

AS_JSON = click.option("--json", "as_json", is_flag=True, help="Print JSON.")


def terminal() -> Console:
    """Return standard output, whatever it is: colours and a live view only where they would show."""
    return Console(highlight=False, markup=False, emoji=False)


def print_json(value: Any) -> None:
    """Print plain data for programs."""
    click.echo(json.dumps(value, indent=2))


def columns(*left: str, right: tuple[str, ...] = ()) -> Table:
    """Return an empty table without lines: columns aligned left, then columns aligned right."""
    table = Table(box=None, pad_edge=False, padding=(0, 2, 0, 0))
    for name in left:
        table.add_column(name, overflow="fold")
    for name in right:
        table.add_column(name, justify="right", no_wrap=True)
    return table


def facts(values: Mapping[str, str | Text]) -> Table:
    """Return named values, one a line."""
    table = Table.grid(padding=(0, 2))
    table.add_column(style="dim", no_wrap=True)
    table.add_column(overflow="fold")
    for name, value in values.items():
        table.add_row(name, value)
    return table
