"""Data sets: what they are, and what is in them."""

from __future__ import annotations

from functools import partial
from typing import Annotated, Literal, TypeAlias

import numpy as np
from fastapi import Query
from starlette.requests import Request
from starlette.responses import JSONResponse, Response

from service.charts import contact_sheet, digit_picture
from service.datasets import Dataset, LabelledImages, dataset_names, load_dataset
from service.errors import DatasetNotFound
from service.web import answers
from service.web.pictures import PNG_ANSWER, Picture, picture_answer
from service.web.routing import noun_router

router = noun_router("datasets")

PartName: TypeAlias = Literal["training", "test"]
Part = Annotated[PartName, Query(description="Which part of the data set.")]


@router.get("/datasets", responses={200: {"model": answers.DatasetList}})
def list_datasets() -> Response:
    """List all data sets."""
    return JSONResponse({"datasets": [load_dataset(name).to_dict() for name in dataset_names()]})


@router.get("/datasets/{name}", responses={200: {"model": answers.Dataset}})
def get_dataset(name: str) -> Response:
    """Describe a data set: its classes, how many images of each, its checksum, its licence."""
    return JSONResponse(load_dataset(name).to_dict())


@router.get("/datasets/{name}/images/{index}.png", response_class=Response, responses=PNG_ANSWER)
async def get_image(
    name: str,
    index: int,
    request: Request,
    part: Part = "training",
    upscale: Annotated[int, Query(ge=1, le=16, description="Pixels to a side of each pixel.")] = 1,
) -> Response:
    """Show one image, counted from 0. Its label is in the header `X-Label`."""

    def prepare() -> Picture:
        dataset = load_dataset(name)
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
    name: str,
    request: Request,
    part: Part = "training",
    per_class: Annotated[int, Query(ge=1, le=100, description="Images of each class.")] = 10,
    upscale: Annotated[int, Query(ge=1, le=16, description="Pixels to a side of each pixel.")] = 2,
) -> Response:
    """Show the first images of each class, a row a class."""

    def prepare() -> Picture:
        dataset = load_dataset(name)
        provenance = {**_provenance(dataset, part), "per_class": str(per_class)}
        draw = partial(_draw_sheet, dataset, part, per_class, upscale, provenance)
        return Picture(made_of=(provenance, upscale), draw=draw)

    return await picture_answer(request, prepare)


def _draw_sheet(dataset: Dataset, part: PartName, per_class: int, upscale: int, provenance: dict[str, str]) -> bytes:
    images = _part(dataset, part)
    rows = [
        (str(label), images.images[np.flatnonzero(images.labels == label)[:per_class]]) for label in dataset.classes
    ]
    return contact_sheet(rows, upscale=upscale, provenance=provenance)


def _part(dataset: Dataset, part: PartName) -> LabelledImages:
    return dataset.training if part == "training" else dataset.test


def _provenance(dataset: Dataset, part: PartName) -> dict[str, str]:
    return {"dataset": dataset.name, "dataset_sha256": dataset.sha256, "part": part}
