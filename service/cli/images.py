"""``inkling predict``, ``read`` and ``explain``."""

import mimetypes
from collections.abc import Callable, Iterator, Sequence
from functools import partial
from io import BytesIO
from pathlib import Path
from typing import Any, NamedTuple

import click
import numpy as np
from PIL import Image
from rich.bar import Bar
from rich.console import Console, Group, RenderableType
from rich.progress import track
from rich.table import Table
from rich.text import Text

from service.charts import steps_sheet
from service.errors import InvalidInput
from service.inference import DecodingLimits, ImageFile, RefusedFile, expand_files, predictions_csv

from .backend import Backend, Json, with_backend
from .names import Noun, completion
from .pictures import Pixels, grey_picture, large_digit, weight_picture
from .root import Failure, Number, WholeNumber
from .terminal import (
    STANDARD_OUTPUT,
    columns,
    ending_of,
    output_option,
    percent,
    print_and_draw,
    print_json,
    read_file,
    terminal,
    write_file,
)

_BAR_WIDTH = 24
_MAX_FILE_WIDTH = 32


class Source(NamedTuple):
    """The name by which a file or a member of an archive is shown, and its path, its content or why it has none."""

    name: str
    file: str | ImageFile | Exception

    def read(self) -> ImageFile:
        """Return the file; raise why it cannot be read."""
        if isinstance(self.file, Exception):
            raise self.file
        return _read_image(self.file) if isinstance(self.file, str) else self.file


def model_options(command: Callable[..., Any]) -> Callable[..., Any]:
    """Add ``--model``, ``--version`` and ``--alias``."""
    model = click.option(
        "--model",
        metavar="NAME",
        shell_complete=completion(Noun.MODEL),
        help="The model that predicts. [default: the default model, mnist-digits]",
    )
    version = click.option("--version", type=WholeNumber(1), metavar="NUMBER", help="The version of --model.")
    help_ = "The version by its alias. [default champion, or else the newest]"
    return model(version(click.option("--alias", metavar="ALIAS", help=help_)(command)))


def _threshold(option: str, help_text: str) -> Callable[..., Any]:
    return click.option(option, type=Number(0, 1), metavar="PROBABILITY", help=help_text)


@click.command()
@click.argument("files", nargs=-1, required=True, metavar="FILE...")
@model_options
@_threshold("--unsure-below", "A less probable digit is unsure. [default: as measured for the model]")
@_threshold("--digit-below", "What is less probably a digit at all is not called one. [default: as measured]")
@click.option("--show", "draw", is_flag=True, help="Draw the 28x28 pixels that the model gets.")
@output_option(
    "Write the picture after each step of preprocessing, as one PNG. Only for one image.", "--steps", "sheet"
)
@click.option("--csv", "as_csv", is_flag=True, help="Print CSV, a line for each image.")
@with_backend(
    "predict digit.png",
    "predict digit.png --show",
    "predict photograph.jpg --steps steps.png",
    "predict scans/*.jpg --csv > digits.csv",
    "predict digit.png --model mnist-softmax --version 1",
    "predict - --json < digit.png",
    as_json=True,
)
@click.pass_context
def predict(
    ctx: click.Context,
    backend: Backend,
    /,
    *,
    files: tuple[str, ...],
    draw: bool,
    sheet: Path | None,
    as_csv: bool,
    as_json: bool,
    **options: Any,
) -> None:
    """Predict which digit an image shows.

    FILE is a PNG, JPEG or WebP of any size and style, or - for standard input. It is preprocessed to be like the
    training images: light ink on black, 28x28 pixels, centred. Pixels that are such already come as
    .npy, or raw, 784 bytes an image. A .zip archive holds such files. One image gives a large digit, several a table.

    The exit code is 1 if a file could not be read.
    """
    if as_csv and as_json:
        raise click.UsageError("--csv and --json exclude each other.")
    if sheet is not None:
        ending_of(sheet, ".png")
    sources = list(image_sources(files))
    answer = _predict(backend, sources, options)
    predictions = answer["predictions"]
    predicted = {row["file"] for row in predictions if "error" not in row}
    read = [source for source in sources if source.name in predicted]
    if sheet is not None:
        if len(predictions) != 1 or not predictions[0]["preprocessing"]:
            raise Failure("--steps is for one image that is not blank.")
        steps = predictions[0]["preprocessing"]
        image = read[0].read()
        drawn_steps = [(name, _picture(backend, image, step)) for step, name in enumerate(steps)]
        write_file(sheet, steps_sheet(drawn_steps))
        if sheet == STANDARD_OUTPUT:
            return
    console = terminal()
    if as_json:
        print_json(answer)
    elif as_csv:
        click.echo(predictions_csv({"name": row["file"], **row} for row in predictions), nl=False)
    else:
        drawn = {source.name: _preprocessed(backend, source.read(), console) for source in (read if draw else ())}
        source = f"{answer['model']}, version {answer['version']}"
        if len(predictions) == 1:
            console.print(prediction_view(predictions[0], drawn.get(predictions[0]["file"]), source=source))
        else:
            for file, lines in drawn.items():
                console.print(Text(file, style="bold"), *lines, sep="\n")
            console.print(prediction_table(predictions))
            console.print(f"\n{source}", style="bold")
    if any("error" in prediction for prediction in predictions):
        ctx.exit(1)


@click.command()
@click.argument("file", metavar="FILE")
@click.option("--expect", type=WholeNumber(1, 300), metavar="NUMBER", help="How many digits there are, if known.")
@model_options
@output_option("Write the picture with what was read in it as PNG.")
@with_backend("read number.jpg", "read form.png --expect 5 -o read.png", "read - --json < number.png", as_json=True)
def read(backend: Backend, /, *, file: str, output: Path | None, as_json: bool, **options: Any) -> None:
    """Read every digit in a picture, line by line.

    FILE is a PNG, JPEG or WebP of any size, or - for standard input. Digits that touch are separated, lines of forms
    are left out, and decimal points and minus signs are recognised.
    """
    image = _read_image(file)
    answer, draw = partial(backend.read, image, **options), partial(backend.reading_picture, image, **options)
    print_and_draw(answer, _print_reading, draw, output=output, as_json=as_json)


@click.command()
@click.argument("file", metavar="FILE")
@click.option("--digit", type=int, metavar="DIGIT", help="The class to explain. [default: the predicted one]")
@click.option("--against", type=int, metavar="DIGIT", help="A second class: why the first and not this one?")
@model_options
@output_option("Write it as PNG.")
@with_backend(
    "explain digit.png", "explain digit.png --digit 3 --against 5", "explain digit.png -o why.png", as_json=True
)
def explain(backend: Backend, /, *, file: str, output: Path | None, as_json: bool, **question: Any) -> None:
    """Explain a prediction by the evidence of each pixel: red for the digit, blue against it.

    The evidence of all pixels and the bias sum to the logit. FILE is as for
    the command predict.
    """
    image = _read_image(file)
    answer, draw = partial(backend.explain, image, **question), partial(backend.explanation_picture, image, **question)
    print_and_draw(answer, _print_explanation, draw, output=output, as_json=as_json)


def prediction_view(prediction: Json, preprocessed: Sequence[Text] | None, *, source: str) -> RenderableType:
    """Draw one prediction of a ``source``, beside the 28x28 that the model got if they are given, drawn already."""
    grid = Table.grid(padding=(0, 3))
    colour = "bold green" if _is_sure(prediction) else "yellow"
    digit = Text("\n".join(large_digit(prediction["digit"])), style=colour, no_wrap=True)
    pictures = [Text("\n").join(preprocessed)] if preprocessed else []
    grid.add_row(*pictures, digit, _bars(prediction))
    below = [*_verdict(prediction), *_class_name(prediction), Text(source, style="bold")]
    if prediction["preprocessing"]:
        below.append(Text(f"Preprocessing: {', '.join(prediction['preprocessing'])}.", style="dim"))
    return Group(grid, Text(), *below, *_warnings(prediction))


def prediction_table(predictions: Sequence[Json]) -> Table:
    """Return predictions, one a line; a file that could not be read has its error instead."""
    table = columns("file", right=("digit", "probability", "next"))
    table.add_column("", overflow="fold", style="yellow")
    for prediction in predictions:
        file = prediction["file"]
        if len(file) > _MAX_FILE_WIDTH:
            file = f"…{file[1 - _MAX_FILE_WIDTH :]}"
        if "error" in prediction:
            table.add_row(file, "", "", "", Text(prediction["error"], style="red"))
            continue
        first, second = sorted(prediction["probabilities"].items(), key=lambda item: -item[1])[:2]
        colour = "bold green" if _is_sure(prediction) else "yellow"
        digit = Text(" ").join((Text(first[0], colour), *_class_name(prediction), *_verdict(prediction)))
        next_ = Text(f"{second[0]}: {percent(second[1])}", "dim")
        table.add_row(file, digit, percent(first[1]), next_, " ".join(prediction["warnings"]))
    return table


def _predict(backend: Backend, sources: Sequence[Source], options: Json) -> Json:
    """Predict one file after the other, so that one which is no image has an error of its own.

    The version that predicts the first predicts all, even if an alias moves meanwhile.
    """
    predictions: list[Json] = []
    answer: Json = {}
    console = Console(stderr=True)
    is_quiet = len(sources) == 1 or not console.is_terminal
    for source in track(sources, "Predicting", console=console, transient=True, disable=is_quiet):
        try:
            one = backend.predict(source.read(), **options)
        except (InvalidInput, Failure) as error:
            if len(sources) == 1:
                raise
            predictions.append({"file": source.name, "error": reason(error)})
            continue
        answer = {"model": one["model"], "version": one["version"]}
        options = {**options, **answer, "alias": None}
        predictions += [{"file": source.name, **prediction} for prediction in one["predictions"]]
    if not answer:
        raise Failure("None of the files could be read as an image.")
    return {**answer, "predictions": predictions}


def image_sources(files: Sequence[str]) -> Iterator[Source]:
    """Yield files, which are read one at a time, and instead of a zip archive its members."""
    for file in files:
        if file != "-" and Path(file).suffix.lower() != ".zip":
            yield Source(file, file)
            continue
        name = "standard input" if file == "-" else file
        try:
            image = _read_image(file)
            members = [*expand_files([image], DecodingLimits())] if image.is_archive else []
        except (InvalidInput, Failure) as error:
            yield Source(name, error)
            continue
        if not image.is_archive:
            yield Source(name, image)
        for member in members:
            yield Source(f"{name}/{member.name}", member.error if isinstance(member, RefusedFile) else member)


def reason(error: InvalidInput | Failure) -> str:
    """Return in a line why a source cannot be used."""
    return (error if isinstance(error, Failure) else Failure.of(error)).message


def _read_image(file: str) -> ImageFile:
    name = "standard input" if file == "-" else file
    return ImageFile(content=read_file(file), media_type=mimetypes.guess_type(name)[0], name=name)


def _picture(backend: Backend, image: ImageFile, step: int | None = None) -> Image.Image:
    return Image.open(BytesIO(backend.preprocess(image, step=step)))


def _preprocessed(backend: Backend, image: ImageFile, console: Console) -> list[Text]:
    return grey_picture(np.asarray(_picture(backend, image).convert("L")), console)


def _class_name(prediction: Json) -> list[Text]:
    """Return the name of the class, where it is more than the digit."""
    name = prediction["class_name"]
    return [] if name == str(prediction["digit"]) else [Text(name, "bold green")]


def _is_sure(prediction: Json) -> bool:
    """Whether a prediction is shown as sure; servers before verdicts gave warnings only."""
    return prediction.get("verdict") == "digit" or (prediction.get("verdict") is None and not prediction["warnings"])


def _verdict(prediction: Json) -> list[Text]:
    """Return in a few words why a prediction is not to be relied on, if it is not."""
    verdict = prediction.get("verdict") or "digit"
    likely = " or ".join(map(str, (prediction["digit"], *prediction.get("rivals", ()))))
    words = {"digit": "", "unsure": f"{likely}? Not sure."}.get(verdict, f"{verdict.replace('-', ' ').capitalize()}.")
    return [Text(words, "bold yellow")] if words else []


def _warnings(answer: Json) -> list[Text]:
    return [Text(f"Warning: {warning}", style="yellow") for warning in answer["warnings"]]


def _bars(prediction: Json) -> Table:
    grid = Table.grid(padding=(0, 1))
    grid.add_column(justify="right")
    grid.add_column(width=_BAR_WIDTH, no_wrap=True)
    grid.add_column(justify="right")
    for name, probability in prediction["probabilities"].items():
        colour = "green" if name == str(prediction["digit"]) else "cyan"
        # An eighth of a character is the least that is drawn; what is not nearly 0 is always visible.
        filled = max(probability, 1 / (8 * _BAR_WIDTH)) if probability >= 0.001 else 0.0
        bar = Bar(1.0, 0.0, filled, width=_BAR_WIDTH, color=colour)
        grid.add_row(Text(name, style=colour), bar, f"{percent(probability):>8}")
    return grid


def _print_explanation(found: Json, console: Console) -> None:
    evidence: Pixels = np.array(found["evidence"])
    pictures = Table.grid(padding=(0, 3))
    pictures.add_row(
        Text("\n").join(grey_picture(np.array(found["pixels"], np.uint8), console)),
        Text("\n").join(weight_picture(evidence, float(np.abs(evidence).max()), console)),
    )
    constant = "bias" if found["baseline"] == "zero" else "blank image"
    what = f"{found['digit']}" if found["against"] is None else f"{found['digit']} and not {found['against']}"
    lines = [
        Text.assemble((f"Why {what}? ", "bold"), f"{found['model']}, version {found['version']}"),
        Text(
            f"pixels for it {evidence[evidence > 0].sum():+.2f}, against it {evidence[evidence < 0].sum():+.2f}, "
            f"{constant} {found['bias']:+.2f}: together {found['logit']:.2f}"
        ),
    ]
    if flip := found["flip"]:
        which = "An image nearby" if flip["is_local"] else "The nearest image"
        nearest = f"{which} that is classified otherwise, as a {flip['digit']}, is {flip['distance']:.3g} away."
        lines.append(Text(nearest, "dim"))
    console.print(pictures, Text(), *lines, *_warnings(found), sep="\n")


def _print_reading(found: Json, console: Console) -> None:
    """Print the lines; of each, the digit that is least certain and why."""
    table = columns("text", "least certain")
    table.add_column("", overflow="fold", style="yellow")
    for line in found["lines"]:
        least = min(line["digits"], key=lambda digit: digit["probability"], default=None)
        certainty = f"{least['digit']}: {percent(least['probability'])}" if least else ""
        doubtful = [digit for digit in line["digits"] if not _is_sure(digit)]
        reasons = ((one["digit"], filter(None, (one.get("verdict"), *one["warnings"]))) for one in doubtful)
        doubts = dict.fromkeys(f"{digit}: {' '.join(why)}" for digit, why in reasons)
        table.add_row(Text(line["text"], "bold yellow" if doubts else "bold green"), certainty, " ".join(doubts))
    console.print(table, Text(), Text(f"{found['model']}, version {found['version']}", "bold"), sep="\n")
    console.print(*_warnings(found), sep="\n")
