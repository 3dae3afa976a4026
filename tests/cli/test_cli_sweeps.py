"""Sweeps on the command line: the grid, both backends, the table, the report, Ctrl-C."""

from __future__ import annotations

import itertools
import json
import signal
import subprocess
from collections.abc import Callable, Iterator
from contextlib import closing
from io import StringIO
from pathlib import Path
from typing import Any

import click
import pytest
from click.testing import CliRunner, Result
from rich.console import Console

from service.cli.backend import Backend
from service.cli.following import poll
from service.cli.hyperparameters import given_grid, grid_option, hyperparameter_options, value_text
from service.cli.local import LocalBackend
from service.cli.remote import RemoteBackend
from service.cli.sweep_view import (
    MAX_ROWS,
    METRICS,
    SweepView,
    in_grid_order,
    is_over,
    members_to_show,
    print_sweep,
    sweep_table,
    values_text,
)
from service.cli.sweeps import exit_code_of
from service.errors import InvalidField, InvalidInput, JobNotFound, NoDataYet, ServiceUnreachable
from service.jobs import METRICS as RANKED_METRICS
from service.settings import Settings
from tests.web.serving import LONG, TINY

NO_SWEEP = "01ARZ3NDEKTSV4RRFFQ69G5FAV"
GRID = {"l2_penalty": [0.0, 1.0], "seed": [0, 1]}
OPTIONS = ("--train-size", "512", "--validation-size", "500", "--epochs", "2")

# The grid


@click.command()
@grid_option
@hyperparameter_options
@click.pass_context
def show_grid(ctx: click.Context, /, grid: Any, **_: Any) -> None:
    click.echo(json.dumps(given_grid(ctx, grid)))


def asked(*args: str) -> Result:
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
    result = asked("--grid", text)
    assert result.exit_code == 0, result.output
    assert json.loads(result.output) == grid


def test_several_grids_are_one() -> None:
    assert json.loads(asked("--grid", "seed=0", "--grid", "epochs=1,2").output) == {"seed": [0], "epochs": [1, 2]}


@pytest.mark.parametrize(
    ("args", "words"),
    [
        ((), "Missing option '--grid'"),
        (("--grid", "l3_penalty=1"), "'l3_penalty' is none of model, classes, learning_rate"),
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
    result = asked(*args)
    assert result.exit_code == 2
    assert words in " ".join(result.output.split())


def test_names_are_completed() -> None:
    grid = next(option for option in show_grid.params if option.name == "grid")
    items = grid.type.shell_complete(click.Context(show_grid), grid, "l2_")
    assert [item.value for item in items] == ["l2_penalty=", "l2_convention="]


def test_the_metrics_are_those_of_sweeps() -> None:
    assert list(METRICS) == list(RANKED_METRICS)


# Both backends


def states(backend: Backend, sweep_id: str, rank_by: str = "validation_loss") -> Iterator[dict[str, Any]]:
    return poll(lambda: backend.sweep(sweep_id, rank_by=rank_by), is_over)


def over(backend: Backend, sweep_id: str, rank_by: str = "validation_loss") -> dict[str, Any]:
    *_, sweep = states(backend, sweep_id, rank_by)
    return sweep


@pytest.fixture(scope="module")
def finished_sweep(remote: RemoteBackend) -> dict[str, Any]:
    return over(remote, remote.submit_sweep({"base": TINY, "grid": GRID, "name": "compared"})["id"])


def test_a_sweep_from_submission_to_its_end(backend: Backend) -> None:
    sweep = backend.submit_sweep({"base": TINY, "grid": GRID})
    assert (sweep["name"], len(sweep["members"])) == ("mnist-softmax-sweep", 4)
    sweep = over(backend, sweep["id"], "train_accuracy")
    assert (sweep["state"], sweep["states"], sweep["fraction"]) == ("finished", {"succeeded": 4}, 1.0)
    assert sweep["ranked_by"] == "train_accuracy"
    accuracies = [member["metrics"]["best"]["train_accuracy"] for member in sweep["members"]]
    assert accuracies == sorted(accuracies, reverse=True)
    assert sweep["best"] == sweep["members"][0]["job"]
    assert backend.job(sweep["best"])["model"] == sweep["members"][0]["model"]
    assert backend.sweeps(limit=1)["sweeps"][0]["id"] == sweep["id"]


def test_both_return_the_same_of_sweeps(
    local: LocalBackend, remote: RemoteBackend, finished_sweep: dict[str, Any]
) -> None:
    sweep_id = finished_sweep["id"]
    assert local.sweep(sweep_id) == remote.sweep(sweep_id) == finished_sweep
    assert local.sweep(sweep_id, rank_by="train_loss") == remote.sweep(sweep_id, rank_by="train_loss")
    assert local.sweeps(limit=2) == remote.sweeps(limit=2)
    for picture in ("accuracy", "norms", "weights", "heatmap"):
        png = local.sweep_picture(sweep_id, picture, "png")
        assert png.startswith(b"\x89PNG")
        assert png == remote.sweep_picture(sweep_id, picture, "png")
    svg = local.sweep_picture(sweep_id, "accuracy", "svg")
    assert b"<svg" in svg
    assert svg == remote.sweep_picture(sweep_id, "accuracy", "svg")


def test_pages_of_sweeps(backend: Backend, finished_sweep: dict[str, Any]) -> None:
    backend.cancel_sweep(backend.submit_sweep({"base": TINY, "grid": {"seed": [5]}})["id"])
    newest = backend.sweeps(limit=1)
    older = backend.sweeps(limit=1, before=newest["next"])
    assert older["sweeps"][0]["id"] < newest["sweeps"][0]["id"]


def test_cancelling_a_sweep_keeps_the_best_so_far(backend: Backend) -> None:
    sweep = backend.submit_sweep({"base": LONG, "grid": {"learning_rate": [0.01, 0.02]}})
    news = states(backend, sweep["id"])
    next(newest for newest in news if newest["best"])
    assert set(backend.cancel_sweep(sweep["id"])["states"]) <= {"cancelling", "cancelled"}
    *_, sweep = news
    assert sweep["states"] == {"cancelled": 2}
    assert all(member["model"] for member in sweep["members"])
    assert backend.cancel_sweep(sweep["id"])["states"] == {"cancelled": 2}, "asking again changes nothing"
    assert exit_code_of(sweep) == 130


def test_errors_of_sweeps_come_back_as_themselves(backend: Backend, finished_sweep: dict[str, Any]) -> None:
    for ask in (backend.sweep, backend.cancel_sweep):
        with pytest.raises(JobNotFound):
            ask(NO_SWEEP)
    with pytest.raises(InvalidField):
        backend.submit_sweep({"base": {"model": "softmax"}, "grid": {}})
    with pytest.raises(InvalidField, match="members"):
        backend.submit_sweep({"base": {"model": "softmax"}, "grid": {"seed": list(range(1001))}})
    sweep = backend.submit_sweep({"base": LONG, "grid": {"learning_rate": [0.01, 0.02]}})
    backend.cancel_sweep(sweep["id"])
    over(backend, sweep["id"])
    with pytest.raises(InvalidInput):
        backend.sweep_picture(sweep["id"], "norms", "png")
    with pytest.raises(JobNotFound):
        backend.sweep_picture(NO_SWEEP, "accuracy", "png")


def test_a_server_that_is_away_for_a_moment_is_asked_again(monkeypatch: pytest.MonkeyPatch) -> None:
    answers: Iterator[Any] = iter([sweep_of("running"), ServiceUnreachable("away"), sweep_of("finished")])
    pauses: list[float] = []
    monkeypatch.setattr("time.sleep", pauses.append)

    def ask() -> Any:
        answer = next(answers)
        if isinstance(answer, Exception):
            raise answer
        return answer

    assert [sweep["state"] for sweep in poll(ask, is_over)] == ["running", "finished"]
    assert len(pauses) == 2

    def away() -> Any:
        raise ServiceUnreachable("away")

    with pytest.raises(ServiceUnreachable):
        next(poll(away, is_over))


# What is drawn


def metrics(number: int) -> dict[str, Any]:
    loss = 2.0 - number / 1000
    return {
        "id": number,
        "epoch": 12,
        "step": 1736,
        "train_loss": loss,
        "train_accuracy": 0.9,
        "validation_loss": loss,
        "validation_accuracy": 0.91234,
    }


def member(number: int, values: dict[str, Any], state: str) -> dict[str, Any]:
    checked = state != "queued"
    return {
        "values": values,
        "job": f"{number:026}",
        "state": state,
        "progress": {"fraction": 0.25 if checked else 0.0, "epoch": 12 if checked else 0},
        "metrics": {name: metrics(number) if checked else None for name in ("latest", "best")},
        "stop_reason": "early_stopping" if state == "succeeded" else None,
        "model": {"name": "many", "version": number + 1} if state == "succeeded" else None,
    }


def sweep_of(state: str = "running", **grid: list[Any]) -> dict[str, Any]:
    """Return a sweep whose later members are better, but for those at the end, which have not begun."""
    grid = grid or {"l2_penalty": [0.0, 0.01], "seed": [0, 1]}
    combinations = [dict(zip(grid, point, strict=True)) for point in itertools.product(*grid.values())]
    n_members = len(combinations)
    states = [
        "succeeded" if number < n_members // 2 else "running" if number < n_members // 2 + 12 else "queued"
        for number in range(n_members)
    ]
    members = [member(number, values, states[number]) for number, values in enumerate(combinations)]
    ranked = sorted(members, key=lambda m: m["metrics"]["best"]["validation_loss"] if m["metrics"]["best"] else 9)
    return {
        "id": NO_SWEEP,
        "name": "many",
        "grid": grid,
        "state": state,
        "states": {name: states.count(name) for name in dict.fromkeys(states)},
        "fraction": 0.4,
        "ranked_by": "validation_loss",
        "best": ranked[0]["job"],
        "members": [{**m, "rank": rank} for rank, m in enumerate(ranked, start=1)],
        "created_at": "2026-01-01T00:00:00.000Z",
    }


def shown(drawn: Any, width: int = 80, height: int = 50) -> str:
    console = Console(file=StringIO(), width=width, height=height, color_system=None)
    drawn(console) if callable(drawn) else console.print(drawn)
    text = str(console.file.getvalue())  # type: ignore[attr-defined]
    assert max(map(len, text.splitlines())) <= width
    return text


def test_values_in_words() -> None:
    values = {"l2_penalty": 0.0, "patience": None, "train_size": None, "shuffle": False, "classes": [2, 3], "seed": 12}
    expected = "l2_penalty 0, patience none, train_size all, shuffle false, classes 2:3, seed 12"
    assert values_text(values) == expected
    assert value_text("learning_rate", 1e-6) == "1e-06"


@pytest.mark.parametrize("width", [60, 80, 200])
def test_a_sweep_while_it_is_trained(width: int) -> None:
    lines = [line.split() for line in shown(SweepView(sweep_of()), width).splitlines()]
    assert lines[1] == ["4", "members:", "2", "running,", "2", "succeeded"]
    assert lines[2][-1] == "40%"
    rows = [line for line in lines if line[2:3] in (["running"], ["early"])]
    assert [row[:2] for row in rows] == [["0", "0"], ["0", "1"], ["0.01", "0"], ["0.01", "1"]]
    assert rows[0][-5:] == ["12", "2.0000", "91.23", "%", "2.0000"]
    assert ("━" in "".join(rows[0])) == (width >= 80), "bars are there where there is room"


def test_what_has_not_begun_has_no_numbers() -> None:
    sweep = sweep_of(seed=list(range(3)))
    for waiting in sweep["members"]:
        waiting |= {"state": "queued", "metrics": {"latest": None, "best": None}}
    text = shown(SweepView({**sweep, "best": None, "fraction": 0.0}))
    assert "%" not in text.replace("  0%", "")
    assert "best" not in shown(lambda console: print_sweep({**sweep, "best": None}, console)).split("Ranked")[0]


def test_of_many_members_the_best_and_the_running_are_shown() -> None:
    sweep = sweep_of(l2_penalty=[0.0, 0.1], seed=list(range(250)))
    members = members_to_show(sweep, 20)
    assert len(members) == 20
    assert [m["rank"] for m in members] == sorted(m["rank"] for m in members)
    assert members[0]["rank"] == 1
    assert sum(m["state"] == "running" for m in members) == 12
    text = shown(SweepView(sweep))
    assert "and 480 more: 238 queued, 242 succeeded" in text
    assert len(shown(SweepView(sweep), height=20).splitlines()) < 20
    text = shown(lambda console: print_sweep(sweep, console, limit=MAX_ROWS))
    assert "and 480 more: " in text


def test_many_that_are_all_running() -> None:
    sweep = sweep_of(seed=list(range(100)))
    for any_ in sweep["members"]:
        any_["state"] = "running"
    members = members_to_show(sweep, 10)
    assert [m["rank"] for m in members] == [1, 2, 3, 4, 5, *(m["rank"] for m in members[5:])]


def test_members_stand_in_the_order_of_the_grid() -> None:
    sweep = sweep_of(classes=[[2, 3], [4, 9]], patience=[None, 3])
    assert [m["values"] for m in in_grid_order(sweep)] == [
        {"classes": classes, "patience": patience} for classes in ([2, 3], [4, 9]) for patience in (None, 3)
    ]


def test_the_ranking() -> None:
    sweep = {**sweep_of(), "ranked_by": "train_accuracy"}
    text = shown(lambda console: print_sweep(sweep, console))
    lines = text.splitlines()
    assert lines[0].split() == ["many", "sweep", NO_SWEEP]
    assert [line.split()[0] for line in lines[5:9]] == ["1", "2", "3", "4"]
    assert "90.00 %" in lines[5], "the training accuracy, by which they are ranked"
    assert "Ranked by training accuracy" in text
    assert "Best so far: l2_penalty 0.01, seed 1" in text
    text = shown(lambda console: print_sweep({**sweep, "state": "finished"}, console))
    assert "Best: l2_penalty 0.01, seed 1" in text


def test_a_list_fits_the_width() -> None:
    large = {**sweep_of(), "states": {"queued": 120, "running": 32, "succeeded": 848}}
    text = shown(sweep_table([large]))
    assert f"{NO_SWEEP}  2 l2 penalty x 2" in text
    assert "days" in text


@pytest.mark.parametrize(
    ("states", "code"),
    [({"succeeded": 2}, 0), ({"succeeded": 1, "cancelled": 1}, 130), ({"failed": 1, "cancelled": 1}, 1)],
)
def test_exit_codes_of_sweeps(states: dict[str, int], code: int) -> None:
    assert exit_code_of({"states": states}) == code


# The commands


@pytest.fixture(scope="module")
def here(run: Callable[..., Result], tmp_path_factory: pytest.TempPathFactory) -> Callable[..., str]:
    """Run a command that must succeed, on a folder of its own."""
    folder = tmp_path_factory.mktemp("data")

    def here(*args: str | Path, exit_code: int = 0) -> str:
        result = run(*args, "--data-dir", folder)
        assert result.exit_code == exit_code, result.output
        return result.output

    return here


def test_a_sweep_prints_how_it_went(here: Callable[..., str]) -> None:
    text = here("sweep", *OPTIONS, "--grid", "l2-penalty=0,100", "--grid", "seed=0..1", "--name", "four")
    lines = text.splitlines()
    assert lines[0].startswith("four, sweep 01")
    assert lines[0].endswith(", 4 members")
    assert sum(": succeeded, validation loss " in line for line in lines) == 4
    assert "4 members: 4 succeeded" in text
    assert "Best: l2_penalty 0, seed " in text
    assert "inkling sweeps picture 01" in text
    assert "inkling models show four " in text


def test_sweeps_for_programs(here: Callable[..., str], tmp_path: Path) -> None:
    args = ("sweep", *OPTIONS, "--grid", "l2_penalty=0,0.1", "--grid", "learning_rate=0.01,0.1", "--json")
    sweep = json.loads(here(*args, "--rank-by", "validation_accuracy"))
    assert (sweep["states"], sweep["ranked_by"]) == ({"succeeded": 4}, "validation_accuracy")
    shown_ = json.loads(here("sweeps", "show", sweep["id"], "--json"))
    assert shown_["ranked_by"] == "validation_loss"
    assert json.loads(here("sweeps", "list", "--json", "--limit", "1"))["sweeps"][0]["id"] == sweep["id"]
    lines = here("sweeps", "list").splitlines()
    assert max(map(len, lines)) <= 80
    assert any(line.startswith(sweep["id"]) for line in lines)
    assert "Ranked by validation loss" in here("sweeps", "show", sweep["id"])
    for picture, suffix, start in (("accuracy", "svg", b"<?xml"), ("heatmap", "png", b"\x89PNG")):
        file = tmp_path / f"{picture}.{suffix}"
        assert f"Wrote {file}" in here("sweeps", "picture", sweep["id"], picture, "-o", file)
        assert file.read_bytes().startswith(start)
    here("sweeps", "picture", sweep["id"], "weights", "-o", "weights.svg", exit_code=2)


def test_a_model_in_the_grid_is_no_base(here: Callable[..., str]) -> None:
    sweep = json.loads(here("sweep", *OPTIONS, "--grid", "model=softmax,logistic", "--batch-size", "32", "--json"))
    assert sweep["states"] == {"succeeded": 2}
    assert "model" not in sweep["base"]


def test_a_sweep_can_be_handed_in_and_followed_later(here: Callable[..., str]) -> None:
    text = here("sweep", *OPTIONS, "--grid", "seed=0,1", "--no-follow")
    sweep_id = text.split()[1]
    assert text.startswith(f"Sweep {sweep_id} of 2 members is queued on this machine")
    assert "2 queued" in here("sweeps", "show", sweep_id)
    with_nothing = here("sweeps", "picture", sweep_id, "accuracy", exit_code=1)
    assert NoDataYet.__name__ not in with_nothing
    assert "2 members: 2 succeeded" in here("sweeps", "follow", sweep_id)


def test_a_sweep_can_be_cancelled_before_it_begins(here: Callable[..., str]) -> None:
    sweep = json.loads(here("sweep", *OPTIONS, "--grid", "seed=0,1", "--no-follow", "--json"))
    assert here("sweeps", "cancel", sweep["id"]) == "The members are: 2 cancelled.\n"
    assert "2 members: 2 cancelled" in here("sweeps", "follow", sweep["id"], exit_code=130)
    assert "There is no sweep of that id." in here("sweeps", "show", NO_SWEEP, exit_code=1)


def test_a_grid_that_is_too_large(here: Callable[..., str]) -> None:
    text = here("sweep", "--grid", "seed=0..99", "--grid", "epochs=1..11", exit_code=1)
    assert "1 to 1,000 members" in text


def test_an_empty_list_of_sweeps_says_what_to_do(run: Callable[..., Result], tmp_path: Path) -> None:
    assert "inkling sweep --grid seed=0..4 --data-dir" in run("sweeps", "list", "--data-dir", tmp_path).output


@pytest.mark.slow
def test_the_first_ctrl_c_cancels_all_members(start: Callable[..., subprocess.Popen[str]], tmp_path: Path) -> None:
    endless = ("--epochs", "10000", "--patience", "none", "--train-size", "2000", "--validation-size", "500")
    sweep = start("sweep", *endless, "--grid", "l2_penalty=0,0.1", "--data-dir", tmp_path)
    assert sweep.stdout is not None
    sweep_id = sweep.stdout.readline().split()[2].removesuffix(",")
    with closing(LocalBackend(Settings(data_dir=tmp_path))) as beside:
        next(newest for newest in states(beside, sweep_id) if newest["best"])
    sweep.send_signal(signal.SIGINT)
    text, errors = sweep.communicate(timeout=60)
    assert sweep.returncode == 130
    assert errors == "Cancelling; the best weights so far are kept. Ctrl-C again leaves at once.\n"
    assert "2 members: 2 cancelled" in text
    assert "inkling models show mnist-softmax-sweep" in text
