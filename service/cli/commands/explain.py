"""``inkling explain``."""

from __future__ import annotations

from pathlib import Path

import click
import numpy as np
from rich.console import Group
from rich.table import Table
from rich.text import Text

from service.cli.backend import Backend, Json, ModelReference
from service.cli.commands.predict import read_image
from service.cli.connection import with_backend
from service.cli.files import output_option, write_file
from service.cli.pixels import Pixels, grey_picture, weight_picture
from service.cli.terminal import AS_JSON, print_json, terminal


@click.command()
@click.argument("file", metavar="FILE")
@click.option("--digit", type=int, metavar="DIGIT", help="The class to explain. [default: what the model says]")
@click.option("--against", type=int, metavar="DIGIT", help="A second class: why the first and not this one?")
@click.option("--model", "name", metavar="NAME", help="Which model to ask. [default: the default model, mnist-softmax]")
@click.option("--version", type=click.IntRange(1), metavar="NUMBER", help="Which version of --model.")
@output_option("Write it as PNG.")
@AS_JSON
@with_backend
def command(
    backend: Backend,
    /,
    *,
    file: str,
    digit: int | None,
    against: int | None,
    name: str | None,
    version: int | None,
    output: Path | None,
    as_json: bool,
) -> None:
    """Show what each pixel of an image says for a digit: red for it, blue against it.

    The shares of all pixels and the bias add up to the logit. FILE is as for
    the command predict.

    \b
    Examples:
      inkling explain digit.png
      inkling explain digit.png --digit 3 --against 5
      inkling explain digit.png -o why.png
    """
    if version is not None and name is None:
        raise click.UsageError("--version needs --model.")
    image, model = read_image(file), ModelReference(name=name, version=version)
    found = backend.explain(image, model, digit=digit, against=against)
    if as_json:
        print_json(found)
    else:
        terminal().print(_view(found))
    if output is not None:
        write_file(output, backend.explanation_picture(image, model, digit=digit, against=against))


def _view(found: Json) -> Group:
    console, evidence = terminal(), np.array(found["evidence"])
    seen = grey_picture(np.array(found["pixels"], np.uint8), console)
    why = weight_picture(evidence, float(np.abs(evidence).max()), console)
    pictures = Table.grid(padding=(0, 3))
    pictures.add_row(Text("\n").join(seen), Text("\n").join(why))
    return Group(pictures, Text(), *_lines(found, evidence))


def _lines(found: Json, evidence: Pixels) -> list[Text]:
    what = f"{found['digit']}" if found["against"] is None else f"{found['digit']} and not {found['against']}"
    for_it, against_it = evidence[evidence > 0].sum(), evidence[evidence < 0].sum()
    lines = [
        Text.assemble((f"Why {what}? ", "bold"), f"{found['model']}, version {found['version']}"),
        Text(
            f"pixels for it {for_it:+.2f}, against it {against_it:+.2f}, bias {found['bias']:+.2f}: "
            f"together {found['logit']:.2f}"
        ),
    ]
    if flip := found["flip"]:
        lines.append(
            Text(
                f"The nearest image that is read otherwise, as a {flip['digit']}, is {flip['distance']:.3g} away.",
                "dim",
            )
        )
    return [*lines, *(Text(f"Warning: {warning}", "yellow") for warning in found["warnings"])]
