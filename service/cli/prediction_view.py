"""An answer to look at: the digit, how sure the model is of it and of each other one, and what it saw."""

from __future__ import annotations

from collections.abc import Sequence

from rich.console import Group, RenderableType
from rich.table import Table
from rich.text import Text

from .backend import Json
from .glyphs import glyph
from .quantities import percent
from .terminal import columns

_EIGHTHS = " ▏▎▍▌▋▊▉█"
_BAR_WIDTH = 24
_MAX_FILE_WIDTH = 32


def prediction_view(prediction: Json, seen: Sequence[Text] | None, *, speaker: str) -> RenderableType:
    """Draw one prediction.

    Parameters
    ----------
    seen : the 28x28 that the model saw, drawn, if that is wanted.
    speaker : which model and version gave the answer.
    """
    grid = Table.grid(padding=(0, 3))
    large = Text("\n".join(glyph(prediction["digit"])), style="bold green", no_wrap=True)
    pictures = [Text("\n").join(seen)] if seen else []
    grid.add_row(*pictures, large, _bars(prediction))
    below = [*_named(prediction), Text(f"{speaker}", style="bold")]
    if prediction["preprocessing"]:
        below.append(Text(f"Preprocessing: {', '.join(prediction['preprocessing'])}.", style="dim"))
    below += [Text(f"Warning: {warning}", style="yellow") for warning in prediction["warnings"]]
    return Group(grid, Text(), *below)


def prediction_table(predictions: Sequence[Json]) -> Table:
    """Draw many predictions, one a line; a file that could not be read has its error instead."""
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
        warnings = " ".join(prediction["warnings"])
        digit, next_ = (
            Text(" ").join((Text(first[0], "bold green"), *_named(prediction))),
            Text(f"{second[0]}: {percent(second[1])}", "dim"),
        )
        table.add_row(file, digit, percent(first[1]), next_, warnings)
    return table


def _named(prediction: Json) -> list[Text]:
    """Return the name of the class, where it is more than the digit."""
    name = prediction["class_name"]
    return [] if name == str(prediction["digit"]) else [Text(name, "bold green")]


def _bars(prediction: Json) -> Table:
    grid = Table.grid(padding=(0, 1))
    grid.add_column(justify="right")
    grid.add_column(width=_BAR_WIDTH, no_wrap=True)
    grid.add_column(justify="right")
    for name, probability in prediction["probabilities"].items():
        style = "bold green" if name == str(prediction["digit"]) else "cyan"
        grid.add_row(Text(name, style=style), Text(_bar(probability), style=style), f"{percent(probability):>8}")
    return grid


def _bar(fraction: float) -> str:
    """Return a bar to an eighth of a character; what is not nothing shows."""
    eighths = max(round(fraction * 8 * _BAR_WIDTH), 1 if fraction >= 0.001 else 0)
    whole, rest = divmod(eighths, 8)
    return "█" * whole + (_EIGHTHS[rest] if rest else "")
