"""The manifest of a version: how it was trained, its metrics, and what its weight file must be."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass, fields
from datetime import datetime, timedelta
from typing import Any, Literal

from service.core import DIGITS, MODELS, Certainty, Floats, Layout, Model, Task, Tensor, build_model, completed
from service.core.npz import ArraySpec, read_npz, write_npz
from service.errors import Corrupted

from .detector import digit_below
from .document import read_document, write_document
from .names import is_model_name, is_version

FORMAT = 4
"""Format 1 has no ``image_shape``: it is that of MNIST. Formats 1 and 2 have no ``certainty``, and that of format 3
does not say on what it was measured. Formats 1 to 3 have no ``digit_below``: it is that of the data set, of mixtures 0.
"""
_SINCE = {2: "image_shape", 3: "certainty", 4: "digit_below"}
_CERTAINTY_SINCE_4 = ("part", "n_images")
MAX_WEIGHTS_BYTES = 64 * 1024 * 1024

_DIGITS = "ffe888bcb81bdda7f496ed3832110a443aceefb985cb55a5192a517a6fab7e0b"
_SOFTMAX = "bb86441e8f0bd5274e76ccc025405361cf8600b7758df350d5128e4ebf05148d"
_TWO_OR_THREE = "297c5fa499c479031fd9e323b05cf12bc441ce68c2639547eaa2dbdbd5141b07"

_CERTAINTY: Mapping[str, Certainty] = {
    # Of a training by the same recipe on the first 50,000 images: docs/models.md has the command. 2 % of what it has
    # right is below 0.88, and 1.3 % below 0.8, which is taken since of users' pictures two to three times as much is.
    _DIGITS: Certainty(temperature=1.23, unsure_below=0.8, part="training", n_images=10_000),
    _SOFTMAX: Certainty(temperature=0.984, unsure_below=0.5331, part="training", n_images=10_000),
    _TWO_OR_THREE: Certainty(temperature=0.905, unsure_below=0.744, part="training", n_images=2_020),
}
"""Of shipped versions, by the SHA-256 of their weights; measured on the last 10,000 training images of MNIST, later
than their files were made, which stay byte for byte."""

_SHA256 = re.compile(r"[0-9a-f]{64}")


def _is_tuple_of(kind: type, value: object) -> bool:
    return isinstance(value, tuple) and all(type(item) is kind for item in value)


def _is_record(value: object, *keys: str, of: type) -> bool:
    return isinstance(value, dict) and set(value) == set(keys) and all(isinstance(v, of) for v in value.values())


_RULES: Mapping[str, Callable[[Any], bool]] = {
    "model": lambda value: isinstance(value, str) and value in MODELS,
    "certainty": lambda value: value is None or isinstance(value, Certainty),
    "digit_below": lambda value: type(value) is float and 0 <= value <= 1,
    "image_shape": lambda value: _is_tuple_of(int, value) and len(value) == 2 and min(value) >= 1,
    "classes": lambda value: _is_tuple_of(int, value) and len(set(value)) == len(value) >= 2,
    "class_names": lambda value: _is_tuple_of(str, value),
    "dtype": lambda value: value in ("float32", "float64"),
    "published": lambda value: value in ("best", "last"),
    "config": lambda value: isinstance(value, dict),
    "dataset": lambda value: _is_record(value, "name", "sha256", of=str),
    "metrics": lambda value: _is_record(value, "best", "last", "published", of=dict),
    "stop_reason": lambda value: isinstance(value, str),
    "environment": lambda value: isinstance(value, dict),
    "job_id": lambda value: value is None or isinstance(value, str),
    "created_at": lambda value: isinstance(value, datetime) and value.utcoffset() == timedelta(0),
    "format": lambda value: value in range(1, FORMAT + 1),
    "name": is_model_name,
    "version": is_version,
    "weights_sha256": lambda value: isinstance(value, str) and _SHA256.fullmatch(value) is not None,
    "size_bytes": lambda value: type(value) is int and 1 <= value <= MAX_WEIGHTS_BYTES,
}


@dataclass(frozen=True, slots=True, kw_only=True)
class ModelDraft:
    """A trained model before it has a name, a number and a file: a manifest without these.

    The mappings are plain JSON data. Raises ValueError at construction, naming the field.

    Parameters
    ----------
    model : a name in `service.core.MODELS`.
    classes, class_names : label and name of each output; of a binary model two, the positive one first.
    published : the set of weights that predictions use, best or last.
    config : ``TrainingConfig.to_record()``.
    dataset : ``name`` and ``sha256`` of what it was trained on.
    metrics : the validation checks ``best``, ``last`` and ``published``.
    environment : versions and BLAS, which determine the bits.
    job_id, created_at : the job that made it, if one did; UTC.
    image_shape : of the images it is for, (height, width) in pixels.
    certainty : how certain it may be, measured on images of ``dataset``; None where that was not measured.
    digit_below : see `service.registry.digit_below`.
    """

    model: str
    classes: tuple[int, ...]
    class_names: tuple[str, ...]
    dtype: Literal["float32", "float64"]
    published: Literal["best", "last"]
    config: Mapping[str, Any]
    dataset: Mapping[str, str]
    metrics: Mapping[str, Mapping[str, Any]]
    stop_reason: str
    environment: Mapping[str, Any]
    job_id: str | None
    created_at: datetime
    image_shape: tuple[int, int] = DIGITS.image_shape
    certainty: Certainty | None = None
    digit_below: float = 0.0

    def __post_init__(self) -> None:
        for field in fields(self):
            value = getattr(self, field.name)
            if not _RULES[field.name](value):
                raise ValueError(f"{field.name} cannot be {value!r}")
        if len(self.class_names) != len(self.classes):
            raise ValueError(f"class_names must be {len(self.classes)} names, not {self.class_names}")
        if MODELS[self.model].output.is_binary and len(self.classes) != 2:
            raise ValueError(f"classes must be two for a {self.model} model, not {self.classes}")

    @property
    def task(self) -> Task:
        """The task of the model."""
        return Task(image_shape=self.image_shape, n_classes=len(self.classes))

    def build_model(self) -> Model:
        """Return the model of the core, a function of parameters and images."""
        model = build_model(self.model, self.task, completed(self.config))
        model.temperature = self.certainty.temperature if self.certainty else 1.0
        return model

    def as_version(self, *, name: str, version: int, weights_sha256: str, size_bytes: int) -> Manifest:
        """Return the manifest of this draft as one version of a model."""
        drafted = {field.name: getattr(self, field.name) for field in fields(ModelDraft)}
        return Manifest(**drafted, name=name, version=version, weights_sha256=weights_sha256, size_bytes=size_bytes)


@dataclass(frozen=True, slots=True, kw_only=True)
class Manifest(ModelDraft):
    """A version's manifest. The version exists when this is stored, which is why it is written last.

    Versions count from 1; the format is that of the stored form, checksum and size are those of the weight file.
    """

    name: str
    version: int
    weights_sha256: str
    size_bytes: int
    format: int = FORMAT

    def provenance(self) -> dict[str, str]:
        """Return the provenance that a picture of this version contains."""
        return {
            "model": self.name,
            "version": str(self.version),
            "weights": self.published,
            "weights_sha256": self.weights_sha256,
            "job": self.job_id or "",
            **{name: str(value) for name, value in self.config.items()},
            "dataset": self.dataset["name"],
            "dataset_sha256": self.dataset["sha256"],
        }

    def to_dict(self) -> dict[str, Any]:
        """Return its fields, with the tensors and operations of the model, as in an answer."""
        model = self.build_model()
        return {
            **asdict(self),
            "tensors": [{"name": tensor.name, "shape": list(tensor.shape)} for tensor in model.layout.tensors],
            "operations": [operation.to_dict() for operation in model.operations()],
        }

    def to_json(self) -> bytes:
        """Return the stored form: sealed JSON, the time to the microsecond. The same manifest gives the same bytes."""
        stored = {"format": self.format, **asdict(self), "created_at": self.created_at.isoformat()}
        for first, name in _SINCE.items():
            if self.format < first:
                del stored[name]
        if self.format < 4 and stored.get("certainty"):
            for name in _CERTAINTY_SINCE_4:
                del stored["certainty"][name]
        return write_document(stored)

    @classmethod
    def from_json(cls, data: bytes) -> Manifest:
        """Read the stored form; raise `Corrupted` unless every bit, field and format is legal."""
        stored = read_document(data)
        try:
            if any((name in stored) != (stored["format"] >= first) for first, name in _SINCE.items()):
                raise ValueError("a field does not belong in this format")
            for name in {"classes", "class_names", "image_shape"} & set(stored):
                stored[name] = tuple(stored[name])
            stored["created_at"] = datetime.fromisoformat(stored["created_at"])
            if stored.setdefault("certainty", _CERTAINTY.get(stored["weights_sha256"])) and stored["format"] >= 3:
                stored["certainty"] = Certainty(**stored["certainty"])
            stored.setdefault("digit_below", digit_below(stored["dataset"]["sha256"]))
            return cls(**stored)
        except (KeyError, TypeError, ValueError) as error:
            raise Corrupted("The manifest of this version is invalid.") from error


def write_weights(layout: Layout, best: Floats, last: Floats) -> bytes:
    """Return a weight file: its members are ``best`` and ``last``, or of several tensors ``best_W1`` and so on."""
    rows = (layout.views(best), layout.views(last))
    members = zip(rows, _members(layout), strict=True)
    return write_npz({name: views[tensor.name] for views, of_row in members for name, tensor in of_row.items()})


def read_weights(layout: Layout, dtype: str, content: bytes) -> tuple[Floats, Floats]:
    """Return the rows ``best`` and ``last`` of a weight file, read-only; raise `Corrupted` as `read_npz` does."""
    best, last = _members(layout)
    specs = {name: ArraySpec(tensor.shape, dtype) for name, tensor in (best | last).items()}
    arrays = read_npz(content, specs)
    of_best, of_last = ({tensor.name: arrays[name] for name, tensor in row.items()} for row in (best, last))
    return layout.row(of_best), layout.row(of_last)


def _members(layout: Layout) -> list[dict[str, Tensor]]:
    """Return the tensor in each member, by its name in the file, of the best and of the last weights."""
    if len(layout.tensors) == 1:  # as every file of format 1
        return [{which: layout.tensors[0]} for which in ("best", "last")]
    return [{f"{which}_{tensor.name}": tensor for tensor in layout.tensors} for which in ("best", "last")]
