"""Models: versions, aliases, weights, and how well they classify."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Literal, TypeVar, Unpack

import httpx

from .call import Call, get, path_of, read_bytes, read_picture, read_record, read_table
from .display import Picture, PictureFormat, PictureOptions, Record, Table
from .images import File
from .methods import request

Result = TypeVar("Result")


class Models:
    """What a client does about models.

    ``version`` is a number, an alias or ``"latest"``; if it is not given, the one that answers predictions: the
    champion, or else the latest.
    """

    @request
    def models(self) -> Call[Table[Record]]:
        """Return a summary of every model."""
        return get(read_table("models"), "models")

    @request
    def model(self, name: str) -> Call[Record]:
        """Return a model with all its versions."""
        return get(read_record, "models", name)

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
        content: bytes,
        *,
        classes: Sequence[int] = (),
        publish: Literal["best", "last"] = "best",
        dataset: str = "mnist",
    ) -> Call[Record]:
        """Make the next version of a model of a ``.npz`` file; ``classes`` are those of its outputs, if not all."""
        params = {"classes": ",".join(map(str, classes)), "publish": publish, "dataset": dataset}
        request = {**File(content).body, "params": params}
        return Call(method="POST", path=path_of("models", model, "versions"), read=read_record, request=request)

    @request
    def compare(self, models: Sequence[str]) -> Call[Record]:
        """Compare 2 to 8 versions, each as ``name/version``, with the first of them, on the same test images."""
        return get(read_record, "compare", model=list(models))

    @request
    def move_alias(
        self, model: str, alias: str, version: int, *, reason: str | None = None, expected: int | None = None
    ) -> Call[Record]:
        """Let an alias name a version; `AliasMoved` if it names another one than ``expected`` now."""
        body = {"json": {"version": version, "reason": reason}, "headers": _if_match(expected)}
        return Call(method="PUT", path=path_of("models", model, "aliases", alias), read=read_record, request=body)

    @request
    def delete_alias(self, model: str, alias: str, *, expected: int | None = None) -> Call[Record]:
        """Let an alias name no version; its history stays."""
        path, headers = path_of("models", model, "aliases", alias), {"headers": _if_match(expected)}
        return Call(method="DELETE", path=path, read=read_record, request=headers)

    @request
    def alias_history(self, model: str, alias: str) -> Call[Table[Record]]:
        """Return every move of an alias, the oldest first."""
        return get(read_table("history"), "models", model, "aliases", alias, "history")


def _read_default(response: httpx.Response) -> int | str:
    default = read_record(response)["default"]
    return int(default["version"]) if default else "champion"


def _of_version(
    read: Callable[[httpx.Response], Result], model: str, version: int | str | None, *parts: str, **params: object
) -> Call[Result]:
    """Ask about a version; if none is given, first which one answers predictions."""

    def ask(version: int | str) -> Call[Result]:
        return get(read, "models", model, "versions", version, *parts, **params)

    if version is not None:
        return ask(version)
    return get(lambda response: ask(_read_default(response)), "models", model)


def _if_match(expected: int | None) -> dict[str, str]:
    return {} if expected is None else {"If-Match": str(expected)}
