"""What is drawn: digits, bars, weights and the view of a job while it is trained."""

from __future__ import annotations

import itertools
from io import StringIO
from typing import Any

import numpy as np
import pytest
from rich.console import Console

from service.cli.annotations import print_about
from service.cli.following import FINAL_STATES
from service.cli.hyperparameters import value_text
from service.cli.images import prediction_table, prediction_view
from service.cli.job_view import STATE_STYLES, JobView, ending_text, sparkline
from service.cli.noun_commands import in_rows
from service.cli.pictures import grey_picture, halved, large_digit, weight_picture, weights_view
from service.cli.sweeps import (
    MAX_ROWS,
    SweepView,
    in_grid_order,
    members_to_show,
    print_sweep,
    sweep_row,
    values_text,
)
from service.cli.terminal import duration_text, percent, terminal
from service.jobs import Event, JobState

COLOURED = Console(file=StringIO(), force_terminal=True, color_system="truecolor", width=80)
PLAIN = Console(file=StringIO(), color_system=None, width=80)

JOB: dict[str, Any] = {
    "id": "01ARZ3NDEKTSV4RRFFQ69G5FAV",
    "state": "running",
    "config": {"name": "mnist-softmax", "epochs": 10_000, "patience": 10},
    "progress": {"fraction": 0.0, "epoch": 0, "step": 0, "images_per_s": None, "eta_s": None, "patience_left": None},
    "metrics": {"latest": None, "best": None},
    "stop_reason": None,
    "error": None,
}


def check(number: int, loss: float, patience_left: int | None = 10) -> Event:
    progress = {
        "fraction": number / 50_000,
        "epoch": number,
        "step": number * 31,
        "images_per_s": 123_456.7,
        "eta_s": 45_000.0,
        "patience_left": patience_left,
    }
    metrics = {"train_loss": loss, "train_accuracy": 0.9, "validation_loss": loss, "validation_accuracy": 0.91234}
    return Event(id=number, kind="check", data={"epoch": number, "step": number * 31, **metrics, "progress": progress})


def shown(drawn: Any, width: int = 80, height: int = 50) -> str:
    """Return what is printed of something, or by a function that takes a console."""
    console = Console(file=StringIO(), width=width, height=height, color_system=None)
    drawn(console) if callable(drawn) and not hasattr(drawn, "__rich_console__") else console.print(drawn)
    text = str(console.file.getvalue())  # type: ignore[attr-defined]
    assert max(map(len, text.splitlines())) <= width
    return text


def test_nothing_that_people_wrote_is_obeyed_by_the_terminal(capsys: pytest.CaptureFixture[str]) -> None:
    controls = "".join(map(chr, (*range(9), *range(11, 32), *range(127, 160))))
    written = {"title": f"A{controls} try", "tags": [f"t{controls}"], "notes": f"one{controls}\n\ttwo"}
    predictions = [{"file": f"a{control}b", "error": f"c{control}d"} for control in controls]
    print_about(written, terminal())
    terminal().print(prediction_table(predictions))
    printed = capsys.readouterr().out
    assert not set(controls) & set(printed)
    assert [line.strip() for line in printed.split("\n")][2] == "two"
    assert printed.count("ab ") == printed.count("cd") == len(controls)


def test_states_and_metrics_are_those_of_jobs() -> None:
    assert set(STATE_STYLES) == {state.value for state in JobState}
    assert {state.value for state in JobState if state.final} == FINAL_STATES & {state.value for state in JobState}


@pytest.mark.parametrize("width", [60, 80, 200])
def test_a_job_while_it_is_trained(width: int) -> None:
    view = JobView(JOB)
    assert "before its first check" in shown(view, width)
    for number in range(300):
        view.update(check(number, 2.0 if number == 7 else 3.0))
    text = shown(view, width)
    assert "1%, epoch 300 of 10,000, 12 h 30 min left" in text
    assert "10 of 10 checks left" in text
    assert "123,457 images/s" in text
    assert "91.23 %" in text
    best = next(line for line in text.splitlines() if line.startswith("best so far"))
    assert "2.0000" in best
    assert "epoch 7, step 217" in best


def test_a_job_without_early_stopping_has_no_patience_to_lose() -> None:
    view = JobView({**JOB, "config": {**JOB["config"], "patience": None}})
    view.update(check(1, 1.0, patience_left=None))
    assert "patience" not in shown(view)


def test_the_view_follows_the_state() -> None:
    view = JobView({**JOB, "state": "queued"})
    assert "waiting for a worker" in shown(view)
    view.update(Event(id=1, kind="state", data={"state": "running"}))
    view.update(check(1, 1.0))
    progress = {**JOB["progress"], "fraction": 1.0, "eta_s": 0.0}
    view.end({**JOB, "state": "succeeded", "progress": progress, "metrics": view.thing["metrics"]})
    assert "succeeded" in shown(view)
    assert "100%" in shown(view)


def test_a_sparkline_falls_as_the_loss_does() -> None:
    assert sparkline([], 10) == ""
    assert sparkline([1.0], 10) == "▁"
    assert sparkline([1.0, 1.0], 10) == "▁▁"
    assert sparkline([100.0, 10.0, 1.0], 10) == "█▅▁"
    assert sparkline([float(n) for n in range(1000, 0, -1)], 20)[-1] == "▁"
    assert len(sparkline([1.0] * 1000, 20)) == 20


def test_why_a_job_ended() -> None:
    over = {**JOB, "started_at": "2026-01-01T00:00:00Z"}
    assert ending_text({**over, "stop_reason": "max_epochs"}) == "All epochs were trained."
    failed = {**over, "state": "failed", "error": {"title": "Diverged", "detail": "The loss at step 3 is infinite."}}
    assert ending_text(failed) == "The loss at step 3 is infinite."
    cancelled = {**JOB, "state": "cancelled", "stop_reason": "cancelled", "started_at": None}
    assert ending_text(cancelled) == "It was cancelled before it began."


def test_every_digit_is_large() -> None:
    digits = [large_digit(digit) for digit in range(10)]
    assert all(len(rows) == 7 and {len(row) for row in rows} == {10} for rows in digits)
    assert len({"\n".join(rows) for rows in digits}) == 10


def prediction(**fields: Any) -> dict[str, Any]:
    probabilities = {str(digit): 0.001 for digit in range(10)} | {"7": 0.99, "4": 0.0004}
    predicted = {"digit": 7, "verdict": "digit", "rivals": [], "class_name": "7", "probabilities": probabilities}
    return {**predicted, "preprocessing": ["inverted"], "warnings": [], **fields}


def test_a_class_with_a_name_is_called_by_it() -> None:
    sneaker = prediction(class_name="sneaker", file="a.png")
    assert "sneaker" in shown(prediction_view(sneaker, None, source="fashion, version 1"))
    assert shown(prediction_table([sneaker])).splitlines()[1].split()[:3] == ["a.png", "7", "sneaker"]


@pytest.mark.parametrize(
    ("verdict", "rivals", "words"),
    [
        ("unsure", [9, 4], "7 or 9 or 4? Not sure."),
        ("unsure", [], "7? Not sure."),
        ("not-a-digit", [], "Not a digit."),
        ("several-digits", [], "Several digits."),
        ("blank", [], "Blank."),
    ],
)
def test_a_prediction_that_is_not_to_be_relied_on_says_so(verdict: str, rivals: list[int], words: str) -> None:
    one = prediction(verdict=verdict, rivals=rivals, file="a.png")
    assert words in shown(prediction_view(one, None, source="digits, version 1"))
    assert words in shown(prediction_table([one, prediction(file="b.png")]), width=120)
    assert "Not" not in shown(prediction_view(prediction(), None, source="digits, version 1"))


@pytest.mark.parametrize(("warnings", "style"), [([], "bold green"), (["Two blobs."], "yellow")])
def test_without_a_verdict_a_warning_makes_a_prediction_unsure(warnings: list[str], style: str) -> None:
    """As older servers answer."""
    older = prediction(file="a.png", warnings=warnings)
    del older["verdict"], older["rivals"]
    for one in (older, {**older, "verdict": None, "rivals": []}):
        (cell,) = prediction_table([one]).columns[1].cells
        assert str(cell) == "7" and cell.spans[0].style == style
        assert "Not" not in shown(prediction_view(one, None, source="digits, version 1"))


def test_one_prediction() -> None:
    seen = grey_picture(np.zeros((28, 28), np.uint8), PLAIN)
    for drawn in (None, seen):
        text = shown(prediction_view(prediction(warnings=["Two blobs."]), drawn, source="digits, version 3"))
        assert "7 ███████████████████████▊  99.00 %" in text
        below = [line.rstrip() for line in text.splitlines()[-3:]]
        assert below == ["digits, version 3", "Preprocessing: inverted.", "Warning: Two blobs."]
        row = next(line for line in text.splitlines() if line.rstrip().endswith(" 0.04 %"))
        assert "▏" not in row, "what is nearly nothing has no bar"
        assert text.count("▏") == 8


def test_several_predictions() -> None:
    rows = [prediction(file="a.png"), {"file": "b.txt", "error": "It is no image."}]
    lines = shown(prediction_table(rows)).splitlines()
    assert lines[1].split() == ["a.png", "7", "99.00", "%", "0:", "0.10", "%"]
    assert lines[2].split(maxsplit=1) == ["b.txt", "It is no image."]


def test_weights_have_the_colours_of_their_pictures() -> None:
    tile = np.array([[-1.0, 0.0, 0.5, 1.0], [2.0, 0.0, 0.0, 0.0]])
    (line,) = weight_picture(tile, 1.0, COLOURED)
    styles = [segment.style for segment in line.render(COLOURED) if segment.text.strip()]
    above = [style.color.get_truecolor() for style in styles if style and style.color]
    below = [style.bgcolor.get_truecolor() for style in styles if style and style.bgcolor]
    assert above[1] == (255, 255, 255), "0 is white"
    assert above[0][2] > above[0][0], "below 0 is blue"
    assert above[3][0] > above[3][2], "above 0 is red"
    assert below[0] == above[3], "beyond the end of the scale is the end"


def test_without_colours_there_are_shades() -> None:
    image = np.array([[0, 255, 0, 128], [0, 0, 255, 0]], np.uint8)
    assert [line.plain for line in grey_picture(image, PLAIN)] == [" @@+"]
    assert [line.plain for line in weight_picture(np.array([[-1.0, 1.0], [0.0, 0.0]]), 1.0, PLAIN)] == [" @"]


def test_tiles_fit_the_width() -> None:
    weights = np.arange(7840, dtype=np.float32).reshape(10, 28, 28)
    for width, n_lines in ((80, 2 * (1 + 7) + 1), (300, 1 + 14 + 1)):
        console = Console(file=StringIO(), width=width, color_system=None)
        lines = weights_view(weights, [str(digit) for digit in range(10)], console)
        assert len(lines) == n_lines
        assert max(len(line.plain) for line in lines) <= width
    assert halved(np.array([[1.0, 3.0], [5.0, 7.0]])).tolist() == [[4.0]]


@pytest.mark.parametrize(
    ("seconds", "text"),
    [
        (0.04, "0.0 s"),
        (9.94, "9.9 s"),
        (9.96, "10 s"),
        (59.4, "59 s"),
        (59.6, "1 min 00 s"),
        (3599.7, "1 h 00 min"),
        (100_000, "27 h 46 min"),
        (200_000, "2 days"),
    ],
)
def test_durations(seconds: float, text: str) -> None:
    assert duration_text(seconds) == text


def test_percent() -> None:
    assert percent(0.91234) == "91.23 %"


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
        "id": JOB["id"],
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
    assert lines[0].split() == ["many", "sweep", JOB["id"]]
    assert [line.split()[0] for line in lines[5:9]] == ["1", "2", "3", "4"]
    assert "90.00 %" in lines[5], "the training accuracy, by which they are ranked"
    assert "Ranked by training accuracy" in text
    assert "Best so far: l2_penalty 0.01, seed 1" in text
    text = shown(lambda console: print_sweep({**sweep, "state": "finished"}, console))
    assert "Best: l2_penalty 0.01, seed 1" in text


def test_a_list_fits_the_width() -> None:
    large = {**sweep_of(), "states": {"queued": 120, "running": 32, "succeeded": 848}}
    text = shown(lambda console: in_rows(sweep_row)([large], console))
    assert f"{JOB['id']}  2 l2 penalty x 2" in text
    assert "days" in text
