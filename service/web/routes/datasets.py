"""Data sets: what they are, and what is in them."""

from functools import partial
from typing import Annotated, Any, Literal, TypeAlias

import numpy as np
from anyio.to_thread import run_sync
from numpy.typing import NDArray
from pydantic import Field
from starlette.responses import Response

from service.charts import Drawing, contact_sheet
from service.core import BY_NAME, STRENGTHS, Augmenter
from service.datasets import MAX_TEXT_CHARS, NAME_RULE, PART_NAMES, Dataset, LabelledImages
from service.errors import DatasetNotFound, InvalidInput, UnsupportedMedia
from service.inference import FILE, ImageFile, read_dataset
from service.jobs import DatasetSummary
from service.web.access_control import READ, TRAIN
from service.web.image_body import FORM, read_form
from service.web.pictures import PNG_ANSWER, Upscale, labelled_picture
from service.web.requests import DECIMAL, AnnotationChange, NamesPage, Parameters, ServiceDep
from service.web.routing import Answer, BoundedRequest, JsonAnswer, NextPage, answer, noun_router

router = noun_router("datasets")

PartName: TypeAlias = Annotated[Literal["training", "test"], Field(description="Which part of the data set.")]

_FILE = {"type": "string", "format": "binary"}
_MAX_SEED = int(BY_NAME["seed"].maximum or 0)
_WORDS = ("name", "title", "source", "licence", "class_names")
_MAX_WORDS_BYTES = 4096
_MAX_FILES = 10_000
"""In a form; an archive may have more."""
_UPLOAD: dict[str, Any] = {
    "requestBody": {
        "required": True,
        "content": {
            "multipart/form-data": {
                "schema": {
                    "type": "object",
                    "required": ["name"],
                    "additionalProperties": False,
                    "properties": {
                        "name": {"type": "string", "description": f"{NAME_RULE}."},
                        "file": {
                            "type": "array",
                            "items": _FILE,
                            "minItems": 1,
                            "maxItems": _MAX_FILES,
                            "description": "An `.npz` file: `x_train`, `y_train`, `x_test`, `y_test`; or pictures, "
                            "whose names are their paths, `3/one.png`; or CSV, a label and 784 pixels a line; or zip "
                            "archives of these.",
                        },
                        **{part: {**_FILE, "description": "An IDX file, gzipped or not."} for part in PART_NAMES},
                        "class_names": {
                            "type": "string",
                            "description": 'A JSON list, the name of label 0 first: `["T-shirt", "Trouser"]`.',
                        },
                        **{
                            word: {"type": "string", "maxLength": MAX_TEXT_CHARS}
                            for word in ("title", "source", "licence")
                        },
                    },
                }
            }
        },
    }
}


DatasetList = answer(
    "DatasetList", "Data sets, in the order of their names.", datasets=list[DatasetSummary], next=NextPage
)


class LabelledImage(Answer):
    """An image of a data set, by its number in its part."""

    index: int
    label: int


ImageList = answer(
    "ImageList",
    "Images in their order.",
    images=list[LabelledImage],
    next=Annotated[int | None, Field(description="Pass it as `after` for the next page; null on the last.")],
)


class PartParameters(Parameters):
    """Which part of a data set."""

    part: PartName = "training"


class ImagesParameters(PartParameters):
    """Which images, and how many."""

    label: int | None = Field(None, ge=0, le=9, description="Only images of this class.")
    limit: int = Field(100, ge=1, le=1_000)
    after: int = Field(-1, ge=-1, le=2**53, description="The `next` of an earlier page.")


class SheetParameters(PartParameters):
    """How a contact sheet is drawn."""

    per_class: int = Field(10, ge=1, le=100, description="Images of each class.")
    augmentation: Literal["none", "soft", "strong"] = Field(
        "none", description="Distorted as training with this augmentation sees them."
    )
    seed: int = Field(0, ge=0, le=_MAX_SEED, description="Of the distortions.")
    upscale: Upscale = 2


@router.get("/datasets", dependencies=[READ], response_model=DatasetList)
def list_datasets(query: NamesPage, service: ServiceDep) -> Any:
    """List the data sets, without those whose files are damaged; found as jobs are, and by their sources."""
    return service.page("datasets", **query.asked)


@router.post("/datasets", dependencies=[TRAIN], status_code=201, response_model=DatasetSummary, openapi_extra=_UPLOAD)
async def add_dataset(request: BoundedRequest, service: ServiceDep) -> Response:
    """Add a data set in up to ten classes: pictures by class, CSV, one `.npz` file, or four IDX files of 28x28 images.

    It never changes afterwards; sending the same again is harmless. Its name is then a `dataset` to train on.
    """
    texts, files = await _read_form(request, service.settings.max_dataset_bytes)
    receive = partial(service.datasets.receive, texts, partial(read_dataset, files, limits=service.limits))
    dataset = await request.limits.run(receive, service.settings.max_dataset_expanded_bytes)
    shown = await run_sync(service.annotations.dataset, dataset.name)
    return JsonAnswer(shown, 201, {"Location": f"/api/v1/datasets/{dataset.name}"})


@router.get("/datasets/{name}", dependencies=[READ])
def get_dataset(name: str, service: ServiceDep) -> DatasetSummary:
    """Describe a data set: its classes, how many images of each, its checksum, its licence."""
    return service.annotations.dataset(name)


@router.patch("/datasets/{name}", dependencies=[TRAIN])
def annotate_dataset(name: str, body: AnnotationChange, service: ServiceDep) -> DatasetSummary:
    """Change the title, the tags or the notes of a data set; an empty title is that of the upload."""
    service.annotations.change("datasets", name, body.model_dump(exclude_unset=True))
    return service.annotations.dataset(name)


@router.delete("/datasets/{name}", dependencies=[TRAIN], status_code=204)
def delete_dataset(name: str, service: ServiceDep) -> None:
    """Delete a data set that no unfinished job needs. What was trained on it stays; its name may be used again."""
    service.deletion.dataset(name)


@router.get("/datasets/{name}/images", dependencies=[READ], response_model=ImageList)
def list_images(name: str, query: ImagesParameters, service: ServiceDep) -> Any:
    """List images by number, with their labels."""
    labels = _part(service.datasets.get(name), query.part).labels
    chosen = np.flatnonzero(labels == query.label) if query.label is not None else np.arange(len(labels))
    chosen = chosen[chosen > query.after]
    shown = chosen[: query.limit].tolist()
    images = [{"index": index, "label": int(labels[index])} for index in shown]
    return {"images": images, "next": shown[-1] if len(chosen) > query.limit else None}


@router.get("/datasets/{name}/images/{index}.png", dependencies=[READ], **PNG_ANSWER)
def get_image(
    name: str, index: Annotated[int, DECIMAL], service: ServiceDep, part: PartName = "training", upscale: Upscale = 1
) -> Drawing:
    """Show one image, counted from 0. Its label is in the header `X-Label`."""
    dataset = service.datasets.get(name)
    images = _part(dataset, part)
    if not 0 <= index < len(images):
        raise DatasetNotFound("There is no image of this number.", allowed=f"0 to {len(images) - 1:,}")
    provenance = {**_provenance(dataset, part), "index": str(index)}
    pixels, label = images.images[index], int(images.labels[index])
    return labelled_picture(pixels, label, upscale=upscale, provenance=provenance)


@router.get("/datasets/{name}/contact-sheet.png", dependencies=[READ], **PNG_ANSWER)
def get_contact_sheet(name: str, query: SheetParameters, service: ServiceDep) -> Drawing:
    """Show the first images of each class, a row a class, as they are or distorted at random."""
    dataset = service.datasets.get(name)
    provenance = {**_provenance(dataset, query.part), "per_class": str(query.per_class)}
    if query.augmentation != "none":
        provenance |= {"augmentation": query.augmentation, "seed": str(query.seed)}
    draw = partial(_draw_sheet, dataset, query, provenance)
    return Drawing(made_of=(provenance, query.upscale), draw=draw)


def _draw_sheet(dataset: Dataset, query: SheetParameters, provenance: dict[str, str]) -> bytes:
    images = _part(dataset, query.part)
    rows = [
        (dataset.class_names[label], images.images[np.flatnonzero(images.labels == label)[: query.per_class]])
        for label in dataset.classes
    ]
    if query.augmentation != "none":
        augmenter = Augmenter(dataset.task.image_shape, STRENGTHS[query.augmentation])
        rows = [(name, _augmented(augmenter, images, query.seed, row)) for row, (name, images) in enumerate(rows)]
    return contact_sheet(rows, upscale=query.upscale, provenance=provenance)


def _augmented(augmenter: Augmenter, images: NDArray[np.uint8], seed: int, row: int) -> NDArray[np.uint8]:
    """Distort each image in a way of its own; in training some of a batch share one."""
    grey_levels = images.reshape(len(images), 1, -1).astype(np.float32)
    distorted = [augmenter(image, seed, row, column) for column, image in enumerate(grey_levels)]
    return np.rint(np.stack(distorted)).clip(0, 255).astype(np.uint8).reshape(images.shape)


def _part(dataset: Dataset, part: PartName) -> LabelledImages:
    return dataset.training if part == "training" else dataset.test


def _provenance(dataset: Dataset, part: PartName) -> dict[str, str]:
    return {"dataset": dataset.name, "dataset_sha256": dataset.sha256, "part": part}


async def _read_form(request: BoundedRequest, limit_bytes: int) -> tuple[dict[str, str], list[tuple[str, ImageFile]]]:
    """Return the texts and the files of an upload, each by its name."""
    if request.media_type != FORM:
        raise UnsupportedMedia("The body must be a form.", field="Content-Type", allowed=FORM)
    request.limit_bytes = limit_bytes
    texts, files = await read_form(request, texts=_WORDS, max_files=_MAX_FILES, max_text_bytes=_MAX_WORDS_BYTES)
    names = [*texts, *{name for name, _ in files if name == FILE}, *(name for name, _ in files if name != FILE)]
    if len(names) != len(set(names)):
        raise InvalidInput("A part of the form comes twice.")
    return texts, files
