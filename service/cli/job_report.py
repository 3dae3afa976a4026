"""What is said of jobs: one in full, many in a table, and where to look when one is over."""

from __future__ import annotations

import json
from collections.abc import Sequence
from datetime import UTC, datetime

from rich.console import Console
from rich.table import Table
from rich.text import Text

from .backend import Backend, Json
from .job_words import STATE_STYLES, age_text, check_text, duration_of, ending_text, is_final, state_text
from .quantities import duration_text, loss_text, percent
from .terminal import columns, facts


def print_job(job: Json, console: Console) -> None:
    """Print what a job is and what came of it so far."""
    name, id_ = job["config"]["name"], f"job {job['id']}"
    console.print(Text("  ").join([Text(name, "bold"), state_text(job), Text(id_, "dim")]))
    if is_final(job):
        console.print(ending_text(job))
    console.print(_results(job))


def print_ending(job: Json, backend: Backend, console: Console) -> None:
    """Print why a job that was followed ended, what came of it, and where to look next."""
    console.print()
    console.print(ending_text(job), style="bold")
    console.print(_results(job))
    print_commands(next_commands(job), backend, console)


def next_commands(job: Json) -> list[tuple[str, str]]:
    """Return where to look when a job is over: what for, and the command."""
    commands = []
    if job["metrics"]["latest"] is not None:
        commands.append(("its curves", f"jobs picture {job['id']} loss -o loss.png"))
    if job["model"] is not None:
        name, version = job["model"]["name"], job["model"]["version"]
        commands += [
            ("its weights", f"models show {name} {version}"),
            ("ask it", f"predict digit.png --model {name} --version {version}"),
            ("promote it", f"models promote {name} {version}"),
        ]
    return commands


def print_commands(commands: Sequence[tuple[str, str]], backend: Backend, console: Console) -> None:
    """Print commands to copy, if there are any, each with what it is for."""
    if commands:
        console.print("\nWhere to look next:")
    for meaning, command in commands:
        line = Text.assemble((f"  {meaning:<13}", "dim"), (f"inkling {command}{backend.arguments}", "cyan"))
        console.print(line, soft_wrap=True)


def job_table(jobs: Sequence[Json]) -> Table:
    """Return jobs, one a line."""
    table = columns("job", "model", "state", right=("accuracy", "age"))
    table.columns[0].no_wrap = True
    now = datetime.now(UTC)
    for job in jobs:
        best, model = job["metrics"]["best"], job["model"]
        done = "" if is_final(job) else f" {job['progress']['fraction']:.0%}"
        table.add_row(
            job["id"],
            f"{model['name']} {model['version']}" if model else job["config"]["name"],
            Text(f"{job['state']}{done}", STATE_STYLES[job["state"]]),
            "" if best is None else percent(best["validation_accuracy"]),
            age_text(job["created_at"], now),
        )
    return table


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


def _results(job: Json) -> Table:
    progress, latest, best = job["progress"], job["metrics"]["latest"], job["metrics"]["best"]
    results: dict[str, str | Text] = {}
    if best is not None:
        results["best check"] = check_text(best)
    if latest is not None and latest != best:
        results["last check"] = check_text(latest)
    if job["model"] is not None:
        results["model"] = f"{job['model']['name']}, version {job['model']['version']}"
    if job["continues"] is not None:
        results["continues"] = f"job {job['continues']['job']}, from step {job['continues']['step']:,}"
    if job["verification"] is not None:
        results |= _verification(job["verification"])
    seconds, rate = duration_of(job), progress["images_per_s"]
    if seconds is not None:
        results["time"] = duration_text(seconds) + ("" if rate is None else f", {rate:,.0f} images/s")
    return facts(results)


def _verification(verification: Json) -> dict[str, str | Text]:
    model, outcome = verification["model"], verification["outcome"]
    results: dict[str, str | Text] = {"verifies": f"{model['name']}, version {model['version']}"}
    if outcome is None:
        return results
    if outcome["identical"]:
        results["weights"] = Text(f"identical, to the bit: SHA-256 {outcome['retrained_sha256']}", "green")
    else:
        sizes = [
            f"{which} by at most {'another shape' if largest is None else format(largest, '.3g')}"
            for which, largest in outcome["largest_difference"].items()
        ]
        results["weights"] = Text(f"they differ: {', '.join(sizes)}", "red")
    for found in outcome["differences"]:
        results[found["what"]] = f"was {json.dumps(found['recorded'])}, is {json.dumps(found['now'])}"
    return results
