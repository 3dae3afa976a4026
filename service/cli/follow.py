"""Following a job to its end: a live view in a terminal, a line for each epoch elsewhere, silence for programs."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager, suppress
from typing import Protocol

import click
from rich.console import Console
from rich.live import Live

from service.errors import InvalidJobTransition

from .backend import Backend, Event, Json
from .failure import INTERRUPTED
from .quantities import duration_text, loss_text, percent
from .training_view import TrainingView


def follow_job(backend: Backend, job: Json, console: Console, *, silent: bool = False) -> Json:
    """Show a job until it is over, and return it as it is then.

    Ctrl-C cancels a job that is trained by this process, keeping its best weights so far; a second one, or
    one while somebody else trains it, only stops following.
    """
    last_event, interrupted = 0, False
    with _display(job, console, silent=silent) as display:
        while True:
            try:
                for event in backend.events(job["id"], after=last_event):
                    last_event = event.id
                    display.show(event)
                job = backend.job(job["id"])
                display.end(job)
                return job
            except KeyboardInterrupt:
                if interrupted:
                    raise click.exceptions.Exit(INTERRUPTED) from None
                if not backend.trains_here:
                    display.say(f"No longer following; the job is still there, {backend.place}.")
                    for verb in ("follow", "cancel"):
                        display.say(f"  inkling jobs {verb} {job['id']}{backend.arguments}")
                    raise click.exceptions.Exit(INTERRUPTED) from None
                interrupted = True
                display.say("Cancelling; the best weights so far are kept. Ctrl-C again leaves at once.")
                with suppress(InvalidJobTransition):  # it has ended by itself meanwhile
                    backend.cancel(job["id"])


def exit_code_of(job: Json) -> int:
    """Return 0 for a job that succeeded, 130 for one that was cancelled, 1 for one that failed."""
    return {"succeeded": 0, "cancelled": INTERRUPTED}.get(job["state"], 1)


class _Display(Protocol):
    def show(self, event: Event) -> None: ...

    def say(self, line: str) -> None: ...

    def end(self, job: Json) -> None: ...


@contextmanager
def _display(job: Json, console: Console, *, silent: bool) -> Iterator[_Display]:
    if console.is_terminal and not silent:
        view = TrainingView(job)
        with Live(view, console=console, refresh_per_second=8) as live:
            yield _LiveView(view, live)
    else:
        yield _Lines(job, silent=silent)


class _LiveView:
    """A view that is redrawn in its place, eight times a second at most."""

    def __init__(self, view: TrainingView, live: Live) -> None:
        self._view = view
        self._live = live

    def show(self, event: Event) -> None:
        self._view.update(event)

    def say(self, line: str) -> None:
        self._live.console.print(line, soft_wrap=True)

    def end(self, job: Json) -> None:
        self._view.end(job)


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
