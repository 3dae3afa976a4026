"""Where news are shown until there are no more, and what Ctrl-C means meanwhile."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from contextlib import suppress
from typing import Protocol, TypeVar

import click
from rich.console import ConsoleRenderable
from rich.live import Live

from service.errors import InvalidJobTransition

from .backend import Backend, Json
from .failure import INTERRUPTED

News_contra = TypeVar("News_contra", contravariant=True)
News = TypeVar("News")


class Display(Protocol[News_contra]):
    """A place for news, and for words to the person at the keyboard."""

    def show(self, news: News_contra, /) -> None:
        """Take in what happened."""
        ...

    def say(self, line: str) -> None:
        """Say something besides."""
        ...

    def end(self, whole: Json, /) -> None:
        """Take in how it ended."""
        ...


class View(ConsoleRenderable, Protocol[News_contra]):
    """What can be drawn again and again, each time with the newest news."""

    def update(self, news: News_contra, /) -> None:
        """Take in what happened."""
        ...

    def end(self, whole: Json, /) -> None:
        """Take in how it ended."""
        ...


class LiveDisplay(Display[News_contra]):
    """A view that ``live`` redraws in its place."""

    def __init__(self, view: View[News_contra], live: Live) -> None:
        self._view = view
        self._live = live

    def show(self, news: News_contra, /) -> None:
        """See `Display.show`."""
        self._view.update(news)

    def say(self, line: str) -> None:
        """See `Display.say`."""
        self._live.console.print(line, soft_wrap=True)

    def end(self, whole: Json, /) -> None:
        """See `Display.end`."""
        self._view.end(whole)


def show_until_over(
    backend: Backend,
    display: Display[News],
    *,
    noun: str,
    id_: str,
    news: Callable[[], Iterable[News]],
    cancel: Callable[[str], object],
) -> None:
    """Show news until there are no more.

    Ctrl-C cancels what is trained by this process, keeping the best weights so far; a second one, or one while
    somebody else trains it, only stops following.

    Parameters
    ----------
    noun : ``job`` or ``sweep``: whose id it is.
    news : asked again after a Ctrl-C.
    cancel : asks for the end.
    """
    interrupted = False
    while True:
        try:
            for what in news():
                display.show(what)
            return
        except KeyboardInterrupt:
            if interrupted:
                raise click.exceptions.Exit(INTERRUPTED) from None
            if not backend.trains_here:
                display.say(f"No longer following; the {noun} is still there, {backend.place}.")
                for verb in ("follow", "cancel"):
                    display.say(f"  inkling {noun}s {verb} {id_}{backend.arguments}")
                raise click.exceptions.Exit(INTERRUPTED) from None
            interrupted = True
            display.say("Cancelling; the best weights so far are kept. Ctrl-C again leaves at once.")
            with suppress(InvalidJobTransition):  # it has ended by itself meanwhile
                cancel(id_)
