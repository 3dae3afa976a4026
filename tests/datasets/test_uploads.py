"""Data sets of strangers: accepted if they are valid, refused with a clear error if not, and never trusted."""

from __future__ import annotations

import gzip
import io
import json
import os
import struct
import subprocess
import sys
import time
import tracemalloc
import zipfile
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from service.datasets import PART_NAMES, About, Dataset, Datasets, read_upload, received_dataset
from service.errors import (
    Corrupted,
    DatasetNotFound,
    InputTooLarge,
    InUse,
    InvalidDataset,
    InvalidField,
    NameTaken,
    StorageFull,
)
from service.stores import LocalStore

LIMIT_BYTES = 2_000_000
ABOUT = About(title="Three of ten", source="MNIST", licence="CC BY-SA 3.0")

Arrays = dict[str, np.ndarray]


def idx(array: np.ndarray) -> bytes:
    shape = b"".join(length.to_bytes(4, "big") for length in array.shape)
    return bytes([0, 0, 8, array.ndim]) + shape + array.tobytes()


def npz(arrays: Arrays, **options: Any) -> bytes:
    file = io.BytesIO()
    (np.savez_compressed if options.get("packed") else np.savez)(file, **arrays)
    return file.getvalue()


@pytest.fixture(scope="module")
def arrays(mnist: Dataset) -> Arrays:
    """Return the images of 0, 1 and 2 among some of MNIST."""
    found: Arrays = {}
    for part, suffix in ((mnist.training, "train"), (mnist.test, "test")):
        chosen = np.flatnonzero(part.labels < 3)[:500]
        found |= {f"x_{suffix}": part.images[chosen], f"y_{suffix}": part.labels[chosen]}
    return found


@pytest.fixture(scope="module")
def parts(arrays: Arrays) -> dict[str, bytes]:
    return dict(zip(PART_NAMES, map(idx, arrays.values()), strict=True))


@pytest.fixture
def datasets(tmp_path: Path) -> Datasets:
    return Datasets(LocalStore(tmp_path / "datasets"), max_uploads=2)


def test_both_forms_give_the_same(parts: dict[str, bytes], arrays: Arrays) -> None:
    plain = read_upload(parts, None, limit_bytes=LIMIT_BYTES)
    assert plain.class_names == ("0", "1", "2")
    zipped = {name: gzip.compress(data) for name, data in parts.items()}
    flat = {**arrays, "x_train": arrays["x_train"].reshape(-1, 784), "y_test": arrays["y_test"].astype(np.int64)}
    for sent in (zipped, {"file": npz(arrays)}, {"file": npz(flat, packed=True)}):
        assert read_upload(sent, None, limit_bytes=LIMIT_BYTES) == plain
    assert list(plain.files.values()) == list(parts.values())


def test_a_kept_data_set_can_be_opened_and_sent(datasets: Datasets, parts: dict[str, bytes], arrays: Arrays) -> None:
    upload = read_upload(parts, ["zero", "one", "two"], limit_bytes=LIMIT_BYTES)
    kept = datasets.add("three", upload, ABOUT)
    assert datasets.names() == ["mnist", "three"] and datasets.get("three") is kept
    assert (kept.classes, kept.names_of((2, 0)), kept.title) == ((0, 1, 2), ("two", "zero"), "Three of ten")
    np.testing.assert_array_equal(kept.training.images, arrays["x_train"])
    np.testing.assert_array_equal(kept.test.labels, arrays["y_test"])
    files = datasets.files_to_send("three")
    assert files == upload.files and datasets.files_to_send("mnist") is None
    received = received_dataset("three", files)
    assert received.sha256 == kept.sha256
    np.testing.assert_array_equal(received.test.images, arrays["x_test"])


def test_nothing_of_a_refused_data_set_stays(datasets: Datasets, parts: dict[str, bytes], tmp_path: Path) -> None:
    datasets.add("one", read_upload(parts, None, limit_bytes=LIMIT_BYTES), ABOUT)
    kept = sorted(path.name for path in (tmp_path / "datasets" / "one").iterdir())
    swapped = {**parts, "train_images": parts["train_images"][:16] + parts["train_images"][:15:-1]}
    with pytest.raises(NameTaken):
        datasets.add("one", read_upload(swapped, None, limit_bytes=LIMIT_BYTES), ABOUT)
    assert sorted(path.name for path in (tmp_path / "datasets" / "one").iterdir()) == kept


def test_names_are_taken_up_to_the_limit(datasets: Datasets, parts: dict[str, bytes]) -> None:
    upload = read_upload(parts, None, limit_bytes=LIMIT_BYTES)
    other = read_upload(parts, ["a", "b", "c"], limit_bytes=LIMIT_BYTES)
    assert datasets.add("one", upload, ABOUT) is datasets.add("one", upload, ABOUT)
    for name in ("one", "mnist"):
        with pytest.raises(NameTaken):
            datasets.add(name, other, ABOUT)
    datasets.add("two", other, ABOUT)
    with pytest.raises(StorageFull, match="No more"):
        datasets.add("three", upload, ABOUT)


@pytest.mark.parametrize("name", ["", "A", "../x", "a/b", "x" * 41, "1", "a.b", "x\n"])
def test_names_that_no_data_set_can_have(datasets: Datasets, parts: dict[str, bytes], name: str) -> None:
    upload = read_upload(parts, None, limit_bytes=LIMIT_BYTES)
    with pytest.raises(InvalidField) as refusal:
        datasets.add(name, upload, ABOUT)
    assert refusal.value.field == "name"
    with pytest.raises(DatasetNotFound):
        datasets.get(name)


def changed(arrays: Arrays, **changes: np.ndarray) -> dict[str, bytes]:
    return {"file": npz({**arrays, **changes})}


def test_what_is_no_data_set_is_refused(parts: dict[str, bytes], arrays: Arrays) -> None:
    labels = arrays["y_train"]
    whole = npz(arrays)
    archives = (
        {"file": b""},
        {"file": whole[:1000]},
        {"file": whole[:-30]},
        {"file": npz({**arrays, "more": labels})},
        {"file": npz({name: array for name, array in arrays.items() if name != "y_test"})},
        changed(arrays, x_train=arrays["x_train"][:-1]),
        changed(arrays, x_train=arrays["x_train"].astype(np.float32)),
        changed(arrays, x_test=arrays["x_test"][:, :27]),
        changed(arrays, y_train=labels + 8),
        changed(arrays, y_train=labels.astype(np.float64)),
        changed(arrays, y_train=labels.astype(np.int64) - 1),
        changed(arrays, y_train=np.zeros_like(labels), y_test=np.zeros_like(arrays["y_test"])),
        changed(arrays, y_train=np.where(labels == 1, 0, labels).astype(np.uint8)),
        changed(arrays, x_test=arrays["x_test"][:0], y_test=arrays["y_test"][:0]),
    )
    idx_files = {
        "train_images": (parts["train_images"][:-1], parts["train_labels"]),
        "test_labels": (parts["test_labels"] + b"\0", idx(arrays["y_test"][:-1])),
        "train_labels": (gzip.compress(parts["train_labels"])[:-9], idx(np.zeros_like(labels))),
    }
    damaged = [(part, {**parts, part: data}) for part, files in idx_files.items() for data in files]
    for field, sent in (*damaged, *(("file", archive) for archive in archives)):
        with pytest.raises(InvalidDataset) as refusal:
            read_upload(sent, None, limit_bytes=LIMIT_BYTES)
        assert refusal.value.message.endswith(".") and refusal.value.field == field


@pytest.mark.parametrize("sent", [{}, {"file": b"", "more": b""}, {"train_images": b""}, {"x": b""}])
def test_files_that_are_missing_or_unknown(sent: dict[str, bytes]) -> None:
    with pytest.raises(InvalidField) as refusal:
        read_upload(sent, None, limit_bytes=LIMIT_BYTES)
    assert "test_labels" in (refusal.value.allowed or "")


@pytest.mark.parametrize(
    "names", [[], ["a", "b"], ["a", "b", "b"], ["a", "b", ""], ["a", "b", "c\n"], ["a", "b", "x" * 41]]
)
def test_class_names_that_do_not_fit(parts: dict[str, bytes], names: list[str]) -> None:
    with pytest.raises(InvalidField) as refusal:
        read_upload(parts, names, limit_bytes=LIMIT_BYTES)
    assert (refusal.value.field, (refusal.value.allowed or "")[:1]) == ("class_names", "3")


def test_no_pickle_is_opened(arrays: Arrays) -> None:
    objects = np.array([{}] * len(arrays["y_train"]), dtype=object)
    with pytest.raises(InvalidDataset):
        read_upload(changed(arrays, y_train=objects), None, limit_bytes=LIMIT_BYTES)


def test_a_directory_of_millions_is_not_read() -> None:
    """Sixty megabytes of entries, all empty, once took 0.6 GB and blocked the process for ten seconds."""
    entries = (b"PK\x01\x02" + bytes(42)) * 1_000_000
    end = struct.pack("<4s4H2LH", b"PK\x05\x06", 0, 0, 65_535, 65_535, len(entries), 0, 0)
    archive = entries + end
    tracemalloc.start()
    with pytest.raises(InvalidDataset):
        read_upload({"file": archive}, None, limit_bytes=LIMIT_BYTES)
    _, peak_bytes = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert peak_bytes < 1_000_000


@pytest.mark.slow
def test_bombs_are_not_unpacked(parts: dict[str, bytes]) -> None:
    gzip_bomb = gzip.compress(bytes(100_000_000))
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w", zipfile.ZIP_DEFLATED) as archive:
        for name in ("x_train", "y_train", "x_test", "y_test"):
            archive.writestr(f"{name}.npy", bytes(100_000_000))
    tracemalloc.start()
    for field, sent in (("test_images", {**parts, "test_images": gzip_bomb}), ("file", {"file": packed.getvalue()})):
        with pytest.raises(InputTooLarge) as refusal:
            read_upload(sent, None, limit_bytes=LIMIT_BYTES)
        assert refusal.value.field == field
    _, peak_bytes = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert peak_bytes < 3 * LIMIT_BYTES


def test_damage_is_noticed(datasets: Datasets, parts: dict[str, bytes], tmp_path: Path) -> None:
    datasets.add("digits", read_upload(parts, None, limit_bytes=LIMIT_BYTES), ABOUT)
    folder = tmp_path / "datasets" / "digits"
    for path in folder.iterdir():
        content = path.read_bytes()
        path.chmod(0o600)
        for damaged in (content[:-1], content[:-1] + bytes([content[-1] ^ 1]), None):
            if damaged is None:
                path.unlink()
            else:
                path.write_bytes(damaged)
            again = Datasets(LocalStore(tmp_path / "datasets"))
            if path.suffix == ".json":
                assert again.class_names("digits", (2, 0)) == ("2", "0")
            if path.suffix == ".json" and damaged is None:
                assert again.names() == ["mnist"]
                continue
            with pytest.raises(Corrupted):
                again.files_to_send("digits")
            assert "mnist" in [dataset.name for dataset in again.all()]
        path.write_bytes(content)


@pytest.mark.slow
@pytest.mark.parametrize("change", ["add", "delete"])
def test_a_kill_at_any_write_leaves_it_absent_or_whole(change: str, parts: dict[str, bytes], tmp_path: Path) -> None:
    """The N-th link, unlink or fsync is the last thing that a process does, for every N until it survives."""
    program = Path(__file__).with_name("add_and_die.py")
    sent = json.dumps({name: data.hex() for name, data in parts.items()})
    run = subprocess.run(
        [sys.executable, "-P", program, tmp_path, change], input=sent, stdout=subprocess.PIPE, text=True, check=True
    )
    n_calls = int(run.stdout)
    assert n_calls > 10
    for number in range(1, n_calls + 1):
        root = tmp_path / str(number)
        there = Datasets(LocalStore(root))
        if "digits" in there.names():
            files = there.files_to_send("digits")
            assert files is not None and list(files.values()) == list(parts.values())
        if number == n_calls:
            assert ("digits" in there.names()) == (change == "add")
        else:
            clean_as_after_two_hours(there, root)
            assert ("digits" in there.names()) == bool(list(root.glob("digits/*")))
            there.add("digits", read_upload(parts, None, limit_bytes=LIMIT_BYTES), ABOUT)
            assert there.names() == ["digits", "mnist"]


def clean_as_after_two_hours(datasets: Datasets, root: Path) -> None:
    for path in root.rglob("*.*"):
        os.utime(path, (time.time() - 7_200,) * 2)
    datasets.clean()


def test_a_deleted_name_may_be_used_again_and_every_process_notices(
    datasets: Datasets, parts: dict[str, bytes], tmp_path: Path
) -> None:
    other_process = Datasets(LocalStore(tmp_path / "datasets"))
    first = datasets.add("one", read_upload(parts, None, limit_bytes=LIMIT_BYTES), ABOUT)
    assert other_process.get("one").sha256 == first.sha256
    datasets.delete("one")
    assert other_process.names() == datasets.names() == ["mnist"] and not list(tmp_path.glob("datasets/one/*"))
    for refused in (datasets.delete, other_process.get):
        with pytest.raises(DatasetNotFound):
            refused("one")
    swapped = {**parts, "train_images": parts["train_images"][:16] + parts["train_images"][:15:-1]}
    second = datasets.add("one", read_upload(swapped, None, limit_bytes=LIMIT_BYTES), ABOUT)
    assert other_process.get("one").sha256 == second.sha256 != first.sha256
    with pytest.raises(InUse):
        datasets.delete("mnist")


def test_only_old_files_that_no_manifest_names_are_cleaned(
    datasets: Datasets, parts: dict[str, bytes], tmp_path: Path
) -> None:
    datasets.add("one", read_upload(parts, None, limit_bytes=LIMIT_BYTES), ABOUT)
    kept = sorted((tmp_path / "datasets" / "one").iterdir())
    for name in ("one", "two"):
        LocalStore(tmp_path / "datasets").create(f"{name}/{'0' * 64}.idx", b"abandoned")
    datasets.clean()
    assert len(list(tmp_path.glob("datasets/*/*.idx"))) == 6
    clean_as_after_two_hours(datasets, tmp_path / "datasets")
    assert sorted((tmp_path / "datasets").glob("*/*")) == kept
