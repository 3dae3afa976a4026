"""Files that commands write."""

from __future__ import annotations

from pathlib import Path

import click

from .failure import Failure


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
