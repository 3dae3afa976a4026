"""Collections: labelled images that grow, and are frozen into data sets."""

import copy
from datetime import datetime
from functools import partial
from typing import Annotated, Any, TypeAlias

from fastapi import Path
from fastapi.exceptions import RequestValidationError
from pydantic import AfterValidator, Field, TypeAdapter, ValidationError
from starlette.responses import Response

from service.charts import Drawing
from service.core import DIGITS
from service.inference import Verdict, predictions_of
from service.jobs import (
    COLLECTION_NAME,
    COLLECTION_NAME_RULE,
    MAX_COLLECTED,
    MAX_COLLECTIONS,
    ORIGINAL_TYPES,
    CollectedImage,
    Collection,
    DatasetSummary,
)
from service.web.access_control import COLLECT, READ, TRAIN
from service.web.image_body import FORM, IMAGE_BODY, ImageBody, read_images
from service.web.pictures import PNG_ANSWER, Upscale, file_answer, labelled_picture
from service.web.requests import WHOLE, AnnotationChange, Page, SearchedPage, ServiceDep, Strict, check_id
from service.web.routing import Answer, BoundedRequest, JsonAnswer, NextPage, answer, noun_router

router = noun_router("collections")

Label: TypeAlias = Annotated[
    int, Field(ge=0, le=DIGITS.n_classes - 1, description="The digit that the image shows."), WHOLE
]
ImageId = Annotated[str, Path(description="As the collection lists it."), AfterValidator(check_id("image"))]

PAPER_SIDE, MAX_STROKES_BYTES = 560, 65_536
_Coordinate = Annotated[int, Field(ge=0, le=PAPER_SIDE)]
_DRAWING_BODY = copy.deepcopy(IMAGE_BODY)
"""A picture, in a form also with its strokes."""
_DRAWING_BODY["requestBody"]["content"][FORM]["schema"]["properties"]["strokes"] = {
    "type": "string",
    "maxLength": MAX_STROKES_BYTES,
    "description": "A JSON list of the strokes of a drawing, on a paper of 560 units a side: "
    '`[{"width": 40, "is_eraser": false, "points": [[100, 80], [300, 400]]}]`.',
}


class NewCollection(Strict):
    """A collection to be made."""

    name: str = Field(pattern=COLLECTION_NAME, description=f"{COLLECTION_NAME_RULE}.")


class Relabelling(Strict):
    """A correction."""

    label: Label


class CollectedImagesPage(Page):
    """A page of images."""

    label: int | None = Field(None, ge=0, le=DIGITS.n_classes - 1, description="Only images of this digit.")


class ReadingsParameters(CollectedImagesPage):
    """Which readings."""

    model: str | None = Field(
        None, description="`name`, or `name/version` with a number or an alias; by default, the default model."
    )
    misread: bool | None = Field(None, description="Only images that are read as another digit, or only the others.")


class Stroke(Strict):
    """A line that was drawn on a paper of 560 units a side."""

    width: int = Field(ge=1, le=PAPER_SIDE)
    is_eraser: bool = False
    points: list[Annotated[list[_Coordinate], Field(min_length=2, max_length=2)]] = Field(
        min_length=1, description="x and y of each, from the upper left corner."
    )


_STROKES = TypeAdapter(Annotated[list[Stroke], Field(min_length=1)])


class CollectionsPage(SearchedPage):
    """A page of collections; without `limit`, all."""

    limit: int = Field(MAX_COLLECTIONS, ge=1, le=200)


CollectionList = answer("CollectionList", "Collections, the newest first.", collections=list[Collection], next=NextPage)


CollectedImageList = answer(
    "CollectedImageList", "Images of a collection, the newest first.", images=list[CollectedImage], next=NextPage
)


class CollectedReading(Answer):
    """A labelled image, and what a model reads in it."""

    id: str
    label: int
    has_original: bool
    n_strokes: int | None
    created_at: datetime
    digit: int
    class_name: str
    verdict: Verdict
    probability: float = Field(description="Of the digit.")
    is_misread: bool = Field(description="Whether the digit is not the label.")


class ReadingsAnswer(Answer):
    """What a version of a model reads in the images of a collection, the newest first."""

    model: str
    version: int
    n_images: int = Field(description="In the collection, or of the label.")
    n_misread: int = Field(description="Of those, whatever is listed.")
    images: list[CollectedReading]
    next: NextPage


@router.get("/collections", dependencies=[READ], response_model=CollectionList)
def list_collections(query: CollectionsPage, service: ServiceDep) -> Any:
    """List the newest collections first."""
    return service.page("collections", **query.asked)


@router.post("/collections", dependencies=[TRAIN], status_code=201, response_model=Collection)
def create_collection(body: NewCollection, service: ServiceDep) -> Response:
    """Make an empty collection."""
    made = service.collections.create(body.name)
    return JsonAnswer(made, 201, {"Location": f"/api/v1/collections/{made.name}"})


@router.get("/collections/{name}", dependencies=[READ])
def get_collection(name: str, service: ServiceDep) -> Collection:
    """Return how many images of each digit a collection has, and its newest version."""
    return service.collections.get(name)


@router.patch("/collections/{name}", dependencies=[TRAIN])
def annotate_collection(name: str, body: AnnotationChange, service: ServiceDep) -> Collection:
    """Change the title, the tags or the notes of a collection."""
    service.annotations.change("collections", name, body.model_dump(exclude_unset=True))
    return service.collections.get(name)


@router.delete("/collections/{name}", dependencies=[TRAIN], status_code=204)
def delete_collection(name: str, service: ServiceDep) -> None:
    """Delete a collection with its images. The data sets that were made of it stay."""
    service.collections.delete(name)


@router.post("/collections/{name}/versions", dependencies=[TRAIN], status_code=201, response_model=DatasetSummary)
def freeze_collection(name: str, service: ServiceDep) -> Response:
    """Freeze the collection as it is now into a data set, `{name}-v{number}`, to train on.

    If nothing changed since the newest version, the answer is that one.
    """
    dataset = service.collections.freeze(name)
    return JsonAnswer(service.annotations.dataset(dataset.name), 201, {"Location": f"/api/v1/datasets/{dataset.name}"})


@router.get("/collections/{name}/images", dependencies=[READ], response_model=CollectedImageList)
def list_collected_images(name: str, query: CollectedImagesPage, service: ServiceDep) -> Any:
    """List images with their labels, the newest first."""
    rows, following = service.collections.images(name, limit=query.limit, before=query.before, label=query.label)
    return {"images": rows, "next": following}


@router.get("/collections/{name}/readings", dependencies=[READ], response_model=ReadingsAnswer)
async def read_collected_images(
    name: str, query: ReadingsParameters, request: BoundedRequest, service: ServiceDep
) -> Response:
    """List images with their labels and what a model reads in them, the newest first."""

    def work() -> Response:
        model_name, _, reference = (query.model or "").partition("/")
        model = service.catalogue.get(model_name or None, reference or None)
        asked = query.model_dump(exclude={"model"})
        found = service.collections.readings(name, partial(predictions_of, model), **asked)
        return JsonAnswer({"model": model.manifest.name, "version": model.manifest.version, **found})

    return await request.limits.run(work, MAX_COLLECTED * DIGITS.n_pixels)


@router.post(
    "/collections/{name}/images",
    dependencies=[COLLECT],
    status_code=201,
    response_model=CollectedImage,
    openapi_extra=_DRAWING_BODY,
)
async def add_collected_image(name: str, label: Label, request: BoundedRequest, service: ServiceDep) -> Response:
    """Add one image with its label. It is preprocessed as for a prediction, and the file that was sent is kept too.

    A form may also have the `strokes` of a drawing.
    """
    body = await read_images(request, texts=["strokes"], max_text_bytes=MAX_STROKES_BYTES)

    def work() -> Response:
        strokes = _strokes(body)
        pixels, (file,) = body.decode(service.limits).only, body.files
        is_file = (file.media_type or "").partition(";")[0].strip().lower() != "application/json"
        original = (file.content, file.media_type) if is_file else None  # pixels are kept as they are
        row = service.collections.add(name, label, pixels, original=original, strokes=strokes)
        location = f"/api/v1/collections/{name}/images/{row.id}"
        return JsonAnswer(row, 201, {"Location": location})

    return await request.limits.run(work, body.n_bytes)


@router.get("/collections/{name}/images/{image_id}.png", dependencies=[READ], **PNG_ANSWER)
def get_collected_image(name: str, image_id: ImageId, service: ServiceDep, upscale: Upscale = 1) -> Drawing:
    """Show an image as models get it. Its label is in the header `X-Label`."""
    pixels, label = service.collections.pixels(name, image_id)
    provenance = {"collection": name, "image": image_id}
    return labelled_picture(pixels, label, upscale=upscale, provenance=provenance)


@router.get(
    "/collections/{name}/images/{image_id}/original", dependencies=[READ], **file_answer("The file.", *ORIGINAL_TYPES)
)
def get_original(name: str, image_id: ImageId, service: ServiceDep) -> Response:
    """Return the file that an image was made of, as it was sent."""
    content, media_type = service.collections.original(name, image_id)
    return Response(content, media_type=media_type)


@router.get("/collections/{name}/images/{image_id}/strokes", dependencies=[READ], response_model=list[Stroke])
def get_strokes(name: str, image_id: ImageId, service: ServiceDep) -> Any:
    """Return the strokes of a drawing, in their order."""
    return service.collections.strokes(name, image_id)


@router.patch("/collections/{name}/images/{image_id}", dependencies=[TRAIN])
def relabel_collected_image(name: str, image_id: ImageId, body: Relabelling, service: ServiceDep) -> CollectedImage:
    """Correct the label of an image. Versions that were made before keep the old one."""
    return service.collections.relabel(name, image_id, body.label)


@router.delete("/collections/{name}/images/{image_id}", dependencies=[TRAIN], status_code=204)
def delete_collected_image(name: str, image_id: ImageId, service: ServiceDep) -> None:
    """Delete an image. Versions that were made before keep it."""
    service.collections.remove(name, image_id)


def _strokes(body: ImageBody) -> list[dict[str, Any]] | None:
    """Return the strokes of a form."""
    if "strokes" not in body.texts:
        return None
    try:
        return [stroke.model_dump() for stroke in _STROKES.validate_json(body.texts["strokes"])]
    except ValidationError as error:
        found = error.errors(include_url=False, include_input=False)
        raise RequestValidationError([{**each, "loc": ("body", "strokes", *each["loc"])} for each in found]) from None
