"""``inkling sweeps``."""

from __future__ import annotations

from pathlib import Path

import click

from service.cli.backend import Backend, SweepPicture
from service.cli.connection import with_backend
from service.cli.files import PICTURE_OUTPUT, picture_file, write_file
from service.cli.follow_sweep import RANK_BY, follow_sweep
from service.cli.listing import in_pages, print_list
from service.cli.sweep_report import print_sweep, sweep_table
from service.cli.terminal import AS_JSON, print_json, terminal

_SWEEP = click.argument("sweep_id", metavar="SWEEP")


@click.group()
def command() -> None:
    """List, follow, cancel and picture sweeps.

    SWEEP is the id of a sweep; its members are jobs (inkling jobs). Every command of this group also takes --url
    and --data-dir.

    \b
    Examples:
      inkling sweeps list
      inkling sweeps show 01KAFSRPH3M0J7Y1W8E9TZ5Q2D --rank-by validation_accuracy
      inkling sweeps picture 01KAFSRPH3M0J7Y1W8E9TZ5Q2D accuracy -o accuracy.png
    """


@command.command("list")
@in_pages
@AS_JSON
@with_backend
def list_sweeps(backend: Backend, *, limit: int, before: str | None, as_json: bool) -> None:
    """List sweeps, the newest first.

    \b
    Example:
      inkling sweeps list
    """
    page = backend.sweeps(limit=limit, before=before)
    print_list(page, "sweeps", sweep_table, backend, maker="sweep --grid seed=0..4", as_json=as_json)


@command.command()
@_SWEEP
@RANK_BY
@AS_JSON
@with_backend
def show(backend: Backend, *, sweep_id: str, rank_by: str | None, as_json: bool) -> None:
    """Show a sweep: all its members, the best first.

    \b
    Example:
      inkling sweeps show 01KAFSRPH3M0J7Y1W8E9TZ5Q2D
    """
    sweep = backend.sweep(sweep_id, rank_by=rank_by)
    if as_json:
        print_json(sweep)
    else:
        print_sweep(sweep, terminal())


@command.command()
@_SWEEP
@RANK_BY
@click.option("--json", "as_json", is_flag=True, help="Print nothing but the sweep as JSON, when it is over.")
@with_backend
@click.pass_context
def follow(ctx: click.Context, backend: Backend, /, *, sweep_id: str, rank_by: str | None, as_json: bool) -> None:
    """Watch a sweep until it is over.

    Without --url this process trains it, if no server has the folder.

    \b
    Example:
      inkling sweeps follow 01KAFSRPH3M0J7Y1W8E9TZ5Q2D

    The exit code is 0 when every member succeeded, 1 when one failed, 130 when one was cancelled.
    """
    sweep = backend.sweep(sweep_id, rank_by=rank_by)
    ctx.exit(follow_sweep(backend, sweep, rank_by=rank_by, as_json=as_json))


@command.command()
@_SWEEP
@with_backend
def cancel(backend: Backend, *, sweep_id: str) -> None:
    """Ask every member that is not over to stop. The best weights of those that had begun become versions.

    To cancel a single member: inkling jobs cancel, with its id.

    \b
    Example:
      inkling sweeps cancel 01KAFSRPH3M0J7Y1W8E9TZ5Q2D
    """
    sweep = backend.cancel_sweep(sweep_id)
    counts = ", ".join(f"{number:,} {state}" for state, number in sorted(sweep["states"].items()))
    click.echo(f"The members are: {counts}.")


@command.command()
@_SWEEP
@click.argument("picture", type=click.Choice(["accuracy", "norms", "weights", "heatmap"]))
@PICTURE_OUTPUT
@with_backend
def picture(backend: Backend, *, sweep_id: str, picture: SweepPicture, output: Path | None) -> None:
    """Draw the members side by side, while they are trained too.

    accuracy: a line for each member; norms: how large the weights are under each L2 penalty; weights: a row for
    each member; heatmap: a grid of two hyperparameters.

    \b
    Examples:
      inkling sweeps picture 01KAFSRPH3M0J7Y1W8E9TZ5Q2D accuracy -o accuracy.png
      inkling sweeps picture 01KAFSRPH3M0J7Y1W8E9TZ5Q2D norms
      inkling sweeps picture 01KAFSRPH3M0J7Y1W8E9TZ5Q2D weights
      inkling sweeps picture 01KAFSRPH3M0J7Y1W8E9TZ5Q2D heatmap
    """
    file, picture_format = picture_file(output, picture)
    write_file(file, backend.sweep_picture(sweep_id, picture, picture_format))
