"""Following a sweep to its end: a live table in a terminal, a line for each ending elsewhere, silence for programs."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import click
from rich.console import Console
from rich.live import Live

from .backend import Backend, Json
from .display import Display, LiveDisplay, show_until_over
from .job_words import is_final
from .sweep_report import print_ending
from .sweep_view import SweepView
from .sweep_words import METRICS, best_member, exit_code_of, in_grid_order, is_over, metric_text, values_text
from .terminal import print_json, terminal

RANK_BY = click.option(
    "--rank-by",
    type=click.Choice(list(METRICS)),
    help="What makes a member the best, each at its check of the lowest validation loss. [default validation_loss]",
)


def follow_sweep(backend: Backend, sweep: Json, *, rank_by: str | None, as_json: bool) -> int:
    """Show a sweep until it is over, print how it ended, and return the exit code. See `follow_job`."""
    console = terminal()

    def news() -> Iterator[Json]:
        return backend.watch_sweep(sweep["id"], rank_by=rank_by)

    with _display(sweep, console, silent=as_json) as display:
        show_until_over(backend, display, noun="sweep", id_=sweep["id"], news=news, cancel=backend.cancel_sweep)
        sweep = backend.sweep(sweep["id"], rank_by=rank_by)
        display.end(sweep)
    if as_json:
        print_json(sweep)
    else:
        print_ending(sweep, backend, console)
    return exit_code_of(sweep)


@contextmanager
def _display(sweep: Json, console: Console, *, silent: bool) -> Iterator[Display[Json]]:
    if console.is_terminal and not silent:
        view = SweepView(sweep)
        # Transient, because the report that is printed at the end takes its place.
        with Live(view, console=console, refresh_per_second=4, transient=True) as live:
            yield LiveDisplay(view, live)
    else:
        yield _Lines(sweep, silent=silent)


class _Lines:
    """A line for each member that is over and each tenth of the whole; or, for programs, only words to a person."""

    def __init__(self, sweep: Json, *, silent: bool) -> None:
        self._ended: set[str] = set()
        self._tenths = 0
        self._silent = silent
        self._print(f"{sweep['name']}, sweep {sweep['id']}, {len(sweep['members']):,} members")

    def show(self, sweep: Json) -> None:
        for member in in_grid_order(sweep):
            if is_final(member) and member["job"] not in self._ended:
                self._ended.add(member["job"])
                self._print(f"{values_text(member['values'])}: {member['state']}{_result(sweep, member)}")
        tenths = int(10 * sweep["fraction"])
        best = best_member(sweep)
        if tenths > self._tenths and best is not None and not is_over(sweep):
            self._tenths = tenths
            n_members = len(sweep["members"])
            self._print(
                f"{tenths}0% trained, {len(self._ended):,} of {n_members:,} members over; "
                f"best so far {values_text(best['values'])}{_result(sweep, best)}"
            )

    def say(self, line: str) -> None:
        click.echo(line, err=True)

    def end(self, sweep: Json) -> None:
        self.show(sweep)

    def _print(self, line: str) -> None:
        if not self._silent:
            click.echo(line)


def _result(sweep: Json, member: Json) -> str:
    best, metric = member["metrics"]["best"], sweep["ranked_by"]
    if best is None:
        return ""
    return f", {METRICS[metric]} {metric_text(metric, best[metric])}, epoch {best['epoch']:,}"
