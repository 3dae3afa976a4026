"""``inkling verify``."""

from __future__ import annotations

import click

from service.cli.backend import Backend
from service.cli.connection import with_backend
from service.cli.submitted import FOLLOW, FOLLOWED_AS_JSON, report_submitted


@click.command()
@click.argument("job_id", metavar="JOB")
@FOLLOW
@FOLLOWED_AS_JSON
@with_backend
@click.pass_context
def command(ctx: click.Context, backend: Backend, /, *, job_id: str, follow: bool | None, as_json: bool) -> None:
    """Train a job again from its record, and say whether the same weights came out.

    That is a job of its own, which makes no model. If the weights differ, it says by how much, and in what the
    record and this training differ: versions, BLAS threads, data, hyperparameters.

    \b
    Examples:
      inkling verify 01KAFSRPH3M0J7Y1W8E9TZ5Q2D
      inkling verify 01KAFSRPH3M0J7Y1W8E9TZ5Q2D --url http://127.0.0.1:8000

    The exit code is 0 when every bit is the same, 1 when not or when training failed, 130 when it was cancelled.
    """
    ctx.exit(report_submitted(backend, backend.verify(job_id), follow=follow, as_json=as_json))
