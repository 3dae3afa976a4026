"""Following a job to its end: a live view in a terminal, a line for each epoch elsewhere, silence for programs."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

import click
from rich.console import Console
from rich.live import Live

from .backend import Backend, Json
from .display import Display, LiveDisplay, show_until_over
from .failure import INTERRUPTED
from .job_report import print_ending
from .quantities import duration_text, loss_text, percent
from .terminal import print_json, terminal
from .training_view import TrainingView

if TYPE_CHECKING:
    from inkling import Event


def follow_job(backend: Backend, job: Json, *, as_json: bool) -> int:
    """Show a job until it is over, print how it ended, and return the exit code. For Ctrl-C see `show_until_over`.

    Parameters
    ----------
    as_json : print nothing but the job as it is then.
    """
    console = terminal()
    last_event = 0

    def news() -> Iterator[Event]:
        nonlocal last_event
        for event in backend.events(job["id"], after=last_event):
            last_event = event.id
            yield event

    with _display(job, console, silent=as_json) as display:
        show_until_over(backend, display, noun="job", id_=job["id"], news=news, cancel=backend.cancel)
        job = backend.job(job["id"])
        display.end(job)
    if as_json:
        print_json(job)
    else:
        print_ending(job, backend, console)
    return _exit_code_of(job)


def _exit_code_of(job: Json) -> int:
    """Return 0 for success, 130 for a cancelled job, 1 for one that failed or found weights to differ."""
    verification = job["verification"]
    if verification and verification["outcome"] and not verification["outcome"]["identical"]:
        return 1
    return {"succeeded": 0, "cancelled": INTERRUPTED}.get(job["state"], 1)


@contextmanager
def _display(job: Json, console: Console, *, silent: bool) -> Iterator[Display[Event]]:
    if console.is_terminal and not silent:
        view = TrainingView(job)
        with Live(view, console=console, refresh_per_second=8) as live:
            yield LiveDisplay(view, live)
    else:
        yield _Lines(job, silent=silent)


class _Lines:
    """One line for each epoch, of its last check; or, for programs, only what a person at the keyboard must know."""

    def __init__(self, job: Json, *, silent: bool) -> None:
        self._check: Json | None = None
        self._silent = silent
        self._print(f"{job['config']['name']}, job {job['id']}")

    def show(self, event: Event) -> None:
        if event.kind == "check":
            if self._check is not None and event.data["epoch"] != self._check["epoch"]:
                self._print_check()
            self._check = event.data

    def say(self, line: str) -> None:
        click.echo(line, err=True)

    def end(self, job: Json) -> None:
        self._print_check()

    def _print_check(self) -> None:
        if self._check is None:
            return
        check, progress = self._check, self._check["progress"]
        left = f"  {duration_text(progress['eta_s'])} left" if progress["eta_s"] else ""
        self._print(
            f"epoch {check['epoch']:>3}  step {check['step']:>6,}"
            f"  loss {loss_text(check['train_loss'])}  validation loss {loss_text(check['validation_loss'])}"
            f"  accuracy {percent(check['validation_accuracy'])}{left}"
        )

    def _print(self, line: str) -> None:
        if not self._silent:
            click.echo(line)
