"""``inkling``: the root of the command line, its errors, and the examples in its help.

An error is one red line on stderr and an exit code; ``--debug`` shows the traceback. Exit codes: 1: it did not work.
2: the command was not understood. 78: the service must be configured first (EX_CONFIG). 130: interrupted by Ctrl-C.
"""

from __future__ import annotations

import errno
import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from importlib import import_module
from inspect import cleandoc
from io import TextIOWrapper
from typing import IO, Any, TypeVar

import click

from service import __version__
from service.errors import KeysRequired, ServiceError

AS_JSON = click.option("--json", "as_json", is_flag=True, help="Print JSON.")
INTERRUPTED = 130
_DEBUG = "service.cli.debug"
_Function = TypeVar("_Function", bound=Callable[..., Any])

COMMANDS = {
    "serve": ("server", "Start the web service."),
    "train": ("jobs", "Train a model and watch it learn."),
    "sweep": ("sweeps", "Train every combination of some values, and compare."),
    "report": ("report", "Make the course report: every number and figure."),
    "predict": ("images", "Predict which digit an image shows."),
    "read": ("images", "Read every digit in a picture: numbers, line by line."),
    "explain": ("images", "Explain a prediction, pixel by pixel."),
    "jobs": ("jobs", "List, follow, pause, cancel, resume and picture training jobs."),
    "sweeps": ("sweeps", "List, follow, cancel and picture sweeps."),
    "reports": ("report", "List, show, annotate, cancel and delete course reports."),
    "verify": ("jobs", "Train a job again and compare every bit of its weights."),
    "models": ("models", "List models, look inside, compare, move aliases."),
    "keys": ("server", "Create, list and revoke the keys of the service."),
    "doctor": ("upkeep", "Check this machine and its data folder for problems."),
    "clean": ("upkeep", "Delete what has expired, and return its space."),
    "backup": ("upkeep", "Copy database, models and data sets into one file."),
    "restore": ("upkeep", "Restore a backup into a new data folder."),
    "datasets": ("datasets", "List data sets, add and delete your own."),
    "collections": ("collections", "Collect labelled images, correct and freeze them."),
    "completion": ("upkeep", "Print the completion of commands for your shell."),
}
"""The commands in the order in which a newcomer needs them: the module of each, and a line for its help."""

_TOUR = (
    ("inkling predict digit.png", "which digit? A trained model is included"),
    ("inkling models show mnist-softmax", "its weights, a picture for each class"),
    ("inkling train", "train one yourself and watch it learn"),
    ("inkling serve", "the same over HTTP, for programs"),
)

_TOUR_END = """\
Everything is kept in one folder: ./data, or the one that --data-dir or
INKLING_DATA_DIR names. With --url or INKLING_URL the commands use a running
server instead. All commands: inkling --help. Examples: inkling COMMAND --help."""


class WholeNumber(click.IntRange):
    """A whole number within a range; what is none was called "not a valid integer range"."""

    name = "whole number"


class Number(click.FloatRange):
    """A number within a range."""

    name = "number"


class Failure(click.ClickException):
    """An error as one line."""

    @classmethod
    def of(cls, error: ServiceError) -> Failure:
        """Make the line of field, message and allowed range, none of them twice."""
        line = error.message
        if error.field is not None and error.field not in line:
            line = f"{error.field}: {line}"
        if error.allowed is not None and error.allowed not in line:
            line = f"{line.removesuffix('.')}; allowed: {error.allowed}."
        return (Misconfigured if isinstance(error, KeysRequired) else cls)(line)

    def show(self, file: IO[Any] | None = None) -> None:
        """Write the line."""
        click.secho(f"Error: {self.message}", file=file, err=True, fg="red")


class Misconfigured(Failure):
    """The service cannot start before something about its configuration is decided."""

    exit_code = 78


def debug_option(function: _Function) -> _Function:
    """Add ``--debug``."""

    def remember(ctx: click.Context, param: click.Parameter, value: bool) -> None:
        if value:
            ctx.meta[_DEBUG] = True  # shared by a context and its parents

    decorate = click.option(
        "--debug", is_flag=True, expose_value=False, callback=remember, help="Show the traceback of an error."
    )
    return decorate(function)


@contextmanager
def reported(ctx: click.Context) -> Iterator[None]:
    """Turn errors into `Failure`, unless ``--debug`` was given."""
    try:
        yield
    except KeyboardInterrupt:
        click.echo(err=True)  # the terminal's own ^C stands at the start of the line
        ctx.exit(INTERRUPTED)
    except (click.ClickException, click.exceptions.Exit, click.Abort):
        raise
    except Exception as error:
        if ctx.meta.get(_DEBUG) or (isinstance(error, OSError) and error.errno == errno.EPIPE):
            raise  # click ends quietly when the reader of a pipe has closed it
        if isinstance(error, ServiceError):
            raise Failure.of(error) from error
        if isinstance(error, UnicodeEncodeError):  # Python keeps such bytes as halves of surrogate pairs
            raise Failure(f"A text that was given is no {error.encoding.upper()}.") from error
        raise Failure(f"An unexpected error occurred ({type(error).__name__}); --debug shows where.") from error


def option_name(field: str) -> str:
    """Return the option of a setting or a hyperparameter."""
    return f"--{field.replace('_', '-')}"


def option_help(description: str, facts: Sequence[str]) -> str:
    """Return the help of an option: a sentence, and in brackets the facts about it."""
    return f"{description[:1].upper()}{description[1:]}." + (f" [{'; '.join(facts)}]" if facts else "")


def examples(*lines: str) -> Callable[[_Function], _Function]:
    """Add examples to the help of a command, each without ``inkling``."""

    def decorate(function: _Function) -> _Function:
        shown = "\n".join(f"  inkling {line}" for line in lines)
        function.__doc__ = f"{cleandoc(function.__doc__ or '')}\n\n\b\nExample{'s' * (len(lines) > 1)}:\n{shown}"
        return function

    return decorate


class LazyGroup(click.Group):
    """The root group: lists its commands without importing them, and turns errors into messages."""

    def __init__(self, **options: Any) -> None:
        placeholders = {name: click.Command(name, help=summary) for name, (_, summary) in COMMANDS.items()}
        super().__init__(commands=placeholders, **options)

    def list_commands(self, ctx: click.Context) -> list[str]:
        """Return the names in the order of the table."""
        return list(COMMANDS)

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        """Find a command and import it."""
        name, placeholder, rest = super().resolve_command(ctx, args)
        if name is None or placeholder is None:
            return name, placeholder, rest
        return name, getattr(import_module(f"{__package__}.{COMMANDS[name][0]}"), name), rest

    def main(self, *args: Any, **options: Any) -> Any:
        """Write what the encoding of a terminal does not have as a question mark, then run."""
        for stream in (sys.stdout, sys.stderr):
            if isinstance(stream, TextIOWrapper):
                stream.reconfigure(errors="replace")
        return super().main(*args, **options)

    def invoke(self, ctx: click.Context) -> Any:
        """Run the command; an error becomes one red line and an exit code."""
        with reported(ctx):
            return super().invoke(ctx)


@click.group(
    cls=LazyGroup,
    invoke_without_command=True,
    context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100},
)
@click.version_option(__version__, prog_name="inkling", message="%(prog)s %(version)s")
@debug_option
@click.pass_context
@examples(
    "predict digit.png",
    "train --epochs 50 --l2-penalty 0.01 --follow",
    "models show mnist-softmax",
    "serve --port 8000",
    "jobs list --url http://127.0.0.1:8000",
)
def cli(ctx: click.Context) -> None:
    """Train models on handwritten digits, look at every weight, and predict the digits in images."""
    if ctx.invoked_subcommand is None:
        click.secho("Inkling: a glass box for handwritten digits.\n", bold=True)
        for example, meaning in _TOUR:
            click.echo(f"  {click.style(f'{example:<34}', fg='cyan')}  {meaning}")
        click.echo(f"\n{_TOUR_END}")
