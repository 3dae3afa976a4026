"""``inkling report``."""

from __future__ import annotations

import time
from contextlib import suppress
from pathlib import Path
from typing import Any

import click
from rich.progress import BarColumn, Progress, TaskProgressColumn, TextColumn, TimeElapsedColumn

from service.cli.backend import Backend, Json
from service.cli.connection import with_backend
from service.cli.failure import INTERRUPTED, Failure
from service.cli.terminal import print_json, terminal
from service.errors import InvalidJobTransition

_POLL_S = 0.1
_FINAL = {"succeeded", "failed", "cancelled"}


@click.command()
@click.option(
    "--out",
    type=click.Path(file_okay=False, path_type=Path),
    default=Path("report"),
    show_default=True,
    metavar="FOLDER",
    help="Where its files go; the folder is made if need be.",
)
@click.option("--quick", is_flag=True, help="Train fewer epochs; every page says so.")
@click.option("--seed", type=int, metavar="N", help="Of the order of shuffled batches. [default 0]")
@click.option("--classes", metavar="A,B", help="What logistic regression tells apart. [default 2,3]")
@click.option("--l2-penalties", metavar="X,...", help="Of softmax regression. [default 1,0.1,0.01,0.001]")
@click.option("--id", "report_id", metavar="REPORT", help="Go on with a report that was begun, or write it once more.")
@click.option("--json", "as_json", is_flag=True, help="Print nothing but the report with all its numbers as JSON.")
@with_backend
@click.pass_context
def command(
    ctx: click.Context,
    backend: Backend,
    /,
    *,
    out: Path,
    quick: bool,
    seed: int | None,
    classes: str | None,
    l2_penalties: str | None,
    report_id: str | None,
    as_json: bool,
) -> None:
    """Train everything that the course report shows, and write it as HTML, PDF, JSON and single figures.

    Its runs are ordinary jobs, trained by this process, or with --url by the server.

    \b
    Examples:
      inkling report --out report
      inkling report --quick --seed 3
      inkling report --classes 4,9 --l2-penalties 1,0.1,0.01
      inkling report --url http://127.0.0.1:8000

    The exit code is 0 when the report is written, 1 when one of its runs failed, 130 when it was cancelled.
    """
    if report_id is None:
        report = backend.submit_report(_request(quick, seed, classes, l2_penalties))
    else:
        report = backend.report(report_id)
    report = _follow(backend, report, silent=as_json)
    if report["state"] != "succeeded":
        jobs = ", ".join(filter(None, report["jobs"]))
        click.echo(f"Report {report['id']} has {report['state']}. Its jobs say why: {jobs}", err=True)
        ctx.exit(INTERRUPTED if report["state"] == "cancelled" else 1)
    _write(backend, report, out)
    if as_json:
        print_json(report)
        return
    for sentence in report["findings"]["key_sentences"]:
        click.echo(f"- {sentence}")
    click.echo(f"Wrote {len(report['links'])} files to {out}; begin with {out / 'report.html'}.")


def _request(quick: bool, seed: int | None, classes: str | None, l2_penalties: str | None) -> Json:
    given: dict[str, Any] = {"quick": quick, "seed": seed}
    try:
        given["classes"] = [int(digit) for digit in classes.split(",")] if classes else None
        given["l2_penalties"] = [float(penalty) for penalty in l2_penalties.split(",")] if l2_penalties else None
    except ValueError:
        raise click.UsageError("--classes and --l2-penalties are numbers with commas between them.") from None
    return {name: value for name, value in given.items() if value is not None}


def _follow(backend: Backend, report: Json, *, silent: bool) -> Json:
    """Show a bar until the report is over. Ctrl-C cancels what this process trains, and else stops following."""
    columns = TextColumn("{task.description}"), BarColumn(), TaskProgressColumn(), TimeElapsedColumn()
    console = terminal()
    with Progress(*columns, console=console, disable=silent or not console.is_terminal, transient=True) as bar:
        task = bar.add_task("Training", total=1.0)
        while report["state"] not in _FINAL:
            try:
                time.sleep(_POLL_S)
                report = backend.report(report["id"])
                bar.update(task, completed=report["fraction"], description=report["state"].capitalize())
            except KeyboardInterrupt:
                if not backend.trains_here:
                    click.echo(f"No longer following: inkling report --id {report['id']}{backend.arguments}", err=True)
                    raise click.exceptions.Exit(INTERRUPTED) from None
                with suppress(InvalidJobTransition):  # it has ended by itself meanwhile
                    report = backend.cancel_report(report["id"])
    return report


def _write(backend: Backend, report: Json, out: Path) -> None:
    for name in report["links"]:
        path = out / name
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(backend.report_file(report["id"], name))
        except OSError as error:
            raise Failure(f"{path} cannot be written: {error.strerror}.") from error
