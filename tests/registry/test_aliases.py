"""Aliases: one atomic move at a time, each remembered."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime
from pathlib import Path
from threading import Barrier
from typing import Any

import numpy as np
import pytest

from service.errors import AliasMoved, Corrupted, InvalidField, ModelNotFound
from service.registry import AliasEntry, Manifest, Registry
from service.registry.document import read_document, write_document


@pytest.fixture(autouse=True)
def three_versions(register: Callable[..., Manifest]) -> None:
    for seed in range(3):
        register(seed=seed)


def test_a_move_and_its_history(registry: Registry, root: Path) -> None:
    before = datetime.now(UTC)
    registry.set_alias("digits", "champion", 1, reason="first")
    registry.set_alias("digits", "champion", 3)
    registry.delete_alias("digits", "champion")
    registry.set_alias("digits", "champion", 2, reason="fast enough")

    history = registry.alias_history("digits", "champion")

    expected = [(1, 1, "first"), (2, 3, None), (3, None, None), (4, 2, "fast enough")]
    assert [(entry.number, entry.version, entry.reason) for entry in history] == expected
    assert before <= history[0].at <= history[-1].at <= datetime.now(UTC)
    assert registry.aliases("digits") == {"champion": 2}
    assert sorted(path.name for path in (root / "digits/aliases/champion").iterdir()) == [
        f"00000{number}.json" for number in (1, 2, 3, 4)
    ]


def test_a_deleted_alias_is_gone_but_not_forgotten(registry: Registry) -> None:
    registry.set_alias("digits", "champion", 1)
    registry.delete_alias("digits", "champion")
    assert registry.aliases("digits") == {}
    assert registry.alias_names("digits") == ("champion",)
    assert len(registry.alias_history("digits", "champion")) == 2
    with pytest.raises(ModelNotFound):
        registry.delete_alias("digits", "champion")
    with pytest.raises(ModelNotFound):
        registry.alias_history("digits", "quick")


def test_a_move_happens_only_from_where_it_was_expected(registry: Registry) -> None:
    with pytest.raises(AliasMoved):
        registry.set_alias("digits", "champion", 1, expected=2)
    registry.set_alias("digits", "champion", 1, expected=None)
    with pytest.raises(AliasMoved):
        registry.set_alias("digits", "champion", 2, expected=None)
    with pytest.raises(AliasMoved):
        registry.delete_alias("digits", "champion", expected=2)
    registry.set_alias("digits", "champion", 2, expected=1)
    registry.delete_alias("digits", "champion", expected=2)
    registry.set_alias("digits", "champion", 3, expected=None)
    assert [e.version for e in registry.alias_history("digits", "champion")] == [1, 2, None, 3]


@pytest.mark.parametrize("alias", ["7", "0123", "latest", "Champion", "a/b"])
def test_aliases_that_could_be_mistaken(registry: Registry, alias: str) -> None:
    with pytest.raises(InvalidField) as raised:
        registry.set_alias("digits", alias, 1)
    assert raised.value.field == "alias"


def test_texts_have_an_end(registry: Registry) -> None:
    registry.set_alias("digits", "champion", 1, reason="\U0001f600" * 2000)
    with pytest.raises(InvalidField) as raised:
        registry.set_alias("digits", "champion", 1, reason="x" * 2001)
    assert raised.value.field == "reason"
    assert len(registry.alias_history("digits", "champion")) == 1


def test_of_many_who_move_from_the_same_place_one_wins(registry: Registry) -> None:
    n_movers = 6
    barrier = Barrier(n_movers)
    registry.set_alias("digits", "champion", 1)

    def move(mover: int) -> AliasEntry | None:
        barrier.wait()
        try:
            return registry.set_alias("digits", "champion", 2, expected=1, reason=str(mover))
        except AliasMoved:
            return None

    with ThreadPoolExecutor(n_movers) as pool:
        for _ in range(5):
            winners = [entry for entry in pool.map(move, range(n_movers)) if entry]
            assert len(winners) == 1
            assert registry.alias_history("digits", "champion")[-1] == winners[0]
            registry.set_alias("digits", "champion", 1)


def test_moves_that_expect_nothing_all_happen_one_after_another(registry: Registry) -> None:
    n_movers, n_moves = 4, 10
    barrier = Barrier(n_movers)

    def move(mover: int) -> list[AliasEntry]:
        barrier.wait()
        return [registry.set_alias("digits", "champion", 1, reason=f"{mover}.{n}") for n in range(n_moves)]

    with ThreadPoolExecutor(n_movers) as pool:
        made = [entry for entries in pool.map(move, range(n_movers)) for entry in entries]

    history = registry.alias_history("digits", "champion")
    assert [entry.number for entry in history] == list(range(1, n_movers * n_moves + 1))
    assert sorted(made, key=lambda entry: entry.number) == list(history)


def test_every_flipped_bit_of_an_entry_is_refused(registry: Registry, root: Path) -> None:
    registry.set_alias("digits", "champion", 1, reason="first")
    path = root / "digits/aliases/champion/000001.json"
    data = path.read_bytes()
    rng = np.random.default_rng(9)
    for position in range(len(data)):
        flipped = bytearray(data)
        flipped[position] ^= 1 << int(rng.integers(8))
        path.write_bytes(flipped)
        with pytest.raises(Corrupted):
            registry.resolve("digits", "champion")


@pytest.mark.parametrize(
    "change", [{"version": "1"}, {"version": 0}, {"at": 5}, {"surprise": 1}, {"number": 2}], ids=str
)
def test_a_sealed_but_illegal_entry_is_refused(registry: Registry, root: Path, change: dict[str, Any]) -> None:
    registry.set_alias("digits", "champion", 1)
    path = root / "digits/aliases/champion/000001.json"
    path.write_bytes(write_document(read_document(path.read_bytes()) | change))
    with pytest.raises(Corrupted):
        registry.resolve("digits")


def test_swapped_and_missing_entries_are_refused(registry: Registry, root: Path) -> None:
    for version in (1, 2, 3):
        registry.set_alias("digits", "champion", version)
    registry.set_alias("digits", "quick", 1)
    folder = root / "digits/aliases/champion"
    good = (folder / "000003.json").read_bytes()
    for other in (folder / "000001.json", root / "digits/aliases/quick/000001.json"):
        shutil.copyfile(other, folder / "000003.json")
        with pytest.raises(Corrupted):
            registry.resolve("digits")
    (folder / "000003.json").write_bytes(good)
    (folder / "000002.json").unlink()
    assert registry.resolve("digits") == 3
    with pytest.raises(Corrupted):
        registry.alias_history("digits", "champion")


def test_a_damaged_alias_shows_in_the_listing_and_can_be_moved(registry: Registry, root: Path) -> None:
    registry.set_alias("digits", "champion", 1)
    (root / "digits/aliases/champion/000001.json").write_bytes(b"")

    summary = registry.summary("digits")
    assert (summary["state"], summary["aliases"], summary["default"]) == ("corrupted", None, None)
    with pytest.raises(Corrupted):
        registry.set_alias("digits", "champion", 2, expected=1)

    registry.set_alias("digits", "champion", 2)
    assert registry.resolve("digits") == 2
    assert registry.summary("digits")["state"] == "ready"
