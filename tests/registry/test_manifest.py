"""Manifests: plain, sealed, and strict in both directions."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable
from dataclasses import FrozenInstanceError, replace
from datetime import datetime, timedelta, timezone
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from service.core import HYPERPARAMETERS, Certainty, TrainingConfig, completed, design_matrix
from service.datasets import load_dataset
from service.errors import Corrupted
from service.registry import DIGIT_BELOW, Manifest, ModelDraft, digit_below, load_detector
from service.registry.document import MAX_DOCUMENT_BYTES, read_document, write_document


@pytest.fixture
def manifest(make_draft: Callable[..., ModelDraft]) -> Manifest:
    return make_draft(job_id="01J", class_names=("zéro", *map(str, range(1, 10)))).as_version(
        name="digits", version=7, weights_sha256="ab" * 32, size_bytes=63_000
    )


def sealed(manifest: Manifest, **changes: Any) -> bytes:
    """The stored form with other fields, and a seal that fits them; ... takes a field out."""
    fields = read_document(manifest.to_json()) | changes
    return write_document({name: value for name, value in fields.items() if value is not ...})


def test_the_stored_form_is_read_back(manifest: Manifest) -> None:
    assert Manifest.from_json(manifest.to_json()) == manifest
    assert Manifest.from_json(manifest.to_json()).to_json() == manifest.to_json()


def test_the_stored_form_is_json_whose_seal_anybody_can_check(manifest: Manifest) -> None:
    fields = json.loads(manifest.to_json())
    assert (fields["format"], fields["image_shape"]) == (4, [28, 28])
    assert fields["name"] == "digits"
    assert fields["classes"] == list(range(10))
    seal = fields.pop("sha256")
    assert seal == hashlib.sha256((json.dumps(fields, indent=2) + "\n").encode()).hexdigest()


def test_a_manifest_is_frozen(manifest: Manifest) -> None:
    with pytest.raises(FrozenInstanceError):
        manifest.version = 8  # type: ignore[misc]


def test_every_flipped_bit_of_a_manifest_is_refused(manifest: Manifest) -> None:
    data = manifest.to_json()
    rng = np.random.default_rng(5)
    for position in range(0, len(data), 2):
        flipped = bytearray(data)
        flipped[position] ^= 1 << int(rng.integers(8))
        with pytest.raises(Corrupted):
            Manifest.from_json(bytes(flipped))


def test_every_truncation_of_a_manifest_is_refused(manifest: Manifest) -> None:
    data = manifest.to_json()
    for length in range(0, len(data), 7):
        with pytest.raises(Corrupted):
            Manifest.from_json(data[:length])


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"null",
        b"[]",
        b'"sha256"',
        b'{"sha256": NaN}',
        b'{"sha256": 1, "sha256": 1}',
        b"[" * 100_000,
        b'{"a": ' + b"9" * 5000 + b"}",
        b"\xff\xfe",
        '{"é": 1}'.encode(),
    ],
)
def test_what_is_not_a_sealed_document_is_refused(data: bytes) -> None:
    with pytest.raises(Corrupted):
        read_document(data)


MEASURED = {"temperature": 1.0, "unsure_below": 0.7, "part": "test", "n_images": 1000}


@pytest.mark.parametrize(
    "change",
    [
        {"format": 1},
        {"format": 2},
        {"format": 3},
        {"format": 5},
        {"digit_below": ...},
        {"digit_below": 1},
        {"digit_below": 1.5},
        {"certainty": ...},
        {"certainty": {}},
        {"certainty": {**MEASURED, "temperature": 0.0}},
        {"certainty": {**MEASURED, "unsure_below": 1.1}},
        {"certainty": {**MEASURED, "part": "other"}},
        {"certainty": {**MEASURED, "part": []}},
        {"certainty": {**MEASURED, "n_images": -1}},
        {"certainty": {**MEASURED, "n_images": 1000.5}},
        {"image_shape": ...},
        {"image_shape": [28]},
        {"format": ...},
        {"surprise": 1},
        {"stop_reason": ...},
        {"weights_sha256": ...},
        {"model": "forest"},
        {"model": ["softmax"]},
        {"classes": None},
        {"classes": [0, 0]},
        {"classes": [1]},
        {"classes": [True, 2]},
        {"classes": list(range(9))},
        {"class_names": [1] * 10},
        {"dtype": "float16"},
        {"published": "worst"},
        {"config": []},
        {"dataset": {"name": "mnist"}},
        {"dataset": {"name": "mnist", "sha256": 1}},
        {"metrics": {"best": {}, "last": {}}},
        {"job_id": 5},
        {"created_at": "yesterday"},
        {"created_at": 0},
        {"created_at": "2026-11-23T01:02:03"},
        {"created_at": "2026-11-23T01:02:03+01:00"},
        {"name": "../digits"},
        {"version": 0},
        {"version": True},
        {"version": "7"},
        {"weights_sha256": "AB" * 32},
        {"weights_sha256": "ab" * 31},
        {"size_bytes": 0},
        {"size_bytes": 10**12},
        {"size_bytes": 1.5},
    ],
    ids=str,
)
def test_a_sealed_manifest_with_an_illegal_field_is_refused(manifest: Manifest, change: dict[str, Any]) -> None:
    with pytest.raises(Corrupted):
        Manifest.from_json(sealed(manifest, **change))


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("classes", [2, 3]),
        ("class_names", ("two",)),
        ("created_at", datetime(2026, 1, 1, tzinfo=timezone(timedelta(hours=1)))),
        ("dataset", {}),
    ],
)
def test_a_draft_is_checked(make_draft: Callable[..., ModelDraft], field: str, value: Any) -> None:
    with pytest.raises(ValueError, match=field):
        make_draft(**{field: value})


def test_a_logistic_draft_has_two_classes_and_one_output(make_draft: Callable[..., ModelDraft]) -> None:
    assert make_draft(model="logistic").build_model().n_outputs == 1
    with pytest.raises(ValueError, match="classes"):
        make_draft(model="logistic", classes=(1, 2, 3), class_names=("1", "2", "3"))


def test_nan_has_no_place_in_a_manifest(make_draft: Callable[..., ModelDraft]) -> None:
    draft = make_draft(metrics={name: {"loss": float("nan")} for name in ("best", "last", "published")})
    with pytest.raises(ValueError, match="JSON"):
        draft.as_version(name="digits", version=1, weights_sha256="0" * 64, size_bytes=1).to_json()


def test_a_document_that_could_not_be_read_back_is_not_written() -> None:
    with pytest.raises(ValueError, match="larger"):
        write_document({"text": "x" * MAX_DOCUMENT_BYTES})


def test_the_first_format_reads_on_byte_for_byte(manifest: Manifest) -> None:
    first = replace(manifest, format=1, certainty=None)
    data = first.to_json()
    assert b"image_shape" not in data
    assert Manifest.from_json(data) == first
    assert Manifest.from_json(data).to_json() == data


def test_the_third_format_reads_on_with_the_threshold_of_its_data_set(manifest: Manifest) -> None:
    certainty = Certainty(temperature=1.5)
    mnist = {"name": "mnist", "sha256": load_dataset("mnist").sha256}
    for dataset, expected in ((mnist, DIGIT_BELOW), (manifest.dataset, 0.0)):
        data = replace(manifest, format=3, certainty=certainty, dataset=dataset).to_json()
        read = Manifest.from_json(data)
        assert (read.digit_below, read.certainty) == (expected, certainty)
        assert read.to_json() == data


def test_the_threshold_of_a_mixture_is_that_of_its_first_data_set_unless_the_others_are_refused_by_it() -> None:
    mnist = load_dataset("mnist")
    images = mnist.training.images[-2_000:]
    function, parameters = load_detector()
    sure = function.probabilities(parameters, design_matrix(images, np.float32, function.scaling))[:, 0]
    odd, plain = images[sure.argsort()[[3]]], images[sure > 0.5][:50]
    assert digit_below(mnist.sha256, plain) == digit_below(mnist.sha256) == DIGIT_BELOW
    assert digit_below("0" * 64, plain) == 0.0
    both = np.concatenate((plain, odd))
    assert 0.05 <= digit_below(mnist.sha256, both) <= max(np.sort(sure)[3], 0.05)
    assert digit_below(mnist.sha256, np.concatenate((*3 * [plain], odd))) == DIGIT_BELOW, "less than 1 % may be refused"
    assert digit_below(mnist.sha256, np.zeros((5, 28, 28), np.uint8)) >= 0.05


@pytest.mark.parametrize("name", ["mnist-softmax", "mnist-2-vs-3", "mnist-digits"])
def test_first_versions_of_shipped_models_are_as_they_were_and_calibrated(name: str) -> None:
    shipped = (Path(__file__).parents[2] / "model_store" / name / "1/manifest.json").read_bytes()
    read = Manifest.from_json(shipped)
    assert read.to_json() == shipped
    assert read.certainty is not None and read.build_model().temperature == read.certainty.temperature != 1


def test_a_record_without_a_later_hyperparameter_means_the_value_before(
    manifest: Manifest, monkeypatch: pytest.MonkeyPatch
) -> None:
    rows = tuple(replace(row, before=True) if row.name == "drop_last" else row for row in HYPERPARAMETERS)
    monkeypatch.setattr("service.core.config.HYPERPARAMETERS", rows)
    config = TrainingConfig()
    assert "drop_last" not in config.to_record() and "drop_last" in replace(config, drop_last=False).to_record()
    read = Manifest.from_json(replace(manifest, config=config.to_record()).to_json())
    assert completed(read.config)["drop_last"] is True
    assert TrainingConfig.from_record(read.config) == config
