"""How well versions do, to look at: one alone, or several against the first."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from rich.console import RenderableType
from rich.table import Table
from rich.text import Text

from .backend import Json
from .quantities import percent
from .terminal import columns

_N_CONFUSIONS = 5


def evaluation_view(found: Json) -> Iterator[RenderableType]:
    """Yield a sentence, a table of the classes, and what is confused most often."""
    yield Text.assemble(
        (f"{found['model']}, version {found['version']}", "bold"),
        f": {percent(found['accuracy'])} of {found['n_images']:,} test images of {found['dataset']} right, "
        f"loss {found['loss']:.4f}\n",
    )
    table = columns(right=("class", "images", "precision", "recall", "F1"))
    for row in found["per_class"]:
        shares = ("" if row[name] is None else percent(row[name]) for name in ("precision", "recall", "f1"))
        table.add_row(str(row["class"]), f"{row['n_images']:,}", *shares)
    yield table
    yield Text()
    for count, true, taken_for in _confusions(found["classes"], found["confusion"])[:_N_CONFUSIONS]:
        yield Text(f"{count:,} times a {true} is taken for a {taken_for}", "dim")
    yield Text(f"Its certainty is off by {percent(found['calibration']['expected_error'])} on average.", "dim")


def comparison_view(found: Json) -> Iterator[RenderableType]:
    """Yield a table of the versions, and a sentence for each but the first."""
    table = Table.grid(padding=(0, 2))
    for row in found["models"]:
        name = f"{row['model']}/{row['version']}"
        table.add_row(Text(name, "bold"), percent(row["accuracy"]), f"loss {row['loss']:.4f}")
    yield table
    yield Text()
    for row in found["comparisons"]:
        low, high = row["accuracy_interval"]
        yield Text(row["sentence"])
        yield Text(
            f"  accuracy {row['accuracy_difference']:+.2%}, 95 % interval {low:+.2%} to {high:+.2%}; "
            f"p = {row['p_value']:.3g}",
            "dim",
        )


def _confusions(classes: Sequence[int], confusion: Sequence[Sequence[int]]) -> list[tuple[int, int, int]]:
    wrong = [
        (count, true, taken_for)
        for true, row in zip(classes, confusion, strict=True)
        for taken_for, count in zip(classes, row, strict=True)
        if count and true != taken_for
    ]
    return sorted(wrong, reverse=True)
