"""``inkling datasets``."""

import re
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import click
from rich.console import Console
from rich.text import Text

from service.inference import ImageFile

from .annotations import print_about
from .backend import Backend, Json, with_backend
from .names import Noun
from .noun_commands import add_annotate, add_delete, add_list
from .root import Failure, examples
from .terminal import columns, read_file

_FILE = click.Path(dir_okay=False, path_type=Path)
_FILES = ("npz", "train_images", "train_labels", "test_images", "test_labels")


@click.group()
@examples("datasets list", "datasets add fashion --npz fashion.npz")
def datasets() -> None:
    """List data sets, add and delete your own."""


def _print_datasets(datasets: Sequence[Json], console: Console) -> None:
    for dataset in datasets:
        console.print(Text.assemble((dataset["name"], "bold"), f"  {dataset['title']}"))
        print_about({**dataset, "title": ""}, console)
        for line in filter(None, (dataset["source"], dataset["licence"], f"SHA-256 {dataset['sha256']}")):
            console.print(line, style="dim", soft_wrap=True)
        table = columns(right=("class", "training", "test"))
        parts = dataset["training"], dataset["test"]
        for label, name in zip(map(str, dataset["classes"]), dataset["class_names"], strict=True):
            title = label if name == label else f"{label} {name}"
            table.add_row(title, *(f"{part['n_by_class'].get(label, 0):,}" for part in parts))
        table.add_row("all", *(f"{part['n_images']:,}" for part in parts), style="bold")
        console.print()
        console.print(table)


add_list(
    datasets,
    Noun.DATASET,
    _print_datasets,
    maker="datasets add NAME FILES",
    order="with the number of images of each class",
)
add_annotate(datasets, Noun.DATASET)
add_delete(datasets, Noun.DATASET, "that no unfinished job needs", "What was trained on it stays.")


@datasets.command()
@click.argument("name")
@click.argument("path", required=False, metavar="[FILES]")
@click.option("--npz", type=_FILE, metavar="FILE", help="The arrays x_train, y_train, x_test and y_test.")
@click.option("--train-images", type=_FILE, metavar="FILE", help="An IDX file, gzipped or not; so are the next three.")
@click.option("--train-labels", type=_FILE, metavar="FILE")
@click.option("--test-images", type=_FILE, metavar="FILE")
@click.option("--test-labels", type=_FILE, metavar="FILE")
@click.option("--class-names", metavar="NAME,...", help="The name of label 0 first. [default: their numbers]")
@click.option("--title", metavar="TEXT", help="What it is. [default: its name]")
@click.option("--source", metavar="TEXT", help="Who made it.")
@click.option("--licence", metavar="TEXT", help="Its terms of use.")
@with_backend(
    "datasets add letters letters/",
    "datasets add photographs.zip",
    "datasets add kaggle train.csv",
    "datasets add fashion --npz fashion.npz",
    "datasets add two --npz two.npz --class-names nought,one",
    "datasets add my --npz my.npz --title Letters",
)
def add(backend: Backend, *, name: str, path: str | None, class_names: str | None, **given: Any) -> None:
    """Add a data set of images in two to ten classes.

    FILES is a folder or a zip archive of pictures, in a folder for each class, as in 3/one.png; or CSV, a label and
    784 pixels a line, gzipped or not. Pictures are preprocessed as for the command predict. What is named test has
    the test images, else one in six is for testing. Without NAME, it is the name of FILES.

    It never changes afterwards, and can then be the --dataset of train.
    """
    if path is None and not any(given[option] for option in _FILES) and Path(name).exists():
        name, path = re.sub("[^a-z0-9]+", "-", Path(name).resolve().stem.lower()).strip("-"), name
    fields: Json = {"name": name, **{field: given.pop(field) for field in ("title", "source", "licence")}}
    fields["class_names"] = class_names.split(",") if class_names else None
    files = {
        ("file" if part == "npz" else part): ImageFile(content=read_file(str(file)), name=file.name)
        for part, file in given.items()
        if file
    }
    if path is not None and files:
        raise click.UsageError("FILES and the options of files exclude each other.")
    if path is not None:
        files["file"] = _packed(Path(path))
    made = backend.add_dataset({field: value for field, value in fields.items() if value}, files)
    parts = " and ".join(f"{made[part]['n_images']:,} {part}" for part in ("training", "test"))
    click.echo(f"Added {made['name']}: {parts} images in {len(made['classes'])} classes.")
    click.echo(f"Train on it: inkling train --dataset {made['name']}{backend.arguments}")


def _packed(path: Path) -> ImageFile:
    from inkling.datasets import packed  # noqa: PLC0415 - with it comes httpx, which nothing else here needs

    try:
        name, content = packed(path)
    except OSError as error:
        raise Failure(f"{path} cannot be read: {error.strerror}.") from error
    return ImageFile(content=content, name=name)
