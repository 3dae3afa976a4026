"""``inkling sweep`` and ``inkling sweeps``."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import click
from rich.console import Console

from .backend import Backend, Json, SweepPicture, with_backend
from .following import FOLLOW, follow, poll
from .hyperparameters import given_grid, grid_option, hyperparameter_options, training_request
from .root import INTERRUPTED, examples
from .sweep_view import (
    MAX_ROWS,
    METRICS,
    SweepView,
    counts_text,
    is_over,
    next_commands_of_sweep,
    print_sweep,
    sweep_table,
)
from .terminal import (
    AS_JSON,
    PICTURE_OUTPUT,
    in_pages,
    picture_file,
    print_commands,
    print_json,
    print_list,
    print_result,
    write_file,
)

_SWEEP = click.argument("sweep_id", metavar="SWEEP")
_RANK_BY = click.option(
    "--rank-by",
    type=click.Choice(list(METRICS)),
    default="validation_loss",
    help="What ranks the members, each at its check of the lowest validation loss. [default validation_loss]",
)


@click.command()
@grid_option
@_RANK_BY
@click.option("--dataset", metavar="NAME", help="The data set. [default mnist]")
@click.option(
    "--name",
    metavar="NAME",
    help="Name of the model whose versions the members become. [default: as in mnist-softmax-sweep]",
)
@FOLLOW
@click.option(
    "--json", "as_json", is_flag=True, help="Print nothing but the sweep as JSON, when it is over if followed."
)
@hyperparameter_options
@with_backend
@click.pass_context
@examples(
    "sweep --grid l2_penalty=0,1,0.1,0.01,0.001",
    "sweep --grid l2_penalty=0,0.01 --grid seed=0..4 --epochs 20",
    "sweep --grid learning_rate=0.1,0.01 --grid batch_size=32,128",
    "sweep --model logistic --grid classes=2:3,4:9 --patience none",
    "sweep --grid seed=0..9 --rank-by validation_accuracy",
)
def sweep(
    ctx: click.Context,
    backend: Backend,
    /,
    *,
    grid: Sequence[tuple[str, list[Any]]],
    rank_by: str,
    follow: bool | None,
    as_json: bool,
    **options: Any,
) -> None:
    """Train a model for every combination of some values, and rank them.

    Each --grid names a hyperparameter and its values; the other options are those of train, and hold for all.
    Members that share data and batch order are trained together, faster than one by one; each is
    a job of its own (inkling jobs) and becomes a version of the model. Ctrl-C is as in train.

    The exit code is 0 when every member succeeded, 1 when one failed, 130 when one was cancelled.
    """
    values = given_grid(ctx, grid)
    base = {name: value for name, value in training_request(ctx, options).items() if name not in values}
    about: Json = {name: base.pop(name) for name in ("dataset", "name") if name in base}
    submitted = backend.submit_sweep({"base": base, "grid": values, **about})
    if follow if follow is not None else not backend.is_remote:
        ctx.exit(_follow(backend, submitted, rank_by=rank_by, as_json=as_json))
    if as_json:
        print_json(submitted)
        return
    click.echo(f"Sweep {submitted['id']} of {len(submitted['members']):,} members is queued {backend.place}.")
    click.echo(f"  inkling sweeps follow {submitted['id']}{backend.arguments}")


@click.group()
@examples(
    "sweeps list",
    "sweeps show SWEEP --rank-by validation_accuracy",
    "sweeps picture SWEEP accuracy -o accuracy.png",
)
def sweeps() -> None:
    """List, follow, cancel and picture sweeps.

    SWEEP is the id of a sweep; its members are jobs (inkling jobs). Every command of this group also takes --url
    and --data-dir.
    """


@sweeps.command("list")
@in_pages
@AS_JSON
@with_backend
@examples("sweeps list")
def list_sweeps(backend: Backend, *, limit: int, before: str | None, as_json: bool) -> None:
    """List sweeps, the newest first."""
    page = backend.sweeps(limit=limit, before=before)
    print_list(page, "sweeps", sweep_table, backend, maker="sweep --grid seed=0..4", as_json=as_json)


@sweeps.command()
@_SWEEP
@_RANK_BY
@AS_JSON
@with_backend
@examples("sweeps show SWEEP")
def show(backend: Backend, *, sweep_id: str, rank_by: str, as_json: bool) -> None:
    """Show a sweep: all its members, the best first."""
    print_result(backend.sweep(sweep_id, rank_by=rank_by), print_sweep, as_json=as_json)


@sweeps.command("follow")
@_SWEEP
@_RANK_BY
@click.option("--json", "as_json", is_flag=True, help="Print nothing but the sweep as JSON, when it is over.")
@with_backend
@click.pass_context
@examples("sweeps follow SWEEP")
def follow_sweep(ctx: click.Context, backend: Backend, /, *, sweep_id: str, rank_by: str, as_json: bool) -> None:
    """Watch a sweep until it is over.

    Without --url this process trains it, if no server uses the folder.

    The exit code is 0 when every member succeeded, 1 when one failed, 130 when one was cancelled.
    """
    ctx.exit(_follow(backend, backend.sweep(sweep_id, rank_by=rank_by), rank_by=rank_by, as_json=as_json))


@sweeps.command()
@_SWEEP
@with_backend
@examples("sweeps cancel SWEEP")
def cancel(backend: Backend, *, sweep_id: str) -> None:
    """Cancel every member that is not over. The best weights of those that had begun become versions.

    To cancel a single member: inkling jobs cancel, with its id.
    """
    click.echo(f"The members are: {counts_text(backend.cancel_sweep(sweep_id)['states'])}.")


@sweeps.command()
@_SWEEP
@click.argument("picture", type=click.Choice(["accuracy", "norms", "weights", "heatmap"]))
@PICTURE_OUTPUT
@with_backend
@examples(
    "sweeps picture SWEEP accuracy -o accuracy.png",
    "sweeps picture SWEEP norms",
    "sweeps picture SWEEP weights",
    "sweeps picture SWEEP heatmap",
)
def picture(backend: Backend, *, sweep_id: str, picture: SweepPicture, output: Path | None) -> None:
    """Draw the members side by side, while they are trained too.

    accuracy: a line for each member; norms: how large the weights are under each L2 penalty; weights: a row for
    each member; heatmap: a grid of two hyperparameters.
    """
    file, picture_format = picture_file(output, picture)
    write_file(file, backend.sweep_picture(sweep_id, picture, picture_format))


def exit_code_of(sweep: Json) -> int:
    """Return 0 if every member succeeded, 1 if one failed, 130 if one was cancelled."""
    states = sweep["states"]
    return 1 if states.get("failed") else INTERRUPTED if states.get("cancelled") else 0


def _follow(backend: Backend, sweep: Json, *, rank_by: str, as_json: bool) -> int:
    """Show a sweep until it is over, print how it ended, and return the exit code."""
    sweep_id = sweep["id"]

    def ask() -> Json:
        return backend.sweep(sweep_id, rank_by=rank_by)

    sweep = follow(
        SweepView(sweep),
        backend,
        noun="sweep",
        news=lambda: poll(ask, is_over),
        result=ask,
        cancel=lambda: backend.cancel_sweep(sweep_id),
        hints=(f"sweeps follow {sweep_id}", f"sweeps cancel {sweep_id}"),
        silent=as_json,
        transient=True,  # what is printed at the end takes its place
    )

    def print_ending(sweep: Json, console: Console) -> None:
        console.print()
        print_sweep(sweep, console, limit=MAX_ROWS)
        print_commands(next_commands_of_sweep(sweep), backend, console)

    print_result(sweep, print_ending, as_json=as_json)
    return exit_code_of(sweep)
