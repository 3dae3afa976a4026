"""``inkling jobs``."""

from __future__ import annotations

import csv
import io
import json
from pathlib import Path
from typing import Any

import click
from rich.text import Text

from service.cli.backend import Backend, Json, Picture
from service.cli.connection import with_backend
from service.cli.failure import Failure
from service.cli.files import PICTURE_OUTPUT, picture_file, write_file
from service.cli.follow import follow_job
from service.cli.hyperparameter_options import given, hyperparameter_option
from service.cli.job_report import check_table, job_table, print_job
from service.cli.job_words import STATE_STYLES, state_text
from service.cli.listing import in_pages, print_list
from service.cli.submitted import FOLLOW, FOLLOWED_AS_JSON, report_submitted
from service.cli.terminal import AS_JSON, facts, print_json, terminal

_JOB = click.argument("job_id", metavar="JOB")


@click.group()
def command() -> None:
    """List, follow, cancel, resume and picture training jobs.

    JOB is the id of a job. Every command of this group also takes --url and --data-dir.

    \b
    Examples:
      inkling jobs list --state running
      inkling jobs follow 01KAFSRPH3M0J7Y1W8E9TZ5Q2D
      inkling jobs picture 01KAFSRPH3M0J7Y1W8E9TZ5Q2D loss -o loss.png
    """


@command.command("list")
@click.option("--state", type=click.Choice(list(STATE_STYLES)), help="Only jobs in this state.")
@in_pages
@AS_JSON
@with_backend
def list_jobs(backend: Backend, *, state: str | None, limit: int, before: str | None, as_json: bool) -> None:
    """List jobs, the newest first.

    \b
    Example:
      inkling jobs list --state running
    """
    page = backend.jobs(state=state, limit=limit, before=before)
    print_list(page, "jobs", job_table, backend, maker="train", as_json=as_json)


@command.command()
@_JOB
@AS_JSON
@with_backend
def show(backend: Backend, *, job_id: str, as_json: bool) -> None:
    """Show a job: its state, its best check, what was asked of it, and its history.

    \b
    Example:
      inkling jobs show 01KAFSRPH3M0J7Y1W8E9TZ5Q2D
    """
    job = backend.job(job_id)
    if as_json:
        print_json(job)
        return
    console = terminal()
    print_job(job, console)
    console.print("\nAsked for", style="bold")
    console.print(facts({name: json.dumps(value).strip('"') for name, value in job["config"].items()}))
    console.print("\nHistory", style="bold")
    for move in job["history"]:
        console.print(Text.assemble(f"{move['at']}  ", state_text(move), (f"  {move['reason'] or ''}", "dim")))


@command.command()
@_JOB
@click.option("--json", "as_json", is_flag=True, help="Print nothing but the job as JSON, when it is over.")
@with_backend
@click.pass_context
def follow(ctx: click.Context, backend: Backend, /, *, job_id: str, as_json: bool) -> None:
    """Watch a job until it is over.

    Without --url this process trains it, if no server has the folder.

    \b
    Example:
      inkling jobs follow 01KAFSRPH3M0J7Y1W8E9TZ5Q2D

    The exit code is 0 when the job succeeded, 1 when it failed, 130 when it was cancelled.
    """
    ctx.exit(follow_job(backend, backend.job(job_id), as_json=as_json))


@command.command()
@_JOB
@with_backend
def cancel(backend: Backend, *, job_id: str) -> None:
    """Ask a job to stop. The best weights so far become a version of its model.

    \b
    Example:
      inkling jobs cancel 01KAFSRPH3M0J7Y1W8E9TZ5Q2D
    """
    job = backend.cancel(job_id)
    click.echo(f"The job is {job['state']}.")


@command.command()
@_JOB
@hyperparameter_option("epochs", help="How many in all, those that were made included. [default: as it was]")
@hyperparameter_option("patience", help="Not less than it was, or none. [default: as it was]")
@FOLLOW
@FOLLOWED_AS_JSON
@with_backend
@click.pass_context
def resume(
    ctx: click.Context,
    backend: Backend,
    /,
    *,
    job_id: str,
    follow: bool | None,
    as_json: bool,
    **changes: Any,
) -> None:
    """Go on where a job ended, for more epochs or with more patience.

    That is a new job, which begins with the checkpoint and the checks of the old one. Its weights are, to the bit,
    those of one job that was asked for all of it.

    \b
    Examples:
      inkling jobs resume 01KAFSRPH3M0J7Y1W8E9TZ5Q2D --epochs 80
      inkling jobs resume 01KAFSRPH3M0J7Y1W8E9TZ5Q2D --epochs 500 --patience none
    """
    job = backend.resume(job_id, given(ctx, changes))
    ctx.exit(report_submitted(backend, job, follow=follow, as_json=as_json))


@command.command()
@_JOB
@with_backend
def delete(backend: Backend, *, job_id: str) -> None:
    """Delete a job that is over, with its history. The model that it made stays.

    \b
    Example:
      inkling jobs delete 01KAFSRPH3M0J7Y1W8E9TZ5Q2D
    """
    backend.delete(job_id)
    click.echo("The job is deleted; the model that it made, if any, is still there.")


@command.command()
@_JOB
@click.option("--csv", "as_csv", is_flag=True, help="Print every check as CSV.")
@click.option("--json", "as_json", is_flag=True, help="Print checks and the training loss of every step as JSON.")
@with_backend
def metrics(backend: Backend, *, job_id: str, as_csv: bool, as_json: bool) -> None:
    """Print the validation checks of a job.

    \b
    Examples:
      inkling jobs metrics 01KAFSRPH3M0J7Y1W8E9TZ5Q2D
      inkling jobs metrics 01KAFSRPH3M0J7Y1W8E9TZ5Q2D --csv > metrics.csv
    """
    if as_csv and as_json:
        raise click.UsageError("--csv and --json exclude each other.")
    history = backend.metrics(job_id)
    if as_json:
        click.echo(json.dumps(history))
    elif as_csv:
        click.echo(_csv(history["checks"]), nl=False)
    elif not history["checks"]:
        raise Failure("The job has made no validation check yet.")
    else:
        terminal().print(check_table(history["checks"]))


@command.command()
@_JOB
@click.argument("picture", type=click.Choice(["loss", "accuracy", "weights"]))
@PICTURE_OUTPUT
@with_backend
def picture(backend: Backend, *, job_id: str, picture: Picture, output: Path | None) -> None:
    """Draw the curves or the weights of a job, while it runs too.

    \b
    Examples:
      inkling jobs picture 01KAFSRPH3M0J7Y1W8E9TZ5Q2D loss -o loss.png
      inkling jobs picture 01KAFSRPH3M0J7Y1W8E9TZ5Q2D accuracy -o accuracy.svg
      inkling jobs picture 01KAFSRPH3M0J7Y1W8E9TZ5Q2D weights -o weights.png
    """
    file, picture_format = picture_file(output, picture)
    write_file(file, backend.job_picture(job_id, picture, picture_format))


def _csv(checks: list[Json]) -> str:
    file = io.StringIO()
    names = [
        "id", "epoch", "step", "train_loss", "train_accuracy", "validation_loss", "validation_accuracy",
    ]  # fmt: skip
    writer = csv.DictWriter(file, names, extrasaction="ignore", lineterminator="\n")
    writer.writeheader()
    writer.writerows(checks)
    return file.getvalue()
