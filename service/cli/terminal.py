"""The terminal: how tables, lists, numbers, commands to try and files are written by every command.

Text is never markup: names, reasons and messages are shown as they are.
"""

import json
import os
import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import click
from rich.console import Console, ConsoleOptions, RenderableType
from rich.progress_bar import ProgressBar
from rich.segment import Segment
from rich.table import Table
from rich.text import Text

from .backend import Backend, Json
from .root import Failure

_PIPE_WIDTH = 10_000
_CONTROLS = dict.fromkeys((*range(9), 11, 12, *range(14, 32), *range(127, 160)))
"""What a terminal would obey, which is left out; line ends and tabs are text."""


class _Terminal(Console):
    """Standard output without the control characters that texts of people and files may contain."""

    def render(self, renderable: RenderableType, options: ConsoleOptions | None = None) -> Iterator[Segment]:
        """See `rich.console.Console.render`: the only control sequences are those that it makes itself."""
        for segment in super().render(renderable, options):
            yield segment if segment.control else Segment(segment.text.translate(_CONTROLS), segment.style)


def terminal() -> Console:
    """Return standard output: with colours and live views only if it is a terminal that shows them.

    What goes to a file or a pipe is as wide as it is, unless COLUMNS says how wide: lines that wrap cannot be
    searched or cut into columns.
    """
    width = None if sys.stdout.isatty() or "COLUMNS" in os.environ else _PIPE_WIDTH
    return _Terminal(highlight=False, markup=False, emoji=False, width=width)


def print_json(value: Any) -> None:
    """Print plain data for programs."""
    click.echo(json.dumps(value, indent=2))


def print_result(found: Json, draw: Callable[[Json, Console], object], *, as_json: bool) -> None:
    """Print what was found: as JSON, or drawn on the terminal."""
    if as_json:
        print_json(found)
    else:
        draw(found, terminal())


def confirm(question: str, *, yes: bool = False, otherwise: str = "") -> None:
    """Ask the person at a terminal, unless ``--yes`` was given; end the command if the answer is no.

    Elsewhere nobody can answer: go on, or fail with the sentence ``otherwise``.
    """
    if yes:
        return
    if _is_terminal():
        click.confirm(question, abort=True)
    elif otherwise:
        raise Failure(otherwise)


def _is_terminal() -> bool:
    return sys.stdin.isatty()


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

STANDARD_OUTPUT = Path("-")


def output_option(help_text: str, *names: str, required: bool = False) -> Callable[..., Any]:
    """Return the option that names the file to be written, or standard output as ``-``; by default ``-o``."""
    path = click.Path(dir_okay=False, path_type=Path, allow_dash=True)
    names = names or ("-o", "--output")
    return click.option(*names, metavar="FILE", type=path, required=required, help=help_text)


def print_and_draw(
    ask: Callable[[], Json],
    show: Callable[[Json, Console], object],
    draw: Callable[[], bytes],
    *,
    output: Path | None,
    as_json: bool,
) -> None:
    """Print an answer, and write its picture as PNG if an ``output`` is named: that alone if it is standard output."""
    if output is not None:
        ending_of(output, ".png")
    if output != STANDARD_OUTPUT:
        print_result(ask(), show, as_json=as_json)
    elif as_json:
        raise click.UsageError("--json and -o - exclude each other.")
    if output is not None:
        write_file(output, draw())


def ending_of(output: Path, *endings: str) -> str:
    """Return which of some endings the name of a file has, the first if it has none; else raise `click.UsageError`."""
    ending = output.suffix.lower() or endings[0]
    if ending not in endings:
        raise click.UsageError(f"The name of the file must end in {' or '.join(endings)}.")
    return ending


def write_as(output: Path, endings: Sequence[str], make: Callable[[str], bytes]) -> None:
    """Write what is made for the ending of a file's name, one of ``endings``."""
    ending = ending_of(output, *endings)
    write_file(output, make(ending))


def write_file(path: Path, data: bytes) -> None:
    """Write a file and report it, or write to standard output; raise `Failure` if that cannot be."""
    if path == STANDARD_OUTPUT:
        if sys.stdout.isatty() and b"\0" in data:
            raise Failure("This is not text, which a terminal could show: name a file, or redirect the output.")
        click.echo(data, nl=False)
        return
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
