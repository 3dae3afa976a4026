"""``inkling train``."""

from __future__ import annotations

from typing import Any

import click

from service.cli.backend import Backend
from service.cli.connection import with_backend
from service.cli.follow import exit_code_of, follow_job
from service.cli.hyperparameter_options import given_hyperparameters, hyperparameter_options
from service.cli.job_report import print_ending
from service.cli.terminal import print_json, terminal


@click.command(short_help="Train a model and watch it learn.")
@hyperparameter_options
@click.option("--dataset", metavar="NAME", help="What to train on. [default mnist]")
@click.option(
    "--name",
    metavar="NAME",
    help="Name of the model that comes of it. [default: data set and model, as in mnist-softmax]",
)
@click.option(
    "--follow/--no-follow",
    default=None,
    help="Watch until it is over, or only hand it in: a server with this --data-dir or at this --url trains it. "
    "[default --follow without --url, --no-follow with it]",
)
@click.option("--json", "as_json", is_flag=True, help="Print nothing but the job as JSON, when it is over if followed.")
@with_backend
@click.pass_context
def command(
    ctx: click.Context,
    backend: Backend,
    /,
    *,
    dataset: str | None,
    name: str | None,
    follow: bool | None,
    as_json: bool,
    **hyperparameters: Any,
) -> None:
    """Train softmax or logistic regression, and register the model that comes of it.

    Without --url this process does the training, until it is over; Ctrl-C cancels it and keeps the best weights
    so far. With --url the server does, and Ctrl-C only stops watching.

    \b
    Examples:
      inkling train
      inkling train --model softmax --epochs 50 --l2-penalty 0.01 --follow
      inkling train --model logistic --classes 2,3 --learning-rate 0.05
      inkling train --patience none --train-size all --name all-of-it
      inkling train --epochs 20 --url http://127.0.0.1:8000

    The exit code is 0 when the job succeeded, 1 when it failed, 130 when it was cancelled.
    """
    request = given_hyperparameters(ctx, hyperparameters)
    request |= {key: value for key, value in (("dataset", dataset), ("name", name)) if value is not None}
    job = backend.submit(request)
    console = terminal()
    if follow if follow is not None else not backend.is_remote:
        job = follow_job(backend, job, console, silent=as_json)
        if as_json:
            print_json(job)
        else:
            print_ending(job, backend, console)
        ctx.exit(exit_code_of(job))
    if as_json:
        print_json(job)
        return
    click.echo(f"Job {job['id']} is {job['state']} {backend.place}.")
    click.echo(f"  inkling jobs follow {job['id']}{backend.arguments}")
