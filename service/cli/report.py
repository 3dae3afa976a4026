"""``inkling report`` and ``inkling reports``."""

from pathlib import Path
from typing import Any

import click
from rich.console import Console, ConsoleOptions, RenderResult
from rich.table import Table
from rich.text import Text

from .annotations import print_about, tags_and_notes
from .backend import Backend, Json, with_backend
from .following import View, follow
from .job_view import state_text
from .names import Noun, completion
from .noun_commands import GROUP_STATES, add_annotate, add_cancel, add_list, add_show, deletes, in_rows
from .root import WholeNumber, examples
from .terminal import bar, facts, print_json, terminal, time_text, writing

_REPORT = Noun.REPORT.argument


@click.command()
@click.option(
    "--out",
    type=click.Path(file_okay=False, path_type=Path),
    default=Path("report"),
    show_default=True,
    metavar="FOLDER",
    help="The folder of its files; it is made if need be.",
)
@click.option(
    "--assignment",
    type=WholeNumber(1, 2),
    metavar="N",
    help="1: logistic and softmax regression, the default. 2: networks with hidden layers.",
)
@click.option("--quick", is_flag=True, help="Train fewer epochs; every page says so.")
@click.option("--seed", type=int, metavar="N", help="Of initial weights and the order of shuffled batches. [default 0]")
@click.option(
    "--seeds", type=int, metavar="N", help="Train with so many seeds, for means, intervals and bands. [default 1]"
)
@click.option("--classes", metavar="A,B", help="The classes of logistic regression. [default 2,3]")
@click.option("--l2-penalties", metavar="X,...", help="Of softmax regression. [default 1,0.1,0.01,0.001]")
@click.option("--title", metavar="TEXT", help="At the head of the report instead of its subject.")
@click.option("--author", "authors", multiple=True, metavar="NAME", help="Below the title; may be given several times.")
@click.option("--group", metavar="TEXT", help="After the authors.")
@tags_and_notes
@click.option(
    "--id",
    "report_id",
    metavar="REPORT",
    shell_complete=completion(Noun.REPORT),
    help="Continue a report that was begun, or write it once more.",
)
@click.option("--json", "as_json", is_flag=True, help="Print nothing but the report with all its numbers as JSON.")
@with_backend(
    "report --out report",
    "report --quick --seed 3",
    "report --seeds 5",
    "report --assignment 2 --out report2",
    "report --classes 4,9 --l2-penalties 1,0.1,0.01",
    "report --url http://127.0.0.1:8000",
    creates=True,
)
@click.pass_context
def report(
    ctx: click.Context, backend: Backend, /, *, out: Path, report_id: str | None, as_json: bool, **options: Any
) -> None:
    """Train everything that the course report shows, and write it as HTML, PDF, LaTeX, notebook and figures.

    Its runs are ordinary jobs, trained by this process, or with --url by the server.

    The exit code is 0 when the report is written, 1 when one of its runs failed, 130 when it was cancelled.
    """
    from service.reports import HAND_IN  # noqa: PLC0415 - with a server, nothing else of it is needed

    if report_id is None:
        report_id = str(backend.submit("reports", _request(**options))["id"])
    view = ReportView(backend.one("reports", report_id))
    follow(view, backend, silent=as_json)
    made = view.thing
    if made["state"] != "succeeded":
        failed = f"failed. Its jobs say why: {', '.join(filter(None, made['jobs']))}"
        click.echo(f"Report {report_id} {'was cancelled.' if made['state'] == 'cancelled' else failed}", err=True)
        ctx.exit(view.exit_code())
    for name in made["links"]:
        content, path = backend.file("reports", report_id, name), out / name.replace("report.zip", HAND_IN)
        with writing(path):
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(content)
    if as_json:
        print_json(made)
        return
    view.print_end(backend, terminal())
    click.echo(f"Wrote {len(made['links'])} files to {out}; begin with {out / 'report.html'}.")


@click.group()
@examples("reports list", "reports delete REPORT")
def reports() -> None:
    """List, show, annotate, cancel and delete course reports.

    REPORT is the id of a report; inkling report --id writes its files. Every command of this group also takes --url
    and --data-dir.
    """


add_cancel(reports, Noun.REPORT, "Cancel the runs of a report. Their best weights so far stay, as models.")
add_annotate(reports, Noun.REPORT, "the title in lists")


@reports.command()
@_REPORT
@click.option("--keep-runs", is_flag=True, help="Delete the report alone; its jobs and its sweep stay.")
@deletes
@with_backend("reports delete REPORT", "reports delete REPORT --keep-runs --yes")
def delete(backend: Backend, *, report_id: str, keep_runs: bool) -> None:
    """Delete a report that is over, with its jobs and its sweep. Their models stay."""
    backend.delete("reports", report_id, keep_runs=keep_runs)
    kept = "its jobs, its sweep and the models that they made stay" if keep_runs else "the models of its runs stay"
    click.echo(f"The report is deleted; {kept}.")


def _row(report: Json) -> dict[str, str | Text]:
    kind = f"assignment {report['options']['assignment']}{', quick' if report['options']['quick'] else ''}"
    return {"report": report["id"], "kind": kind, "state": state_text(report)}


add_list(reports, Noun.REPORT, in_rows(_row), maker="report", states=GROUP_STATES)


def _print_report(report: Json, console: Console) -> None:
    print_about(report, console)
    values = {"report": report["id"], "state": state_text(report), "done": f"{report['fraction']:.0%}"}
    values |= {"created": time_text(report["created_at"]), "jobs": ", ".join(filter(None, report["jobs"]))}
    console.print(facts({**values, "sweep": report["sweep"]}))
    _print_findings(report, console)


def _print_findings(report: Json, console: Console) -> None:
    for sentence in (report["findings"] or {}).get("key_sentences", ()):
        console.print(f"- {sentence}", soft_wrap=True)


add_show(reports, Noun.REPORT, _print_report, "its state, its runs and, once they are over, what it says")


class ReportView(View):
    """A report while its runs are trained: a bar. Its findings are printed at the end."""

    noun = Noun.REPORT
    is_transient = True

    @property
    def follow_command(self) -> str:
        """The command that continues it."""
        return f"report --id {self.id}"

    def print_end(self, backend: Backend, console: Console) -> None:
        """Print what it found."""
        _print_findings(self.thing, console)

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> RenderResult:
        """Draw the bar."""
        grid = Table.grid(padding=(0, 2))
        fraction = self.thing["fraction"]
        grid.add_row(self.thing["state"], bar(fraction, 40), f"{fraction:.0%}")
        yield grid


def _request(
    classes: str | None, l2_penalties: str | None, authors: tuple[str, ...], tags: tuple[str, ...], **given: Any
) -> Json:
    given |= {"authors": list(authors) or None, "tags": list(tags) or None}
    try:
        given["classes"] = [int(digit) for digit in classes.split(",")] if classes else None
        given["l2_penalties"] = [float(penalty) for penalty in l2_penalties.split(",")] if l2_penalties else None
    except ValueError:
        raise click.UsageError("--classes and --l2-penalties are numbers with commas between them.") from None
    return {name: value for name, value in given.items() if value is not None}
