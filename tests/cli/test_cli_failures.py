"""How the command line fails."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import click
import pytest
from click.testing import CliRunner, Result

from service.cli.root import Failure, LazyGroup, debug_option
from service.errors import InvalidField


def test_the_line_has_everything_once() -> None:
    error = InvalidField("epochs must be whole.", field="epochs", allowed="1 to 10")
    assert Failure.of(error).message == "epochs must be whole; allowed: 1 to 10."
    error = InvalidField("It must be 1 to 10.", field="epochs", allowed="1 to 10")
    assert Failure.of(error).message == "epochs: It must be 1 to 10."


def test_an_error_is_one_red_line(run: Callable[..., Result], tmp_path: Path) -> None:
    result = run("jobs", "show", "nothing", "--data-dir", tmp_path, color=True)
    assert result.exit_code == 1
    assert result.stdout == ""
    assert result.stderr == "\x1b[31mError: There is no job nothing.\x1b[0m\n"


def test_debug_shows_where(run: Callable[..., Result], tmp_path: Path) -> None:
    for args in (["jobs", "show", "nothing", "--debug"], ["--debug", "jobs", "show", "nothing"]):
        result = run(*args, "--data-dir", tmp_path)
        assert type(result.exception).__name__ == "JobNotFound"


@pytest.mark.parametrize(
    "args",
    [
        ["jobs", "list", "--search", "\udcff"],
        ["train", "--title", "\udcff"],
        ["models", "promote", "mnist-softmax", "1", "--reason", "\udcff", "--yes"],
    ],
)
def test_a_text_that_is_no_unicode_is_refused(run: Callable[..., Result], tmp_path: Path, args: list[str]) -> None:
    result = run(*args, "--data-dir", tmp_path)
    assert result.exit_code == 1
    assert result.stderr == "Error: A text that was given is no UTF-8.\n"


def test_a_file_that_holds_no_key_is_named_by_what_it_must_hold(run: Callable[..., Result], tmp_path: Path) -> None:
    (tmp_path / "key").write_bytes(b"\xff\xfe")
    result = run("jobs", "list", "--url", "http://127.0.0.1:1", "--key-file", tmp_path / "key")
    assert (result.exit_code, result.stdout) == (1, "")
    assert result.stderr.startswith("Error: The key cannot be one")


def test_url_and_folder_exclude_each_other(run: Callable[..., Result], tmp_path: Path) -> None:
    result = run("jobs", "list", "--url", "http://127.0.0.1:1", "--data-dir", tmp_path)
    assert result.exit_code == 2
    result = run("jobs", "list", "--data-dir", tmp_path, env={"INKLING_URL": "http://127.0.0.1:1"})
    assert result.exit_code == 0, "an option outdoes a variable"


def test_no_server_answers(run: Callable[..., Result]) -> None:
    result = run("jobs", "list", env={"INKLING_URL": "http://127.0.0.1:1"})
    assert result.exit_code == 1
    assert result.stderr == "Error: No server answers at http://127.0.0.1:1; start one with: inkling serve\n"


@pytest.mark.parametrize(
    ("error", "exit_code", "line"),
    [
        (KeyboardInterrupt(), 130, "\n"),
        (ZeroDivisionError("secret"), 1, "Error: An unexpected error occurred (ZeroDivisionError); --debug"),
        (click.UsageError("no"), 2, "Usage: "),
    ],
)
def test_exit_codes(error: BaseException, exit_code: int, line: str) -> None:
    @click.group(cls=LazyGroup, invoke_without_command=True)
    @debug_option
    def group() -> None:
        raise error

    result = CliRunner().invoke(group)
    assert result.exit_code == exit_code
    assert result.stderr.startswith(line)
    assert "secret" not in result.output


def test_a_file_that_cannot_be_read_or_written(run: Callable[..., Result], tmp_path: Path) -> None:
    result = run("predict", tmp_path / "nothing.png", "--data-dir", tmp_path)
    assert result.exit_code == 1
    assert "nothing.png cannot be read: No such file or directory." in result.stderr


def test_a_folder_that_cannot_be_made(run: Callable[..., Result], tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    result = run("train", "--data-dir", tmp_path / "file" / "folder")
    assert result.exit_code == 1
    assert f"The data folder {tmp_path / 'file' / 'folder'} cannot be created" in result.stderr


def test_jobs_are_listed_while_the_store_is_away(run: Callable[..., Result], tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    where = {"INKLING_STORE_URL": str(tmp_path / "file" / "store")}
    assert run("jobs", "list", "--data-dir", tmp_path, env=where).exit_code == 0
    assert run("models", "list", "--data-dir", tmp_path, env=where).exit_code == 1
