"""What is said of models: all in a table, one version in full, the moves of an alias."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime

from rich.console import Console
from rich.table import Table
from rich.text import Text

from service.core import StopReason

from .backend import Json
from .job_words import age_text, check_text, time_text
from .quantities import percent
from .terminal import columns, facts


def model_table(models: Sequence[Json]) -> Table:
    """Return models, one a line, with what is known of the version that answers."""
    table = columns("name", "versions", "answering", "kind", "classes", right=("accuracy", "age"))
    now = datetime.now(UTC)
    for model in models:
        default, versions = model["default"], _versions(model["versions"])
        if default is None or default["state"] != "ready":
            table.add_row(model["name"], versions, Text("damaged", "red"))
            continue
        table.add_row(
            model["name"],
            versions,
            _with_aliases(default["version"], model["aliases"]),
            default["model"],
            _classes(default["classes"]),
            percent(default["metrics"]["validation_accuracy"]),
            age_text(default["created_at"], now),
        )
    return table


def print_version(about: Json, console: Console) -> None:
    """Print how a version was trained, on what, and how well it does."""
    elsewhere = ", which is not here" if about["job_id"] and about.get("job_exists") is False else ""
    aliases = f" ({', '.join(about['aliases'])})" if about["aliases"] else ""
    console.print(Text.assemble((about["name"], "bold"), f", version {about['version']}{aliases}"))
    console.print(
        facts(
            {
                "kind": f"{about['model']} regression over {', '.join(about['class_names'])}, {about['dtype']}",
                "published": f"the {about['published']} weights: {check_text(about['metrics']['published'])}",
                "trained": f"{time_text(about['created_at'])}. {StopReason(about['stop_reason']).sentence}",
                "with": ", ".join(f"{name} {json.dumps(value)}" for name, value in about["config"].items()),
                "data": f"{about['dataset']['name']}, SHA-256 {about['dataset']['sha256'][:16]}…",
                "made by": ", ".join(f"{name} {value}" for name, value in about["environment"].items()),
                "job": f"{about['job_id'] or 'none'}{elsewhere}",
                "weights": f"SHA-256 {about['weights_sha256'][:16]}…, {about['size_bytes']:,} bytes",
            }
        )
    )


def print_alias(alias: str, moves: Sequence[Json], console: Console) -> None:
    """Print what an alias names, and every move that it has made."""
    console.print(Text.assemble((alias, "bold"), f" is version {moves[-1]['version']}"))
    for move in moves:
        target = "deleted" if move["version"] is None else f"version {move['version']}"
        console.print(
            Text.assemble((f"  {time_text(move['at'])}", "dim"), f"  {target}  ", (move["reason"] or "", "dim"))
        )


def _versions(numbers: Sequence[int]) -> str:
    return str(numbers[0]) if len(numbers) == 1 else f"{numbers[0]} to {numbers[-1]}"


def _classes(labels: Sequence[int]) -> str:
    is_range = len(labels) > 2 and labels == list(range(labels[0], labels[-1] + 1))
    return f"{labels[0]} to {labels[-1]}" if is_range else " ".join(map(str, labels))


def _with_aliases(version: int, aliases: Mapping[str, int] | None) -> str:
    names = [alias for alias, named in (aliases or {}).items() if named == version]
    return f"{version} ({', '.join(names)})" if names else str(version)
