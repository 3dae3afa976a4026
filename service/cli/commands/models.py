"""``inkling models``."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path

import click
from rich.text import Text

from service.cli.backend import Backend
from service.cli.connection import with_backend
from service.cli.evaluation_view import comparison_view, evaluation_view
from service.cli.files import output_option, read_file, write_file
from service.cli.listing import print_list
from service.cli.model_report import model_table, print_alias, print_version
from service.cli.quantities import percent
from service.cli.terminal import AS_JSON, print_json, terminal
from service.cli.weights_view import published_weights, weights_view
from service.core import output_names

_NAME = click.argument("name")
_VERSION = click.argument("version", required=False, metavar="[VERSION|ALIAS]")


@click.group()
def command() -> None:
    """List models, look at their weights, move aliases.

    A model is a name with numbered versions, which never change. An alias is a movable name for one of them;
    the version that `champion` names answers when none is asked for.

    \b
    Examples:
      inkling models list
      inkling models show mnist-softmax
      inkling models promote mnist-softmax 2
    """


@command.command("list")
@AS_JSON
@with_backend
def list_models(backend: Backend, *, as_json: bool) -> None:
    """List all models.

    \b
    Example:
      inkling models list
    """
    answer = {"models": backend.models()}
    print_list(answer, "models", model_table, backend, maker="train", as_json=as_json)


@command.command()
@_NAME
@_VERSION
@click.option("--no-picture", is_flag=True, help="Do not draw the weights.")
@AS_JSON
@with_backend
def show(backend: Backend, *, name: str, version: str | None, no_picture: bool, as_json: bool) -> None:
    """Show a version: how it was trained, how well it does, and its weights as a picture.

    \b
    Examples:
      inkling models show mnist-softmax
      inkling models show mnist-softmax 1 --json
      inkling models show mnist-softmax champion
    """
    about = backend.version(name, version)
    if as_json:
        print_json(about)
        return
    console = terminal()
    print_version(about, console)
    if not no_picture:
        weights = published_weights(about, backend.weights_file(name, about["version"]))
        console.print()
        for line in weights_view(weights, output_names(about["model"], about["class_names"]), console):
            console.print(line, soft_wrap=True)


@command.command()
@_NAME
@_VERSION
@AS_JSON
@with_backend
def evaluate(backend: Backend, *, name: str, version: str | None, as_json: bool) -> None:
    """Show how well a version does on the test images: each class, what it confuses, how sure it may be.

    \b
    Example:
      inkling models evaluate mnist-softmax
    """
    found = backend.evaluation(name, backend.version(name, version)["version"])
    if as_json:
        print_json(found)
        return
    for part in evaluation_view(found):
        terminal().print(part)


@command.command()
@click.argument("versions", nargs=-1, required=True, metavar="NAME/VERSION...")
@AS_JSON
@with_backend
def compare(backend: Backend, *, versions: tuple[str, ...], as_json: bool) -> None:
    """Hold versions against the first one on the same test images, and say whether it may be chance.

    \b
    Example:
      inkling models compare mnist-softmax/1 mnist-softmax/2
    """
    if len(versions) < 2 or not all(text.count("/") == 1 for text in versions):
        raise click.UsageError("Name two or more, each as NAME/VERSION.")
    found = backend.comparison(versions)
    if as_json:
        print_json(found)
        return
    for part in comparison_view(found):
        terminal().print(part, soft_wrap=isinstance(part, Text))


@command.command()
@_NAME
@click.argument("version", type=click.IntRange(1))
@click.option("--alias", default="champion", metavar="ALIAS", help="Which alias is to name it. [default champion]")
@click.option("--reason", metavar="TEXT", help="Why, for the alias's history.")
@with_backend
def promote(backend: Backend, *, name: str, version: int, alias: str, reason: str | None) -> None:
    """Let an alias name a version from now on.

    \b
    Examples:
      inkling models promote mnist-softmax 2
      inkling models promote mnist-softmax 1 --alias baseline --reason "the first"
    """
    move = backend.move_alias(name, alias, version, reason=reason)
    click.echo(f"{move['model']}: {move['alias']} is version {move['version']} now.")


@command.command()
@_NAME
@AS_JSON
@with_backend
def aliases(backend: Backend, *, name: str, as_json: bool) -> None:
    """Show the aliases of a model, with every move that each has made.

    \b
    Example:
      inkling models aliases mnist-softmax
    """
    histories = {alias: backend.alias_history(name, alias) for alias in sorted(backend.model(name)["aliases"] or {})}
    if as_json:
        print_json(histories)
        return
    if not histories:
        click.echo(f"{name} has no aliases; its newest version answers.")
    for alias, moves in histories.items():
        print_alias(alias, moves, terminal())


@command.command()
@_NAME
@_VERSION
@output_option(
    "What ends in .png becomes a picture, what ends in .npz the numbers (arrays best and last).", required=True
)
@with_backend
def weights(backend: Backend, *, name: str, version: str | None, output: Path) -> None:
    """Write a version's weights to a file: as a picture, or as the numbers.

    \b
    Examples:
      inkling models weights mnist-softmax -o weights.png
      inkling models weights mnist-softmax 1 -o weights.npz
    """
    _write_version(backend, name, version, output, {".png": backend.weights_picture, ".npz": backend.weights_file})


@command.command()
@_NAME
@_VERSION
@output_option("What ends in .onnx is for ONNX runtimes, what ends in .npz for NumPy and `import`.", required=True)
@with_backend
def export(backend: Backend, *, name: str, version: str | None, output: Path) -> None:
    """Write a version to a file that other programs read.

    An ONNX file goes from images, bytes of shape (n, 28, 28), to probabilities and digits; it needs the package
    onnx where it is made.

    \b
    Examples:
      inkling models export mnist-softmax -o digits.onnx
      inkling models export mnist-softmax 1 -o digits.npz
    """
    _write_version(backend, name, version, output, {".onnx": backend.onnx_file, ".npz": backend.weights_file})


@command.command("import")
@click.argument("file")
@click.argument("name")
@click.option("--classes", default="", metavar="2,3", help="The labels of the outputs. [default all]")
@click.option("--publish", type=click.Choice(["best", "last"]), default="best", help="Which weights predict.")
@click.option("--dataset", default="mnist", metavar="NAME", help="What it is measured on. [default mnist]")
@with_backend
def import_(backend: Backend, *, file: str, name: str, classes: str, publish: str, dataset: str) -> None:
    """Make the next version of a model of an .npz file with the arrays best and last.

    \b
    Examples:
      inkling models import digits.npz my-digits
      inkling models import pair.npz my-pair --classes 2,3
    """
    made = backend.import_weights(name, read_file(file), classes=classes, publish=publish, dataset=dataset)
    accuracy = percent(made["metrics"]["published"]["validation_accuracy"])
    click.echo(f"{made['name']} {made['version']}: {made['model']} regression, accuracy {accuracy} on test images.")


def _write_version(
    backend: Backend, name: str, version: str | None, output: Path, makers: Mapping[str, Callable[[str, int], bytes]]
) -> None:
    """Write a file of a version, made by what its ending names."""
    if output.suffix not in makers:
        raise click.UsageError(f"The name of the file must end in {' or '.join(makers)}.")
    write_file(output, makers[output.suffix](name, backend.version(name, version)["version"]))
