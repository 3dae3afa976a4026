"""Following what is trained until it is over: a live view in a terminal, lines elsewhere, nothing for programs."""

from __future__ import annotations

import functools
import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import nullcontext, suppress
from typing import TYPE_CHECKING, Any

import click
from rich.live import Live

from service.errors import InvalidJobTransition, ServiceUnreachable

from .backend import Backend, Json, with_backend
from .names import Noun
from .root import INTERRUPTED
from .terminal import print_json, terminal

if TYPE_CHECKING:
    from .job_view import JobView
    from .report import ReportView
    from .sweeps import SweepView

_POLL_S = 0.2
_MAX_SHARE = 0.1
"""Of the time may be spent on polling: a large sweep takes long to describe, and is polled less often."""
_RETRY_S = 1.0
_MAX_UNANSWERED = 30


def submits(noun: str, follow: Callable[..., int], *shown: str) -> Callable[..., Callable[..., Any]]:
    """Make a command of a function that submits a ``noun``, as in ``job``: follow it, or print how to.

    ``follow`` shows what was submitted until it is over, and returns the exit code; ``shown`` are examples of its help.
    """

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
                ctx.exit(follow(backend, submitted, as_json=as_json))
            if as_json:
                print_json(submitted)
            else:
                click.echo(f"{noun.capitalize()} {submitted['id']} is submitted {backend.place}.")
                click.echo(f"  inkling {noun}s follow {submitted['id']}{backend.arguments}")

        return run

    return decorate


def follow(
    view: JobView | SweepView | ReportView,
    backend: Backend,
    *,
    noun: Noun,
    object_id: str,
    news: Callable[[], Iterable[Any]],
    result: Callable[[], Json],
    silent: bool,
    transient: bool = False,
    hint: str = "",
) -> Json:
    """Show a view until there are no more news, and return how it ended.

    Ctrl-C cancels what is trained by this process, keeping the best weights so far; a second one, or one while a
    server trains it, only stops following.

    Parameters
    ----------
    news : called again after a Ctrl-C.
    result : returns how it ended.
    silent : print nothing but what the person at the keyboard must know.
    transient : remove the live view at the end.
    hint : the command that follows it later, if that is not ``follow``.
    """
    console = terminal()
    is_live = console.is_terminal and not silent
    live = Live(view, console=console, refresh_per_second=8, transient=transient) if is_live else None

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
                for one in news():
                    view.update(one)
                    print_lines()
                break
            except KeyboardInterrupt:
                if interrupted:
                    raise click.exceptions.Exit(INTERRUPTED) from None
                if not backend.trains_here:
                    say(f"No longer following; the {noun.value} continues {backend.place}.")
                    for command in (hint or f"{noun.plural} follow {object_id}", f"{noun.plural} cancel {object_id}"):
                        say(f"  inkling {command}{backend.arguments}")
                    raise click.exceptions.Exit(INTERRUPTED) from None
                interrupted = True
                say("Cancelling; the best weights so far are kept. Ctrl-C again leaves at once.")
                with suppress(InvalidJobTransition):  # it is over by now
                    backend.cancel(noun.plural, object_id)
        whole = result()
        view.end(whole)
        print_lines()
    return whole


def poll(ask: Callable[[], Json], is_over: Callable[[Json], bool]) -> Iterator[Json]:
    """Yield what ``ask`` returns until that is over; a server that does not answer is asked again for a while."""
    unanswered = 0
    while True:
        asked_at_s = time.monotonic()
        try:
            whole = ask()
        except ServiceUnreachable:
            unanswered += 1
            if unanswered > _MAX_UNANSWERED:
                raise
            time.sleep(_RETRY_S)
            continue
        unanswered = 0
        took_s = time.monotonic() - asked_at_s
        yield whole
        if is_over(whole):
            return
        time.sleep(max(_POLL_S, took_s / _MAX_SHARE))
