"""Predictions and their explanations."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, fields, replace
from pathlib import Path
from types import MappingProxyType
from typing import Any, TypeAlias, TypedDict, TypeVar, Unpack

import httpx

from .call import Call, Json, given, path_of, read_picture, read_record
from .display import Picture, Record, Table, html_of
from .errors import InklingError, InvalidField, InvalidInput, error_of
from .images import File, Image, Images, body_of, body_of_all, body_of_picture, in_archives
from .methods import request

Result = TypeVar("Result")


@dataclass(frozen=True, slots=True, kw_only=True)
class Prediction:
    """What a model predicts for one image.

    Parameters
    ----------
    model, version : which predicted.
    digit, class_name : the most probable class, and what its data set calls it.
    verdict : ``digit``, ``unsure``, ``blank``, ``several-digits`` or ``not-a-digit``; None from an older server.
    rivals : if it is unsure, the other digits that it may be, the most probable first.
    probabilities : of every class; they sum to 1.
    preprocessing, warnings : what was done to the image, and what may make the prediction wrong.
    name : of its file, where `InklingClient.predict_files` was used.
    """

    model: str
    version: int
    digit: int
    class_name: str
    verdict: str | None
    rivals: tuple[int, ...]
    probabilities: dict[int, float]
    preprocessing: tuple[str, ...]
    warnings: tuple[str, ...]
    name: str | None = None

    def _repr_html_(self) -> str:
        return html_of(self)


@dataclass(frozen=True, slots=True, kw_only=True)
class RefusedFile:
    """A file that could not be read as an image, and why."""

    name: str
    error: InklingError


@dataclass(frozen=True, slots=True, kw_only=True)
class Explanation:
    """The evidence of each pixel for a class; a notebook shows it as a picture, red for the class and blue against it.

    Parameters
    ----------
    model, version : which is explained.
    digit, against : the class that is explained, and the one that it is compared with, if there is one.
    rule, baseline : how the evidence is found, and the image that has none, as `docs/api.md` says.
    logit, bias : ``evidence`` and ``bias`` sum to the logit, or to the difference of the two.
    evidence : 28 rows of 28.
    details : the whole answer.
    picture : the image, and beside it the evidence.
    """

    model: str
    version: int
    digit: int
    against: int | None
    rule: str
    baseline: str
    logit: float
    bias: float
    evidence: list[list[float]]
    details: Json
    picture: Picture

    def _repr_png_(self) -> bytes | None:
        return self.picture._repr_png_()


@dataclass(frozen=True, slots=True, kw_only=True)
class Reading:
    """All digits of a picture, as a model reads them.

    Parameters
    ----------
    model, version : which read it.
    lines : from top to bottom, each with its ``text``, ``digits`` and ``marks``, as `docs/api.md` says.
    preprocessing, warnings : what was done to the picture, and what may make the reading wrong.
    """

    model: str
    version: int
    lines: tuple[Record, ...]
    preprocessing: tuple[str, ...]
    warnings: tuple[str, ...]

    @property
    def text(self) -> str:
        """The text of all lines."""
        return "\n".join(line["text"] for line in self.lines)

    def _repr_html_(self) -> str:
        return html_of(self)


class ModelChoice(TypedDict, total=False):
    """Which model, in which version or under which alias; by default the champion of the default model."""

    model: str | None
    version: int | str | None
    alias: str | None


class PredictionOptions(ModelChoice, total=False):
    """Which model, and the probabilities below which a prediction is unsure, or none of a digit at all."""

    unsure_below: float | None
    digit_below: float | None


_Rows: TypeAlias = Table[Prediction | RefusedFile]


class Predictions:
    """What a client does with images."""

    @request
    def predict(self, image: Image, **options: Unpack[PredictionOptions]) -> Call[Prediction]:
        """Predict the digit in one image; see `inkling.images.Image`."""

        def read(response: httpx.Response) -> Prediction:
            predictions = _read_all(response)
            if len(predictions) != 1:
                raise InvalidInput("There are several images: use predict_all.", field="image", allowed="one image")
            return predictions[0]

        return post_image("predict", read, body_of(image), **options)

    @request
    def predict_all(self, images: Images, **options: Unpack[PredictionOptions]) -> Call[Table[Prediction]]:
        """Predict the digits in several images, in their order; see `inkling.images.Images`."""
        return post_image("predict", _read_all, body_of_all(images), **options)

    @request
    def predict_files(self, files: Iterable[str | Path], **options: Unpack[PredictionOptions]) -> Call[_Rows]:
        """Predict the digits in any number of files, in their order and by their names, in requests of at most 8 MB.

        A file may also be a zip archive. One that cannot be read as an image is a `RefusedFile`, and the others go on.
        """
        archives, rows = in_archives(map(Path, files)), _Rows()

        def send(archive: File, names: Sequence[str]) -> Call[_Rows]:
            def read(response: httpx.Response) -> _Rows | Call[_Rows]:
                rows.extend(_renamed(row, names) if names else row for row in _read_predictions(response))
                following = next(archives, None)
                return rows if following is None else send(*following)

            return post_image("predict", read, archive.body, **options)

        first = next(archives, None)
        if first is None:
            raise InvalidField("There are no files.", field="files", allowed="one file at least")
        return send(*first)

    @request
    def explain(
        self, image: Image, *, digit: int | None = None, against: int | None = None, **options: Unpack[ModelChoice]
    ) -> Call[Explanation]:
        """Return the evidence of each pixel of an image for a digit: for the predicted one, if none is given."""

        def read(response: httpx.Response) -> Explanation | Call[Explanation]:
            answer = read_record(response)

            def read_drawn(response: httpx.Response) -> Explanation:
                drawn = {**answer, "details": answer, "picture": read_picture(response)}
                return Explanation(**{field.name: drawn[field.name] for field in fields(Explanation)})

            params = {**call.request["params"], "upscale": 8}
            return replace(call, path=f"{call.path}.png", read=read_drawn, request={**call.request, "params": params})

        call = post_image("explain", read, body_of(image), {"digit": digit, "against": against}, **options)
        return call

    @request
    def preprocess(self, image: Image, *, step: int | str | None = None) -> Call[Picture]:
        """Return the 28x28 picture that a model would get, or the picture after a step.

        A step is its number in `Prediction.preprocessing`, from 0, or the beginning of its text.
        """
        return post_image("preprocess", read_picture, body_of(image), {"step": step})

    @request
    def read(self, picture: Image, *, expect: int | None = None, **options: Unpack[ModelChoice]) -> Call[Reading]:
        """Read all digits of a picture, of which there are ``expect``, if that is known."""

        def read(response: httpx.Response) -> Reading:
            answer = read_record(response)
            lists = {name: tuple(answer[name]) for name in ("preprocessing", "warnings")}
            lines = tuple(map(Record, answer["lines"]))
            return Reading(model=answer["model"], version=answer["version"], lines=lines, **lists)

        return post_image("read", read, body_of_picture(picture), {"expect": expect}, **options)

    @request
    def draw_reading(
        self, picture: Image, *, expect: int | None = None, **options: Unpack[ModelChoice]
    ) -> Call[Picture]:
        """Return a picture with what `read` finds in it: each digit in a box, orange if it is unsure."""
        return post_image("read.png", read_picture, body_of_picture(picture), {"expect": expect}, **options)


def post_image(
    verb: str,
    read: Callable[[httpx.Response], Result | Call[Result]],
    body: Mapping[str, Any],
    params: Mapping[str, Any] = MappingProxyType({}),
    *,
    model: str | None = None,
    version: int | str | None = None,
    **options: Any,
) -> Call[Result]:
    """Do something with an image; ``body`` sends it, and options that are None are left out."""
    if version is not None and model is None:
        raise InvalidField("A version is that of a model.", field="model", allowed="the name of a model")
    of_version = () if version is None else ("versions", version)
    path = path_of(verb) if model is None else path_of("models", model, *of_version, verb)
    request = {**body, "params": given(**params, **options)}
    return Call(method="POST", path=path, read=read, request=request, repeatable=True)


def _read_all(response: httpx.Response) -> Table[Prediction]:
    """Read predictions; raise the error of the first file that was refused."""
    rows = _read_predictions(response)
    for row in rows:
        if isinstance(row, RefusedFile):
            raise row.error
    return Table(row for row in rows if isinstance(row, Prediction))


def _read_predictions(response: httpx.Response) -> _Rows:
    answer = read_record(response)
    return _Rows(_read_prediction(answer, one) for one in answer["predictions"])


def _read_prediction(answer: Json, one: Json) -> Prediction | RefusedFile:
    if "error" in one:
        return RefusedFile(name=one["name"], error=error_of(one["error"], status=one["error"]["status"]))
    return Prediction(
        model=answer["model"],
        version=answer["version"],
        digit=one["digit"],
        class_name=one["class_name"],
        verdict=one.get("verdict"),
        rivals=tuple(one.get("rivals", ())),
        probabilities={int(label): value for label, value in one["probabilities"].items()},
        preprocessing=tuple(one["preprocessing"]),
        warnings=tuple(one["warnings"]),
        name=one.get("name"),
    )


def _renamed(row: Prediction | RefusedFile, names: Sequence[str]) -> Prediction | RefusedFile:
    """Name a row after its file, which the archive named by a number, and after its place if there are several."""
    number, *place = str(row.name).partition("[")
    return replace(row, name="".join([names[int(number)], *place]))
