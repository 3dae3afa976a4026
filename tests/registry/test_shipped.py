"""Installing the models that come along: byte for byte, once, and never over what is the user's."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest

from service.core import Floats
from service.errors import Corrupted
from service.registry import DEFAULT_MODEL, Manifest, ModelDraft, Registry, default_model, install_shipped
from service.registry.shipped import FORMER_DEFAULT_MODEL
from service.stores import LocalStore


@pytest.fixture
def source(tmp_path: Path) -> Path:
    return tmp_path / "shipped"


@pytest.fixture
def shipped(
    source: Path,
    make_draft: Callable[..., ModelDraft],
    make_weights: Callable[[int, ModelDraft], tuple[Floats, Floats]],
) -> Registry:
    shipped = Registry(LocalStore(source))
    for name in ("digits", "digits", "two-or-three"):
        draft = make_draft(model="logistic" if name == "two-or-three" else "softmax")
        shipped.register(name, draft, *make_weights(50, draft))
    shipped.set_alias("digits", "champion", 2)
    return shipped


def contents(root: Path) -> dict[str, tuple[bytes, int]]:
    return {
        str(path.relative_to(root)): (path.read_bytes(), path.stat().st_mtime_ns)
        for path in root.rglob("*")
        if path.is_file()
    }


def test_everything_is_copied_byte_for_byte(shipped: Registry, registry: Registry, source: Path, root: Path) -> None:
    install_shipped(source, registry)
    for name in ("digits/1", "digits/2", "two-or-three/1"):
        for file in ("weights.npz", "manifest.json"):
            assert (root / name / file).read_bytes() == (source / name / file).read_bytes()
    assert registry.resolve("digits") == 2
    assert registry.alias_history("digits", "champion")[0].reason == "shipped with Inkling"
    assert registry.load("two-or-three", 1).manifest.model == "logistic"


def test_the_second_start_changes_nothing(shipped: Registry, registry: Registry, source: Path, root: Path) -> None:
    install_shipped(source, registry)
    before = contents(root)
    install_shipped(source, registry)
    assert contents(root) == before


def test_the_source_is_only_read(shipped: Registry, registry: Registry, source: Path) -> None:
    before = contents(source)
    install_shipped(source, registry)
    assert contents(source) == before


def test_a_missing_source_installs_nothing(registry: Registry, tmp_path: Path, root: Path) -> None:
    install_shipped(tmp_path / "nowhere", registry)
    assert registry.names() == ()
    assert not root.exists()
    assert not (tmp_path / "nowhere").exists()


def test_the_user_s_versions_and_aliases_stay(
    shipped: Registry, registry: Registry, register: Callable[..., Manifest], source: Path
) -> None:
    mine = register("digits", seed=1)
    registry.set_alias("digits", "champion", 1)
    registry.delete_alias("digits", "champion")

    install_shipped(source, registry)

    assert registry.manifest("digits", 1) == mine
    assert registry.manifest("digits", 2) == shipped.manifest("digits", 2)
    assert registry.aliases("digits") == {}


@pytest.mark.parametrize("is_moved", [False, True])
def test_a_champion_moves_to_the_version_that_is_shipped_now_if_the_user_has_not_moved_it(
    shipped: Registry, registry: Registry, source: Path, is_moved: bool
) -> None:
    install_shipped(source, registry)
    if is_moved:
        registry.set_alias("digits", "champion", 1)
        registry.set_alias("digits", "champion", 2)
    newer = registry.manifest("digits", 2)
    shipped.put(replace(newer, version=3), shipped.weights_bytes("digits", 2))
    shipped.set_alias("digits", "champion", 3)
    for _ in range(2):
        install_shipped(source, registry)
        assert registry.resolve("digits") == (2 if is_moved else 3)
    assert len(registry.alias_history("digits", "champion")) == (3 if is_moved else 2)


def test_a_shipped_alias_is_not_set_on_a_version_of_the_user_s(
    shipped: Registry, registry: Registry, register: Callable[..., Manifest], source: Path
) -> None:
    for seed in range(3):
        register("digits", seed=seed)
    install_shipped(source, registry)
    assert registry.alias_names("digits") == ()
    assert registry.resolve("digits") == 3


def test_a_damaged_version_of_the_user_s_does_not_keep_the_service_from_starting(
    shipped: Registry, registry: Registry, register: Callable[..., Manifest], source: Path, root: Path
) -> None:
    for seed in range(2):
        register("digits", seed=seed)
    (root / "digits/2/manifest.json").write_bytes(b"")
    install_shipped(source, registry)
    assert registry.load("two-or-three", 1)
    assert registry.alias_names("digits") == ()


def test_an_installation_that_was_cut_off_is_completed(
    shipped: Registry, registry: Registry, source: Path, root: Path
) -> None:
    install_shipped(source, registry)
    (root / "digits/2/manifest.json").unlink()
    (root / "digits/aliases/champion/000001.json").unlink()
    install_shipped(source, registry)
    assert registry.load("digits", registry.resolve("digits", "champion")).manifest.version == 2


@pytest.mark.parametrize("file", ["weights.npz", "manifest.json"])
def test_a_damaged_shipped_version_is_not_installed(
    shipped: Registry, registry: Registry, source: Path, file: str
) -> None:
    path = source / "digits/1" / file
    path.write_bytes(path.read_bytes()[:-1])
    with pytest.raises(Corrupted):
        install_shipped(source, registry)
    assert registry.names() == ()


Ship = Callable[[Registry, str], None]


@pytest.fixture
def ship(
    make_draft: Callable[..., ModelDraft], make_weights: Callable[[int, ModelDraft], tuple[Floats, Floats]]
) -> Ship:
    def ship_one(shipped: Registry, name: str) -> None:
        draft = make_draft()
        shipped.register(name, draft, *make_weights(50, draft))
        shipped.set_alias(name, "champion", 1)

    return ship_one


@pytest.fixture
def shipped_before(source: Path, ship: Ship) -> Registry:
    """What was shipped before `DEFAULT_MODEL` was."""
    shipped = Registry(LocalStore(source))
    ship(shipped, FORMER_DEFAULT_MODEL)
    return shipped


Before = Callable[[Registry, Callable[..., Manifest]], None]


def promote_own(registry: Registry, register: Callable[..., Manifest]) -> None:
    registry.set_alias(FORMER_DEFAULT_MODEL, "champion", register(FORMER_DEFAULT_MODEL, seed=7).version)


def train_own(registry: Registry, register: Callable[..., Manifest]) -> None:
    register(FORMER_DEFAULT_MODEL, seed=7)


def promote_own_and_back(registry: Registry, register: Callable[..., Manifest]) -> None:
    promote_own(registry, register)
    registry.set_alias(FORMER_DEFAULT_MODEL, "champion", 1)


def delete_champion(registry: Registry, register: Callable[..., Manifest]) -> None:
    registry.delete_alias(FORMER_DEFAULT_MODEL, "champion")


def own_of_the_new_name(registry: Registry, register: Callable[..., Manifest]) -> None:
    register(DEFAULT_MODEL, seed=7)


@pytest.mark.parametrize(
    ("before", "expected"),
    [
        (None, DEFAULT_MODEL),
        (train_own, DEFAULT_MODEL),
        (promote_own_and_back, DEFAULT_MODEL),
        (promote_own, FORMER_DEFAULT_MODEL),
        (delete_champion, FORMER_DEFAULT_MODEL),
        (own_of_the_new_name, FORMER_DEFAULT_MODEL),
    ],
)
def test_a_default_that_is_still_the_shipped_one_moves_and_any_other_stays(
    shipped_before: Registry,
    registry: Registry,
    register: Callable[..., Manifest],
    source: Path,
    ship: Ship,
    before: Before | None,
    expected: str,
) -> None:
    install_shipped(source, registry)
    assert default_model(source, registry) == FORMER_DEFAULT_MODEL
    if before is not None:
        before(registry, register)
    ship(shipped_before, DEFAULT_MODEL)
    install_shipped(source, registry)
    assert default_model(source, registry) == expected
    for name in (FORMER_DEFAULT_MODEL, DEFAULT_MODEL):  # what is promoted later moves no default
        registry.set_alias(name, "champion", register(name, seed=8).version)
    assert default_model(source, registry) == expected


def test_in_a_new_folder_the_default_stays_whatever_is_promoted(
    shipped_before: Registry,
    registry: Registry,
    register: Callable[..., Manifest],
    source: Path,
    ship: Ship,
) -> None:
    ship(shipped_before, DEFAULT_MODEL)
    install_shipped(source, registry)
    promote_own(registry, register)
    install_shipped(source, registry)
    assert default_model(source, registry) == DEFAULT_MODEL


def test_where_nothing_is_shipped_the_default_is_what_a_first_job_is_named(
    registry: Registry, register: Callable[..., Manifest], tmp_path: Path
) -> None:
    assert default_model(tmp_path / "nowhere", registry) == FORMER_DEFAULT_MODEL
    train_own(registry, register)
    assert default_model(tmp_path / "nowhere", registry) == FORMER_DEFAULT_MODEL
