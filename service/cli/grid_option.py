"""``--grid``: the hyperparameters in which the members of a sweep differ."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from typing import Any, TypeVar

import click
from click.core import ParameterSource
from click.shell_completion import CompletionItem

from service.core import HYPERPARAMETERS, Hyperparameter

from .hyperparameter_options import HyperparameterType

_Function = TypeVar("_Function", bound=Callable[..., Any])

_ROWS = {row.name: row for row in HYPERPARAMETERS}
_RANGE = re.compile(r"(\d{1,9})\.\.(\d{1,9})")
_MAX_VALUES = 1_000


class GridType(click.ParamType[tuple[str, list[Any]]]):
    """A hyperparameter and its values, as in ``l2_penalty=0,0.01`` or ``seed=0..9``."""

    name = "name=value,..."

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> tuple[str, list[Any]]:
        """Parse and check every value by the rules of its hyperparameter."""
        name, _, text = value.partition("=")
        row = _ROWS.get(name.replace("-", "_"))
        if row is None:
            self.fail(f"{name!r} is none of {', '.join(_ROWS)}.", param, ctx)
        if not text:
            self.fail(f"it must name values too, as in {row.name}=...", param, ctx)
        kind = HyperparameterType(row)
        try:
            return row.name, [kind.convert(one, param, ctx) for one in _texts(row, text)]
        except click.BadParameter as error:
            self.fail(f"{row.name}: {error.message}", param, ctx)

    def shell_complete(self, ctx: click.Context, param: click.Parameter, incomplete: str) -> list[CompletionItem]:
        """Complete the name."""
        return [CompletionItem(f"{name}=") for name in _ROWS if name.startswith(incomplete)]


def grid_option(function: _Function) -> _Function:
    """Add ``--grid``."""
    option = click.option(
        "--grid",
        type=GridType(),
        multiple=True,
        required=True,
        metavar="NAME=VALUE,...",
        help="A hyperparameter and the values that it takes in turn, as in l2_penalty=0,0.1,1; whole numbers also as "
        "in seed=0..4, classes as in 2:3,4:9. Give it several times for all combinations, up to 1,000 members.",
    )
    return option(function)


def given_grid(ctx: click.Context, grid: Sequence[tuple[str, list[Any]]]) -> Mapping[str, list[Any]]:
    """Return the values by name.

    Raises
    ------
    click.UsageError
        One of the names was given twice, or also as an option of its own.
    """
    values: dict[str, list[Any]] = {}
    for name, of_name in grid:
        if name in values:
            raise click.UsageError(f"--grid {name} was given twice; put all values into one.")
        if ctx.get_parameter_source(name) is not ParameterSource.DEFAULT:
            raise click.UsageError(f"--{name.replace('_', '-')} and --grid {name} exclude each other.")
        values[name] = of_name
    return values


def _texts(row: Hyperparameter, text: str) -> list[str]:
    """Split at commas; what is a range of whole numbers is counted out."""
    texts: list[str] = []
    for one in text.split(","):
        counted = _RANGE.fullmatch(one) if row.kind == "integer" else None
        if counted is None:
            texts.append(one.replace(":", ",") if row.kind == "classes" else one)
            continue
        first, last = int(counted[1]), int(counted[2])
        if not 0 <= last - first < _MAX_VALUES:
            raise click.BadParameter(f"a range must be of 1 to {_MAX_VALUES:,} numbers.")
        texts += map(str, range(first, last + 1))
    return texts
