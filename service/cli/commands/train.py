"""``inkling train``."""

from __future__ import annotations

from typing import Any

import click

from service.cli.backend import Backend
from service.cli.connection import with_backend
from service.cli.hyperparameter_options import given_hyperparameters, hyperparameter_options
from service.cli.submitted import FOLLOW, FOLLOWED_AS_JSON, report_submitted


@click.command()
@hyperparameter_options
@click.option("--dataset", metavar="NAME", help="What to train on. [default mnist]")
@click.option(
    "--name",
    metavar="NAME",
    help="Name of the model that comes of it. [default: data set and model, as in mnist-softmax]",
)
@FOLLOW
@FOLLOWED_AS_JSON
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
    ctx.exit(report_submitted(backend, backend.submit(request), follow=follow, as_json=as_json))
