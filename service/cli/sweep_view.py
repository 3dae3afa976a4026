"""A sweep while it is trained: how far the whole is, and a line for each member."""

from __future__ import annotations

import time
from collections.abc import Sequence

from rich.console import Console, ConsoleOptions, RenderResult
from rich.measure import Measurement
from rich.progress_bar import ProgressBar
from rich.table import Table
from rich.text import Text

from .backend import Json
from .quantities import duration_text, loss_text, percent
from .sweep_words import counted, counts_text, in_grid_order, member_state, metric_text, value_text
from .terminal import columns

MAX_ROWS = 20
_AROUND_ROWS = 8
"""Lines of the terminal that are not a member's: header, heads of columns, the rest, the cursor."""
_MIN_BAR_WIDTH, _MAX_BAR_WIDTH = 6, 20
_WORDS_WIDTH = 32
"""Kept free for the words beside the bar of the whole."""


class SweepView:
    """What `rich.live.Live` shows, redrawn from the newest state of the sweep.

    Members stand in the order of the grid. Where there are too many of them, the best and the running ones are
    shown, ranked, and the others counted.

    Parameters
    ----------
    sweep : as it was when following began.
    """

    def __init__(self, sweep: Json) -> None:
        self._sweep = sweep
        self._first = sweep["fraction"], time.monotonic()

    def update(self, sweep: Json) -> None:
        """Take in how it is now."""
        self._sweep = sweep

    def end(self, sweep: Json) -> None:
        """Take in how it ended."""
        self._sweep = sweep

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> RenderResult:
        """Draw the view for the width and the height there are."""
        sweep = self._sweep
        n_members = len(sweep["members"])
        yield sweep_title(sweep)
        yield Text.assemble(f"{n_members:,} members: ", counts_text(sweep["states"]))
        bar = Table.grid(padding=(0, 2))
        width = max(_MIN_BAR_WIDTH, min(40, options.max_width - _WORDS_WIDTH))
        words = f"{sweep['fraction']:.0%}{self._time_left()}"
        bar.add_row(ProgressBar(total=1.0, completed=sweep["fraction"], width=width, complete_style="cyan"), words)
        yield bar
        yield Text()
        shown = members_to_show(sweep, max(4, min(MAX_ROWS, console.height - _AROUND_ROWS)))
        yield _table(sweep, shown, console, options)
        if len(shown) < n_members:
            yield rest_text(sweep, shown)

    def _time_left(self) -> str:
        """Return how long it will take if it goes on as it went since following began."""
        fraction_then, then_s = self._first
        made = self._sweep["fraction"] - fraction_then
        if made < 0.02:
            return ""
        return f", about {duration_text((time.monotonic() - then_s) * (1 - self._sweep['fraction']) / made)} left"


def sweep_title(sweep: Json) -> Text:
    """Return the name under which the members' models are registered, and the id."""
    return Text.assemble((sweep["name"], "bold"), "  ", (f"sweep {sweep['id']}", "dim"))


def members_to_show(sweep: Json, limit: int) -> Sequence[Json]:
    """Return all members in the order of the grid or, of more than ``limit``, the best and the running, ranked."""
    ranked: Sequence[Json] = sweep["members"]
    if len(ranked) <= limit:
        return in_grid_order(sweep)
    running = [member for member in ranked[limit // 2 :] if member["state"] in ("running", "cancelling")]
    running = running[: limit - limit // 2]
    # Whatever room the running ones leave is for the best; those that are both are counted among the running.
    shown = {member["job"] for member in running}
    shown |= {member["job"] for member in [m for m in ranked if m["job"] not in shown][: limit - len(running)]}
    return [member for member in ranked if member["job"] in shown]


def rest_text(sweep: Json, shown: Sequence[Json]) -> Text:
    """Return how many members are not shown, by their states."""
    jobs = {member["job"] for member in shown}
    rest = [member for member in sweep["members"] if member["job"] not in jobs]
    return Text.assemble((f"and {len(rest):,} more: ", "dim"), counts_text(counted(rest)))


def value_columns(table: Table, sweep: Json, members: Sequence[Json]) -> None:
    """Add a column for each hyperparameter of the grid; its name is broken where the values are shorter."""
    for name in sweep["grid"]:
        words = name.replace("_", " ")
        longest_value = max((len(value_text(name, member["values"][name])) for member in members), default=0)
        width = max(longest_value, *map(len, words.split()))
        table.add_column(Text(words), justify="right", width=width, overflow="fold")


def value_cells(sweep: Json, member: Json) -> list[str]:
    """Return a member's values for those columns."""
    return [value_text(name, member["values"][name]) for name in sweep["grid"]]


def _table(sweep: Json, members: Sequence[Json], console: Console, options: ConsoleOptions) -> Table:
    """Return the members, with bars if there is room for them."""
    without_bars = _members_table(sweep, members, 0)
    # Two columns lie between, and two stay free: a terminal that writes ^C there must not begin a new line.
    room = options.max_width - Measurement.get(console, options, without_bars).maximum - 4
    if room < _MIN_BAR_WIDTH:
        return without_bars
    return _members_table(sweep, members, min(_MAX_BAR_WIDTH, room))


def _members_table(sweep: Json, members: Sequence[Json], bar_width: int) -> Table:
    metric = sweep["ranked_by"]
    table = columns()
    value_columns(table, sweep, members)
    table.add_column("state", min_width=10)
    if bar_width:
        table.add_column("progress")
    for name, min_width in (("epoch", 5), ("loss", 6), ("accuracy", 8), ("best", 8)):
        table.add_column(name, justify="right", min_width=min_width, no_wrap=True)
    for member in members:
        latest, best = member["metrics"]["latest"], member["metrics"]["best"]
        bar = ProgressBar(total=1.0, completed=member["progress"]["fraction"], width=bar_width, complete_style="cyan")
        table.add_row(
            *value_cells(sweep, member),
            member_state(member),
            *([bar] if bar_width else []),
            "" if latest is None else f"{member['progress']['epoch']:,}",
            "" if latest is None else loss_text(latest["validation_loss"]),
            "" if latest is None else percent(latest["validation_accuracy"]),
            "" if best is None else metric_text(metric, best[metric]),
            style="bold green" if member["job"] == sweep["best"] else None,
        )
    return table
