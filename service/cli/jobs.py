"""``inkling train``, ``inkling verify`` and ``inkling jobs``."""

import json
from typing import Any

import click

from service.core import Check
from service.core.tables import csv_text

from .annotations import annotated
from .backend import Backend, Json, with_backend
from .following import add_follow, submits
from .hyperparameters import DATASET_OPTION, given, hyperparameter_option, hyperparameter_options, training_request
from .job_view import STATE_STYLES, JobView, check_table, job_row, print_job
from .names import Noun
from .noun_commands import add_annotate, add_cancel, add_delete, add_list, add_picture, add_show, in_rows
from .root import Failure, WholeNumber, examples
from .terminal import terminal

_JOB = Noun.JOB.argument


@click.command()
@hyperparameter_options
@DATASET_OPTION
@click.option("--name", metavar="NAME", help="Name of the model. [default: data set and model, as in mnist-softmax]")
@click.option("--paused", is_flag=True, help="Wait before the first step: see `inkling jobs continue`.")
@annotated
@submits(
    JobView,
    "train",
    "train --model softmax --epochs 50 --l2-penalty 0.01 --follow",
    "train --model logistic --classes 2,3 --learning-rate 0.05",
    "train --patience none --train-size all --name all-of-it",
    'train --learning-rate 0.05 --title "A larger rate" --tag week-3',
    "train --epochs 20 --url http://127.0.0.1:8000",
)
def train(ctx: click.Context, backend: Backend, /, **options: Any) -> Json:
    """Train a model, and register it.

    Without --url this process does the training, until it is over; Ctrl-C cancels it and keeps the best weights
    so far. With --url the server does, and Ctrl-C only stops watching.

    The exit code is 0 when the job succeeded, 1 when it failed, 130 when it was cancelled.
    """
    return backend.submit("jobs", training_request(ctx, options))


@click.command()
@_JOB
@submits(JobView, "verify JOB", "verify JOB --url http://127.0.0.1:8000")
def verify(_: click.Context, backend: Backend, /, *, job_id: str) -> Json:
    """Train a job again from its record, and compare the weights.

    That is a job of its own, which makes no model. If the weights differ, it says by how much, and in what the
    record and this training differ: versions, BLAS threads, data, hyperparameters.

    The exit code is 0 when every bit is the same, 1 when not or when training failed, 130 when it was cancelled.
    """
    return backend.act("jobs", job_id, "verify")


@click.group()
@examples("jobs list --state running", "jobs follow JOB", "jobs picture JOB loss -o loss.png")
def jobs() -> None:
    """List, follow, pause, cancel, resume and picture training jobs.

    JOB is the id of a job. Every command of this group also takes --url and --data-dir.
    """


add_list(jobs, Noun.JOB, in_rows(job_row, "accuracy"), maker="train", states=STATE_STYLES)
add_cancel(jobs, Noun.JOB, "Cancel a job. The best weights so far become a version of its model.")
add_annotate(jobs, Noun.JOB)
add_delete(jobs, Noun.JOB, "that is over, with its history", "Its model stays.")
add_show(jobs, Noun.JOB, print_job, "its state, its best check, its request and its history")
add_follow(jobs, JobView, "The exit code is 0 when the job succeeded, 1 when it failed, 130 when it was cancelled.")


@jobs.command()
@_JOB
@with_backend("jobs pause JOB")
def pause(backend: Backend, *, job_id: str) -> None:
    """Pause a job after its current step. After 24 hours it continues by itself."""
    job = backend.act("jobs", job_id, "pause")
    click.echo("The job is paused." if job["state"] == "paused" else "The job pauses after its current step.")


@jobs.command("continue")
@_JOB
@click.option("--steps", type=WholeNumber(1), help="Pause again after so many steps.")
@click.option("--epochs", type=WholeNumber(1), help="Pause again at the end of so many epochs.")
@submits(JobView, "jobs continue JOB --steps 1", "jobs continue JOB --epochs 1", "jobs continue JOB")
def continue_job(_: click.Context, backend: Backend, /, *, job_id: str, steps: int | None, epochs: int | None) -> Json:
    """Continue a paused job, to its end or until it pauses again.

    Its weights are, to the bit, those of a job that was never paused.
    """
    return backend.act("jobs", job_id, "proceed", steps=steps, epochs=epochs)


@jobs.command()
@_JOB
@hyperparameter_option("epochs", help="How many in all, those that were made included. [default: as it was]")
@hyperparameter_option("patience", help="Not less than it was, or none. [default: as it was]")
@submits(JobView, "jobs resume JOB --epochs 80", "jobs resume JOB --epochs 500 --patience none")
def resume(ctx: click.Context, backend: Backend, /, *, job_id: str, **changes: Any) -> Json:
    """Continue a job that has ended, for more epochs or with more patience.

    That is a new job, which begins with the checkpoint and the checks of the old one. Its weights are, to the bit,
    those of one job with the new values.
    """
    return backend.act("jobs", job_id, "resume", changes=given(ctx, changes))


@jobs.command()
@_JOB
@click.option("--csv", "as_csv", is_flag=True, help="Print every check as CSV.")
@click.option("--json", "as_json", is_flag=True, help="Print checks and the training loss of every step as JSON.")
@with_backend("jobs metrics JOB", "jobs metrics JOB --csv > metrics.csv")
def metrics(backend: Backend, *, job_id: str, as_csv: bool, as_json: bool) -> None:
    """Print the validation checks of a job."""
    if as_csv and as_json:
        raise click.UsageError("--csv and --json exclude each other.")
    history = backend.metrics(job_id)
    if as_json:
        click.echo(json.dumps(history))
    elif as_csv:
        click.echo(csv_text(("id", *Check.__dataclass_fields__), history["checks"]), nl=False)
    elif not history["checks"]:
        raise Failure("The job has made no validation check yet.")
    else:
        terminal().print(check_table(history["checks"]))


add_picture(
    jobs,
    Noun.JOB,
    """Draw the curves, the weights or the gradient of the next step of a job, while it runs too.

    Of weights and gradient a FILE that ends in .csv has the numbers: a line for each pixel and the bias.
    """,
    {"loss": [".svg"], "accuracy": [".svg"], "weights": [".csv"], "gradient": [".csv"]},
    "loss -o loss.png",
    "accuracy -o accuracy.svg",
    "weights -o weights.png",
    "gradient -o gradient.csv",
)
