"""``inkling datasets``."""

from __future__ import annotations

import click
from rich.text import Text

from service.cli.backend import Backend
from service.cli.connection import with_backend
from service.cli.terminal import columns, print_json, terminal


@click.command(short_help="List what there is to train on.")
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
@with_backend
def command(backend: Backend, *, as_json: bool) -> None:
    """List the data sets, with the number of images of each class.

    \b
    Example:
      inkling datasets
    """
    datasets = backend.datasets()
    if as_json:
        print_json({"datasets": datasets})
        return
    console = terminal()
    for dataset in datasets:
        console.print(Text.assemble((dataset["name"], "bold"), f"  {dataset['title']}"))
        for line in (dataset["source"], dataset["licence"], f"SHA-256 {dataset['sha256']}"):
            console.print(line, style="dim", soft_wrap=True)
        table = columns(right=("class", "training", "test"))
        parts = dataset["training"], dataset["test"]
        for label in map(str, dataset["classes"]):
            table.add_row(label, *(f"{part['n_by_class'].get(label, 0):,}" for part in parts))
        table.add_row("all", *(f"{part['n_images']:,}" for part in parts), style="bold")
        console.print()
        console.print(table)
