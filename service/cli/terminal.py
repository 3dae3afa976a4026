"""The terminal: how tables, lists, numbers, commands to try and files are written by every command.

Text is never markup: names, reasons and messages are shown as they are.
"""

import functools
import json
import os
import shlex
import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import click
from click.core import ParameterSource
from rich.console import Console
from rich.progress_bar import ProgressBar
from rich.table import Table
from rich.text import Text

from .backend import Backend, Json, PictureFormat
from .root import Failure

_PIPE_WIDTH = 10_000

AS_JSON = click.option("--json", "as_json", is_flag=True, help="Print JSON.")


def terminal() -> Console:
    """Return standard output: with colours and live views only if it is a terminal that shows them.

    What goes to a file or a pipe is as wide as it is, unless COLUMNS says how wide: lines that wrap cannot be
    searched or cut into columns.
    """
    width = None if sys.stdout.isatty() or "COLUMNS" in os.environ else _PIPE_WIDTH
    return Console(highlight=False, markup=False, emoji=False, width=width)


def print_json(value: Any) -> None:
    """Print plain data for programs."""
    click.echo(json.dumps(value, indent=2))


def print_result(found: Json, draw: Callable[[Json, Console], object], *, as_json: bool) -> None:
    """Print what was found: as JSON, or drawn on the terminal."""
    if as_json:
        print_json(found)
    else:
        draw(found, terminal())


def deletes(command: Callable[..., Any]) -> Callable[..., Any]:
    """Add ``--yes``, without which a command on a terminal asks first whether to delete what its arguments name."""

    @click.option("--yes", is_flag=True, help="Do not ask.")
    @functools.wraps(command)
    def run(*args: Any, yes: bool, **named: Any) -> Any:
        if not yes and sys.stdin.isatty():
            click.confirm(f"Delete {', '.join(map(str, named.values()))}?", abort=True)
        return command(*args, **named)

    return run


# Tables


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


def bar(fraction: float, width: int, style: str = "cyan") -> ProgressBar:
    """Return a bar that is filled to a fraction, 0 to 1."""
    return ProgressBar(total=1.0, completed=fraction, width=width, complete_style=style, finished_style=style)


def in_pages(command: Callable[..., Any], *, limit: int = 20) -> Callable[..., Any]:
    """Add ``--limit`` and ``--before``."""
    before = click.option("--before", metavar="CURSOR", help="The page after the one that ended with this cursor.")
    number = click.option(
        "--limit", type=click.IntRange(1, 200), default=limit, help=f"How many, 1 to 200. [default {limit}]"
    )
    return number(before(command))


in_long_pages = functools.partial(in_pages, limit=200)
"""`in_pages` of what there is little of."""


def print_list(
    backend: Backend,
    noun: str,
    table: Callable[[Sequence[Json]], Table],
    search: Mapping[str, Any],
    *,
    maker: str,
    as_json: bool,
) -> None:
    """Print what is found of a noun, and the command of the next page or, ``maker``, that of the first entry."""
    answer = backend.page(noun, **search)
    if as_json:
        print_json(answer)
    elif not answer[noun]:
        click.echo(f"There are no {noun} {backend.place}. Make one: inkling {maker}{backend.arguments}")
    else:
        terminal().print(table(answer[noun]))
        print_more(answer, noun, backend)


def print_more(answer: Json, noun: str, backend: Backend) -> None:
    """Print the command that shows the next page of the same list, if there is one."""
    context, asked = click.get_current_context(), ""
    for name, option in (("q", "--search"), ("tag", "--tag"), ("state", "--state"), ("limit", "--limit")):
        if context.get_parameter_source(name) is ParameterSource.COMMANDLINE:
            value = context.params[name]
            values = value if isinstance(value, tuple) else (value,)
            asked += "".join(f" {option} {shlex.quote(str(each))}" for each in values)
    if cursor := answer.get("next"):
        click.echo(f"More: inkling {noun} list{asked} --before {cursor}{backend.arguments}")


def print_commands(commands: Sequence[tuple[str, str]], backend: Backend, console: Console) -> None:
    """Print commands to copy, each with its purpose."""
    if commands:
        console.print("\nNext steps:")
    for purpose, command in commands:
        line = Text.assemble((f"  {purpose:<13}", "dim"), (f"inkling {command}{backend.arguments}", "cyan"))
        console.print(line, soft_wrap=True)


# Numbers and times


def duration_text(seconds: float) -> str:
    """Return the units that matter: ``0.8 s``, ``42 s``, ``3 min 20 s``, ``1 h 05 min``, ``12 days``."""
    if seconds < 9.95:
        return f"{seconds:.1f} s"
    minutes, rest = divmod(round(seconds), 60)
    if minutes == 0:
        return f"{rest} s"
    hours, minutes = divmod(minutes, 60)
    if hours == 0:
        return f"{minutes} min {rest:02d} s"
    return f"{hours} h {minutes:02d} min" if hours < 48 else f"{hours // 24} days"


def age_text(time: str) -> str:
    """Return how long ago a time was."""
    return duration_text(max(0.0, (datetime.now(UTC) - datetime.fromisoformat(time)).total_seconds()))


def time_text(time: str) -> str:
    """Return a time to the minute."""
    return f"{datetime.fromisoformat(time).astimezone(UTC):%Y-%m-%d %H:%M} UTC"


def percent(fraction: float) -> str:
    """Return an accuracy or a probability: ``91.53 %``."""
    return f"{100 * fraction:.2f} %"


def loss_text(loss: float) -> str:
    """Return a loss to four decimals, or, of a run that diverges, its order of magnitude: ``1.59e+12``."""
    return f"{loss:.4f}" if loss < 1000 else f"{loss:.3g}"


# Files


def output_option(help_text: str, *, required: bool = False) -> Callable[..., Any]:
    """Return the option that names the file to be written."""
    path = click.Path(dir_okay=False, path_type=Path)
    return click.option("-o", "--output", metavar="FILE", type=path, required=required, help=help_text)


PICTURE_OUTPUT = output_option(
    "The file to write; a name that ends in .svg gives SVG (not for weights). [default: the picture's name with .png]"
)


def picture_file(output: Path | None, picture: str) -> tuple[Path, PictureFormat]:
    """Return the file and the format of a picture; raise `click.UsageError` for weights as SVG."""
    output = output or Path(f"{picture}.png")
    if output.suffix != ".svg":
        return output, "png"
    if picture == "weights":
        raise click.UsageError("The picture of the weights consists of pixels: there is no SVG of it.")
    return output, "svg"


def write_file(path: Path, data: bytes) -> None:
    """Write a file and report it, or raise `Failure`."""
    with writing(path):
        path.write_bytes(data)
    click.echo(f"Wrote {path} ({len(data):,} bytes).")


@contextmanager
def writing(path: Path) -> Iterator[None]:
    """Make the system's error a `Failure` that names the file."""
    try:
        yield
    except OSError as error:
        raise Failure(f"{path} cannot be written: {error.strerror}.") from error


def read_file(file: str) -> bytes:
    """Read a file, or standard input for ``-``, or raise `Failure`."""
    if file == "-":
        return sys.stdin.buffer.read()
    try:
        return Path(file).read_bytes()
    except OSError as error:
        raise Failure(f"{file} cannot be read: {error.strerror}.") from error
