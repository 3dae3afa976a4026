"""Options that are made from tables: hyperparameters and settings."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import click
import pytest
from click.testing import CliRunner, Result

from service.cli.hyperparameters import hyperparameter_options, training_request
from service.cli.settings_options import read_settings, settings_options
from service.core import HYPERPARAMETERS, TrainingConfig
from service.settings import Settings


@click.command()
@hyperparameter_options
@click.pass_context
def show_hyperparameters(ctx: click.Context, /, **values: Any) -> None:
    click.echo(json.dumps(training_request(ctx, values)))


@click.command()
@settings_options
def show_settings(**given: Any) -> None:
    click.echo(read_settings(given).model_dump_json())


def given(*args: str) -> dict[str, Any]:
    result = CliRunner().invoke(show_hyperparameters, args)
    assert result.exit_code == 0, result.output
    values: dict[str, Any] = json.loads(result.output)
    return values


def test_what_is_not_given_is_left_out() -> None:
    assert given() == {"model": "softmax"}


def test_every_hyperparameter_is_an_option_and_comes_back_as_it_is() -> None:
    for row in HYPERPARAMETERS:
        option = f"--{row.name.replace('_', '-')}"
        if row.kind == "boolean":
            assert given(option)[row.name] is True
            assert given(option.replace("--", "--no-"))[row.name] is False
        elif row.kind == "classes":
            assert given(option, "2,3")[row.name] == [2, 3]
        else:
            assert given(option, str(row.default))[row.name] == row.default


def test_null_has_a_word() -> None:
    assert given("--patience", "none", "--train-size", "all") == {
        "model": "softmax",
        "patience": None,
        "train_size": None,
    }
    TrainingConfig.from_dict(given("--patience", "none", "--train-size", "all"))


@pytest.mark.parametrize(
    "args",
    [
        ("--epochs", "0"),
        ("--epochs", "1.5"),
        ("--epochs", "none"),
        ("--learning-rate", "nan"),
        ("--learning-rate", "inf"),
        ("--learning-rate", "1e999"),
        ("--model", "tree"),
        ("--classes", "2"),
        ("--classes", "2,2"),
        ("--classes", "2,x"),
        ("--patience", "all"),
        ("--train-size", "0"),
    ],
)
def test_what_is_out_of_range_is_refused_with_the_range(args: tuple[str, str]) -> None:
    result = CliRunner().invoke(show_hyperparameters, args)
    assert result.exit_code == 2
    assert f"Invalid value for '{args[0]}': it must be " in result.output


def test_help_states_range_and_default(run: Callable[..., Result]) -> None:
    text = " ".join(run("train", "--help").output.split())
    assert "[1 to 60,000; default 128]" in text
    assert "[1 to 100,000, or 'none'; default 10]" in text
    assert "[--shuffle]" in text
    assert "null" not in text


def test_every_setting_is_an_option_and_a_variable() -> None:
    help_ = " ".join(CliRunner().invoke(show_settings, ["--help"]).output.split())
    for name, field in Settings.model_fields.items():
        assert f"--{name.replace('_', '-')} " in help_
        assert f"INKLING_{name.upper()}" in help_
        assert (field.description or "?")[1:] in help_


def test_an_option_outdoes_its_variable() -> None:
    runner = CliRunner(env={"INKLING_PORT": "8001", "INKLING_WORKERS": "3"})
    settings = json.loads(runner.invoke(show_settings, ["--port", "8002"]).output)
    assert (settings["port"], settings["workers"]) == (8002, 3)


def test_several_hosts_can_be_allowed() -> None:
    args = ["--allowed-hosts", "a.example", "--allowed-hosts", "b.example"]
    settings = json.loads(CliRunner().invoke(show_settings, args).output)
    assert settings["allowed_hosts"] == ["a.example", "b.example"]


@pytest.mark.parametrize(("args", "variables"), [(["--port", "x"], {}), ([], {"INKLING_PORT": "x"})])
def test_a_setting_that_is_refused_is_named(args: list[str], variables: dict[str, str]) -> None:
    result = CliRunner(env=variables).invoke(show_settings, args)
    assert result.exit_code == 2
    assert "--port or INKLING_PORT: " in result.output
