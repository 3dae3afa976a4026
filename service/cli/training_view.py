"""A job while it learns: how far it is, how well it does, and how much patience is left."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import TYPE_CHECKING

from rich.console import Console, ConsoleOptions, RenderResult
from rich.progress_bar import ProgressBar
from rich.table import Table
from rich.text import Text

from .backend import Json
from .job_words import STATE_STYLES
from .quantities import duration_text, loss_text, percent

if TYPE_CHECKING:
    from inkling import Event

_LEVELS = "▁▂▃▄▅▆▇█"
_MAX_BAR_WIDTH = 40
_LABEL_WIDTH = 12
_WORDS_WIDTH = 35
"""Kept free for the words beside a bar, so that it does not change its length at every check."""
_BESIDE_SPARKLINE_WIDTH = 34


class TrainingView:
    """What `rich.live.Live` shows, redrawn from the newest events.

    Parameters
    ----------
    job : as it was when following began.
    """

    def __init__(self, job: Json) -> None:
        self._id: str = job["id"]
        self._config: Json = job["config"]
        self._state: str = job["state"]
        self._progress: Json = job["progress"]
        self._latest: Json | None = job["metrics"]["latest"]
        self._best: Json | None = job["metrics"]["best"]
        self._losses: list[float] = []

    def update(self, event: Event) -> None:
        """Take in what happened."""
        if event.kind == "state":
            self._state = event.data["state"]
            return
        self._latest, self._progress = event.data, event.data["progress"]
        self._losses.append(event.data["validation_loss"])
        if self._best is None or event.data["validation_loss"] < self._best["validation_loss"]:
            self._best = event.data

    def end(self, job: Json) -> None:
        """Take in how it ended."""
        self._state, self._progress = job["state"], job["progress"]

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> RenderResult:
        """Draw the view for the width there is."""
        yield Text.assemble(
            (self._config["name"], "bold"),
            "  ",
            (self._state, STATE_STYLES[self._state]),
            "  ",
            (f"job {self._id}", "dim"),
        )
        if self._latest is None or self._best is None:
            waits = self._state == "queued"
            yield Text("waiting for a worker" if waits else "before its first check", style="dim")
            return
        yield self._bars(options.max_width)
        yield Text()
        yield self._numbers(self._latest, self._best, options.max_width)

    def _bars(self, max_width: int) -> Table:
        progress, patience = self._progress, self._config["patience"]
        words = f"{progress['fraction']:.0%}, epoch {progress['epoch'] + 1:,} of {self._config['epochs']:,}"
        if progress["eta_s"]:
            words += f", {duration_text(progress['eta_s'])} left"
        width = max(4, min(_MAX_BAR_WIDTH, max_width - _LABEL_WIDTH - max(_WORDS_WIDTH, len(words))))
        grid = Table.grid(padding=(0, 2))
        grid.add_row(
            Text("training", style="dim"),
            ProgressBar(total=1.0, completed=progress["fraction"], width=width, complete_style="cyan"),
            words,
        )
        left = progress["patience_left"]
        if patience is not None and left is not None:
            colour = "red" if 3 * left <= patience else "yellow" if left < patience else "green"
            bar = ProgressBar(total=patience, completed=left, width=width, complete_style=colour, finished_style=colour)
            grid.add_row(Text("patience", style="dim"), bar, f"{left:,} of {patience:,} checks left")
        return grid

    def _numbers(self, latest: Json, best: Json, max_width: int) -> Table:
        rate = self._progress["images_per_s"]
        speed = "" if rate is None else f", {rate:,.0f} images/s"
        grid = Table.grid(padding=(0, 2))
        grid.add_column(style="dim")
        grid.add_column(justify="right")
        grid.add_column(justify="right")
        grid.add_column(style="dim")
        grid.add_row("", Text("loss", style="dim"), Text("accuracy", style="dim"), "")
        grid.add_row(
            "validation",
            loss_text(latest["validation_loss"]),
            percent(latest["validation_accuracy"]),
            Text(sparkline(self._losses, max(8, max_width - _BESIDE_SPARKLINE_WIDTH)), style="cyan"),
        )
        grid.add_row(
            "training",
            loss_text(latest["train_loss"]),
            percent(latest["train_accuracy"]),
            f"step {latest['step']:,}{speed}",
        )
        grid.add_row(
            "best so far",
            loss_text(best["validation_loss"]),
            percent(best["validation_accuracy"]),
            f"epoch {best['epoch']:,}, step {best['step']:,}",
        )
        return grid


def sparkline(losses: Sequence[float], width: int) -> str:
    """Return losses as a row of blocks on a logarithmic scale, left to right; a long row is thinned to fit."""
    if len(losses) > width:
        losses = [losses[round(place * (len(losses) - 1) / (width - 1))] for place in range(width)]
    heights = [math.log(max(loss, 1e-12)) for loss in losses]
    low, high = min(heights, default=0.0), max(heights, default=0.0)
    scale = (len(_LEVELS) - 1) / (high - low) if high > low else 0.0
    return "".join(_LEVELS[round((height - low) * scale)] for height in heights)
