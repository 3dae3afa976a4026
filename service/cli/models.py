"""``inkling models``."""

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import click
from rich.console import Console
from rich.table import Table
from rich.text import Text

from service.core import StopReason
from service.errors import ServiceError
from service.inference import INPUT_SCALINGS, LAYER_ACTIVATIONS, printed_p

from .annotations import annotates, print_about
from .backend import Backend, Json, with_backend
from .hyperparameters import hyperparameter_option
from .job_view import check_text
from .names import Noun, argument, split_reference
from .noun_commands import add_list, deletes, in_rows
from .pictures import published_tiles, weights_view
from .root import WholeNumber, examples
from .terminal import (
    age_text,
    columns,
    confirm,
    facts,
    output_option,
    percent,
    print_result,
    read_file,
    time_text,
    write_as,
)

_NAME = Noun.MODEL.argument
_VERSION = click.argument("version", required=False, metavar="[VERSION|ALIAS]")
_N_CONFUSIONS = 5
_CHAMPION = "champion"


@click.group()
@examples("models list", "models show mnist-softmax", "models promote mnist-softmax 2")
def models() -> None:
    """List models, look at their weights, move aliases.

    A model is a name with numbered versions, which never change. An alias is a movable name for one of them;
    the version that `champion` names predicts when none is given. NAME/3 and NAME@champion name a version too.
    """


@models.command()
@_NAME
@_VERSION
@click.option("--no-picture", is_flag=True, help="Do not draw the weights.")
@with_backend(
    "models show mnist-softmax",
    "models show mnist-softmax 1 --json",
    "models show mnist-softmax champion",
    as_json=True,
)
def show(backend: Backend, *, name: str, version: str | None, no_picture: bool, as_json: bool) -> None:
    """Show a version: how it was trained, how well it does, and its weights as a picture."""

    def draw(manifest: Json, console: Console) -> None:
        _print_version(manifest, console)
        if not no_picture:
            tiles, labels = published_tiles(manifest, _file(backend, manifest, "weights.npz"))
            console.print("", *weights_view(tiles, labels, console), sep="\n", soft_wrap=True)

    print_result(backend.version(name, version), draw, as_json=as_json)


@models.command()
@_NAME
@_VERSION
@annotates
@with_backend('models annotate my-digits/3 --title "Distorted" --tag handed-in', creates=True)
def annotate(backend: Backend, *, name: str, version: str | None, changes: Json) -> None:
    """Change the title, all the tags or the notes of a version; what is not given stays."""
    number = backend.version(name, version)["version"]
    backend.annotate("versions", f"{name}/{number}", changes)
    click.echo(f"Version {number} of {name} is annotated.")


@models.command()
@_NAME
@_VERSION
@with_backend("models evaluate mnist-softmax", as_json=True)
def evaluate(backend: Backend, *, name: str, version: str | None, as_json: bool) -> None:
    """Evaluate a version on the test images: each class, its most frequent mistakes, its calibration."""
    found = backend.evaluation(name, backend.version(name, version)["version"])
    print_result(found, _print_evaluation, as_json=as_json)


@models.command()
@argument("versions", Noun.MODEL, nargs=-1, required=True, metavar="NAME[/VERSION|@ALIAS]...")
@with_backend("models compare mnist-softmax/1 mnist-softmax/2", as_json=True)
def compare(backend: Backend, *, versions: tuple[str, ...], as_json: bool) -> None:
    """Compare versions with the first one on the same test images: is the difference more than chance?"""
    if len(versions) < 2:
        raise click.UsageError("Name two or more.")
    found = [backend.version(*split_reference(text)) for text in versions]
    compared = backend.comparison([f"{version['name']}/{version['version']}" for version in found])
    print_result(compared, _print_comparison, as_json=as_json)


@models.command()
@_NAME
@click.argument("version", type=WholeNumber(1), required=False)
@click.option("--alias", "moved", default=_CHAMPION, metavar="ALIAS", help="The alias to move. [default champion]")
@click.option("--reason", metavar="TEXT", help="Why, for the alias's history.")
@click.option("--yes", is_flag=True, help="Do not ask, even if it is worse than the champion.")
@with_backend(
    "models promote mnist-softmax 2",
    'models promote mnist-softmax 1 --alias baseline --reason "the first"',
    creates=True,
)
def promote(backend: Backend, *, name: str, version: int | None, moved: str, reason: str | None, yes: bool) -> None:
    """Move an alias to a version.

    A version that is worse on the test images than the champion becomes it only after a question, or with --yes.
    """
    if not isinstance(version, int):  # none, or the alias of NAME@alias
        raise click.UsageError("Name a version: NAME VERSION, or NAME/VERSION.")
    if moved == _CHAMPION and not yes:
        _confirm_worse(backend, name, version)
    move = backend.move_alias(name, moved, version, reason=reason)
    click.echo(f"{move['model']}: {move['alias']} is version {move['version']} now.")


def _confirm_worse(backend: Backend, name: str, version: int) -> None:
    """Ask whether a version is to be the champion although it is worse, with the difference; refuse off a terminal."""
    champion = (backend.one("models", name)["aliases"] or {}).get(_CHAMPION)
    if champion in (None, version):
        return
    try:
        (found,) = backend.comparison([f"{name}/{champion}", f"{name}/{version}"])["comparisons"]
    except ServiceError:  # they have different classes, or there is no such version, which moving the alias reports
        return
    if found["accuracy_difference"] >= 0:
        return
    question = f"{found['sentence']}\nPromote version {version}, although it is worse?"
    confirm(question, otherwise=f"{found['sentence']} Promote it all the same with --yes.")


@models.command()
@_NAME
@with_backend("models aliases mnist-softmax", as_json=True)
def aliases(backend: Backend, *, name: str, as_json: bool) -> None:
    """Show the aliases of a model, with every move of each."""
    names = sorted(backend.one("models", name)["aliases"] or {})
    histories = {alias: backend.alias_history(name, alias) for alias in names}
    print_result(histories, _print_aliases, as_json=as_json)
    if not (histories or as_json):
        click.echo(f"{name} has no aliases; its newest version predicts.")


@models.command()
@_NAME
@_VERSION
@output_option(
    "A name that ends in .png gives a picture, one in .npz the numbers (arrays best and last).", required=True
)
@with_backend("models weights mnist-softmax -o weights.png", "models weights mnist-softmax 1 -o weights.npz")
def weights(backend: Backend, *, name: str, version: str | None, output: Path) -> None:
    """Write a version's weights to a file: as a picture, or as the numbers."""
    _write_weights(backend, name, version, output, ".png", ".npz")


@models.command()
@_NAME
@_VERSION
@output_option("A name that ends in .onnx is for ONNX runtimes, one in .npz for NumPy and `import`.", required=True)
@with_backend("models export mnist-softmax -o digits.onnx", "models export mnist-softmax 1 -o digits.npz")
def export(backend: Backend, *, name: str, version: str | None, output: Path) -> None:
    """Write a version to a file for other programs.

    An ONNX file goes from images, bytes of shape (n, 28, 28), to probabilities and digits; it needs the package
    onnx where it is made.
    """
    _write_weights(backend, name, version, output, ".onnx", ".npz")


@models.command()
@argument("name", Noun.MODEL, metavar="NAME[/VERSION]")
@deletes
@with_backend("models delete my-digits/3", "models delete my-digits --yes")
def delete(backend: Backend, *, name: str) -> None:
    """Delete a version that no alias and no unfinished job needs, or all of a model with its aliases.

    The number of a deleted version is never used again.
    """
    _, slash, version = name.partition("/")
    if slash and not version.isdecimal():
        raise click.UsageError("Name a model, or a version as NAME/NUMBER.")
    backend.delete("versions" if slash else "models", name)
    click.echo(f"{name} is deleted.")


@models.command("import")
@click.argument("file")
@click.argument("name")
@hyperparameter_option("classes", help="The labels of the outputs, as in 2,3. [default all]")
@click.option("--publish", type=click.Choice(["best", "last"]), default="best", help="Which weights predict.")
@click.option(
    "--dataset",
    metavar="NAME",
    help="The data set to evaluate and calibrate it on. [default mnist, or the only one of as many classes]",
)
@click.option(
    "--calibrate/--no-calibrate", default=True, help="Fit the temperature, or keep the probabilities of the file."
)
@click.option("--activation", type=click.Choice(LAYER_ACTIVATIONS), help="Of hidden layers, if the file does not say.")
@click.option(
    "--input-scaling",
    type=click.Choice(INPUT_SCALINGS),
    help="What the first layer takes, if the file does not say: unit is pixel / 255, bytes the pixel itself.",
)
@with_backend(
    "models import digits.npz my-digits",
    "models import pair.npz my-pair --classes 2,3",
    "models import layers.npz net --activation relu --input-scaling unit",
    "models import net.onnx net --input-scaling unit",
    creates=True,
)
def import_(backend: Backend, *, file: str, name: str, classes: Any, **options: Any) -> None:
    """Make the next version of a model from a file of dense layers.

    FILE is an .npz file with the arrays best and last, as export writes it (of a network best_W1, last_W1 and so on),
    or W1, b1, W2, b2 and so on; or an ONNX file, which needs the package onnx where it is read.
    """
    made = backend.import_weights(name, read_file(file), classes=classes or (), **options)
    accuracy = percent(made["metrics"]["published"]["validation_accuracy"])
    kind = "network" if made["config"].get("hidden_layers") else "regression"
    click.echo(
        f"{made['name']} {made['version']}: {made['model']} {kind}, accuracy {accuracy} on test images of "
        f"{made['dataset']['name']}; {_certainty_text(made['certainty'])}."
    )


def _write_weights(backend: Backend, name: str, version: str | None, output: Path, *endings: str) -> None:
    """Write the weights of a version to a file; the ending of its name says how."""
    write_as(output, endings, lambda ending: _file(backend, backend.version(name, version), f"weights{ending}"))


def _file(backend: Backend, manifest: Json, file: str) -> bytes:
    return backend.file("versions", f"{manifest['name']}/{manifest['version']}", file)


def _row(model: Json) -> dict[str, str | Text]:
    """Return what a list shows of a model: facts of the version that predicts."""
    default, numbers = model["default"], model["versions"]
    versions = str(numbers[0]) if len(numbers) == 1 else f"{numbers[0]} to {numbers[-1]}"
    row: dict[str, str | Text] = {"name": model["name"], "versions": versions}
    if default is None or default["state"] != "ready":
        return {**row, "default": Text("damaged", "red"), "age": ""}
    names = [alias for alias, version in (model["aliases"] or {}).items() if version == default["version"]]
    return {
        **row,
        "default": f"{default['version']} ({', '.join(names)})" if names else str(default["version"]),
        "kind": default["model"],
        "classes": _classes(default["classes"]),
        "accuracy": percent(default["metrics"]["validation_accuracy"]),
        "age": age_text(default["created_at"]),
    }


add_list(
    models, Noun.MODEL, in_rows(_row, "accuracy"), maker="train", order="or those of which a version is looked for"
)


def _print_aliases(histories: Json, console: Console) -> None:
    for alias, moves in histories.items():
        console.print(Text.assemble((alias, "bold"), f" is version {moves[-1]['version']}"))
        for move in moves:
            target = "deleted" if move["version"] is None else f"version {move['version']}"
            time, reason = (f"  {time_text(move['at'])}", "dim"), (move["reason"] or "", "dim")
            console.print(Text.assemble(time, f"  {target}  ", reason))


def _classes(labels: Sequence[int]) -> str:
    is_range = len(labels) > 2 and labels == list(range(labels[0], labels[-1] + 1))
    return f"{labels[0]} to {labels[-1]}" if is_range else " ".join(map(str, labels))


def _certainty_text(certainty: Json | None) -> str:
    if certainty is None:
        return "its probabilities are not calibrated"
    n_images, part = certainty["n_images"], certainty["part"]
    where = f" on {n_images:,} {part} images" if n_images else ""
    return f"calibrated{where}, temperature {certainty['temperature']:g}, unsure below {certainty['unsure_below']:g}"


def _print_version(manifest: Json, console: Console) -> None:
    """Print how a version was trained, on what, and how well it does."""
    missing = ", which is not here" if manifest["job_id"] and manifest.get("job_exists") is False else ""
    aliases = f" ({', '.join(manifest['aliases'])})" if manifest["aliases"] else ""
    console.print(Text.assemble((manifest["name"], "bold"), f", version {manifest['version']}{aliases}"))
    print_about(manifest, console)
    console.print(
        facts(
            {
                "kind": f"{manifest['model']} regression over {', '.join(manifest['class_names'])}, "
                f"{manifest['dtype']}",
                "published": f"the {manifest['published']} weights: {check_text(manifest['metrics']['published'])}",
                "trained": f"{time_text(manifest['created_at'])}. {StopReason(manifest['stop_reason']).sentence}",
                "with": ", ".join(f"{name} {json.dumps(value)}" for name, value in manifest["config"].items()),
                "certainty": _certainty_text(manifest["certainty"]),
                "data": f"{manifest['dataset']['name']}, SHA-256 {manifest['dataset']['sha256'][:16]}…",
                "made by": ", ".join(f"{name} {value}" for name, value in manifest["environment"].items()),
                "job": f"{manifest['job_id'] or 'none'}{missing}",
                "weights": f"SHA-256 {manifest['weights_sha256'][:16]}…, {manifest['size_bytes']:,} bytes",
            }
        )
    )


def _print_evaluation(found: Json, console: Console) -> None:
    """Print a sentence, a table of the classes, and the most frequent mistakes."""
    console.print(
        Text.assemble(
            (f"{found['model']}, version {found['version']}", "bold"),
            f": {percent(found['accuracy'])} of {found['n_images']:,} test images of {found['dataset']} right, "
            f"loss {found['loss']:.4f}\n",
        )
    )
    table = columns(right=("class", "images", "precision", "recall", "F1"))
    for row in found["per_class"]:
        shares = ("" if row[name] is None else percent(row[name]) for name in ("precision", "recall", "f1"))
        table.add_row(str(row["class"]), f"{row['n_images']:,}", *shares)
    console.print(table)
    console.print()
    mistakes = [
        (count, true, predicted)
        for true, row in zip(found["classes"], found["confusion"], strict=True)
        for predicted, count in zip(found["classes"], row, strict=True)
        if count and true != predicted
    ]
    for count, true, predicted in sorted(mistakes, reverse=True)[:_N_CONFUSIONS]:
        console.print(f"{count:,} times a {true} is classified as a {predicted}", style="dim")
    error = percent(found["calibration"]["expected_error"])
    console.print(f"The expected calibration error is {error}.", style="dim")


def _print_comparison(found: Json, console: Console) -> None:
    """Print a table of the versions, and a sentence for each but the first."""
    table = Table.grid(padding=(0, 2))
    for row in found["models"]:
        name = f"{row['model']}/{row['version']}"
        table.add_row(Text(name, "bold"), percent(row["accuracy"]), f"loss {row['loss']:.4f}")
    console.print(table)
    console.print()
    for row in found["comparisons"]:
        low, high = row["accuracy_interval"]
        console.print(row["sentence"], soft_wrap=True)
        console.print(
            f"  accuracy {row['accuracy_difference']:+.2%}, 95 % interval {low:+.2%} to {high:+.2%}; "
            f"{printed_p(row['p_value'])}",
            style="dim",
            soft_wrap=True,
        )
