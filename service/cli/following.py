"""Following what is trained until it is over: a live view in a terminal, lines elsewhere, nothing for programs."""

from __future__ import annotations

import functools
import time
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterable, Iterator
from contextlib import nullcontext, suppress
from typing import Any, ClassVar

import click
from rich.console import Console, ConsoleOptions, RenderResult
from rich.live import Live

from service.errors import InvalidJobTransition, ServiceUnreachable

from .backend import Backend, Json, with_backend
from .names import Noun
from .root import INTERRUPTED
from .terminal import print_json, print_result, terminal

FINAL_STATES = frozenset({"succeeded", "failed", "cancelled", "finished"})
"""Of jobs, sweeps and reports."""

_POLL_S = 0.2
_MAX_SHARE = 0.1
"""Of the time may be spent on polling: a large sweep takes long to describe, and is polled less often."""
_RETRY_S = 1.0
_MAX_UNANSWERED = 30


class View(ABC):
    """What is shown of a job, a sweep or a report while it is followed: live on a terminal, elsewhere in lines."""

    noun: ClassVar[Noun]
    is_transient: ClassVar[bool] = False
    """Whether the live view is removed at the end."""

    def __init__(self, thing: Json) -> None:
        self.id: str = thing["id"]
        self.thing = thing

    @property
    def follow_command(self) -> str:
        """The command that follows it later."""
        return f"{self.noun.plural} follow {self.id}"

    def fetch(self, backend: Backend) -> Json:
        """Return it as it is now."""
        return backend.one(self.noun.plural, self.id)

    def updates(self, backend: Backend) -> Iterator[Any]:
        """Yield what `update` takes, until it is over. It is called again after a Ctrl-C."""
        return poll(functools.partial(self.fetch, backend))

    def update(self, update: Any) -> None:
        """Take in what happened, which is its present state unless `updates` says otherwise."""
        self.thing = update

    def end(self, thing: Json) -> None:
        """Take in how it ended."""
        self.thing = thing

    def lines(self) -> Iterable[str]:
        """Return the lines that have been added since the last call."""
        return ()

    @abstractmethod
    def __rich_console__(self, console: Console, options: ConsoleOptions) -> RenderResult:
        """Draw it for the width and the height there are."""

    @abstractmethod
    def print_end(self, backend: Backend, console: Console) -> None:
        """Print how it ended, and what can be done with its results."""

    def exit_code(self) -> int:
        """Return 0 if it succeeded or is paused, 130 if it was cancelled, else 1."""
        return {"succeeded": 0, "paused": 0, "cancelled": INTERRUPTED}.get(self.thing["state"], 1)


def is_final(thing: Json) -> bool:
    """Whether a job, a sweep, a member of one or a report is over."""
    return thing["state"] in FINAL_STATES


def submits(view: type[View], *shown: str) -> Callable[..., Callable[..., Any]]:
    """Make a command of a function that submits something: follow it in a ``view``, or print how to.

    ``shown`` are examples of its help.
    """
    noun = view.noun.value

    def decorate(command: Callable[..., Json]) -> Callable[..., Any]:
        @click.option(
            "--follow/--no-follow",
            "follows",
            default=None,
            help="Watch until it is over, or only submit it: a server with this --data-dir or at this --url trains it. "
            "[default --follow without --url, --no-follow with it]",
        )
        @click.option(
            "--json",
            "as_json",
            is_flag=True,
            help=f"Print nothing but the {noun} as JSON, when it is over if followed.",
        )
        @with_backend(*shown, creates=True)
        @click.pass_context
        @functools.wraps(command)
        def run(
            ctx: click.Context, backend: Backend, /, *, follows: bool | None, as_json: bool, **options: Any
        ) -> None:
            submitted = command(ctx, backend, **options)
            if follows if follows is not None else not backend.is_remote:
                ctx.exit(_follow_to_end(view(submitted), backend, as_json=as_json))
            if as_json:
                print_json(submitted)
            else:
                click.echo(f"{noun.capitalize()} {submitted['id']} is submitted {backend.place}.")
                click.echo(f"  inkling {noun}s follow {submitted['id']}{backend.arguments}")

        return run

    return decorate


def add_follow(group: click.Group, view: type[View], exit_codes: str, *options: Callable[..., Any]) -> None:
    """Add the command ``follow``. Its ``options`` say how it is fetched, and ``exit_codes`` is a sentence."""
    noun = view.noun

    def follow_(ctx: click.Context, backend: Backend, /, *, as_json: bool, **given: Any) -> None:
        found = backend.one(noun.plural, given.pop(f"{noun.value}_id"), **given)
        ctx.exit(_follow_to_end(view(found), backend, as_json=as_json))

    follow_.__doc__ = (
        f"Watch a {noun.value} until it is over.\n\n"
        f"Without --url this process trains it, if no server uses the folder.\n\n{exit_codes}"
    )
    command = with_backend(f"{noun.plural} follow {noun.example}")(click.pass_context(follow_))
    help_ = f"Print nothing but the {noun.value} as JSON, when it is over."
    for option in (click.option("--json", "as_json", is_flag=True, help=help_), *reversed(options), noun.argument):
        command = option(command)
    group.command("follow")(command)


def _follow_to_end(view: View, backend: Backend, *, as_json: bool) -> int:
    """Follow something, print how it ended, and return the exit code."""
    follow(view, backend, silent=as_json)
    print_result(view.thing, lambda _, console: view.print_end(backend, console), as_json=as_json)
    return view.exit_code()


def follow(view: View, backend: Backend, *, silent: bool) -> None:
    """Show a view until what it shows is over.

    Ctrl-C cancels what is trained by this process, keeping the best weights so far; a second one, or one while a
    server trains it, only stops following. If ``silent``, only what the person at the keyboard must know is printed.
    """
    console, noun = terminal(), view.noun
    is_live = console.is_terminal and not silent
    live = Live(view, console=console, refresh_per_second=8, transient=view.is_transient) if is_live else None

    def say(line: str) -> None:
        if live:
            console.print(line, soft_wrap=True)
        else:
            click.echo(line, err=True)

    def print_lines() -> None:
        if not is_live and not silent:
            for line in view.lines():
                click.echo(line)

    interrupted = False
    with live or nullcontext():
        print_lines()
        while True:
            try:
                backend.start_training()
                for one in view.updates(backend):
                    view.update(one)
                    print_lines()
                break
            except KeyboardInterrupt:
                if interrupted:
                    raise click.exceptions.Exit(INTERRUPTED) from None
                if not backend.trains_here:
                    say(f"No longer following; the {noun.value} continues {backend.place}.")
                    for command in (view.follow_command, f"{noun.plural} cancel {view.id}"):
                        say(f"  inkling {command}{backend.arguments}")
                    raise click.exceptions.Exit(INTERRUPTED) from None
                interrupted = True
                say("Cancelling; the best weights so far are kept. Ctrl-C again leaves at once.")
                with suppress(InvalidJobTransition):  # it is over by now
                    backend.act(noun.plural, view.id, "cancel")
        view.end(view.fetch(backend))
        print_lines()


def poll(fetch: Callable[[], Json]) -> Iterator[Json]:
    """Yield what ``fetch`` returns until that is over; a server that does not answer is retried for a while."""
    unanswered = 0
    while True:
        asked_at_s = time.monotonic()
        try:
            whole = fetch()
        except ServiceUnreachable:
            unanswered += 1
            if unanswered > _MAX_UNANSWERED:
                raise
            time.sleep(_RETRY_S)
            continue
        unanswered = 0
        took_s = time.monotonic() - asked_at_s
        yield whole
        if is_final(whole):
            return
        time.sleep(max(_POLL_S, took_s / _MAX_SHARE))
