"""Early stopping, by lists of losses."""

from __future__ import annotations

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from service.core import EarlyStopping, StopReason


def stop_at(losses: list[float], patience: int | None) -> int | None:
    """The index of the check after which a run with these validation losses stops, if it does."""
    stopping = EarlyStopping(patience=patience)
    for i, loss in enumerate(losses):
        stopping = stopping.after(loss)
        if stopping.stop:
            return i
    return None


def stop_as_the_report_words_it(losses: list[float], patience: int) -> int | None:
    """Stop when the oldest of the last ``patience + 1`` losses is the lowest of them."""
    for i in range(patience, len(losses)):
        newest = losses[i - patience : i + 1]
        if newest[0] == min(newest):
            return i
    return None


@pytest.mark.parametrize(
    ("losses", "patience", "expected"),
    [
        ([], 1, None),
        ([3], 1, None),
        ([3, 3], 1, 1),
        ([3, 2, 1, 0], 1, None),
        ([3, 2, 2.5, 2.4, 2.3], 3, 4),
        ([3, 2, 2.5, 2.4, 1.9, 2.3, 2.2, 2.1], 3, 7),
        ([1, 2, 2, 2, 0.5], 4, None),
        ([2, 1, 1, 1], 2, 3),  # as low as the lowest is no improvement
        ([1, 5, 4, 3, 2], 4, 4),  # nor is lower than the check before
        ([1, *[2] * 99], None, None),
        ([1, *[2] * 10], 10, 10),
        ([1, *[2] * 9], 10, None),
    ],
)
def test_stops_at(losses: list[float], patience: int | None, expected: int | None) -> None:
    assert stop_at(losses, patience) == expected


@given(
    st.lists(st.integers(0, 20).map(float) | st.floats(0, 20), max_size=60),
    st.sampled_from([1, 2, 3, 10]),
)
def test_the_words_of_the_report_mean_the_same(losses: list[float], patience: int) -> None:
    assert stop_at(losses, patience) == stop_as_the_report_words_it(losses, patience)


def test_the_words_of_the_report_mean_the_same_on_a_slow_rise_and_fall() -> None:
    losses = [math.cos(i / 7) + i / 500 for i in range(300)]
    assert stop_at(losses, 10) == stop_as_the_report_words_it(losses, 10) == 32


def test_what_it_tells_on_the_way() -> None:
    stopping = EarlyStopping(patience=3)
    told = []
    for loss in (3.0, 2.0, 2.0, 1.0, 1.5, 1.5, 1.5):
        stopping = stopping.after(loss)
        told.append((stopping.improved, stopping.lowest_loss, stopping.patience_left, stopping.stop))
    assert told == [
        (True, 3, 3, False),
        (True, 2, 3, False),
        (False, 2, 2, False),
        (True, 1, 3, False),
        (False, 1, 2, False),
        (False, 1, 1, False),
        (False, 1, 0, True),
    ]


def test_without_patience_the_lowest_loss_is_still_followed() -> None:
    stopping = EarlyStopping(patience=None).after(2).after(1).after(3)
    assert (stopping.lowest_loss, stopping.checks_without_improvement) == (1, 1)
    assert stopping.patience_left is None
    assert not stopping.stop


def test_less_patience_than_was_used_already_is_none_left() -> None:
    stopping = EarlyStopping(patience=2, lowest_loss=1, checks_without_improvement=5)
    assert stopping.patience_left == 0
    assert stopping.stop


def test_every_reason_to_stop_has_a_sentence() -> None:
    assert [reason.value for reason in StopReason] == [
        "max_epochs",
        "early_stopping",
        "cancelled",
        "non_finite_loss",
    ]
    for reason in StopReason:
        assert reason.sentence[0].isupper()
        assert reason.sentence.endswith(".")
