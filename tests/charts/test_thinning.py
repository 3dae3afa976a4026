"""Thinning keeps extremes, and text fits its line."""

from __future__ import annotations

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from service.charts import BlockAverage, Thinning, thin
from service.charts.curves import block_statistics
from service.charts.frame import fit_lines


@given(st.lists(st.floats(-1e9, 1e9), min_size=1, max_size=300), st.integers(4, 80), st.integers(1, 4))
def test_thinning_keeps_ends_and_extremes_of_every_column(values: list[float], max_points: int, n_columns: int) -> None:
    series = np.array(values)
    columns = [np.roll(series, 7 * number) ** (1 + number % 2) for number in range(n_columns)]
    thinning = Thinning(len(series), max_points, np.intp, n_columns)
    for start in range(0, len(series), 37):
        part = slice(start, start + 37)
        thinning.add([column[part] for column in columns], np.arange(len(series))[part])
    kept = thinning.items()
    assert len(kept) <= max(max_points, 2 + 2 * n_columns)
    assert (np.diff(kept) > 0).all()
    assert (kept[0], kept[-1]) == (0, len(series) - 1)
    for column in columns:
        assert (column[kept].min(), column[kept].max()) == (column.min(), column.max())


@given(st.lists(st.floats(-1e9, 1e9), min_size=1, max_size=300), st.integers(4, 80), st.integers(1, 50))
def test_pieces_are_thinned_and_averaged_as_the_whole(values: list[float], max_points: int, length: int) -> None:
    series, thinning, average = np.array(values), Thinning(len(values), max_points, np.intp), BlockAverage(3)
    for start in range(0, len(series), length):
        steps = np.arange(len(series))[start : start + length]
        thinning.add([series[start : start + length]], steps)
        average.add(steps, series[start : start + length])
    np.testing.assert_array_equal(thinning.items(), thin(series, max_points))
    for pieces, whole in zip(average.statistics(), block_statistics(np.arange(len(series)), series, 3), strict=True):
        np.testing.assert_array_equal(pieces, whole)


def test_a_single_spike_survives() -> None:
    series = np.zeros(100_000)
    series[54_321] = 1
    assert 54_321 in thin(series, 1_000)


def test_blocks_are_described() -> None:
    middle, mean, deviation = block_statistics(np.arange(7.0), np.array([1.0, 3, 5, 5, 0, 8, 99]), 2)
    assert middle.tolist() == [0.5, 2.5, 4.5]
    assert mean.tolist() == [2, 5, 4]
    assert deviation.tolist() == [1, 0, 4]


@given(st.text(max_size=100), st.integers(1, 30), st.integers(1, 3))
def test_lines_fit_and_nothing_is_added(text: str, width: int, max_lines: int) -> None:
    lines = fit_lines(text, lambda line: len(line) <= width, max_lines)
    assert len(lines) <= max_lines
    assert all(0 < len(line) <= width for line in lines)


def test_lines_break_at_spaces_and_end_in_an_ellipsis() -> None:
    def fits(line: str) -> bool:
        return len(line) <= 10

    assert fit_lines("one two three four", fits, 2) == ["one two", "three four"]
    assert fit_lines("one two three four five", fits, 2) == ["one two", "three fou…"]
    assert fit_lines("unbreakable-word", fits, 2) == ["unbreakabl", "e-word"]
    assert fit_lines("  one\n two\t", fits, 1) == ["one two"]
