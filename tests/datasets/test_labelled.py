"""Data sets as people have them: tables of pixels as CSV, and pictures in a folder for each class."""

from __future__ import annotations

import gzip
import io
import zipfile
from collections.abc import Sequence

import numpy as np
import pytest
from PIL import Image

from service.datasets import Dataset, Upload, parse_idx_images, parse_idx_labels
from service.datasets.dataset import FILE_NAMES
from service.errors import InputTooLarge, InvalidDataset, InvalidField, ServiceError
from service.inference import DecodingLimits, ImageFile, decode_upload, read_dataset

LIMIT_BYTES = 1_000_000
LIMITS = DecodingLimits()


def png(image: np.ndarray) -> bytes:
    file = io.BytesIO()
    Image.fromarray(image).save(file, "PNG")
    return file.getvalue()


def csv(images: np.ndarray, labels: Sequence[object], *, last: bool = False) -> bytes:
    rows = [[str(label), *map(str, image.ravel())] for image, label in zip(images, labels, strict=True)]
    return "\n".join(",".join(row[1:] + row[:1] if last else row) for row in rows).encode()


def zipped(files: dict[str, bytes]) -> bytes:
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w") as archive:
        for name, content in files.items():
            archive.writestr(name, content)
    return file.getvalue()


def read(files: dict[str, bytes], names: Sequence[str] | None = None, limit_bytes: int = LIMIT_BYTES) -> Upload:
    parts = [("file", ImageFile(content=content, name=name)) for name, content in files.items()]
    return read_dataset(parts, names, limit_bytes, LIMITS)


def arrays(upload: Upload) -> list[np.ndarray]:
    parsers = (parse_idx_images, parse_idx_labels) * 2
    return [parse(upload.files[name]) for name, parse in zip(FILE_NAMES, parsers, strict=True)]


@pytest.fixture
def some(mnist: Dataset) -> tuple[np.ndarray, np.ndarray]:
    """Sixty images of all digits."""
    return mnist.test.images[:60], mnist.test.labels[:60]


HEADING = b"label," + b",".join(b"pixel%d" % k for k in range(784)) + b"\n"
HEADING_LAST = b",".join(b'"%dx%d"' % divmod(k, 28) for k in range(784)) + b',"class"\n'


def test_every_form_of_a_table_is_the_same_data_set(some: tuple[np.ndarray, np.ndarray]) -> None:
    images, labels = some
    plain = read({"train.csv": csv(images, labels)})
    quoted = b"\r\n\r\n".join(b'"%s"' % line.replace(b",", b'","') for line in csv(images, labels).split(b"\n"))
    for name, content in {
        "headed.csv": HEADING + csv(images, labels),
        "last.csv": b"\xef\xbb\xbf" + HEADING_LAST + csv(images, labels, last=True),
        "packed.csv.gz": gzip.compress(csv(images, labels)),
        "quoted.csv": quoted,
        "kaggle.zip": zipped({"digits/train.csv": csv(images, labels), "__MACOSX/._train.csv": b"hidden"}),
        "file": csv(images, labels),
    }.items():
        assert read({name: content}) == plain, name
    by_class = {
        f"{label}/{n}.png": png(image) for n, (image, label) in enumerate(zip(images, labels.tolist(), strict=True))
    }
    assert read({"pictures.zip": zipped({**by_class, "3/.DS_Store": b"hidden"})}).sha256 == read(by_class).sha256
    assert sorted(map(bytes, arrays(read(by_class))[0])) == sorted(map(bytes, arrays(plain)[0]))
    x_train, y_train, x_test, y_test = arrays(plain)
    assert sorted(map(bytes, [*x_train, *x_test])) == sorted(map(bytes, images))
    counts = np.bincount(labels)
    np.testing.assert_array_equal(
        np.bincount(y_test, minlength=10), np.where(counts > 1, np.maximum(counts // 6, 1), 0)
    )
    label_of = {bytes(image): label for image, label in zip(images, labels, strict=True)}
    assert [label_of[bytes(image)] for image in [*x_train, *x_test]] == [*y_train, *y_test]


def test_what_is_named_test_has_the_test_images(some: tuple[np.ndarray, np.ndarray]) -> None:
    images, labels = some
    tables = read({"mnist_train.csv": csv(images, labels), "mnist_test.csv": csv(images[:5], labels[:5])})
    for array, expected in zip(arrays(tables), (images, labels, images[:5], labels[:5]), strict=True):
        np.testing.assert_array_equal(array, expected)
    folders = {f"{part}/{label}/{n}.png": png(images[n]) for part in ("train", "test") for n, label in enumerate("ab")}
    found = read({"a.zip": zipped(folders)})
    assert found.class_names == ("a", "b")
    assert [array.tolist() for array in arrays(found)[1::2]] == [[0, 1], [0, 1]]


def test_pictures_of_any_size_are_preprocessed_as_for_a_prediction(some: tuple[np.ndarray, np.ndarray]) -> None:
    images, labels = some
    large = {f"{labels[n]}/{n}.png": png(255 - images[n].repeat(5, 0).repeat(5, 1)) for n in range(20)}
    found = arrays(read(large))
    expected = sorted(bytes(decode_upload(content).only) for content in large.values())
    assert sorted(map(bytes, [*found[0], *found[2]])) == expected


@pytest.mark.parametrize(
    ("labels", "names", "class_names"),
    [
        ([2, 2, 7, 7], None, tuple("0123456789")),
        ([0, 0, 1, 1], None, ("0", "1")),
        ([0, 0, 1, 1], ["nought", "one"], ("nought", "one")),
        (["dog", "dog", "cat", "cat"], None, ("cat", "dog")),
        (["dog", "dog", "cat", "cat"], ["dog", "cat"], ("dog", "cat")),
    ],
)
def test_classes_are_digits_or_have_names(
    some: tuple[np.ndarray, np.ndarray], labels: list[object], names: list[str] | None, class_names: tuple[str, ...]
) -> None:
    found = read({f"{label}/{n}.png": png(some[0][n]) for n, label in enumerate(labels)}, names)
    assert found.class_names == class_names
    number_of = {name: number for number, name in enumerate(names or class_names)}
    numbers = {label if isinstance(label, int) else number_of[str(label)] for label in labels}
    assert set(arrays(found)[1].tolist()) == set(arrays(found)[3].tolist()) == numbers


ROW = b",".join([b"1"] + [b"0"] * 784)
TWO = {"0/a.png": png(np.zeros((28, 28), np.uint8)), "1/a.png": png(np.ones((28, 28), np.uint8))}


@pytest.mark.parametrize(
    ("files", "message"),
    [
        ({"a.csv": b"\n".join([ROW, ROW, b"1,2"])}, "a.csv, line 3 has 2 columns"),
        ({"a.csv": HEADING + b"\n" + ROW + b"\n" + ROW.replace(b"1,0", b"1,256", 1)}, "a.csv, line 4, column 2"),
        ({"a.csv": ROW.replace(b"1,0", b"1,0.5", 1)}, "a.csv, line 1, column 2"),
        (
            {"a.csv": ROW.replace(b"1,0", b"x,0", 1) + b"\n" + ROW.replace(b"1,0", b"-1,0", 1)},
            "a.csv, line 1, column 1",
        ),
        ({"test.csv": HEADING[6:] + ROW[2:]}, "test.csv, line 2 has 784 columns"),
        ({"a.csv": b"\n \n"}, "a.csv is empty"),
        ({"a.csv": b"\n".join([ROW.replace(b"1,", b"11,", 1), ROW])}, "a.csv, line 1: there is no label"),
        ({"a.csv": b"\n".join([ROW, ROW])}, "1 classes"),
        ({"a.zip": zipped({"d/3/broken.png": b"\x89PNG\r\n\x1a\n"})}, "d/3/broken.png: The image is truncated"),
        ({"a.zip": zipped({"3/note.md": b"no picture"})}, "3/note.md: The content is not an image"),
        ({"seven.png": TWO["0/a.png"], "b.png": TWO["1/a.png"]}, "seven.png: its folder must be named"),
        ({"a.zip": zipped({"test/a.png": TWO["0/a.png"]})}, "test/a.png: its folder must be named"),
        ({f"{k}/a.png": TWO["0/a.png"] for k in "abcdefghijk"}, "11 classes"),
        ({"a.zip": zipped(TWO)}, "two of a class"),
        ({"a.zip": b"PK\x03\x04 damaged"}, "truncated"),
        ({"test/0/a.png": TWO["0/a.png"], "train/1/a.png": TWO["1/a.png"]}, "every label"),
    ],
)
def test_what_is_wrong_is_named_with_its_file_and_line(files: dict[str, bytes], message: str) -> None:
    with pytest.raises(ServiceError) as refused:
        read(files)
    assert isinstance(refused.value, InvalidDataset | InvalidField) or "truncated" in message
    assert message in refused.value.message


def test_limits(some: tuple[np.ndarray, np.ndarray], monkeypatch: pytest.MonkeyPatch) -> None:
    images, labels = some
    table = csv(images, labels)
    for content in (table, gzip.compress(table), zipped({"a.csv": table})):
        with pytest.raises(InputTooLarge):
            read({"a": content}, limit_bytes=20_000)
    bomb = io.BytesIO()
    with zipfile.ZipFile(bomb, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("3/a.csv", bytes(2 * LIMIT_BYTES))
    with pytest.raises(InputTooLarge, match="archive"):
        read({"a.zip": bomb.getvalue()})
    for bound in ("MAX_PICTURES", "MAX_PREPROCESSED", "MAX_PIXELS"):
        with monkeypatch.context() as patch, pytest.raises(InputTooLarge, match="too many pictures"):
            patch.setattr(f"service.inference.dataset_files.{bound}", 1)
            read({f"{k}/a.png": png(255 - images[k].repeat(2, 0).repeat(2, 1)) for k in range(3)})
