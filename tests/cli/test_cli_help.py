"""What help says, that it is quick to say it, and that its examples would be understood."""

from __future__ import annotations

import re
import shlex
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path

import click
import pytest
from click.testing import Result

from service import __version__
from service.cli import cli
from service.cli.local import LocalBackend
from service.settings import Settings

ROOT = Path(__file__).parents[2]
HEAVY = {"numpy", "sqlalchemy", "alembic", "pydantic", "fastapi", "matplotlib", "httpx", "rich", "PIL", "asyncio"}


def commands(group: click.Group = cli, *path: str) -> Iterator[tuple[str, ...]]:
    """Yield every command, and every group, by what is typed for it."""
    ctx = click.Context(group)
    for name in group.list_commands(ctx):
        _, command, _ = group.resolve_command(ctx, [name])
        yield (*path, name)
        if isinstance(command, click.Group):
            yield from commands(command, *path, name)


def examples(text: str) -> list[str]:
    return re.findall(r"^ *(?:\$ )?(?:[A-Z_]+=\S+ )?(inkling(?: [^\n#]*)?)", text, flags=re.MULTILINE)


def assert_understood(example: str) -> None:
    """Parse a command line with the options and arguments of the command that it names."""
    words = re.split(r" [<>|] ", example.strip())[0]
    command: click.Command = cli
    args = shlex.split(words)[1:]
    while args and isinstance(command, click.Group):
        _, found, args = command.resolve_command(click.Context(command), args)
        assert found is not None, example
        command = found
    command.make_context("inkling", args)


@pytest.mark.parametrize("path", [(), *commands()], ids=" ".join)
def test_every_command_has_help_with_examples(path: tuple[str, ...], run: Callable[..., Result]) -> None:
    result = run(*path, "--help")
    assert result.exit_code == 0
    assert max(map(len, result.output.splitlines())) <= 80
    found = examples(result.output)
    assert any(line.startswith(" ".join(["inkling", *path])) for line in found)
    for example in found:
        assert_understood(example)


def test_the_reference_has_an_example_of_every_command() -> None:
    page = (ROOT / "docs" / "cli.md").read_text()
    found = examples(page)
    for path in commands():
        assert any(line.startswith(" ".join(["inkling", *path])) for line in found), path
    for example in found:
        assert_understood(example)


def test_every_command_is_listed_with_a_summary() -> None:
    listed = {item.value: item.help for item in cli.shell_complete(click.Context(cli), "")}
    assert {path[0] for path in commands()} == set(listed) - {"--help", "--version", "--debug"}
    assert all(listed.values())


def test_help_imports_nothing_heavy() -> None:
    for args in ([], ["--help"], ["--version"]):
        code = f"""
import sys
from service.cli import cli
try:
    cli.main({args!r}, standalone_mode=False)
finally:
    assert not {HEAVY!r} & set(sys.modules), {HEAVY!r} & set(sys.modules)
"""
        subprocess.run([sys.executable, "-c", code], cwd=ROOT, check=True, capture_output=True)


def test_the_tour(run: Callable[..., Result]) -> None:
    result = run()
    assert result.exit_code == 0
    assert max(map(len, result.output.splitlines())) <= 80
    for example in examples(result.output):
        assert_understood(re.split("  ", example)[0])


def test_the_version(run: Callable[..., Result]) -> None:
    assert run("--version").output == f"inkling {__version__}\n"


def test_a_slip_of_the_finger(run: Callable[..., Result]) -> None:
    result = run("trian")
    assert result.exit_code == 2
    assert "Did you mean 'train'?" in result.output


Complete = Callable[..., list[str]]


def to_complete(words: str) -> dict[str, str]:
    """Return the variables by which a shell asks."""
    return {"_INKLING_COMPLETE": "bash_complete", "COMP_WORDS": words, "COMP_CWORD": str(words.count(" "))}


@pytest.fixture
def complete(run: Callable[..., Result]) -> Complete:
    def complete(words: str, **variables: str) -> list[str]:
        result = run(env={**to_complete(words), **variables})
        assert (result.exit_code, result.stderr) == (0, "")
        return [line.partition(",")[2] for line in result.stdout.splitlines() if line]

    return complete


def test_completion_knows_commands_and_choices(complete: Complete) -> None:
    assert complete("inkling j") == ["jobs"]
    assert complete("inkling train --model s") == ["softmax"]
    assert complete("inkling train --train-size a") == ["all"]
    assert "--l2-penalty" in complete("inkling train --l")


def test_the_program_completes_and_prints_nothing_else() -> None:
    run = [sys.executable, "-c", "from service.__main__ import main; main()"]
    done = subprocess.run(run, cwd=ROOT, env=to_complete("inkling j"), capture_output=True, text=True, check=True)
    assert (done.stdout, done.stderr) == ("plain,jobs\n", "")


def test_completion_knows_names_and_ids_and_changes_nothing(tmp_path: Path, complete: Complete) -> None:
    data = tmp_path / "data"
    with closing(LocalBackend(Settings(data_dir=data))) as backend:
        jobs = [backend.submit("jobs", {"model": "softmax", "epochs": epochs})["id"] for epochs in (1, 2)]
        backend.add_collection("mine")
    before = {path: path.stat().st_mtime_ns for path in data.rglob("*")}
    here = {"INKLING_DATA_DIR": str(data)}
    assert complete("inkling jobs show 0", **here) == jobs[::-1]
    assert complete(f"inkling jobs show --data-dir {data} {jobs[0]}") == jobs[:1]
    assert complete("inkling train --dataset m", **here) == ["mnist"]
    assert complete("inkling collections show m", **here) == ["mine"]
    assert "mnist-softmax" in complete("inkling models show m", **here)
    assert {path: path.stat().st_mtime_ns for path in data.rglob("*")} == before
    for nowhere in ({"INKLING_DATA_DIR": str(tmp_path / "nothing")}, {"INKLING_URL": "http://127.0.0.1:1"}):
        assert complete("inkling jobs show 0", **nowhere) == []
    assert not (tmp_path / "nothing").exists()


def test_blas_has_one_thread_unless_somebody_wants_more() -> None:
    code = """
import os, sys
from service.__main__ import main
sys.argv = ["inkling", "--version"]
try:
    main()
finally:
    print(os.environ["OPENBLAS_NUM_THREADS"], os.environ["MKL_NUM_THREADS"])
"""
    for variables, expected in (({}, "1 1"), ({"MKL_NUM_THREADS": "4"}, "1 4")):
        done = subprocess.run(
            [sys.executable, "-c", code], cwd=ROOT, env=variables, capture_output=True, text=True, check=True
        )
        assert done.stdout.splitlines()[-1] == expected
