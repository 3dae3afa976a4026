"""MNIST is the published one, opens cheaply, and damage to it is noticed."""

from __future__ import annotations

import gzip
import hashlib
import shutil
import tracemalloc
from concurrent.futures import ThreadPoolExecutor
from importlib.resources import as_file, files
from pathlib import Path
from threading import Barrier

import numpy as np
import pytest

from service.datasets import PACKAGED, Dataset, LabelledImages, load_dataset, load_mnist
from service.errors import Corrupted, DatasetNotFound, InvalidDataset, StorageFailed

TEST_IMAGES = "t10k-images-idx3-ubyte.gz"
TEST_LABELS = "t10k-labels-idx1-ubyte.gz"


@pytest.fixture
def copy_of_mnist(tmp_path: Path) -> Path:
    with as_file(files("service.datasets") / "files" / "mnist") as packaged:
        return shutil.copytree(packaged, tmp_path / "mnist")


def test_counts_per_class_are_the_published_ones(mnist: Dataset) -> None:
    training = [5923, 6742, 5958, 6131, 5842, 5421, 5918, 6265, 5851, 5949]
    test = [980, 1135, 1032, 1010, 982, 892, 958, 1028, 974, 1009]
    assert mnist.training.count_by_class() == dict(enumerate(training))
    assert mnist.test.count_by_class() == dict(enumerate(test))
    assert mnist.classes == tuple(range(10))


def test_images_are_whole_and_read_only(mnist: Dataset) -> None:
    for part, n_images in ((mnist.training, 60_000), (mnist.test, 10_000)):
        assert len(part) == n_images
        assert part.images.shape == (n_images, 28, 28)
        assert part.images.dtype == np.uint8
        assert not part.images.flags.writeable
        assert not part.labels.flags.writeable
        assert part.images is part.images
    assert float(mnist.training.images.mean()) == pytest.approx(33.318, abs=0.001)


def test_checksum_is_over_the_four_files_in_order(mnist: Dataset, copy_of_mnist: Path) -> None:
    names = [f"{part}-{kind}" for part in ("train", "t10k") for kind in ("images-idx3", "labels-idx1")]
    sums = [
        hashlib.sha256(gzip.decompress((copy_of_mnist / f"{name}-ubyte.gz").read_bytes())).hexdigest() for name in names
    ]
    assert mnist.sha256 == hashlib.sha256("".join(sums).encode()).hexdigest()


def test_describing_reads_no_images() -> None:
    tracemalloc.start()
    opened = load_mnist()
    counts = opened.training.count_by_class()
    description = f"{opened!r} {counts}"
    _, peak_bytes = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert "60,000 images" in description
    assert peak_bytes < 2_000_000


def test_the_catalogue_gives_one_object_to_all_threads() -> None:
    assert PACKAGED.names() == ["mnist"]
    together = Barrier(8)

    def load(_: int) -> tuple[Dataset, np.ndarray]:
        together.wait()
        dataset = load_dataset("mnist")
        return dataset, dataset.test.images

    with ThreadPoolExecutor(8) as pool:
        loaded = list(pool.map(load, range(8)))
    assert all(dataset is loaded[0][0] and images is loaded[0][1] for dataset, images in loaded)


@pytest.mark.parametrize("name", ["", "MNIST", "../mnist", "fashion"])
def test_unknown_names_are_not_found(name: str) -> None:
    with pytest.raises(DatasetNotFound) as refusal:
        load_dataset(name)
    assert refusal.value.allowed == "mnist"


@pytest.mark.parametrize("at", [5, 4_000, -3])
def test_a_flipped_bit_in_a_packed_file_is_noticed(copy_of_mnist: Path, at: int) -> None:
    file = copy_of_mnist / TEST_LABELS
    packed = bytearray(file.read_bytes())
    packed[at] ^= 1
    file.write_bytes(packed)
    if at == 5:  # the time in the gzip header: the data are the same, and that is what counts
        assert len(load_mnist(copy_of_mnist).test) == 10_000
    else:
        with pytest.raises(Corrupted):
            load_mnist(copy_of_mnist)


def test_a_flipped_bit_under_a_valid_gzip_is_noticed(copy_of_mnist: Path) -> None:
    file = copy_of_mnist / TEST_IMAGES
    data = bytearray(gzip.decompress(file.read_bytes()))
    data[1_000_000] ^= 1
    file.write_bytes(gzip.compress(data, compresslevel=1))
    damaged = load_mnist(copy_of_mnist)
    for _ in range(2):
        with pytest.raises(Corrupted, match="checksum"):
            _ = damaged.test.images
    assert damaged.training.images.shape == (60_000, 28, 28)


def test_a_missing_file_is_a_storage_failure(copy_of_mnist: Path) -> None:
    (copy_of_mnist / TEST_LABELS).unlink()
    with pytest.raises(StorageFailed):
        load_mnist(copy_of_mnist)


def test_images_must_be_as_many_as_labels() -> None:
    part = LabelledImages(np.zeros(3, np.uint8), lambda: np.zeros((2, 28, 28), np.uint8))
    with pytest.raises(InvalidDataset, match="2 images but 3 labels"):
        _ = part.images
