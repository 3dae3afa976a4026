"""``inkling sweep``."""

from __future__ import annotations

from typing import Any

import click

from service.cli.backend import Backend, Json
from service.cli.connection import with_backend
from service.cli.follow_sweep import RANK_BY, follow_sweep
from service.cli.grid_option import given_grid, grid_option
from service.cli.hyperparameter_options import given_hyperparameters, hyperparameter_options
from service.cli.submitted import FOLLOW
from service.cli.terminal import print_json


@click.command()
@grid_option
@RANK_BY
@click.option("--dataset", metavar="NAME", help="What to train on. [default mnist]")
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
def command(
    ctx: click.Context,
    backend: Backend,
    /,
    *,
    grid: tuple[tuple[str, list[Any]], ...],
    rank_by: str | None,
    dataset: str | None,
    name: str | None,
    follow: bool | None,
    as_json: bool,
    **hyperparameters: Any,
) -> None:
    """Train a model for every combination of some values, and rank them.

    Each --grid names a hyperparameter and its values; the other options are those of train, and hold for all.
    Members that share data and batch order are trained together, faster than one by one; each is
    a job of its own (inkling jobs) and becomes a version of the model. Ctrl-C is as in train.

    \b
    Examples:
      inkling sweep --grid l2_penalty=0,1,0.1,0.01,0.001
      inkling sweep --grid l2_penalty=0,0.01 --grid seed=0..4 --epochs 20
      inkling sweep --grid learning_rate=0.1,0.01 --grid batch_size=32,128
      inkling sweep --model logistic --grid classes=2:3,4:9 --patience none
      inkling sweep --grid seed=0..9 --rank-by validation_accuracy

    The exit code is 0 when every member succeeded, 1 when one failed, 130 when one was cancelled.
    """
    values = given_grid(ctx, grid)
    base = {name: value for name, value in given_hyperparameters(ctx, hyperparameters).items() if name not in values}
    request: Json = {"base": base, "grid": values}
    request |= {key: value for key, value in (("dataset", dataset), ("name", name)) if value is not None}
    sweep = backend.submit_sweep(request)
    if follow if follow is not None else not backend.is_remote:
        ctx.exit(follow_sweep(backend, sweep, rank_by=rank_by, as_json=as_json))
    if as_json:
        print_json(sweep)
        return
    click.echo(f"Sweep {sweep['id']} of {len(sweep['members']):,} members waits {backend.place}.")
    click.echo(f"  inkling sweeps follow {sweep['id']}{backend.arguments}")
