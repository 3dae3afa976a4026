"""Options that are made from tables: hyperparameters and settings."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import click
import pytest
from click.testing import CliRunner, Result

from service.cli.hyperparameters import GRID_OPTION, hyperparameter_options, sweep_request, training_request
from service.cli.settings_options import read_settings, settings_options
from service.core import HYPERPARAMETERS, TrainingConfig
from service.settings import Settings
from tests.receiver import SECRET


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
        elif row.kind == "layers":
            assert given(option, "256-128")[row.name] == [256, 128]
            assert given(option, "none")[row.name] == []
        else:
            null = "none" if row.kind == "text" else "default"
            text = null if row.default is None else str(row.default)
            assert given(option, text)[row.name] == row.default


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


def test_an_empty_variable_is_not_given() -> None:
    """As Compose makes them of ``${INKLING_PORT:-}``; the folder would be the one in which the command is run."""
    names = ("port", "data_dir", "database_url", "keep_jobs_days", "allow_anonymous", "executor", "mlflow_experiment")
    empty = CliRunner(env={f"INKLING_{name.upper()}": "" for name in names}).invoke(show_settings)
    assert json.loads(empty.output) == json.loads(CliRunner().invoke(show_settings).output)


@pytest.mark.parametrize("written", ["https://a.example", "a.example:8443", "http://a.example:80/x", "a.example"])
def test_a_host_may_be_written_as_an_address_of_it(written: str) -> None:
    settings = json.loads(CliRunner().invoke(show_settings, ["--allowed-hosts", written]).output)
    assert settings["allowed_hosts"] == ["a.example"]


def test_several_hosts_can_be_allowed() -> None:
    args = ["--allowed-hosts", "a.example", "--allowed-hosts", "b.example"]
    settings = json.loads(CliRunner().invoke(show_settings, args).output)
    assert settings["allowed_hosts"] == ["a.example", "b.example"]


@pytest.mark.parametrize(
    ("written", "hosts"),
    [
        ("a.example", ["a.example"]),
        ("a.example, b.example,", ["a.example", "b.example"]),
        ('["a.example", "b.example"]', ["a.example", "b.example"]),
        ("", []),
        ("[]", []),
    ],
)
def test_a_list_in_the_environment_has_commas_or_is_json(written: str, hosts: list[str]) -> None:
    for name in ("allowed_hosts", "trusted_proxies"):
        result = CliRunner(env={f"INKLING_{name.upper()}": written}).invoke(show_settings)
        assert json.loads(result.output)[name] == hosts


@pytest.mark.slow
@pytest.mark.parametrize("name", Settings.model_fields)
def test_whatever_stands_in_a_variable_is_taken_or_named(name: str) -> None:
    """A Kubernetes Service that is named inkling puts a URL into INKLING_PORT, for one."""
    variable = f"INKLING_{name.upper()}"
    for written in ("tcp://10.96.12.34:8000", "", "-1", "[", "{", "null", "1e999", "\x7f", "[1, {}]", "[" * 1000):
        result = CliRunner(env={variable: written}).invoke(show_settings)
        assert result.exit_code in (0, 2), (written, result.exception)
        assert result.exit_code == 0 or variable in result.output, written


@pytest.mark.parametrize(("args", "variables"), [(["--port", "x"], {}), ([], {"INKLING_PORT": "x"})])
def test_a_setting_that_is_refused_is_named(args: list[str], variables: dict[str, str]) -> None:
    result = CliRunner(env=variables).invoke(show_settings, args)
    assert result.exit_code == 2
    assert "--port or INKLING_PORT: it must be a valid integer.\n" in result.output


@pytest.mark.parametrize(
    ("variables", "named"),
    [
        ({"URL": "ftp://digits.example/hook"}, "INKLING_WEBHOOK_URL"),
        ({"URL": "https:///hook"}, "INKLING_WEBHOOK_URL"),
        ({"URL": "https://digits.example/hook"}, "INKLING_WEBHOOK_SECRET"),
        ({"URL": "https://digits.example/hook", "SECRET": "whsec_dG9vIHNob3J0"}, "INKLING_WEBHOOK_SECRET"),
        ({"URL": "https://digits.example/hook", "SECRET": SECRET}, None),
        ({"URL": "", "SECRET": ""}, None),
    ],
)
def test_webhooks_need_a_url_and_a_key_which_nothing_shows(variables: dict[str, str], named: str | None) -> None:
    result = CliRunner(env={f"INKLING_WEBHOOK_{name}": text for name, text in variables.items()}).invoke(show_settings)
    assert result.exit_code == (2 if named else 0) and (named or "") in result.output
    assert variables.get("SECRET", "unset").removeprefix("whsec_") not in result.output or not variables["SECRET"]


@click.command()
@GRID_OPTION
@hyperparameter_options
@click.pass_context
def show_grid(ctx: click.Context, /, grid: Any, **options: Any) -> None:
    click.echo(json.dumps(sweep_request(ctx, grid, options)["grid"]))


def parsed_grid(*args: str) -> Result:
    return CliRunner().invoke(show_grid, args)


@pytest.mark.parametrize(
    ("text", "grid"),
    [
        ("l2_penalty=0,1,0.1", {"l2_penalty": [0.0, 1.0, 0.1]}),
        ("l2-penalty=1e-3", {"l2_penalty": [0.001]}),
        ("seed=7", {"seed": [7]}),
        ("seed=0..3,10", {"seed": [0, 1, 2, 3, 10]}),
        ("shuffle=true,false", {"shuffle": [True, False]}),
        ("classes=2:3,4:9", {"classes": [[2, 3], [4, 9]]}),
        ("patience=none,10", {"patience": [None, 10]}),
        ("train_size=all,1000", {"train_size": [None, 1000]}),
        ("model=softmax,logistic", {"model": ["softmax", "logistic"]}),
    ],
)
def test_values_of_every_kind(text: str, grid: dict[str, list[Any]]) -> None:
    result = parsed_grid("--grid", text)
    assert result.exit_code == 0, result.output
    assert json.loads(result.output) == grid


def test_several_grids_are_one() -> None:
    assert json.loads(parsed_grid("--grid", "seed=0", "--grid", "epochs=1,2").output) == {"seed": [0], "epochs": [1, 2]}


@pytest.mark.parametrize(
    ("args", "words"),
    [
        ((), "Missing option '--grid'"),
        (("--grid", "l3_penalty=1"), "'l3_penalty' is none of model, classes, hidden_layers"),
        (("--grid", "seed"), "values must follow the name, as in seed=..."),
        (("--grid", "seed="), "values must follow the name, as in seed=..."),
        (("--grid", "seed=0,"), "seed: it must be a whole number from 0 to"),
        (("--grid", "l2_penalty=0,101"), "l2_penalty: it must be a number from 0 to 100"),
        (("--grid", "shuffle=maybe"), "shuffle: it must be true or false"),
        (("--grid", "classes=2,3"), "classes: it must be 2 to 10 different digits"),
        (("--grid", "seed=3..1"), "seed: a range must be of 1 to 1,000 numbers"),
        (("--grid", "seed=0..999999999"), "seed: a range must be of 1 to 1,000 numbers"),
        (("--grid", "seed=0", "--grid", "seed=1"), "--grid seed was given twice"),
        (("--grid", "seed=0", "--seed", "1"), "--seed and --grid seed exclude each other"),
    ],
)
def test_a_grid_that_is_refused(args: tuple[str, ...], words: str) -> None:
    result = parsed_grid(*args)
    assert result.exit_code == 2
    assert words in " ".join(result.output.split())


def test_names_are_completed() -> None:
    grid = next(option for option in show_grid.params if option.name == "grid")
    items = grid.type.shell_complete(click.Context(show_grid), grid, "l2_")
    assert [item.value for item in items] == ["l2_penalty=", "l2_convention="]
