"""Predictions and their explanations."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from typing import Any, NamedTuple, TypeVar

import httpx

from .call import Call, Json, given, path_of, read_picture, read_record
from .display import Picture, Record, Table, html_of
from .errors import InvalidField, InvalidInput
from .images import Image, Images, body_of, body_of_all
from .methods import request

Result = TypeVar("Result")


@dataclass(frozen=True, slots=True, kw_only=True)
class Prediction:
    """What a model predicts for one image.

    Parameters
    ----------
    model, version : which predicted.
    digit, class_name : the most probable class, and what its data set calls it.
    probabilities : of every class; they sum to 1.
    preprocessing, warnings : what was done to the image, and what may make the prediction wrong.
    """

    model: str
    version: int
    digit: int
    class_name: str
    probabilities: dict[int, float]
    preprocessing: tuple[str, ...]
    warnings: tuple[str, ...]

    def _repr_html_(self) -> str:
        return html_of(self)


@dataclass(frozen=True, slots=True, kw_only=True)
class Explanation:
    """The evidence of each pixel for a class; a notebook shows it as a picture, red for the class and blue against it.

    Parameters
    ----------
    model, version : which is explained.
    digit, against : the class that is explained, and the one that it is compared with, if there is one.
    logit, bias : ``evidence`` and ``bias`` sum to the logit, or to the difference of the two.
    evidence : 28 rows of 28.
    details : the whole answer.
    picture : the image, and beside it the evidence.
    """

    model: str
    version: int
    digit: int
    against: int | None
    logit: float
    bias: float
    evidence: list[list[float]]
    details: Json
    picture: Picture

    def _repr_png_(self) -> bytes | None:
        return self.picture._repr_png_()


class Asked(NamedTuple):
    """Which model is asked; the champion of the default model if nothing is given."""

    model: str | None = None
    version: int | str | None = None
    alias: str | None = None


class Predictions:
    """What a client does with images.

    ``model`` is asked, in a ``version`` or under an ``alias``; by default the champion of the default model.
    """

    @request
    def predict(
        self, image: Image, *, model: str | None = None, version: int | str | None = None, alias: str | None = None
    ) -> Call[Prediction]:
        """Predict the digit in one image; see `inkling.images.Image`."""

        def read(response: httpx.Response) -> Prediction:
            predictions = _read_predictions(response)
            if len(predictions) != 1:
                raise InvalidInput("There are several images: use predict_all.", field="image", allowed="one image")
            return predictions[0]

        return _ask(Asked(model, version, alias), "predict", read, body_of(image))

    @request
    def predict_all(
        self, images: Images, *, model: str | None = None, version: int | str | None = None, alias: str | None = None
    ) -> Call[Table[Prediction]]:
        """Predict the digits in a batch of images, in their order; see `inkling.images.Images`."""
        return _ask(Asked(model, version, alias), "predict", _read_predictions, body_of_all(images))

    @request
    def explain(
        self,
        image: Image,
        *,
        digit: int | None = None,
        against: int | None = None,
        model: str | None = None,
        version: int | str | None = None,
        alias: str | None = None,
    ) -> Call[Explanation]:
        """Return the evidence of each pixel of an image for a digit: for the predicted one, if none is given."""

        def read(response: httpx.Response) -> Explanation | Call[Explanation]:
            answer = read_record(response)
            names = ("model", "version", "digit", "against", "logit", "bias", "evidence")
            facts = {name: answer[name] for name in names}

            def read_drawn(response: httpx.Response) -> Explanation:
                return Explanation(**facts, details=answer, picture=read_picture(response))

            params = {**call.request["params"], "upscale": 8}
            return replace(call, path=f"{call.path}.png", read=read_drawn, request={**call.request, "params": params})

        call = _ask(Asked(model, version, alias), "explain", read, body_of(image), digit=digit, against=against)
        return call

    @request
    def preprocess(self, image: Image) -> Call[Picture]:
        """Return the 28x28 picture that a model would get."""
        return _ask(Asked(), "preprocess", read_picture, body_of(image))


def _ask(
    asked: Asked,
    verb: str,
    read: Callable[[httpx.Response], Result | Call[Result]],
    body: Mapping[str, Any],
    **params: object,
) -> Call[Result]:
    if asked.version is not None and asked.model is None:
        raise InvalidField("A version is that of a model.", field="model", allowed="the name of a model")
    of_version = () if asked.version is None else ("versions", asked.version)
    path = path_of(verb) if asked.model is None else path_of("models", asked.model, *of_version, verb)
    request = {**body, "params": given(alias=asked.alias, **params)}
    return Call(method="POST", path=path, read=read, request=request, repeatable=True)


def _read_predictions(response: httpx.Response) -> Table[Prediction]:
    answer: Record = read_record(response)
    return Table(
        Prediction(
            model=answer["model"],
            version=answer["version"],
            digit=one["digit"],
            class_name=one["class_name"],
            probabilities={int(label): value for label, value in one["probabilities"].items()},
            preprocessing=tuple(one["preprocessing"]),
            warnings=tuple(one["warnings"]),
        )
        for one in answer["predictions"]
    )
