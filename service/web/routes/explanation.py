"""Why a model says what it says of an image: as numbers, and as a picture."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Annotated, Any

from fastapi import Depends, Query
from starlette.requests import Request
from starlette.responses import JSONResponse, Response

from service.bootstrap import Service
from service.charts import evidence_picture
from service.inference import Explanation, explain
from service.web import explanation_answers
from service.web.dependencies import ServiceDep
from service.web.image_body import IMAGE_BODY, ImageBody, read_images
from service.web.pictures import PNG, PNG_ANSWER
from service.web.routing import noun_router
from service.web.turns import turns_of

from .prediction import Alias

router = noun_router("prediction")

_NUMBERS: dict[str, Any] = {
    "responses": {200: {"model": explanation_answers.Explanation}},
    "openapi_extra": IMAGE_BODY,
}
_PICTURE: dict[str, Any] = {
    "response_class": Response,
    "responses": {200: PNG_ANSWER[200]},
    "openapi_extra": IMAGE_BODY,
}

Upscale = Annotated[int, Query(ge=1, le=16, description="Pixels to a side of each pixel.")]


@dataclass(frozen=True, slots=True, kw_only=True)
class _Question:
    """What all these routes are asked: a body with an image, and which classes are meant."""

    request: Request
    service: Service
    digit: int | None
    against: int | None

    async def numbers(self, name: str | None, reference: str | None) -> Response:
        """Answer with JSON, written where it is computed and not on the event loop."""
        body = await read_images(self.request)
        return await self._in_turn(lambda: JSONResponse(self._explain(body, name, reference).to_dict()), body)

    async def picture(self, name: str | None, reference: str | None, upscale: int) -> Response:
        """Answer with a PNG."""
        body = await read_images(self.request)

        def draw() -> bytes:
            explanation = self._explain(body, name, reference)
            manifest = explanation.model.manifest
            return evidence_picture(
                explanation.pixels,
                explanation.evidence,
                digit=explanation.digit,
                against=explanation.against,
                upscale=upscale,
                provenance=manifest.provenance(),
            )

        return await self._in_turn(lambda: Response(draw(), media_type=PNG), body)

    async def _in_turn(self, work: Callable[[], Response], body: ImageBody) -> Response:
        return await turns_of(self.request).run(work, body.n_bytes)

    def _explain(self, body: ImageBody, name: str | None, reference: str | None) -> Explanation:
        model = self.service.catalogue.get(name, reference)  # before decoding: the cheaper refusal
        return explain(model, body.decode(self.service.limits), digit=self.digit, against=self.against)


async def _question(
    request: Request,
    service: ServiceDep,
    digit: Annotated[int | None, Query(description="The class to explain; what the model says by default.")] = None,
    against: Annotated[int | None, Query(description="A second class, for the contrast between the two.")] = None,
) -> _Question:
    return _Question(request=request, service=service, digit=digit, against=against)


QuestionDep = Annotated[_Question, Depends(_question)]


@router.post("/explain", **_NUMBERS)
async def explain_image(question: QuestionDep, alias: Alias = None) -> Response:
    """Say what each pixel of an image speaks for, with the default model."""
    return await question.numbers(None, alias)


@router.post("/models/{name}/explain", **_NUMBERS)
async def explain_with_model(name: str, question: QuestionDep, alias: Alias = None) -> Response:
    """Say what each pixel of an image speaks for, with the champion of a model or the version that an alias names."""
    return await question.numbers(name, alias)


@router.post("/models/{name}/versions/{version}/explain", **_NUMBERS)
async def explain_with_version(name: str, version: str, question: QuestionDep) -> Response:
    """Say what each pixel of an image speaks for, with one version of a model."""
    return await question.numbers(name, version)


@router.post("/explain.png", **_PICTURE)
async def draw_explanation(question: QuestionDep, alias: Alias = None, upscale: Upscale = 8) -> Response:
    """Draw what each pixel of an image speaks for, red for and blue against, with the default model."""
    return await question.picture(None, alias, upscale)


@router.post("/models/{name}/explain.png", **_PICTURE)
async def draw_explanation_with_model(
    name: str, question: QuestionDep, alias: Alias = None, upscale: Upscale = 8
) -> Response:
    """Draw what each pixel of an image speaks for, with the champion of a model or the version that an alias names."""
    return await question.picture(name, alias, upscale)


@router.post("/models/{name}/versions/{version}/explain.png", **_PICTURE)
async def draw_explanation_with_version(
    name: str, version: str, question: QuestionDep, upscale: Upscale = 8
) -> Response:
    """Draw what each pixel of an image speaks for, with one version of a model."""
    return await question.picture(name, version, upscale)
