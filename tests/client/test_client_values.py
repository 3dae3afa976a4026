"""What programs hand to a client: names that would be other addresses, and values that JSON does not have."""

from __future__ import annotations

import os
import zipfile
from collections.abc import Callable
from io import BytesIO
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from inkling import InklingClient, InklingError, InvalidField, InvalidInput, NotFound
from inkling.call import json_of
from inkling.datasets import packed
from tests.web.serving import TINY

FIELDS: dict[str, Any] = {name: value for name, value in TINY.items() if name != "model"}


@pytest.mark.parametrize("name", [".", "..", "\udcff"])
def test_a_name_is_never_another_address(client: InklingClient, name: str) -> None:
    client.add_collection("dots")
    models = client.models()
    many: list[Callable[[], object]] = [
        lambda: client.delete_alias("mnist-softmax", name),
        lambda: client.delete_version("mnist-softmax", name),  # type: ignore[arg-type]
        lambda: client.delete_model(name),
        lambda: client.delete_collected_image("dots", name),
        lambda: client.move_alias("mnist-softmax", name, 1),
        lambda: client.version("mnist-softmax", name),
        lambda: client.job(name),
        lambda: next(client.job(name).events()),
        lambda: client.predict([[0] * 28] * 28, model=name),
    ]
    for ask in many:
        with pytest.raises(NotFound):
            ask()
    assert client.models() == models
    assert client.collection("dots")["n_images"] == 0
    client.delete_collection("dots")


@pytest.mark.parametrize(
    ("value", "text"),
    [
        ({"l2_penalty": np.array([0.5, 1.0]), "seed": range(2)}, '{"l2_penalty":[0.5,1.0],"seed":[0,1]}'),
        ([np.int64(3), np.float32(0.5), np.True_, np.array([[1]])], "[3,0.5,true,[[1]]]"),
        ([{1}, (n for n in (1, 2)), {"a": 1}.values()], "[[1],[1,2],[1]]"),
    ],
)
def test_what_is_like_a_list_or_a_number_is_sent_as_one(value: Any, text: str) -> None:
    assert json_of(value) == text


def test_what_json_has_not_is_refused_by_its_field(client: InklingClient) -> None:
    for value in (float("nan"), np.inf):
        with pytest.raises(InvalidField) as caught:
            client.train(learning_rate=value)
        assert caught.value.field == "learning_rate"
    for ask in (lambda: client.jobs(q="\ud800"), lambda: client.train(title="\ud800", **FIELDS)):
        with pytest.raises(InvalidInput):
            ask()
    with pytest.raises(InklingError):
        client.read([np.zeros((28, 28), np.uint8)] * 2)
    with pytest.raises(TypeError, match="object"):
        client.train(learning_rate=object())  # type: ignore[arg-type]


def test_files_are_sent_whatever_their_names_are(tmp_path: Path) -> None:
    folder = tmp_path / os.fsdecode(b"scans\xff")
    (folder / "7").mkdir(parents=True)
    for name in (b"a\xfe.png", b"a\xff.png", "é.png".encode()):
        (folder / "7" / os.fsdecode(name)).write_bytes(name)
    archive_name, content = packed(folder)
    with zipfile.ZipFile(BytesIO(content)) as archive:
        sent = archive.namelist()
    assert "\n".join([archive_name, *sent]).encode()
    assert len(set(sent)) == 3
    assert "7/é.png" in sent
    assert packed(folder / "7" / os.fsdecode(b"a\xfe.png"))[0].encode()
