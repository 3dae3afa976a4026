"""Many files in one request: in an archive or a form, answered one by one, as JSON or CSV; and what a body is."""

from __future__ import annotations

import csv
import json
import struct
import zipfile
from io import BytesIO, StringIO
from typing import Any

import httpx
import numpy as np
import pytest
from PIL import Image

from inkling import InklingClient, InvalidField, Prediction, RefusedFile
from service.datasets import Dataset
from tests.web.serving import problem_of

ZIP = {"Content-Type": "application/zip"}


@pytest.fixture(scope="module")
def pictures(mnist: Dataset) -> list[bytes]:
    return [png(image) for image in mnist.test.images[:3]]


@pytest.fixture(autouse=True)
def default_model(finished_job: dict[str, Any]) -> None:
    """Whether or not a model was shipped, there is one."""


def png(image: Any) -> bytes:
    file = BytesIO()
    Image.fromarray(image).save(file, "PNG")
    return file.getvalue()


def npy(array: Any) -> bytes:
    file = BytesIO()
    np.save(file, array)
    return file.getvalue()


def zipped(*members: tuple[str, bytes], method: int = zipfile.ZIP_DEFLATED, comment: bytes = b"") -> bytes:
    file = BytesIO()
    with zipfile.ZipFile(file, "w", method) as archive:
        for name, content in members:
            archive.writestr(name, content)
        archive.comment = comment
    return file.getvalue()


def damaged(data: bytes, content: bytes) -> bytes:
    """Change a bit of a stored member, so that its checksum is wrong."""
    place = data.index(content) + len(content) // 2
    return data[:place] + bytes([data[place] ^ 1]) + data[place + 1 :]


def outcomes(answer: httpx.Response) -> list[tuple[str, Any]]:
    """Return the name of each row with its digit, or with the type of its problem."""
    rows = answer.raise_for_status().json()["predictions"]
    return [(row["name"], row["error"]["type"] if "error" in row else row["digit"]) for row in rows]


def test_an_archive_is_answered_in_its_order_and_goes_on_after_a_bad_member(
    client: httpx.Client, mnist: Dataset, pictures: list[bytes]
) -> None:
    pixels = json.dumps({"pixels": mnist.test.images[1].tolist()}).encode()
    members = [
        ("z.png", pictures[0]),
        ("folder/", b""),
        ("folder/note.txt", b"no picture"),
        ("__MACOSX/folder/._a.png", b"of another system"),
        ("folder/.DS_Store", b"of another system"),
        ("folder/a.png", pictures[1]),
        ("two.npy", npy(mnist.test.images[:2])),
        ("pixels.json", pixels),
        ("raw", mnist.test.images[0].tobytes()),
        ("empty.png", b""),
        ("nested.zip", zipped(("a.png", pictures[0]))),
    ]
    answer = client.post("/predict", content=zipped(*members, comment=b"as of today"), headers=ZIP)
    expected = [
        ("z.png", 7),
        ("folder/note.txt", "/problems/unsupported-media"),
        ("folder/a.png", 2),
        ("two.npy[0]", 7),
        ("two.npy[1]", 2),
        ("pixels.json", 2),
        ("raw", 7),
        ("empty.png", "/problems/invalid-image"),
        ("nested.zip", "/problems/unsupported-media"),
    ]
    assert outcomes(answer) == expected
    stored = zipped(("a.png", pictures[0]), ("b.png", pictures[1]), method=zipfile.ZIP_STORED)
    found = outcomes(client.post("/predict", content=damaged(stored, pictures[0])))
    assert found == [("a.png", "/problems/invalid-image"), ("b.png", 2)]
    file = BytesIO()
    with zipfile.ZipFile(file, "w") as archive:
        archive.writestr(member := zipfile.ZipInfo("a.png"), pictures[0])
        member.filename = ""
    assert outcomes(client.post("/predict", content=file.getvalue())) == [("", "/problems/invalid-image")]
    lzma = zipped(("a.png", pictures[0]), method=zipfile.ZIP_LZMA)
    for model in ("mnist-digits", "mnist-softmax"):  # with no image at all to predict
        answer = client.post(f"/models/{model}/predict", content=lzma)
        assert outcomes(answer) == [("a.png", "/problems/invalid-image")]


def test_a_form_of_many_files_goes_on_after_a_bad_one(client: httpx.Client, pictures: list[bytes]) -> None:
    files = {"a.png": pictures[0], "note.txt": b"no picture", "more.zip": zipped(("b.png", pictures[1]))}
    answer = client.post("/predict", files=[("file", each) for each in files.items()])
    assert outcomes(answer) == [("a.png", 7), ("note.txt", "/problems/unsupported-media"), ("more.zip/b.png", 2)]
    alone = client.post("/predict", files={"file": ("note.txt", b"no picture")})
    assert (alone.status_code, problem_of(alone)) == (415, "unsupported-media")


def bomb(n_bytes: int) -> bytes:
    return zipped(*((f"{number}.png", bytes(n_bytes // 8)) for number in range(8)))


def declaring(data: bytes, n_directory_bytes: int) -> bytes:
    end = data.rindex(b"PK\x05\x06")
    return data[: end + 12] + struct.pack("<L", n_directory_bytes) + data[end + 16 :]


REFUSED = {
    "expands to more than is read": (lambda picture: bomb(72_000_000), 413, "input-too-large"),
    "too many files": (lambda picture: zipped(*((f"{n}", b"") for n in range(1001))), 413, "input-too-large"),
    "a directory of a gigabyte": (lambda picture: declaring(zipped(("a", picture)), 2**30), 400, "malformed-input"),
    "truncated": (lambda picture: zipped(("a", picture))[:-30], 400, "malformed-input"),
    "hidden files alone": (lambda picture: zipped((".a.png", picture)), 400, "malformed-input"),
    "only its first bytes": (lambda picture: b"PK\x03\x04", 400, "malformed-input"),
}


@pytest.mark.parametrize(("make", "status", "problem"), REFUSED.values(), ids=REFUSED)
def test_an_archive_is_bounded(
    client: httpx.Client, pictures: list[bytes], make: Any, status: int, problem: str
) -> None:
    answer = client.post("/predict", content=make(pictures[0]))
    assert (answer.status_code, problem_of(answer)) == (status, problem)


def rows_of(answer: httpx.Response) -> list[dict[str, str]]:
    assert answer.raise_for_status().headers["content-type"] == "text/csv; charset=utf-8"
    return list(csv.DictReader(StringIO(answer.text)))


def test_csv_says_what_json_does(client: httpx.Client, mnist: Dataset, pictures: list[bytes]) -> None:
    wanted = {"Accept": "text/csv"}
    blank = png(np.zeros((28, 28), np.uint8))
    archive = zipped(('of "2", a.png', pictures[1]), ("note.txt", b"no picture"), ("blank.png", blank))
    rows = rows_of(client.post("/predict", content=archive, headers=wanted))
    assert list(rows[0]) == ["name", "digit", "probability", "verdict", "warnings", "error"]
    for row, one in zip(rows, client.post("/predict", content=archive).json()["predictions"], strict=True):
        assert row["name"] == one["name"]
        if "error" in one:
            assert (row["digit"], row["error"]) == ("", one["error"]["detail"])
        else:
            assert row["digit"] == str(one["digit"])
            assert float(row["probability"]) == max(one["probabilities"].values())
            assert row["warnings"] == " ".join(one["warnings"])
    formulas = ["=1+1.png", "+1", "-1", "@A1", "plain.png"]
    sent = client.post("/predict", content=zipped(*((name, pictures[1]) for name in formulas)), headers=wanted)
    assert [row["name"] for row in rows_of(sent)] == ["'=1+1.png", "'+1", "'-1", "'@A1", "plain.png"]
    many = rows_of(client.post("/predict", content=npy(mnist.test.images[:5]), headers=wanted))
    assert [(row["name"], row["digit"]) for row in many] == list(zip("01234", "72104", strict=True))


JSON, CSV, NPY = "application/json", "text/csv; charset=utf-8", "application/x-npy"
ACCEPT = {
    "text/csv;q=0.5, application/json": JSON,
    "text/csv, application/json;q=0.5": CSV,
    "text/csv ; Q=0.9,*/*;q=0.8": CSV,
    "text/*;q=0.2, */*;q=0.1": CSV,
    "*/*": JSON,
    "": JSON,
    "text/html, */*;q=0.1": JSON,
    "application/*, text/csv;q=0.9": JSON,
    "application/json;q=0, */*": NPY,
    "application/json;q=0.1, application/x-npy;q=0.2": NPY,
    "text/csv;q=0, text/*": None,
    "image/png": None,
}


@pytest.mark.parametrize(("accept", "expected"), ACCEPT.items())
def test_accept_is_negotiated_by_its_weights(client: httpx.Client, accept: str, expected: str | None) -> None:
    answer = client.post("/predict", content=bytes(784), headers={"Accept": accept})
    assert (answer.headers["content-type"] if answer.is_success else None) == expected
    if expected is None:
        assert (answer.status_code, problem_of(answer)) == (406, "not-acceptable")


def test_metrics_are_negotiated_likewise(client: httpx.Client, finished_job: dict[str, Any]) -> None:
    address = f"/jobs/{finished_job['id']}/metrics"
    weighed = {"Accept": "text/csv;q=0.5, application/json"}
    assert client.get(address, headers=weighed).headers["content-type"] == JSON
    assert client.get(f"{address}?format=csv", headers=weighed).headers["content-type"] == CSV


KINDS = [JSON, "application/octet-stream", "image/webp", "text/plain", "application/x-www-form-urlencoded", None]


@pytest.mark.parametrize("media_type", KINDS)
def test_the_first_bytes_decide_what_a_body_is(
    client: httpx.Client, mnist: Dataset, pictures: list[bytes], media_type: str | None
) -> None:
    headers = {"Content-Type": media_type} if media_type else {}
    pixels = json.dumps({"pixels": mnist.test.images[0].tolist()}, indent=1).encode()
    for content in (pictures[0], npy(mnist.test.images[0]), zipped(("a", pictures[0])), b"\r\n " + pixels):
        (prediction,) = client.post("/predict", content=content, headers=headers).json()["predictions"]
        assert prediction["digit"] == 7
    (of_form,) = client.post("/predict", files={"file": ("7.json", pixels, media_type)}).json()["predictions"]
    assert of_form["digit"] == 7


def test_what_is_of_no_kind_is_refused_with_all_kinds_named(client: httpx.Client) -> None:
    for asked in ({"content": b"no picture"}, {"files": {"file": ("a", b"no picture", "text/plain")}}):
        answer = client.post("/predict", **asked)
        assert (answer.status_code, problem_of(answer)) == (415, "unsupported-media")
        (entry,) = answer.json()["errors"]
        for kind in ("PNG", "JPEG", "WebP", ".npy", '{"pixels": ...}', "784 bytes", "octet-stream", "form", "zip"):
            assert kind in entry["allowed"]


def test_the_client_predicts_any_number_of_files(
    url: str, mnist: Dataset, pictures: list[bytes], tmp_path: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    contents = {
        "[1].png": pictures[0],
        ".hidden.png": pictures[1],
        "note.txt": b"no picture",
        "two.npy": npy(mnist.test.images[:2]),
        "more.zip": zipped(("in/a.png", pictures[2])),
        "last.png": pictures[0],
    }
    paths = [tmp_path / name for name in contents]
    for path in paths:
        path.write_bytes(contents[path.name])
    monkeypatch.setattr("inkling.images._MAX_MEMBERS", 2)  # so that it takes several requests
    with InklingClient(url) as client:
        rows = client.predict_files(map(str, paths))
        found = [(row.name, row.digit if isinstance(row, Prediction) else row.error.code) for row in rows]
        with pytest.raises(InvalidField):
            client.predict_files([])
    place = f"{tmp_path}/"
    assert found == [
        (f"{place}[1].png", 7),
        (f"{place}.hidden.png", 2),
        (f"{place}note.txt", "unsupported-media"),
        (f"{place}two.npy[0]", 7),
        (f"{place}two.npy[1]", 2),
        ("in/a.png", 1),
        (f"{place}last.png", 7),
    ]
    assert sum(isinstance(row, RefusedFile) for row in rows) == 1
    assert "no picture" not in rows._repr_html_()
