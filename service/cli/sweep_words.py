"""A sweep and its members in words.

The metrics are written down here once more, as the states are in `job_words`; a test holds them against those of
`service.jobs`.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from rich.text import Text

from service.core import HYPERPARAMETERS

from .backend import Json
from .failure import INTERRUPTED
from .hyperparameter_options import null_word
from .job_words import STATE_STYLES
from .quantities import loss_text, percent

METRICS = {
    "validation_loss": "validation loss",
    "validation_accuracy": "validation accuracy",
    "train_loss": "training loss",
    "train_accuracy": "training accuracy",
}
"""What members can be ranked by, in words."""

DEFAULT_METRIC = "validation_loss"

_NULLS = {row.name: null_word(row) for row in HYPERPARAMETERS}


def metric_text(name: str, value: float) -> str:
    """Return a metric as a person reads it."""
    return loss_text(value) if name.endswith("loss") else percent(value)


def value_text(name: str, value: Any) -> str:
    """Return a hyperparameter's value as the command line takes it, but for the commas between classes."""
    match value:
        case None:
            return _NULLS[name]
        case bool():
            return "true" if value else "false"
        case list() | tuple():
            return ":".join(map(str, value))
        case float():
            return f"{value:g}"
        case _:
            return str(value)


def values_text(values: Mapping[str, Any]) -> str:
    """Return what tells a member from the others: ``l2_penalty 0.1, seed 0``."""
    return ", ".join(f"{name} {value_text(name, value)}" for name, value in values.items())


def counts_text(states: Mapping[str, int]) -> Text:
    """Return how many members are in each state, in the order of a job's life: ``3 queued, 2 running``."""
    return Text(", ").join(
        Text(f"{states[state]:,} {state}", style) for state, style in STATE_STYLES.items() if states.get(state)
    )


def counted(members: Iterable[Json]) -> Mapping[str, int]:
    """Return how many members are in each state."""
    return Counter(member["state"] for member in members)


def member_state(member: Json) -> Text:
    """Return a member's state in its colour; of one that succeeded, whether it was stopped early."""
    state = member["state"]
    words = "early stop" if member["stop_reason"] == "early_stopping" else state
    return Text(words, STATE_STYLES[state])


def in_grid_order(sweep: Json) -> Sequence[Json]:
    """Return the members, which a sweep has ranked, in the order of its grid."""
    places = {
        name: {value_text(name, value): place for place, value in enumerate(values)}
        for name, values in sweep["grid"].items()
    }
    return sorted(
        sweep["members"],
        key=lambda member: [places[name].get(value_text(name, member["values"][name]), 0) for name in places],
    )


def best_member(sweep: Json) -> Json | None:
    """Return the best member so far, None before the first check of all."""
    return next((member for member in sweep["members"] if member["job"] == sweep["best"]), None)


def is_over(sweep: Json) -> bool:
    """Whether every member is over."""
    return bool(sweep["state"] == "finished")


def exit_code_of(sweep: Json) -> int:
    """Return 0 if every member succeeded, 1 if one failed, 130 if one was cancelled."""
    states = sweep["states"]
    return 1 if states.get("failed") else INTERRUPTED if states.get("cancelled") else 0
