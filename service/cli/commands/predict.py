"""``inkling predict``."""

from __future__ import annotations

from io import BytesIO

import click
import numpy as np
from PIL import Image
from rich.console import Console
from rich.text import Text

from service.cli.backend import Backend, ImageFile, Json, ModelReference
from service.cli.connection import with_backend
from service.cli.failure import Failure
from service.cli.files import read_file
from service.cli.pixels import grey_picture
from service.cli.prediction_view import prediction_table, prediction_view
from service.cli.terminal import AS_JSON, print_json, terminal
from service.errors import InvalidInput


@click.command()
@click.argument("files", nargs=-1, required=True, metavar="FILE...")
@click.option("--model", "name", metavar="NAME", help="Which model to ask. [default: the default model, mnist-softmax]")
@click.option("--version", type=click.IntRange(1), metavar="NUMBER", help="Which version of --model.")
@click.option("--alias", metavar="ALIAS", help="Which version, by its alias. [default champion, or else the newest]")
@click.option("--show", "draw", is_flag=True, help="Draw the 28x28 pixels that the model saw.")
@AS_JSON
@with_backend
@click.pass_context
def command(
    ctx: click.Context,
    backend: Backend,
    /,
    *,
    files: tuple[str, ...],
    name: str | None,
    version: int | None,
    alias: str | None,
    draw: bool,
    as_json: bool,
) -> None:
    """Ask a model which digit an image shows.

    FILE is a PNG, JPEG or WebP of any size and style, or - for standard input. It is made like the images that
    the model has learned from: light ink on black, 28x28 pixels, centred. Pixels that are such already come as
    .npy, or raw, 784 bytes an image. One image gets a large answer, several a table.

    \b
    Examples:
      inkling predict digit.png
      inkling predict digit.png --show
      inkling predict scans/*.jpg
      inkling predict digit.png --model mnist-softmax --version 1
      inkling predict - --json < digit.png

    The exit code is 1 if a file could not be read.
    """
    if version is not None and (name is None or alias is not None):
        raise click.UsageError("--version needs --model, and excludes --alias.")
    images = [read_image(file) for file in files]
    answer = _ask(backend, images, ModelReference(name=name, version=version, alias=alias))
    predictions = answer["predictions"]
    console = terminal()
    if as_json:
        print_json(answer)
    else:
        seen = {image.name: _seen(backend, image, console) for image in images} if draw else {}
        speaker = f"{answer['model']}, version {answer['version']}"
        if len(predictions) == 1:
            console.print(prediction_view(predictions[0], seen.get(images[0].name), speaker=speaker))
        else:
            for file, lines in seen.items():
                console.print(Text(file, style="bold"), *lines, sep="\n")
            console.print(prediction_table(predictions))
            console.print(f"\n{speaker}", style="bold")
    if any("error" in prediction for prediction in predictions):
        ctx.exit(1)


def _ask(backend: Backend, images: list[ImageFile], model: ModelReference) -> Json:
    """Ask for one file after the other, so that one which is no image spoils only its own answer.

    Whichever version answers first answers for all, even if an alias moves meanwhile.
    """
    predictions: list[Json] = []
    speaker: Json = {}
    for image in images:
        try:
            one = backend.predict(image, model)
        except InvalidInput as error:
            if len(images) == 1:
                raise
            predictions.append({"file": image.name, "error": Failure.of(error).format_message()})
            continue
        model = ModelReference(name=one["model"], version=one["version"])
        speaker = {"model": one["model"], "version": one["version"]}
        predictions += [{"file": image.name, **prediction} for prediction in one["predictions"]]
    if not speaker:
        raise Failure("None of the files could be read as an image.")
    return {**speaker, "predictions": predictions}


def read_image(file: str) -> ImageFile:
    """Read a file, or standard input for ``-``; raise `Failure`."""
    return ImageFile(name="standard input" if file == "-" else file, data=read_file(file))


def _seen(backend: Backend, image: ImageFile, console: Console) -> list[Text]:
    with Image.open(BytesIO(backend.preprocess(image))) as picture:
        return grey_picture(np.asarray(picture.convert("L")), console)
