"""Files that commands read and write."""

from __future__ import annotations

import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import click

from .backend import PictureFormat
from .failure import Failure


def output_option(help_text: str, *, required: bool = False) -> Callable[..., Any]:
    """Return the option that names the file to be written."""
    path = click.Path(dir_okay=False, path_type=Path)
    return click.option("-o", "--output", metavar="FILE", type=path, required=required, help=help_text)


PICTURE_OUTPUT = output_option(
    "Where to write it; what ends in .svg becomes SVG (not for weights). [default: the picture's name with .png]"
)


def picture_file(output: Path | None, picture: str) -> tuple[Path, PictureFormat]:
    """Return where a picture is written, and as what: its name with ``.png`` if nowhere was said.

    Raises
    ------
    click.UsageError
        Weights were asked for as SVG.
    """
    output = output or Path(f"{picture}.png")
    if output.suffix != ".svg":
        return output, "png"
    if picture == "weights":
        raise click.UsageError("The picture of the weights is made of pixels: there is no SVG of it.")
    return output, "svg"


def write_file(path: Path, data: bytes) -> None:
    """Write a file and say so.

    Raises
    ------
    Failure
        The system refused.
    """
    try:
        path.write_bytes(data)
    except OSError as error:
        raise Failure(f"{path} cannot be written: {error.strerror}.") from error
    click.echo(f"Wrote {path} ({len(data):,} bytes).")


def read_file(file: str) -> bytes:
    """Read a file, ``-`` for standard input, or fail in one line."""
    if file == "-":
        return sys.stdin.buffer.read()
    try:
        return Path(file).read_bytes()
    except OSError as error:
        raise Failure(f"{file} cannot be read: {error.strerror}.") from error
