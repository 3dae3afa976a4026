"""What every command does that has submitted a job: watch it to its end, or say how to."""

from __future__ import annotations

import click

from .backend import Backend, Json
from .follow import follow_job
from .terminal import print_json

FOLLOW = click.option(
    "--follow/--no-follow",
    default=None,
    help="Watch until it is over, or only hand it in: a server with this --data-dir or at this --url trains it. "
    "[default --follow without --url, --no-follow with it]",
)
FOLLOWED_AS_JSON = click.option(
    "--json", "as_json", is_flag=True, help="Print nothing but the job as JSON, when it is over if followed."
)


def report_submitted(backend: Backend, job: Json, *, follow: bool | None, as_json: bool) -> int:
    """Follow a job if that is asked for, print it, and return the exit code."""
    if follow if follow is not None else not backend.is_remote:
        return follow_job(backend, job, as_json=as_json)
    if as_json:
        print_json(job)
    else:
        click.echo(f"Job {job['id']} is {job['state']} {backend.place}.")
        click.echo(f"  inkling jobs follow {job['id']}{backend.arguments}")
    return 0
