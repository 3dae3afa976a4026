"""Registering, loading and listing: versions are immutable, verified, and found by strict names only."""

from __future__ import annotations

import hashlib
import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from service.core import Floats
from service.core.npz import write_npz
from service.errors import Corrupted, InvalidField, ModelNotFound
from service.registry import Manifest, ModelDraft, Registry, check_alias, check_model_name
from service.stores import LocalStore

MakeDraft = Callable[..., ModelDraft]
MakeWeights = Callable[[int, ModelDraft], tuple[Floats, Floats]]
Register = Callable[..., Manifest]

NOT_NAMES = [
    "",
    ".",
    "..",
    "../digits",
    "digits/../digits",
    "digits/1",
    "/etc/passwd",
    "digits..v2",
    ".digits",
    "-digits",
    "Digits",
    "digits ",
    "digits\n",
    "digits\0",
    "digits\\",
    "..%2fdigits",
    "sha256:" + "0" * 64,
    "http://host/digits",
    "ziffern-ä",
    "\uff44igits",
    "digits\u0661",
    "\ud800",
    "x" * 65,
]


@pytest.mark.parametrize("model", ["softmax", "logistic"])
@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("published", ["best", "last"])
def test_what_is_registered_is_loaded(
    registry: Registry,
    make_draft: MakeDraft,
    make_weights: MakeWeights,
    model: str,
    dtype: str,
    published: str,
) -> None:
    draft = make_draft(model=model, dtype=dtype, published=published)
    best, last = make_weights(1, draft)

    manifest = registry.register("digits", draft, best, last)
    loaded = registry.load("digits", 1)

    assert (manifest.name, manifest.version) == ("digits", 1)
    assert loaded.manifest == registry.manifest("digits", 1) == manifest
    np.testing.assert_array_equal(loaded.best, best, strict=True)
    np.testing.assert_array_equal(loaded.last, last, strict=True)
    assert loaded.parameters is (loaded.best if published == "best" else loaded.last)
    assert not loaded.parameters.flags.writeable


def test_the_weight_file_is_the_one_that_the_manifest_names(
    registry: Registry, make_draft: MakeDraft, make_weights: MakeWeights, root: Path
) -> None:
    draft = make_draft()
    best, last = make_weights(1, draft)
    manifest = registry.register("digits", draft, best, last)

    data = registry.weights_bytes("digits", 1)

    views = draft.build_model().layout.views
    arrays = {"best": views(best)["W"], "last": views(last)["W"]}
    assert data == write_npz(arrays) == (root / "digits/1/weights.npz").read_bytes()
    assert manifest.weights_sha256 == hashlib.sha256(data).hexdigest()
    assert manifest.size_bytes == len(data)
    assert (root / "digits/1/manifest.json").read_bytes() == manifest.to_json()


def test_versions_count_from_one_in_each_model(registry: Registry, register: Register) -> None:
    made = [register(name, seed=i) for i, name in enumerate(["b", "a", "b", "b"])]
    assert [(m.name, m.version) for m in made] == [("b", 1), ("a", 1), ("b", 2), ("b", 3)]
    assert registry.names() == ("a", "b")
    assert registry.versions("b") == (1, 2, 3)


def test_more_than_nine_versions_are_in_the_order_of_numbers(registry: Registry, register: Register) -> None:
    for seed in range(11):
        register(seed=seed)
    assert registry.versions("digits") == tuple(range(1, 12))
    assert registry.resolve("digits") == 11


def test_a_job_that_is_finished_twice_makes_one_version(registry: Registry, register: Register) -> None:
    first = register(seed=1, job_id="job-1")
    register(seed=2, job_id="job-2")
    assert register(seed=1, job_id="job-1") == first
    assert registry.versions("digits") == (1, 2)


def test_a_first_attempt_reads_no_other_version(
    registry: Registry,
    register: Register,
    make_draft: MakeDraft,
    make_weights: MakeWeights,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    for seed in range(3):
        register(seed=seed, job_id=f"job-{seed}")
    draft = make_draft(job_id="job-3")
    with monkeypatch.context() as patch:
        patch.delattr(LocalStore, "read")
        manifest = registry.register("digits", draft, *make_weights(3, draft), first_attempt=True)
    assert manifest.version == 4
    assert registry.register("digits", draft, *make_weights(3, draft)) == manifest, "the second attempt searches"


@pytest.mark.parametrize(
    "again",
    [{"seed": 2, "job_id": "j"}, {"seed": 1, "job_id": "k"}, {"name": "more", "seed": 1, "job_id": "j"}],
)
def test_other_weights_another_job_or_another_name_is_another_version(
    registry: Registry, register: Register, again: dict[str, Any]
) -> None:
    first = register(seed=1, job_id="j")
    second = register(**again)
    assert (second.name, second.version) != (first.name, first.version)


def test_without_a_job_every_registration_is_a_version(registry: Registry, register: Register) -> None:
    assert [register(seed=1).version for _ in range(3)] == [1, 2, 3]


@pytest.mark.parametrize(
    "spoil",
    [
        lambda weights: weights[:-1],
        lambda weights: weights.astype(np.float64),
        lambda weights: np.where(np.arange(7850) == 3, np.float32(np.nan), weights),
    ],
    ids=["one missing", "another dtype", "NaN"],
)
def test_weights_that_the_draft_does_not_describe_are_not_stored(
    registry: Registry, make_draft: MakeDraft, make_weights: MakeWeights, spoil: Callable[[Floats], Floats]
) -> None:
    draft = make_draft()
    best, last = make_weights(1, draft)
    with pytest.raises(Corrupted):
        registry.register("digits", draft, best, spoil(last))
    assert registry.names() == ()


@pytest.mark.parametrize("name", NOT_NAMES)
def test_names_are_refused_before_a_path_is_made(registry: Registry, register: Register, root: Path, name: str) -> None:
    register("digits")
    before = sorted(root.rglob("*"))
    for look in (
        lambda: registry.versions(name),
        lambda: registry.manifest(name, 1),
        lambda: registry.load(name, 1),
        lambda: registry.weights_bytes(name, 1),
        lambda: registry.resolve(name),
        lambda: registry.resolve("digits", name),
        lambda: registry.summary(name),
        lambda: registry.aliases(name),
        lambda: registry.alias_history(name, "champion"),
        lambda: registry.alias_history("digits", name),
        lambda: registry.set_alias(name, "champion", 1),
        lambda: registry.delete_alias(name, "champion"),
        lambda: registry.delete_alias("digits", name),
    ):
        with pytest.raises(ModelNotFound):
            look()
    assert registry.alias_names(name) == ()
    assert not registry.has_version(name, 1)
    for refuse in (
        lambda: register(name),
        lambda: check_model_name(name),
        lambda: check_alias(name),
        lambda: registry.set_alias("digits", name, 1),
    ):
        with pytest.raises(InvalidField) as raised:
            refuse()
        assert raised.value.field in ("name", "alias")
        assert not name or name in ".." or name not in raised.value.message
    assert sorted(root.rglob("*")) == before


@pytest.mark.parametrize("name", ["digits", "2", "a.b_c-d", "x" * 64, "aliases", "nul", "latest"])
def test_names_that_a_model_may_have(registry: Registry, register: Register, name: str) -> None:
    register(name)
    assert registry.names() == (name,)
    assert registry.load(name, registry.resolve(name)).manifest.name == name


@pytest.mark.parametrize("version", [0, 2, -1, 10**9, pytest.param(10**5000, id="huge"), True])
def test_versions_that_there_are_not(registry: Registry, register: Register, version: int) -> None:
    register()
    for look in (registry.manifest, registry.load, registry.weights_bytes, registry.resolve):
        with pytest.raises(ModelNotFound):
            look("digits", version)
    with pytest.raises(ModelNotFound):
        registry.set_alias("digits", "champion", version)


def test_references(registry: Registry, register: Register) -> None:
    for seed in range(3):
        register(seed=seed)
    registry.set_alias("digits", "quick", 2)
    assert registry.resolve("digits") == 3
    assert registry.resolve("digits", 1) == registry.resolve("digits", "1") == 1
    assert registry.resolve("digits", "quick") == 2
    registry.set_alias("digits", "champion", 1)
    assert registry.resolve("digits") == registry.resolve("digits", "champion") == 1
    assert registry.resolve("digits", "latest") == 3
    registry.delete_alias("digits", "champion")
    assert registry.resolve("digits") == 3
    for unknown in ("champion", "slow", "4", "01", "0", "-1", "1.0", "\u0661"):
        with pytest.raises(ModelNotFound):
            registry.resolve("digits", unknown)


@pytest.mark.slow
def test_every_flipped_bit_of_a_version_is_refused(registry: Registry, register: Register, root: Path) -> None:
    register()
    rng = np.random.default_rng(7)
    for name, n_flips in (("weights.npz", 700), ("manifest.json", 300)):
        path = root / "digits/1" / name
        data = path.read_bytes()
        for position in rng.integers(len(data), size=n_flips):
            flipped = bytearray(data)
            flipped[position] ^= 1 << int(rng.integers(8))
            path.write_bytes(flipped)
            with pytest.raises(Corrupted):
                registry.load("digits", 1)
            with pytest.raises(Corrupted):
                registry.weights_bytes("digits", 1)
        path.write_bytes(data)
    registry.load("digits", 1)


def test_truncated_and_lengthened_files_are_refused(registry: Registry, register: Register, root: Path) -> None:
    register()
    for name in ("weights.npz", "manifest.json"):
        path = root / "digits/1" / name
        data = path.read_bytes()
        for wrong in (b"", data[:1], data[: len(data) // 2], data[:-1], data + b"\n", data + data):
            path.write_bytes(wrong)
            with pytest.raises(Corrupted):
                registry.load("digits", 1)
        path.write_bytes(data)


def test_a_manifest_grown_beyond_reason_is_not_read(registry: Registry, register: Register, root: Path) -> None:
    register()
    with (root / "digits/1/manifest.json").open("ab") as file:
        file.truncate(10**12)  # sparse: a terabyte if it were read
    with pytest.raises(Corrupted):
        registry.manifest("digits", 1)


@pytest.mark.parametrize("other", ["digits/2", "more/1"])
@pytest.mark.parametrize("names", [["weights.npz"], ["manifest.json"], ["weights.npz", "manifest.json"]])
def test_swapped_files_are_refused(
    registry: Registry, register: Register, root: Path, other: str, names: list[str]
) -> None:
    for seed, name in enumerate(["digits", "digits", "more"]):
        register(name, seed=seed)
    for name in names:
        shutil.copyfile(root / other / name, root / "digits/1" / name)
    with pytest.raises(Corrupted):
        registry.load("digits", 1)


def test_missing_weights_are_damage_and_a_missing_manifest_is_no_version(
    registry: Registry, register: Register, root: Path
) -> None:
    for seed in range(2):
        register(seed=seed)
    (root / "digits/1/weights.npz").unlink()
    (root / "digits/2/manifest.json").unlink()
    with pytest.raises(Corrupted):
        registry.load("digits", 1)
    with pytest.raises(ModelNotFound):
        registry.load("digits", 2)
    assert registry.versions("digits") == (1,)


@pytest.mark.parametrize(
    ("field", "value"),
    [("dtype", "float64"), ("size_bytes", 10), ("weights_sha256", "0" * 64), ("model", "logistic")],
)
def test_weights_must_agree_with_a_manifest_that_is_itself_in_order(
    registry: Registry, store: LocalStore, register: Register, root: Path, field: str, value: Any
) -> None:
    fields = json.loads(register().to_json()) | {field: value}
    del fields["sha256"]
    if field == "model":
        fields |= {"classes": [2, 3], "class_names": ["2", "3"]}
    body = json.dumps(fields, indent=2) + "\n"
    sealed = {**fields, "sha256": hashlib.sha256(body.encode()).hexdigest()}
    (root / "digits/1/manifest.json").write_text(json.dumps(sealed, indent=2) + "\n")
    assert getattr(registry.manifest("digits", 1), field) == value
    with pytest.raises(Corrupted):
        registry.load("digits", 1)


def test_a_damaged_manifest_spoils_only_its_own_line_of_a_listing(
    registry: Registry, register: Register, root: Path
) -> None:
    for name in ("a", "b", "c"):
        for seed in range(2):
            register(name, seed=seed)
    registry.set_alias("b", "champion", 1)
    registry.set_alias("c", "champion", 1)
    (root / "b/1/manifest.json").write_bytes(b"{}")
    (root / "c/2/manifest.json").write_bytes(b"{}")

    summaries = {name: registry.summary(name) for name in registry.names()}

    assert {name: summary["state"] for name, summary in summaries.items()} == {
        "a": "ready",
        "b": "corrupted",
        "c": "ready",
    }
    newest = registry.manifest("a", 2).to_dict()
    assert summaries["a"]["default"] == {
        "version": 2,
        "state": "ready",
        **{name: newest[name] for name in ("model", "classes", "class_names", "published", "created_at", "job_id")},
        "metrics": newest["metrics"]["published"],
    }
    assert summaries["a"]["aliases"] == {}
    default = summaries["b"]["default"]
    assert (default["version"], default["state"], default["metrics"]) == (1, "corrupted", None)
    assert summaries["b"]["aliases"] == {"champion": 1}
    found, _ = registry.version_summaries("c", limit=9)
    assert [(s["version"], s["state"]) for s in found] == [(1, "ready"), (2, "corrupted")]


def test_a_listing_reads_no_weight_file(registry: Registry, register: Register, root: Path) -> None:
    register()
    expected = registry.summary("digits")
    (root / "digits/1/weights.npz").write_bytes(b"")
    assert registry.summary("digits") == expected


def test_foreign_files_in_the_store_are_no_models(registry: Registry, register: Register, root: Path) -> None:
    register()
    (root / "README.md").write_text("hello")
    (root / "lost+found").mkdir()
    (root / "notes").write_text("a file with a model's name")
    (root / "digits/notes.txt").write_text("hello")
    (root / "digits/02").mkdir()
    (root / "empty/1").mkdir(parents=True)
    assert registry.names() == ("digits",)
    assert registry.versions("digits") == (1,)
