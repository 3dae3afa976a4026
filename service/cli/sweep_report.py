"""What is said of sweeps: one in full, ranked, many in a table, and where to look when one is over."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime

from rich.console import Console
from rich.table import Table
from rich.text import Text

from .backend import Backend, Json
from .job_report import next_commands, print_commands
from .job_words import age_text, check_text
from .quantities import loss_text, percent
from .sweep_view import MAX_ROWS, rest_text, sweep_title, value_cells, value_columns
from .sweep_words import METRICS, best_member, counts_text, is_over, member_state, metric_text, values_text
from .terminal import columns


def print_sweep(sweep: Json, console: Console, *, limit: int | None = None) -> None:
    """Print a sweep with its members, the best first, at most ``limit`` of them."""
    shown = sweep["members"][:limit]
    console.print(sweep_title(sweep))
    console.print(Text.assemble(f"{len(sweep['members']):,} members: ", counts_text(sweep["states"])))
    console.print()
    console.print(_ranking(sweep, shown))
    if len(shown) < len(sweep["members"]):
        console.print(rest_text(sweep, shown))
    console.print(f"\nRanked by {METRICS[sweep['ranked_by']]}; losses and accuracies are those of the", style="dim")
    console.print("validation images, at the best check of each member.", style="dim")
    best = best_member(sweep)
    if best is not None:
        so_far = "" if is_over(sweep) else " so far"
        console.print(Text.assemble((f"\nBest{so_far}: {values_text(best['values'])}", "bold green")))
        console.print(check_text(best["metrics"]["best"]))


def print_ending(sweep: Json, backend: Backend, console: Console) -> None:
    """Print how a sweep that was followed ended, its best member, and where to look next."""
    console.print()
    print_sweep(sweep, console, limit=MAX_ROWS)
    commands: list[tuple[str, str]] = []
    if len(sweep["members"]) > MAX_ROWS:
        commands.append(("all members", f"sweeps show {sweep['id']}"))
    best = best_member(sweep)
    if best is not None:
        commands += [
            ("all curves", f"sweeps picture {sweep['id']} accuracy -o accuracy.png"),
            *next_commands({**best, "id": best["job"]}),
        ]
    print_commands(commands, backend, console)


def sweep_table(sweeps: Sequence[Json]) -> Table:
    """Return sweeps, one a line."""
    table = columns("sweep", "grid", "members", right=("age",))
    table.columns[0].no_wrap = True
    now = datetime.now(UTC)
    for sweep in sweeps:
        grid = " x ".join(f"{len(values)} {name.replace('_', ' ')}" for name, values in sweep["grid"].items())
        table.add_row(sweep["id"], grid, counts_text(sweep["states"]), age_text(sweep["created_at"], now))
    return table


def _ranking(sweep: Json, members: Sequence[Json]) -> Table:
    metric = sweep["ranked_by"]
    table = columns()
    table.add_column("", justify="right", style="dim")
    value_columns(table, sweep, members)
    table.add_column("state")
    further = [] if metric.startswith("validation") else [METRICS[metric]]
    for name in ("epoch", *further, "loss", "accuracy", "version"):
        table.add_column(name, justify="right")
    for member in members:
        latest, best, model = member["metrics"]["latest"], member["metrics"]["best"], member["model"]
        table.add_row(
            str(member["rank"]),
            *value_cells(sweep, member),
            member_state(member),
            "" if latest is None else f"{latest['epoch']:,}",
            *("" if best is None else metric_text(metric, best[metric]) for _ in further),
            "" if best is None else loss_text(best["validation_loss"]),
            "" if best is None else percent(best["validation_accuracy"]),
            "" if model is None else str(model["version"]),
            style="bold green" if member["job"] == sweep["best"] else None,
        )
    return table
