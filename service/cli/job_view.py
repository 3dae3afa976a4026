"""A job on the terminal: while it is trained, at its end, in full, and in tables."""

from __future__ import annotations

import json
import math
from collections.abc import Iterable, Iterator, Sequence
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from rich.console import Console, ConsoleOptions, RenderResult
from rich.table import Table
from rich.text import Text

from service.core import StopReason

from .annotations import print_about
from .backend import Backend, Json
from .following import View, is_final
from .names import Noun
from .terminal import bar, columns, duration_text, facts, loss_text, percent, print_commands

if TYPE_CHECKING:
    import service.jobs  # imports the database, of which a command for a server needs nothing
    from inkling import Event

STATE_STYLES = {
    "queued": "yellow",
    "running": "cyan",
    "paused": "yellow",
    "cancelling": "yellow",
    "succeeded": "green",
    "failed": "red",
    "cancelled": "yellow",
}
"""The colour of each state of `service.jobs.JobState`."""

_LEVELS = "▁▂▃▄▅▆▇█"
_MAX_WIDTH = 200
_MAX_BAR_WIDTH = 40
_LABEL_WIDTH = 12
_TEXT_WIDTH = 35
"""Kept free for the text beside a bar, so that it does not change its length at every check."""
_BESIDE_SPARKLINE_WIDTH = 34


class JobView(View):
    """A job while it is trained: how far it is, how well it does, and how much patience is left."""

    noun = Noun.JOB

    def __init__(self, job: Json) -> None:
        super().__init__(job)
        self._last_event = 0
        self._losses: list[float] = []
        self._lines = [f"{job['config']['name']}, job {self.id}"]
        self._pending: str | None = None
        """The line of the newest check, printed only if it is the last of its epoch."""

    def updates(self, backend: Backend) -> Iterator[Event | service.jobs.Event]:
        """Yield events until it is over or paused."""
        for event in backend.events(self.id, after=self._last_event):
            self._last_event = event.id
            yield event
            is_pause = event.kind == "state" and event.data["state"] == "paused"
            if is_pause and self.fetch(backend)["state"] == "paused":
                return

    def update(self, event: Event | service.jobs.Event) -> None:
        """Take in an event."""
        if event.kind == "state":
            self.thing = {**self.thing, "state": event.data["state"]}
            return
        check: Json = dict(event.data)
        latest, best = self.thing["metrics"]["latest"], self.thing["metrics"]["best"]
        if self._pending and latest and check["epoch"] != latest["epoch"]:
            self._lines.append(self._pending)
        self._pending = _check_line(check)
        self._losses.append(check["validation_loss"])
        if best is None or check["validation_loss"] < best["validation_loss"]:
            best = check
        self.thing = {**self.thing, "progress": check["progress"], "metrics": {"latest": check, "best": best}}

    def end(self, job: Json) -> None:
        """Take in how it ended."""
        super().end(job)
        if self._pending:
            self._lines.append(self._pending)

    def lines(self) -> Iterable[str]:
        """Return a line for each epoch since the last call, of its last check."""
        lines, self._lines = self._lines, []
        return lines

    def print_end(self, backend: Backend, console: Console) -> None:
        """Print why it ended, what came of it, and what to do next."""
        console.print(f"\n{ending_text(self.thing)}", style="bold")
        console.print(results(self.thing))
        print_commands(next_commands(self.thing), backend, console)

    def exit_code(self) -> int:
        """Return 1 also if it trained other weights than those that it verifies."""
        outcome = (self.thing["verification"] or {}).get("outcome")
        return 1 if outcome and not outcome["identical"] else super().exit_code()

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> RenderResult:
        """Draw the view for the width there is."""
        job = self.thing
        yield _title(job)
        latest, best = job["metrics"]["latest"], job["metrics"]["best"]
        if latest is None or best is None:
            is_queued = job["state"] == "queued"
            yield Text("waiting for a worker" if is_queued else "before its first check", style="dim")
            return
        width = min(options.max_width, _MAX_WIDTH)
        yield self._bars(width)
        yield Text()
        yield self._numbers(latest, best, width)

    def _bars(self, max_width: int) -> Table:
        progress, config = self.thing["progress"], self.thing["config"]
        text = f"{progress['fraction']:.0%}, epoch {progress['epoch'] + 1:,} of {config['epochs']:,}"
        if progress["eta_s"]:
            text += f", {duration_text(progress['eta_s'])} left"
        width = max(4, min(_MAX_BAR_WIDTH, max_width - _LABEL_WIDTH - max(_TEXT_WIDTH, len(text))))
        grid = Table.grid(padding=(0, 2))
        grid.add_row(Text("training", style="dim"), bar(progress["fraction"], width), text)
        left, patience = progress["patience_left"], config["patience"]
        if patience is not None and left is not None:
            colour = "red" if 3 * left <= patience else "yellow" if left < patience else "green"
            label, text = Text("patience", style="dim"), f"{left:,} of {patience:,} checks left"
            grid.add_row(label, bar(left / patience, width, colour), text)
        return grid

    def _numbers(self, latest: Json, best: Json, max_width: int) -> Table:
        rate = self.thing["progress"]["images_per_s"]
        speed = "" if rate is None else f", {rate:,.0f} images/s"
        losses = Text(sparkline(self._losses, max(8, max_width - _BESIDE_SPARKLINE_WIDTH)), style="cyan")
        grid = Table.grid(padding=(0, 2))
        grid.add_column(style="dim")
        grid.add_column(justify="right")
        grid.add_column(justify="right")
        grid.add_column(style="dim")
        grid.add_row("", Text("loss", style="dim"), Text("accuracy", style="dim"), "")
        for label, part, check, text in (
            ("validation", "validation", latest, losses),
            ("training", "train", latest, f"step {latest['step']:,}{speed}"),
            ("best so far", "validation", best, f"epoch {best['epoch']:,}, step {best['step']:,}"),
        ):
            grid.add_row(label, loss_text(check[f"{part}_loss"]), percent(check[f"{part}_accuracy"]), text)
        return grid


def sparkline(losses: Sequence[float], width: int) -> str:
    """Return losses as a row of blocks on a logarithmic scale, left to right; a long row is thinned to fit."""
    if len(losses) > width:
        losses = [losses[round(place * (len(losses) - 1) / (width - 1))] for place in range(width)]
    heights = [math.log(max(loss, 1e-12)) for loss in losses]
    low, high = min(heights, default=0.0), max(heights, default=0.0)
    scale = (len(_LEVELS) - 1) / (high - low) if high > low else 0.0
    return "".join(_LEVELS[round((height - low) * scale)] for height in heights)


def state_text(job: Json) -> Text:
    """Return the state in its colour."""
    return Text(job["state"], STATE_STYLES[job["state"]])


def check_text(check: Json) -> str:
    """Return what a validation check measured, and when."""
    return (
        f"validation loss {loss_text(check['validation_loss'])}, accuracy {percent(check['validation_accuracy'])}, "
        f"at epoch {check['epoch']}, step {check['step']:,}"
    )


def ending_text(job: Json) -> str:
    """Return why a job that is over ended, or where it is paused, as a sentence."""
    if job["error"]:
        return str(job["error"].get("detail") or job["error"]["title"])
    if job["state"] == "paused":
        return f"It is paused before step {job['pause_at_step']:,}, and continues by itself after 24 hours."
    if job["stop_reason"] is None or job["started_at"] is None:
        return f"It was {job['state']} before it began."
    return StopReason(job["stop_reason"]).sentence


def print_job(job: Json, console: Console) -> None:
    """Print a job in full."""
    console.print(_title(job))
    print_about(job, console)
    if is_final(job) or job["state"] == "paused":
        console.print(ending_text(job))
    console.print(results(job))
    console.print("\nRequest", style="bold")
    console.print(facts({name: json.dumps(value).strip('"') for name, value in job["config"].items()}))
    console.print("\nHistory", style="bold")
    for move in job["history"]:
        console.print(Text.assemble(f"{move['at']}  ", state_text(move), (f"  {move['reason'] or ''}", "dim")))


def next_commands(job: Json) -> list[tuple[str, str]]:
    """Return what to do with the results of a job that is over or paused: the purpose, and the command."""
    commands = []
    if job["state"] == "paused":
        commands += [
            ("one step", f"jobs continue {job['id']} --steps 1"),
            ("its gradient", f"jobs picture {job['id']} gradient -o gradient.png"),
        ]
    if job["metrics"]["latest"] is not None:
        commands.append(("its curves", f"jobs picture {job['id']} loss -o loss.png"))
    if job["model"] is not None:
        name, version = job["model"]["name"], job["model"]["version"]
        commands += [
            ("its weights", f"models show {name} {version}"),
            ("predict", f"predict digit.png --model {name} --version {version}"),
            ("promote it", f"models promote {name} {version}"),
        ]
    return commands


def job_row(job: Json) -> dict[str, str | Text]:
    """Return what a list shows of a job."""
    best, model = job["metrics"]["best"], job["model"]
    done = "" if is_final(job) else f" {job['progress']['fraction']:.0%}"
    return {
        "job": job["id"],
        "model": f"{model['name']} {model['version']}" if model else job["config"]["name"],
        "state": Text(f"{job['state']}{done}", STATE_STYLES[job["state"]]),
        "accuracy": "" if best is None else percent(best["validation_accuracy"]),
    }


def check_table(checks: Sequence[Json]) -> Table:
    """Return validation checks, one a line, the best one marked."""
    best = min(check["validation_loss"] for check in checks)
    table = columns(right=("epoch", "step", "training loss", "accuracy", "validation loss", "accuracy", ""))
    for check in checks:
        is_best = check["validation_loss"] == best
        table.add_row(
            f"{check['epoch']:,}",
            f"{check['step']:,}",
            loss_text(check["train_loss"]),
            percent(check["train_accuracy"]),
            loss_text(check["validation_loss"]),
            percent(check["validation_accuracy"]),
            "best" if is_best else "",
            style="green" if is_best else None,
        )
    return table


def results(job: Json) -> Table:
    """Return what came of a job so far."""
    progress, latest, best = job["progress"], job["metrics"]["latest"], job["metrics"]["best"]
    found: dict[str, str | Text] = {}
    if best is not None:
        found["best check"] = check_text(best)
    if latest is not None and latest != best:
        found["last check"] = check_text(latest)
    if job["model"] is not None:
        found["model"] = f"{job['model']['name']}, version {job['model']['version']}"
    if (start := job.get("starts_from")) is not None:
        found["starts from"] = f"{start['name']}, version {start['version']}"
    if job["continues"] is not None:
        found["continues"] = f"job {job['continues']['job']}, from step {job['continues']['step']:,}"
    if job["verification"] is not None:
        found |= _verification(job["verification"])
    if job["started_at"] is not None:
        ended_at = datetime.fromisoformat(job["finished_at"]) if job["finished_at"] else datetime.now(UTC)
        seconds = (ended_at - datetime.fromisoformat(job["started_at"])).total_seconds()
        rate = progress["images_per_s"]
        found["time"] = duration_text(seconds) + ("" if rate is None else f", {rate:,.0f} images/s")
    return facts(found)


def _title(job: Json) -> Text:
    return Text.assemble((job["config"]["name"], "bold"), "  ", state_text(job), "  ", (f"job {job['id']}", "dim"))


def _check_line(check: Json) -> str:
    eta_s = check["progress"]["eta_s"]
    return (
        f"epoch {check['epoch']:>3}  step {check['step']:>6,}"
        f"  loss {loss_text(check['train_loss'])}  validation loss {loss_text(check['validation_loss'])}"
        f"  accuracy {percent(check['validation_accuracy'])}{f'  {duration_text(eta_s)} left' if eta_s else ''}"
    )


def _verification(verification: Json) -> dict[str, str | Text]:
    model, outcome = verification["model"], verification["outcome"]
    found: dict[str, str | Text] = {"verifies": f"{model['name']}, version {model['version']}"}
    if outcome is None:
        return found
    if outcome["identical"]:
        found["weights"] = Text(f"identical, to the bit: SHA-256 {outcome['retrained_sha256']}", "green")
    else:
        sizes = [
            f"{which} by at most {'another shape' if largest is None else format(largest, '.3g')}"
            for which, largest in outcome["largest_difference"].items()
        ]
        found["weights"] = Text(f"they differ: {', '.join(sizes)}", "red")
    for one in outcome["differences"]:
        found[one["what"]] = f"was {json.dumps(one['recorded'])}, is {json.dumps(one['now'])}"
    return found
