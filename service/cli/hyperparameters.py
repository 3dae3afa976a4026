"""Options made from the core's table of hyperparameters, so that help, ranges and defaults cannot drift."""

import re
from collections.abc import Callable, Mapping, Sequence
from typing import Any, TypeVar

import click
from click.core import ParameterSource
from click.shell_completion import CompletionItem

from service.core import HYPERPARAMETERS, Hyperparameter
from service.errors import InvalidField

from .backend import Json
from .names import Noun, completion
from .root import option_help, option_name

_Function = TypeVar("_Function", bound=Callable[..., Any])

_ROWS = {row.name: row for row in HYPERPARAMETERS}
_NULL_WORDS = {"patience": "none", "train_size": "all"}
"""What a person writes for null, where it is not ``none``."""
_FORMATS = {"integer": ",d", "number": "g", "choice": "s"}
_RANGE = re.compile(r"(\d{1,9})\.\.(\d{1,9})")
_MAX_VALUES = 1_000


class HyperparameterType(click.ParamType[Any]):
    """One row of the table, as the type of an option's text."""

    def __init__(self, row: Hyperparameter) -> None:
        self.row = row
        self.name = {"integer": "integer", "number": "number", "classes": "digits"}.get(row.kind, "text")

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Any:
        """Parse and check a value by the rules of the row."""
        if self.row.nullable and value == _null_word(self.row):
            return None
        try:
            return self.row.check(self._parsed(value))
        except (ValueError, KeyError, InvalidField):
            self.fail(f"it must be {_allowed(self.row)}.", param, ctx)

    def get_metavar(self, param: click.Parameter, ctx: click.Context) -> str | None:
        """Show the choices themselves where there are some."""
        return f"[{'|'.join(self.row.choices)}]" if self.row.choices else None

    def shell_complete(self, ctx: click.Context, param: click.Parameter, incomplete: str) -> list[CompletionItem]:
        """Complete choices and the word for null."""
        words = [*self.row.choices, *([_null_word(self.row)] if self.row.nullable else [])]
        return [CompletionItem(word) for word in words if word.startswith(incomplete)]

    def _parsed(self, text: str) -> Any:
        match self.row.kind:
            case "integer":
                return int(text)
            case "number":
                return float(text)
            case "classes":
                return [int(label) for label in text.split(",")]
            case "layers":
                return [] if text == "none" else [int(size) for size in text.split("-")]
            case "boolean":
                return {"true": True, "false": False}[text]
            case _:
                return text


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
            self.fail(f"values must follow the name, as in {row.name}=...", param, ctx)
        kind = HyperparameterType(row)
        try:
            return row.name, [kind.convert(one, param, ctx) for one in _value_texts(row, text)]
        except click.BadParameter as error:
            self.fail(f"{row.name}: {error.message}", param, ctx)

    def shell_complete(self, ctx: click.Context, param: click.Parameter, incomplete: str) -> list[CompletionItem]:
        """Complete the name."""
        return [CompletionItem(f"{name}=") for name in _ROWS if name.startswith(incomplete)]


def hyperparameter_options(function: _Function) -> _Function:
    """Add one option for each row of the table."""
    for row in reversed(HYPERPARAMETERS):
        function = _option(row)(function)
    return function


def hyperparameter_option(name: str, *, help: str) -> Callable[[Any], Any]:
    """Return the option of one row of the table, with a help text of its own."""
    return click.option(option_name(name), name, type=HyperparameterType(_ROWS[name]), help=help)


GRID_OPTION = click.option(
    "--grid",
    type=GridType(),
    multiple=True,
    required=True,
    metavar="NAME=VALUE,...",
    help="A hyperparameter and its values, as in l2_penalty=0,0.1,1; whole numbers also as in seed=0..4, "
    "classes as in 2:3,4:9. Several of these options give all combinations, up to 1,000 members.",
)
DATASET_OPTION = click.option(
    "--dataset", metavar="NAME", shell_complete=completion(Noun.DATASET), help="The data set. [default mnist]"
)


def training_request(ctx: click.Context, options: Mapping[str, Any]) -> Json:
    """Return the model and the options that were given; the process that trains has the defaults of the others."""
    return {"model": options["model"], **given(ctx, options)}


def given(ctx: click.Context, values: Mapping[str, Any]) -> Json:
    """Return the options that were given, null included."""
    return {
        name: value for name, value in values.items() if ctx.get_parameter_source(name) is not ParameterSource.DEFAULT
    }


def sweep_request(ctx: click.Context, grid: Sequence[tuple[str, list[Any]]], options: Mapping[str, Any]) -> Json:
    """Return a grid and what its members share. A name given twice, or as an option too, is a `click.UsageError`."""
    values: dict[str, list[Any]] = {}
    for name, of_name in grid:
        if name in values:
            raise click.UsageError(f"--grid {name} was given twice; put all values into one.")
        if ctx.get_parameter_source(name) is not ParameterSource.DEFAULT:
            raise click.UsageError(f"{option_name(name)} and --grid {name} exclude each other.")
        values[name] = of_name
    base = {name: value for name, value in training_request(ctx, options).items() if name not in values}
    about: Json = {name: base.pop(name) for name in ("dataset", "name", "title", "tags", "notes") if name in base}
    return {"base": base, "grid": values, **about}


def value_text(name: str, value: Any) -> str:
    """Return a hyperparameter's value as the command line takes it, but for the commas between classes."""
    match value:
        case None:
            return _null_word(_ROWS[name])
        case bool():
            return "true" if value else "false"
        case list() | tuple():
            return ("-" if _ROWS[name].kind == "layers" else ":").join(map(str, value)) or "none"
        case float():
            return f"{value:g}"
        case _:
            return str(value)


def _null_word(row: Hyperparameter) -> str:
    return _NULL_WORDS.get(row.name, "default" if row.choices or row.name == "momentum" else "none")


def _allowed(row: Hyperparameter) -> str:
    """Return the legal values as the command line takes them."""
    if row.kind == "classes":
        return "2 to 10 different digits, as in 2,3; exactly 2 for logistic"
    if row.kind == "layers":
        return f"{row.allowed}, as in 256-128, or 'none'"
    return row.allowed.replace("or null", f"or {_null_word(row)!r}")


def _option(row: Hyperparameter) -> Callable[[Any], Any]:
    option, text = option_name(row.name), row.help.replace("; null: all", "").replace("null:", f"{_null_word(row)}:")
    for name in _ROWS:
        if "_" in name:
            text = text.replace(name, option_name(name))
    if row.kind == "boolean":
        negative = option.replace("--", "--no-")
        help_ = option_help(text, [option if row.default else negative])
        return click.option(f"{option}/{negative}", row.name, default=None, help=help_)
    facts = [_allowed(row).rpartition("number from ")[2]] if row.kind in ("integer", "number") else []
    if row.kind != "classes":
        default = _null_word(row) if row.default in (None, ()) else format(row.default, _FORMATS[row.kind])
        facts.append(f"default {default}")
    value = row.default if row.name == "model" else None
    return click.option(option, row.name, type=HyperparameterType(row), default=value, help=option_help(text, facts))


def _value_texts(row: Hyperparameter, text: str) -> list[str]:
    """Split at commas, and expand ranges of whole numbers."""
    texts: list[str] = []
    for one in text.split(","):
        found = _RANGE.fullmatch(one) if row.kind == "integer" else None
        if found is None:
            texts.append(one.replace(":", ",") if row.kind == "classes" else one)
            continue
        first, last = int(found[1]), int(found[2])
        if not 0 <= last - first < _MAX_VALUES:
            raise click.BadParameter(f"a range must be of 1 to {_MAX_VALUES:,} numbers.")
        texts += map(str, range(first, last + 1))
    return texts
