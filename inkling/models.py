"""Models: versions, aliases, weights, and how well they classify."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from io import BytesIO
from pathlib import Path
from typing import Any, Literal, TypeVar, Unpack

import httpx

from .call import (
    Call,
    delete,
    get,
    given,
    json_body,
    patch,
    path_of,
    post,
    read_bytes,
    read_picture,
    read_record,
    read_table,
)
from .display import Picture, PictureFormat, PictureOptions, Record, Table
from .errors import InvalidField
from .images import File
from .methods import request
from .nouns import Annotation, Search

Result = TypeVar("Result")


class Models:
    """What a client does about models.

    ``version`` is a number, an alias or ``"latest"``; if it is not given, the one that answers predictions: the
    champion, or else the latest.
    """

    @request
    def models(self, **search: Unpack[Search]) -> Call[Table[Record]]:
        """Return summaries of models in the order of their names, at most 200; parameters as those of `jobs`.

        A model is found by any of its versions.
        """
        return get(read_table("models"), "models", **search)

    @request
    def model(self, name: str, *, limit: int | None = None, before: str | None = None) -> Call[Record]:
        """Return a model with its newest versions; ``next`` is the ``before`` of the next page."""
        return get(read_record, "models", name, limit=limit, before=before)

    @request
    def version(self, model: str, version: int | str | None = None) -> Call[Record]:
        """Return what is known about a version: its manifest, and the aliases that name it."""
        return _of_version(read_record, model, version)

    @request
    def default_version(self, model: str) -> Call[int | str]:
        """Return the version that answers when none is named: the champion, or else the latest."""
        return get(_read_default, "models", model)

    @request
    def evaluate(self, model: str, version: int | str | None = None, *, hardest: int | None = None) -> Call[Record]:
        """Return how a version does on the test images: accuracy, confusion, calibration, the hardest images."""
        return _of_version(read_record, model, version, "evaluation", hardest=hardest)

    @request
    def classified_images(
        self, model: str, version: int | str | None = None, *, true: int, predicted: int, limit: int | None = None
    ) -> Call[Record]:
        """Return the test images of one class that were classified as another, or as the same."""
        cell = {"true": true, "predicted": predicted, "limit": limit}
        return _of_version(read_record, model, version, "evaluation", "images", **cell)

    @request
    def confusion(
        self,
        model: str,
        version: int | str | None = None,
        *,
        format: PictureFormat = "png",
        **options: Unpack[PictureOptions],
    ) -> Call[Picture]:
        """Draw which test images are classified as which class."""
        return _of_version(read_picture, model, version, f"confusion.{format}", **options)

    @request
    def calibration(
        self,
        model: str,
        version: int | str | None = None,
        *,
        format: PictureFormat = "png",
        **options: Unpack[PictureOptions],
    ) -> Call[Picture]:
        """Draw the accuracy on the test images by the probability of what is predicted: the reliability curve."""
        return _of_version(read_picture, model, version, f"calibration.{format}", **options)

    @request
    def weights(self, model: str, version: int | str | None = None, **options: Unpack[PictureOptions]) -> Call[Picture]:
        """Draw the weights of a version; of a network, those into the units of a ``layer``."""
        return _of_version(read_picture, model, version, "weights.png", **options)

    @request
    def architecture(self, model: str, version: int | str | None = None) -> Call[Picture]:
        """Draw the layers of a version with their shapes and numbers of parameters, as SVG."""
        return _of_version(read_picture, model, version, "architecture.svg")

    @request
    def weights_file(
        self, model: str, version: int | str | None = None, *, format: Literal["npz", "onnx"] = "npz"
    ) -> Call[bytes]:
        """Return a version's weights as ``npz`` (arrays best and last), or what predictions use as ``onnx``."""
        return _of_version(read_bytes, model, version, f"weights.{format}")

    @request
    def import_weights(
        self,
        model: str,
        content: str | Path | bytes | Any,
        *,
        classes: Sequence[int] = (),
        publish: Literal["best", "last"] = "best",
        dataset: str | None = None,
        calibrate: bool = True,
        activation: Literal["relu", "sigmoid", "improved_sigmoid", "tanh"] | None = None,
        input_scaling: Literal["range", "standard", "unit", "bytes"] | None = None,
    ) -> Call[Record]:
        """Make the next version of a model from dense layers: a ``.npz`` or ONNX file, or an `MLPClassifier`.

        Parameters
        ----------
        content : the path or the bytes of the file, or a fitted classifier, of which only arrays are sent.
        classes : those of the outputs, if not all; the positive one first, if there is one output.
        publish : which weights predict, if there are two sets.
        dataset : what the classes are of, and what the version is measured and calibrated on; by default ``mnist`` or,
            of weights for another number of classes, the only data set that has so many. The answer names it.
        calibrate : fit the temperature to its test images, see ``certainty`` in the answer.
        activation : of hidden layers, where the file does not say.
        input_scaling : of pixels, likewise: ``unit`` is pixel / 255, ``bytes`` the pixel itself.
        """
        if isinstance(content, str | Path):
            content = Path(content).read_bytes()
        elif not isinstance(content, bytes):
            content, activation, found = _layers_of(content)
            classes = classes or found
        params = given(
            classes=",".join(map(str, classes)),
            publish=publish,
            dataset=dataset,
            calibrate=None if calibrate else False,
            activation=activation,
            input_scaling=input_scaling,
        )
        return post("models", model, "versions", **File(content).body, params=params)

    @request
    def annotate_version(self, model: str, version: int, **changes: Unpack[Annotation]) -> Call[Record]:
        """Change the title of a version, its tags as a whole, or its notes; what is not given stays."""
        return patch("models", model, "versions", version, **changes)

    @request
    def delete_version(self, model: str, version: int) -> Call[None]:
        """Delete a version; `InUse` if an alias or an unfinished job needs it. No other one gets its number."""
        return delete("models", model, "versions", version)

    @request
    def delete_model(self, model: str) -> Call[None]:
        """Delete all versions of a model, and its aliases; `InUse` if an unfinished job needs one of them."""
        return delete("models", model)

    @request
    def compare(self, models: Sequence[str]) -> Call[Record]:
        """Compare 2 to 8 versions, each as ``name/version``, with the first of them, on the same test images."""
        return get(read_record, "compare", model=list(models))

    @request
    def move_alias(
        self, model: str, alias: str, version: int, *, reason: str | None = None, expected: int | None = None
    ) -> Call[Record]:
        """Have an alias name a version; `AliasMoved` if it names another one than ``expected`` now."""
        body = json_body({"version": version, "reason": reason}, _if_match(expected))
        return Call(method="PUT", path=path_of("models", model, "aliases", alias), read=read_record, request=body)

    @request
    def delete_alias(self, model: str, alias: str, *, expected: int | None = None) -> Call[Record]:
        """Have an alias name no version; its history stays."""
        path, headers = path_of("models", model, "aliases", alias), {"headers": _if_match(expected)}
        return Call(method="DELETE", path=path, read=read_record, request=headers)

    @request
    def alias_history(self, model: str, alias: str) -> Call[Table[Record]]:
        """Return every move of an alias, the oldest first."""
        return get(read_table("history"), "models", model, "aliases", alias, "history")


def _layers_of(classifier: Any) -> tuple[bytes, Any, list[int]]:
    """Return the layers of an `MLPClassifier` as an ``.npz`` file, their activation, and the classes of the outputs."""
    if not hasattr(classifier, "coefs_"):
        taken = "the path or the bytes of a file, or a fitted MLPClassifier"
        raise TypeError(f"weights are {taken}, not {type(classifier).__name__}")
    activation = {"relu": "relu", "logistic": "sigmoid", "tanh": "tanh"}.get(classifier.activation)
    n_outputs, output = len(classifier.intercepts_[-1]), classifier.out_activation_
    if activation is None or output != ("logistic" if n_outputs == 1 else "softmax"):
        raise InvalidField(
            f"A classifier with {classifier.activation} units and {n_outputs} {output} outputs cannot be imported.",
            field="activation",
            allowed="relu, logistic or tanh, and one class for each image",
        )
    import numpy as np  # noqa: PLC0415 - whoever has a classifier has it

    layers = enumerate(zip(classifier.coefs_, classifier.intercepts_, strict=True), 1)
    file = BytesIO()
    np.savez(file, **{f"{kind}{n}": array for n, layer in layers for kind, array in zip("Wb", layer, strict=True)})
    labels = [int(label) for label in classifier.classes_]
    return file.getvalue(), activation, labels[::-1] if n_outputs == 1 else labels  # the logit is that of the second


def _read_default(response: httpx.Response) -> int | str:
    default = read_record(response)["default"]
    return int(default["version"]) if default else "champion"


def _of_version(
    read: Callable[[httpx.Response], Result], model: str, version: int | str | None, *parts: str, **params: object
) -> Call[Result]:
    """Get something of a version; if none is given, first the one that answers predictions."""

    def get_of(version: int | str) -> Call[Result]:
        return get(read, "models", model, "versions", version, *parts, **params)

    if version is not None:
        return get_of(version)
    return get(lambda response: get_of(_read_default(response)), "models", model)


def _if_match(expected: int | None) -> dict[str, str]:
    return {} if expected is None else {"If-Match": str(expected)}
