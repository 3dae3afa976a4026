"""Collections: labelled images that grow, and are frozen into data sets."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Unpack

from .call import (
    Call,
    Json,
    delete,
    get,
    json_body,
    json_of,
    patch,
    post,
    read_bytes,
    read_list,
    read_picture,
    read_record,
    read_table,
)
from .display import Picture, Record, Table
from .images import Image, body_of, part_of
from .methods import request
from .nouns import Annotation, Search


class Collections:
    """What a client does about collections."""

    @request
    def collections(self, **search: Unpack[Search]) -> Call[Table[Record]]:
        """Return the newest collections, all by default, of which there are at most 100; parameters as of `jobs`."""
        return get(read_table("collections"), "collections", **search)

    @request
    def collection(self, name: str) -> Call[Record]:
        """Return how many images of each digit a collection has, and its newest version."""
        return get(read_record, "collections", name)

    @request
    def add_collection(self, name: str) -> Call[Record]:
        """Make an empty collection."""
        return post("collections", **json_body({"name": name}))

    @request
    def annotate_collection(self, name: str, **changes: Unpack[Annotation]) -> Call[Record]:
        """Change the title of a collection, its tags as a whole, or its notes; what is not given stays."""
        return patch("collections", name, **changes)

    @request
    def delete_collection(self, name: str) -> Call[None]:
        """Delete a collection with its images; data sets that were made of it stay."""
        return delete("collections", name)

    @request
    def freeze_collection(self, name: str) -> Call[Record]:
        """Freeze a collection into a data set, ``<name>-v<number>``; the newest one if nothing has changed since."""
        return post("collections", name, "versions")

    @request
    def collect(
        self, name: str, image: Image, label: int, *, strokes: Sequence[Mapping[str, Any]] | None = None
    ) -> Call[Record]:
        """Add an image to a collection, with the digit that it shows, and the strokes of a drawing.

        Each has its ``width``, ``points`` as [x, y], and ``is_eraser``, in whole units of a paper of 560x560.
        """
        body = body_of(image) if strokes is None else {"files": {"file": part_of(image)}}
        form: Json = {} if strokes is None else {"data": {"strokes": json_of(strokes)}}
        return post("collections", name, "images", **body, **form, params={"label": label})

    @request
    def collected_images(
        self, name: str, *, label: int | None = None, limit: int | None = None, before: str | None = None
    ) -> Call[Table[Record]]:
        """Return ids and labels of images, the newest first; ``before`` is the ``next`` of an earlier page."""
        return get(read_table("images"), "collections", name, "images", label=label, limit=limit, before=before)

    @request
    def read_collection(
        self,
        name: str,
        *,
        model: str | None = None,
        label: int | None = None,
        misread: bool | None = None,
        limit: int | None = None,
        before: str | None = None,
    ) -> Call[Record]:
        """Return what a model reads in the images, and how many it misreads; ``images`` are a page, the newest first.

        Parameters
        ----------
        model : ``name``, or ``name/version`` with a number or an alias; by default, the default model.
        misread : only images that are read as another digit than their label, or only the others.
        """
        params = {"model": model, "label": label, "misread": misread, "limit": limit, "before": before}
        return get(read_record, "collections", name, "readings", **params)

    @request
    def collected_image(self, name: str, image_id: str, *, upscale: int | None = None) -> Call[Picture]:
        """Return an image as models get it."""
        return get(read_picture, "collections", name, "images", f"{image_id}.png", upscale=upscale)

    @request
    def collected_original(self, name: str, image_id: str) -> Call[bytes]:
        """Return the file that an image was made of; `NoDataYet` if it is not kept."""
        return get(read_bytes, "collections", name, "images", image_id, "original")

    @request
    def collected_strokes(self, name: str, image_id: str) -> Call[list[Json]]:
        """Return the strokes of a drawing; `NoDataYet` if it came without."""
        return get(read_list, "collections", name, "images", image_id, "strokes")

    @request
    def relabel(self, name: str, image_id: str, label: int) -> Call[Record]:
        """Correct the label of an image; versions that were made before keep the old one."""
        return patch("collections", name, "images", image_id, label=label)

    @request
    def delete_collected_image(self, name: str, image_id: str) -> Call[None]:
        """Delete an image of a collection; versions that were made before keep it."""
        return delete("collections", name, "images", image_id)
