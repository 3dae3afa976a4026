"""``inkling collections``."""

from contextlib import suppress
from typing import Any

import click
from rich.console import Console
from rich.text import Text

from service.errors import InvalidInput, NameTaken

from .backend import Backend, Json, with_backend
from .images import image_sources, reason
from .names import Noun, completion
from .noun_commands import add_annotate, add_delete, add_list, in_pages, in_rows, print_more
from .root import Failure, WholeNumber, examples
from .terminal import age_text, columns, percent, print_json, print_result

_NAME = Noun.COLLECTION.argument
_LABEL = WholeNumber(0, 9)


@click.group()
@examples("collections list", "collections add mine seven.png --label 7", "collections show mine --misread")
def collections() -> None:
    """Collect labelled images of your own, correct them, and freeze them into data sets to train on."""


add_annotate(collections, Noun.COLLECTION)
add_delete(collections, Noun.COLLECTION, "with its images", "The data sets that were made of it stay.")


@collections.command()
@_NAME
@click.option(
    "--model",
    metavar="NAME",
    shell_complete=completion(Noun.MODEL),
    help="The model that reads them: NAME, NAME/3 or NAME@alias. [the default]",
)
@click.option("--label", type=_LABEL, help="Only images of this digit.")
@click.option("--misread", is_flag=True, default=None, help="Only images that are read as another digit.")
@in_pages
@with_backend("collections show mine", "collections show mine --misread --model mnist-softmax/1", as_json=True)
def show(backend: Backend, *, name: str, model: str | None, as_json: bool, **options: Any) -> None:
    """List the images of a collection with their labels and what a model reads in them, the newest first."""
    found = backend.read_collection(name, model=model and model.replace("@", "/", 1), **options)

    def draw(found: Json, console: Console) -> None:
        version = f"{found['model']}, version {found['version']}"
        console.print(f"Images: {found['n_images']:,}, misread by {version}: {found['n_misread']:,}.", style="bold")
        table = columns("id", right=("label", "reads", "probability", "age"))
        for each in found["images"]:
            colour = "yellow" if each["is_misread"] else "green"
            reads = Text(each["class_name"], style=colour)
            age = age_text(each["created_at"])
            table.add_row(each["id"], str(each["label"]), reads, percent(each["probability"]), age)
        console.print(table)
        print_more(found, backend)

    print_result(found, draw, as_json=as_json)


@collections.command()
@_NAME
@click.argument("files", nargs=-1, required=True, metavar="FILE...")
@click.option("--label", type=_LABEL, required=True, help="The digit that they show.")
@with_backend(
    "collections add mine seven.png --label 7",
    "collections add mine threes.zip scan.jpg --label 3",
    as_json=True,
    creates=True,
)
@click.pass_context
def add(
    ctx: click.Context, backend: Backend, /, *, name: str, files: tuple[str, ...], label: int, as_json: bool
) -> None:
    """Add pictures of a digit; the collection is made if there is none of this name.

    FILE is a picture as for the command predict, or a zip archive of some. The exit code is 1 if one cannot be read.
    """
    with suppress(NameTaken):
        backend.add_collection(name)
    added, refused = [], []
    for source in image_sources(files):
        try:
            added.append(backend.collect(name, source.read(), label))
        except (InvalidInput, Failure) as error:
            refused.append(f"{source.name}: {reason(error)}")
    if as_json:
        print_json({"images": added, "errors": refused})
    else:
        click.echo(f"Added {len(added):,} to {name} as {label}.")
        for line in refused:
            click.secho(line, err=True, fg="red")
    if refused:
        ctx.exit(1)


@collections.command()
@_NAME
@click.argument("image")
@click.argument("label", type=_LABEL)
@with_backend("collections relabel mine IMAGE 7", as_json=True)
def relabel(backend: Backend, *, name: str, image: str, label: int, as_json: bool) -> None:
    """Correct the label of an image, which its id names. Versions that were made before keep the old one."""
    found = backend.relabel(name, image, label)
    print_result(found, lambda found, console: console.print(f"It is a {found['label']} now."), as_json=as_json)


@collections.command()
@_NAME
@click.argument("images", nargs=-1, required=True, metavar="IMAGE...")
@with_backend("collections remove mine IMAGE")
def remove(backend: Backend, *, name: str, images: tuple[str, ...]) -> None:
    """Delete images, which their ids name, from a collection. Versions that were made before keep them."""
    for image in images:
        backend.delete_collected_image(name, image)
    click.echo(f"Deleted {len(images):,} from {name}.")


@collections.command()
@_NAME
@with_backend("collections freeze mine", as_json=True)
def freeze(backend: Backend, *, name: str, as_json: bool) -> None:
    """Freeze a collection as it is now into a data set to train on; if nothing has changed, it is the newest one."""

    def draw(made: Json, console: Console) -> None:
        parts = " and ".join(f"{made[part]['n_images']:,} {part}" for part in ("training", "test"))
        console.print(f"{made['name']}: {parts} images.")
        console.print(f"Train on it: inkling train --dataset {made['name']}{backend.arguments}", soft_wrap=True)

    print_result(backend.freeze_collection(name), draw, as_json=as_json)


def _row(collection: Json) -> dict[str, str | Text]:
    name, version = collection["name"], collection["version"]
    newest = "" if version is None else f"{name}-v{version}"
    return {"collection": name, "images": f"{collection['n_images']:,}", "newest version": newest}


add_list(
    collections,
    Noun.COLLECTION,
    in_rows(_row, "images", "newest version"),
    maker="collections add mine digit.png --label 7",
)
