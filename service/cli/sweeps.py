"""``inkling sweep`` and ``inkling sweeps``."""

import time
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any

import click
from rich.console import Console, ConsoleOptions, RenderResult
from rich.measure import Measurement
from rich.table import Table
from rich.text import Text

from service.core import METRICS

from .annotations import annotated, print_about
from .backend import Backend, Json
from .following import View, add_follow, is_final, submits
from .hyperparameters import DATASET_OPTION, GRID_OPTION, hyperparameter_options, sweep_request, value_text
from .job_view import STATE_STYLES, check_text, next_commands
from .names import Noun
from .noun_commands import GROUP_STATES, add_annotate, add_cancel, add_delete, add_list, add_picture, add_show, in_rows
from .root import INTERRUPTED, examples
from .terminal import bar, columns, duration_text, loss_text, percent, print_commands

MAX_ROWS = 20
_AROUND_ROWS = 8
"""Lines of the terminal that are not a member's: header, heads of columns, the rest, the cursor."""
_MIN_BAR_WIDTH, _MAX_BAR_WIDTH = 6, 20
_TEXT_WIDTH = 32
"""Kept free for the text beside the bar of the whole."""

_RANK_BY = click.option(
    "--rank-by",
    type=click.Choice(list(METRICS)),
    default="validation_loss",
    help="What ranks the members, each at its check of the lowest validation loss. [default validation_loss]",
)


class SweepView(View):
    """A sweep while it is trained: how far the whole is, and a line for each member.

    Members stand in the order of the grid. Where there are too many of them, the best and the running ones are
    shown, ranked, and the others counted.
    """

    noun = Noun.SWEEP
    is_transient = True  # what is printed at the end takes its place

    def __init__(self, sweep: Json) -> None:
        super().__init__(sweep)
        self._first = sweep["fraction"], time.monotonic()
        self._ended: set[str] | None = None
        self._tenths = 0

    def fetch(self, backend: Backend) -> Json:
        """Return it as it is now, ranked as it was."""
        return backend.one("sweeps", self.id, rank_by=self.thing["ranked_by"])

    def lines(self) -> Iterator[str]:
        """Yield a line for each member that has ended and each tenth of the whole since the last call."""
        sweep, n_members = self.thing, len(self.thing["members"])
        if self._ended is None:
            self._ended = set()
            yield f"{sweep['name']}, sweep {sweep['id']}, {n_members:,} members"
        for member in in_grid_order(sweep):
            if is_final(member) and member["job"] not in self._ended:
                self._ended.add(member["job"])
                yield f"{values_text(member['values'])}: {member['state']}{_result(sweep, member)}"
        tenths = int(10 * sweep["fraction"])
        best = best_member(sweep)
        if tenths > self._tenths and best is not None and not is_final(sweep):
            self._tenths = tenths
            yield (
                f"{tenths}0% trained, {len(self._ended):,} of {n_members:,} members over; "
                f"best so far {values_text(best['values'])}{_result(sweep, best)}"
            )

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> RenderResult:
        """Draw the view for the width and the height there are."""
        sweep = self.thing
        n_members = len(sweep["members"])
        yield from _header(sweep)
        width = max(_MIN_BAR_WIDTH, min(40, options.max_width - _TEXT_WIDTH))
        grid = Table.grid(padding=(0, 2))
        grid.add_row(bar(sweep["fraction"], width), f"{sweep['fraction']:.0%}{self._time_left()}")
        yield grid
        yield Text()
        shown = members_to_show(sweep, max(4, min(MAX_ROWS, console.height - _AROUND_ROWS)))
        yield _live_table(sweep, shown, console, options)
        if len(shown) < n_members:
            yield _rest_text(sweep, shown)

    def print_end(self, backend: Backend, console: Console) -> None:
        """Print the best members and what to do next."""
        console.print()
        print_sweep(self.thing, console, limit=MAX_ROWS)
        print_commands(next_commands_of_sweep(self.thing), backend, console)

    def exit_code(self) -> int:
        """Return 0 if every member succeeded, 1 if one failed, 130 if one was cancelled."""
        states = self.thing["states"]
        return 1 if states.get("failed") else INTERRUPTED if states.get("cancelled") else 0

    def _time_left(self) -> str:
        """Return how long it will take at the speed since following began."""
        fraction_then, then_s = self._first
        made = self.thing["fraction"] - fraction_then
        if made < 0.02:
            return ""
        return f", about {duration_text((time.monotonic() - then_s) * (1 - self.thing['fraction']) / made)} left"


@click.command()
@GRID_OPTION
@_RANK_BY
@DATASET_OPTION
@click.option(
    "--name",
    metavar="NAME",
    help="Name of the model whose versions the members become. [default: as in mnist-softmax-sweep]",
)
@hyperparameter_options
@annotated
@submits(
    SweepView,
    "sweep --grid l2_penalty=0,1,0.1,0.01,0.001",
    "sweep --grid l2_penalty=0,0.01 --grid seed=0..4 --epochs 20",
    "sweep --grid learning_rate=0.1,0.01 --grid batch_size=32,128",
    "sweep --model logistic --grid classes=2:3,4:9 --patience none",
    "sweep --grid seed=0..9 --rank-by validation_accuracy",
)
def sweep(
    ctx: click.Context, backend: Backend, /, *, grid: Sequence[tuple[str, list[Any]]], rank_by: str, **options: Any
) -> Json:
    """Train a model for every combination of some values, and rank them.

    Each --grid names a hyperparameter and its values; the other options are those of train, and hold for all.
    Members that share data and batch order are trained together, faster than one by one; each is
    a job of its own (inkling jobs) and becomes a version of the model. Ctrl-C is as in train.

    The exit code is 0 when every member succeeded, 1 when one failed, 130 when one was cancelled.
    """
    submitted = backend.submit("sweeps", sweep_request(ctx, grid, options))
    return backend.one("sweeps", submitted["id"], rank_by=rank_by)


@click.group()
@examples(
    "sweeps list", "sweeps show SWEEP --rank-by validation_accuracy", "sweeps picture SWEEP accuracy -o accuracy.png"
)
def sweeps() -> None:
    """List, follow, cancel and picture sweeps.

    SWEEP is the id of a sweep; its members are jobs (inkling jobs). Every command of this group also takes --url
    and --data-dir.
    """


add_cancel(
    sweeps,
    Noun.SWEEP,
    """Cancel every member that is not over. The best weights of those that had begun become versions.

    To cancel a single member: inkling jobs cancel, with its id.
    """,
    lambda sweep: f"The members are: {counts_text(sweep['states'])}.",
)
add_annotate(sweeps, Noun.SWEEP)
add_delete(sweeps, Noun.SWEEP, "that is over, with all its jobs", "Their models stay.")
add_follow(
    sweeps,
    SweepView,
    "The exit code is 0 when every member succeeded, 1 when one failed, 130 when one was cancelled.",
    _RANK_BY,
)


add_picture(
    sweeps,
    Noun.SWEEP,
    """Draw the members side by side, while they are trained too.

    accuracy: a line for each member; norms: how large the weights are under each L2 penalty; weights: a row for
    each member; heatmap: a grid of two hyperparameters.
    """,
    {"accuracy": [".svg"], "norms": [".svg"], "weights": [], "heatmap": [".svg"]},
    "accuracy -o accuracy.png",
    "norms",
    "weights",
    "heatmap",
)


def values_text(values: Mapping[str, Any]) -> str:
    """Return the values in which a member differs from the others: ``l2_penalty 0.1, seed 0``."""
    return ", ".join(f"{name} {value_text(name, value)}" for name, value in values.items())


def in_grid_order(sweep: Json) -> Sequence[Json]:
    """Return the members, which a sweep has ranked, in the order of its grid."""
    places = {
        name: {value_text(name, value): place for place, value in enumerate(values)}
        for name, values in sweep["grid"].items()
    }
    return sorted(
        sweep["members"],
        key=lambda member: [places[name].get(value_text(name, member["values"][name]), 0) for name in places],
    )


def members_to_show(sweep: Json, limit: int) -> Sequence[Json]:
    """Return all members in the order of the grid or, of more than ``limit``, the best and the running, ranked."""
    ranked: Sequence[Json] = sweep["members"]
    if len(ranked) <= limit:
        return in_grid_order(sweep)
    running = [member for member in ranked[limit // 2 :] if member["state"] in ("running", "cancelling")]
    running = running[: limit - limit // 2]
    # The rows that the running ones leave are for the best; those that are both count as running.
    shown = {member["job"] for member in running}
    shown |= {member["job"] for member in [m for m in ranked if m["job"] not in shown][: limit - len(running)]}
    return [member for member in ranked if member["job"] in shown]


def best_member(sweep: Json) -> Json | None:
    """Return the best member so far, None before the first check of all."""
    return next((member for member in sweep["members"] if member["job"] == sweep["best"]), None)


def print_sweep(sweep: Json, console: Console, *, limit: int | None = None) -> None:
    """Print a sweep with its members, the best first, at most ``limit`` of them."""
    shown = sweep["members"][:limit]
    console.print(*_header(sweep), sep="\n")
    print_about(sweep, console)
    console.print()
    console.print(_table(sweep, shown, is_ranking=True))
    if len(shown) < len(sweep["members"]):
        console.print(_rest_text(sweep, shown))
    console.print(
        f"\nRanked by {METRICS[sweep['ranked_by']].title}; losses and accuracies are those of the", style="dim"
    )
    console.print("validation images, at the best check of each member.", style="dim")
    best = best_member(sweep)
    if best is not None:
        so_far = "" if is_final(sweep) else " so far"
        console.print(Text.assemble((f"\nBest{so_far}: {values_text(best['values'])}", "bold green")))
        console.print(check_text(best["metrics"]["best"]))


def next_commands_of_sweep(sweep: Json) -> list[tuple[str, str]]:
    """Return what to do with the results of a sweep that is over: the purpose, and the command."""
    commands: list[tuple[str, str]] = []
    if len(sweep["members"]) > MAX_ROWS:
        commands.append(("all members", f"sweeps show {sweep['id']}"))
    best = best_member(sweep)
    if best is not None:
        commands.append(("all curves", f"sweeps picture {sweep['id']} accuracy -o accuracy.png"))
        commands += next_commands({**best, "id": best["job"]})
    return commands


add_show(sweeps, Noun.SWEEP, print_sweep, "all its members, the best first", _RANK_BY)


def sweep_row(sweep: Json) -> dict[str, str | Text]:
    """Return what a list shows of a sweep."""
    grid = " x ".join(f"{len(values)} {name.replace('_', ' ')}" for name, values in sweep["grid"].items())
    return {"sweep": sweep["id"], "grid": grid, "members": counts_text(sweep["states"])}


add_list(sweeps, Noun.SWEEP, in_rows(sweep_row), maker="sweep --grid seed=0..4", states=GROUP_STATES)


def counts_text(states: Mapping[str, int]) -> Text:
    """Return how many members are in each state: ``3 queued, 2 running``."""
    return Text(", ").join(
        Text(f"{states[state]:,} {state}", style) for state, style in STATE_STYLES.items() if states.get(state)
    )


def _header(sweep: Json) -> Iterable[Text]:
    yield Text.assemble((sweep["name"], "bold"), "  ", (f"sweep {sweep['id']}", "dim"))
    yield Text.assemble(f"{len(sweep['members']):,} members: ", counts_text(sweep["states"]))


def _rest_text(sweep: Json, shown: Sequence[Json]) -> Text:
    """Return how many members are not shown, by their states."""
    jobs = {member["job"] for member in shown}
    rest = [member["state"] for member in sweep["members"] if member["job"] not in jobs]
    return Text.assemble((f"and {len(rest):,} more: ", "dim"), counts_text(Counter(rest)))


def _live_table(sweep: Json, members: Sequence[Json], console: Console, options: ConsoleOptions) -> Table:
    """Return the members, with bars if there is room for them."""
    without_bars = _table(sweep, members)
    # Two columns lie between, and two stay free: a terminal that writes ^C there must not begin a new line.
    room = options.max_width - Measurement.get(console, options, without_bars).maximum - 4
    return without_bars if room < _MIN_BAR_WIDTH else _table(sweep, members, bar_width=min(_MAX_BAR_WIDTH, room))


def _table(sweep: Json, members: Sequence[Json], *, bar_width: int = 0, is_ranking: bool = False) -> Table:
    """Return members, one a line, with their latest checks; or as a ranking, with their best checks."""
    metric = sweep["ranked_by"]
    table = columns()
    if is_ranking:
        table.add_column("", justify="right", style="dim")
    for name in sweep["grid"]:  # a title is broken where the values are shorter
        title = name.replace("_", " ")
        longest_value = max((len(value_text(name, member["values"][name])) for member in members), default=0)
        width = max(longest_value, *map(len, title.split()))
        table.add_column(Text(title), justify="right", width=width, overflow="fold")
    table.add_column("state", min_width=10)
    if bar_width:
        table.add_column("progress")
    own_column = not (is_ranking and metric.startswith("validation"))
    ranked_by = [(METRICS[metric].title if is_ranking else "best", 8)] if own_column else []
    for name, min_width in (("epoch", 5), ("loss", 6), ("accuracy", 8), *ranked_by):
        table.add_column(name, justify="right", min_width=min_width, no_wrap=True)
    if is_ranking:
        table.add_column("version", justify="right")
    for member in members:
        latest, best, model = member["metrics"]["latest"], member["metrics"]["best"], member["model"]
        check = best if is_ranking else latest
        state = "early stop" if member["stop_reason"] == "early_stopping" else member["state"]
        table.add_row(
            *([str(member["rank"])] if is_ranking else []),
            *(value_text(name, member["values"][name]) for name in sweep["grid"]),
            Text(state, STATE_STYLES[member["state"]]),
            *([bar(member["progress"]["fraction"], bar_width)] if bar_width else []),
            "" if latest is None else f"{latest['epoch']:,}",
            "" if check is None else loss_text(check["validation_loss"]),
            "" if check is None else percent(check["validation_accuracy"]),
            *([] if not own_column else ["" if best is None else _metric_text(metric, best[metric])]),
            *([str(model["version"]) if model else ""] if is_ranking else []),
            style="bold green" if member["job"] == sweep["best"] else None,
        )
    return table


def _metric_text(name: str, value: float) -> str:
    return loss_text(value) if METRICS[name].format == "loss" else percent(value)


def _result(sweep: Json, member: Json) -> str:
    best, metric = member["metrics"]["best"], sweep["ranked_by"]
    if best is None:
        return ""
    return f", {METRICS[metric].title} {_metric_text(metric, best[metric])}, epoch {best['epoch']:,}"
