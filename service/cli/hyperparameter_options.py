"""Options made from the core's table of hyperparameters, so that help, ranges and defaults cannot drift."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, TypeVar

import click
from click.core import ParameterSource
from click.shell_completion import CompletionItem

from service.core import HYPERPARAMETERS, Hyperparameter
from service.errors import InvalidField

_Function = TypeVar("_Function", bound=Callable[..., Any])

_NULL_WORDS = {"patience": "none", "train_size": "all"}
"""What a person writes for null, where it is not ``none``."""


class HyperparameterType(click.ParamType[Any]):
    """One row of the table, as the type of an option's text."""

    def __init__(self, row: Hyperparameter) -> None:
        self.row = row
        self.name = {"integer": "integer", "number": "number", "classes": "digits"}.get(row.kind, "text")

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Any:
        """Parse and check a value by the rules of the row."""
        if self.row.nullable and value == null_word(self.row):
            return None
        try:
            return self.row.check(self._parsed(value))
        except (ValueError, KeyError, InvalidField):
            self.fail(f"it must be {allowed(self.row)}.", param, ctx)

    def get_metavar(self, param: click.Parameter, ctx: click.Context) -> str | None:
        """Show the choices themselves where there are some."""
        return f"[{'|'.join(self.row.choices)}]" if self.row.choices else None

    def shell_complete(self, ctx: click.Context, param: click.Parameter, incomplete: str) -> list[CompletionItem]:
        """Complete choices and the word for null."""
        words = [*self.row.choices, *([null_word(self.row)] if self.row.nullable else [])]
        return [CompletionItem(word) for word in words if word.startswith(incomplete)]

    def _parsed(self, text: str) -> Any:
        match self.row.kind:
            case "integer":
                return int(text)
            case "number":
                return float(text)
            case "classes":
                return [int(label) for label in text.split(",")]
            case "boolean":
                return {"true": True, "false": False}[text]
            case _:
                return text


def hyperparameter_options(function: _Function) -> _Function:
    """Add one option for each row of the table."""
    for row in reversed(HYPERPARAMETERS):
        function = _option(row)(function)
    return function


def hyperparameter_option(name: str, *, help: str) -> Callable[[Any], Any]:
    """Return the option of one row of the table, with words of its own."""
    row = next(row for row in HYPERPARAMETERS if row.name == name)
    return click.option(_option_name(row), name, type=HyperparameterType(row), help=help)


def given_hyperparameters(ctx: click.Context, values: Mapping[str, Any]) -> dict[str, Any]:
    """Return those that were given, null included, and the model; the rest is left to whoever trains."""
    return {"model": values["model"], **given(ctx, values)}


def given(ctx: click.Context, values: Mapping[str, Any]) -> dict[str, Any]:
    """Return the options that were given, null included."""
    return {
        name: value for name, value in values.items() if ctx.get_parameter_source(name) is not ParameterSource.DEFAULT
    }


def null_word(row: Hyperparameter) -> str:
    """Return what stands for null in the value of an option."""
    return _NULL_WORDS.get(row.name, "none")


def allowed(row: Hyperparameter) -> str:
    """Return the legal values in the words of the command line."""
    if row.kind == "classes":
        return "2 to 10 different digits, as in 2,3; exactly 2 for logistic"
    return row.allowed.replace("or null", f"or {null_word(row)!r}")


def _option(row: Hyperparameter) -> Callable[[Any], Any]:
    option = _option_name(row)
    if row.kind == "boolean":
        default = option if row.default else option.replace("--", "--no-")
        help_ = f"{_words(row)} [{default}]"
        return click.option(f"{option}/{option.replace('--', '--no-')}", row.name, default=None, help=help_)
    facts = [allowed(row).rpartition("number from ")[2]] if row.kind in ("integer", "number") else []
    if row.kind != "classes":
        default = null_word(row) if row.default is None else format(row.default, _FORMATS[row.kind])
        facts.append(f"default {default}")
    help_ = f"{_words(row)} [{'; '.join(facts)}]" if facts else _words(row)
    value = row.default if row.name == "model" else None
    return click.option(option, row.name, type=HyperparameterType(row), default=value, help=help_)


def _words(row: Hyperparameter) -> str:
    """Return the help of a row in the words of the command line."""
    words = row.help.replace("; null: all", "").replace("null:", f"{null_word(row)}:")
    for other in HYPERPARAMETERS:
        if "_" in other.name:
            words = words.replace(other.name, _option_name(other))
    return f"{words[0].upper()}{words[1:]}."


def _option_name(row: Hyperparameter) -> str:
    return f"--{row.name.replace('_', '-')}"


_FORMATS = {"integer": ",d", "number": "g", "choice": "s"}
