"""Data sets: what they are, and what is in them."""

from __future__ import annotations

from functools import partial
from typing import Annotated, Any, Literal, TypeAlias

import numpy as np
from fastapi import Query
from starlette.datastructures import UploadFile
from starlette.requests import Request
from starlette.responses import JSONResponse, Response

from service.charts import contact_sheet, digit_picture
from service.datasets import MAX_WORD_CHARS, NAME_RULE, PART_NAMES, Dataset, LabelledImages
from service.errors import DatasetNotFound, InvalidField, InvalidInput, UnsupportedMedia
from service.web import dataset_answers
from service.web.dependencies import ServiceDep
from service.web.pictures import PNG_ANSWER, Picture, picture_answer
from service.web.routing import BoundedRequest, media_type_of, noun_router
from service.web.turns import turns_of

router = noun_router("datasets")

PartName: TypeAlias = Literal["training", "test"]
Part = Annotated[PartName, Query(description="Which part of the data set.")]

_FILE = {"type": "string", "format": "binary"}
_WORDS = ("name", "title", "source", "licence", "class_names")
_MAX_WORDS_BYTES = 4096
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
                        "file": {**_FILE, "description": "An `.npz` file: `x_train`, `y_train`, `x_test`, `y_test`."},
                        **{part: {**_FILE, "description": "An IDX file, gzipped or not."} for part in PART_NAMES},
                        "class_names": {
                            "type": "string",
                            "description": 'A JSON list, the name of label 0 first: `["T-shirt", "Trouser"]`.',
                        },
                        **{
                            word: {"type": "string", "maxLength": MAX_WORD_CHARS}
                            for word in ("title", "source", "licence")
                        },
                    },
                }
            }
        },
    }
}


@router.get("/datasets", responses={200: {"model": dataset_answers.DatasetList}})
def list_datasets(service: ServiceDep) -> Response:
    """List all data sets, without those whose files are damaged."""
    return JSONResponse({"datasets": [dataset.to_dict() for dataset in service.datasets.all()]})


@router.post("/datasets", status_code=201, responses={201: {"model": dataset_answers.Dataset}}, openapi_extra=_UPLOAD)
async def add_dataset(request: Request, service: ServiceDep) -> Response:
    """Add a data set of 28x28 grey images in up to ten classes, as four IDX files or one `.npz` file.

    It never changes afterwards; sending the same again is harmless. Its name is then a `dataset` to train on.
    """
    words, parts = await _read_form(request, service.settings.max_dataset_bytes)
    receive = partial(service.datasets.receive, words, parts)
    dataset = await turns_of(request).run(receive, service.settings.max_dataset_expanded_bytes)
    return JSONResponse(dataset.to_dict(), 201, {"Location": f"/api/v1/datasets/{dataset.name}"})


@router.get("/datasets/{name}", responses={200: {"model": dataset_answers.Dataset}})
def get_dataset(name: str, service: ServiceDep) -> Response:
    """Describe a data set: its classes, how many images of each, its checksum, its licence."""
    return JSONResponse(service.datasets.get(name).to_dict())


@router.get("/datasets/{name}/images", responses={200: {"model": dataset_answers.ImageList}})
def list_images(
    *,
    name: str,
    service: ServiceDep,
    part: Part = "training",
    label: Annotated[int | None, Query(ge=0, le=9, description="Only images of this class.")] = None,
    limit: Annotated[int, Query(ge=1, le=1_000)] = 100,
    after: Annotated[int, Query(ge=-1, le=2**53, description="The `next` of an earlier page.")] = -1,
) -> Response:
    """List images by number, with their labels."""
    labels = _part(service.datasets.get(name), part).labels
    chosen = np.arange(after + 1, len(labels)) if label is None else np.flatnonzero(labels == label)
    chosen = chosen[chosen > after]
    shown = chosen[:limit].tolist()
    images = [{"index": index, "label": int(labels[index])} for index in shown]
    return JSONResponse({"images": images, "next": shown[-1] if len(chosen) > limit else None})


@router.get("/datasets/{name}/images/{index}.png", response_class=Response, responses=PNG_ANSWER)
async def get_image(
    *,
    name: str,
    index: int,
    request: Request,
    service: ServiceDep,
    part: Part = "training",
    upscale: Annotated[int, Query(ge=1, le=16, description="Pixels to a side of each pixel.")] = 1,
) -> Response:
    """Show one image, counted from 0. Its label is in the header `X-Label`."""

    def prepare() -> Picture:
        dataset = service.datasets.get(name)
        images = _part(dataset, part)
        if not 0 <= index < len(images):
            raise DatasetNotFound("There is no image of this number.", allowed=f"0 to {len(images) - 1:,}")
        label = str(images.labels[index])
        provenance = {**_provenance(dataset, part), "index": str(index), "label": label}

        def draw() -> bytes:
            return digit_picture(images.images[index], upscale=upscale, provenance=provenance)

        return Picture(made_of=(provenance, upscale), draw=draw, headers=(("X-Label", label),))

    return await picture_answer(request, prepare)


@router.get("/datasets/{name}/contact-sheet.png", response_class=Response, responses=PNG_ANSWER)
async def get_contact_sheet(
    *,
    name: str,
    request: Request,
    service: ServiceDep,
    part: Part = "training",
    per_class: Annotated[int, Query(ge=1, le=100, description="Images of each class.")] = 10,
    upscale: Annotated[int, Query(ge=1, le=16, description="Pixels to a side of each pixel.")] = 2,
) -> Response:
    """Show the first images of each class, a row a class."""

    def prepare() -> Picture:
        dataset = service.datasets.get(name)
        provenance = {**_provenance(dataset, part), "per_class": str(per_class)}
        draw = partial(_draw_sheet, dataset, part, per_class, upscale, provenance)
        return Picture(made_of=(provenance, upscale), draw=draw)

    return await picture_answer(request, prepare)


def _draw_sheet(dataset: Dataset, part: PartName, per_class: int, upscale: int, provenance: dict[str, str]) -> bytes:
    images = _part(dataset, part)
    rows = [
        (dataset.class_names[label], images.images[np.flatnonzero(images.labels == label)[:per_class]])
        for label in dataset.classes
    ]
    return contact_sheet(rows, upscale=upscale, provenance=provenance)


def _part(dataset: Dataset, part: PartName) -> LabelledImages:
    return dataset.training if part == "training" else dataset.test


def _provenance(dataset: Dataset, part: PartName) -> dict[str, str]:
    return {"dataset": dataset.name, "dataset_sha256": dataset.sha256, "part": part}


async def _read_form(request: Request, limit_bytes: int) -> tuple[dict[str, str], dict[str, bytes]]:
    """Return the words and the files of an upload, each by its name."""
    if media_type_of(request) != "multipart/form-data":
        raise UnsupportedMedia("The body must be a form.", field="Content-Type", allowed="multipart/form-data")
    assert isinstance(request, BoundedRequest)
    request.limit_bytes = limit_bytes
    words, files = {}, {}
    async with request.form(max_files=len(PART_NAMES), max_fields=len(_WORDS), max_part_size=_MAX_WORDS_BYTES) as form:
        for name, value in form.multi_items():
            if name in words or name in files:
                raise InvalidInput("A part of the form comes twice.")
            if isinstance(value, UploadFile):
                files[name] = await value.read()
            elif name in _WORDS:
                words[name] = value
            else:
                raise InvalidField("There is no field of this name.", field=name, allowed=", ".join(_WORDS))
    return words, files
