"""Titles, tags and notes: changing them, and models and data sets with what is written about them.

Models and data sets are not in the database, and are shown without annotations while that does not answer.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from typing import Annotated, Any, TypeVar

from sqlalchemy import Connection

from service.answers import Doc
from service.database import (
    COLLECTIONS,
    EVERYTHING,
    JOBS,
    REPORTS,
    SWEEPS,
    AdvisoryLock,
    AnnotatedKind,
    Annotation,
    Database,
    Rows,
    Search,
    TagCount,
    annotation_rows,
    job_rows,
)
from service.datasets import Dataset, Datasets, Ingredient, LabelledImages
from service.errors import DatasetNotFound, ModelNotFound, StorageFailed
from service.registry import Registry, parse_version_id

Json = dict[str, Any]
T = TypeVar("T")

_ROWS: Mapping[str, Rows[Any]] = {"jobs": JOBS, "sweeps": SWEEPS, "reports": REPORTS, "collections": COLLECTIONS}
MAX_LISTED = 200
"""Models or data sets in an answer."""


@dataclass(frozen=True, slots=True, kw_only=True)
class DatasetPart:
    """The training or the test part of a data set."""

    n_images: int
    n_by_class: dict[str, int]

    @classmethod
    def of(cls, part: LabelledImages) -> DatasetPart:
        """Count the images."""
        return cls(n_images=len(part), n_by_class={str(label): n for label, n in part.count_by_class().items()})


@dataclass(frozen=True, slots=True, kw_only=True)
class DatasetSummary(Annotation):
    """A data set."""

    name: str
    source: str
    licence: str
    classes: tuple[int, ...]
    class_names: Annotated[tuple[str, ...], Doc("What to call each class.")]
    image_shape: Annotated[tuple[int, int], Doc(written_as=list[int])]
    sha256: str
    training: DatasetPart
    test: DatasetPart
    made_of: Annotated[tuple[Ingredient, ...], Doc("Of several trained on together; else empty.")]

    def __post_init__(self) -> None:
        """Accept any title: that of a mixture may be longer than what people may write."""

    @classmethod
    def of(cls, dataset: Dataset, annotation: Annotation) -> DatasetSummary:
        """Build from a data set and what was written about it."""
        same = ("name", "source", "licence", "classes", "class_names", "sha256", "made_of")
        return cls(
            **{name: getattr(dataset, name) for name in same},
            image_shape=dataset.task.image_shape,
            training=DatasetPart.of(dataset.training),
            test=DatasetPart.of(dataset.test),
            **annotation.texts(dataset.title),
        )


class Annotations:
    """What people write about whatever has a list; nothing that is trained depends on it."""

    def __init__(self, database: Database, registry: Registry, datasets: Datasets) -> None:
        self._database = database
        self._registry = registry
        self._datasets = datasets

    def change(self, kind: AnnotatedKind, object_id: str, changes: Mapping[str, Any]) -> None:
        """Replace the ``title``, the ``tags`` or the ``notes`` of something, those that are given.

        ``object_id`` is an id, the name of a data set or of a collection, or ``name/version``. Raises `JobNotFound`,
        `ModelNotFound` or `DatasetNotFound`; `InvalidField` for one that is too long, or too many.
        """
        with self._database.write() as connection:
            self._require(connection, kind, object_id)
            present = annotation_rows.get(connection, kind, [object_id])[object_id]
            annotation_rows.put(connection, kind, object_id, replace(present, **changes))

    def tags(self, kind: AnnotatedKind) -> list[TagCount]:
        """Return the tags that are used most."""
        with self._database.read() as connection:
            return annotation_rows.count_by_tag(connection, kind)

    def clean(self) -> None:
        """Delete what was written about versions and data sets whose deletion a crash interrupted."""
        kinds: tuple[AnnotatedKind, ...] = ("versions", "datasets")
        for kind in kinds:
            with self._database.read() as connection:
                written = annotation_rows.ids(connection, kind)
            if gone := sorted(set(written) - self._stored(kind, written)):
                with self._database.write() as connection:
                    annotation_rows.delete(connection, kind, gone)

    # Models and data sets, as in answers

    def models(
        self, search: Search = EVERYTHING, *, limit: int = MAX_LISTED, before: str | None = None
    ) -> tuple[list[Json], str | None]:
        """Return models that match a search by their names or versions, each with the tags of all its versions.

        They are in the order of their names, at most ``limit`` of those after ``before``; with them comes the
        ``before`` of the next page, None on the last.
        """
        names: Sequence[str] = self._registry.names()
        if search != EVERYTHING:
            with self._database.read() as connection:
                names = search.filtered(connection, "versions", {name: name for name in names}, versions=True)
        page, following = _page(names, limit, before)
        found = []
        for name in page:
            with suppress(ModelNotFound):  # deleted meanwhile
                found.append(self._registry.summary(name))
        return self._shown(found), following

    def model(self, name: str, *, limit: int = 100, before: int | None = None) -> Json:
        """Return a model with its newest versions, or the newest below one."""
        versions, following = self._registry.version_summaries(name, limit=limit, before=before)
        (model,) = self._shown([self._registry.summary(name)], versions)
        return {**model, "next": following and str(following)}

    def version(self, name: str, version: int) -> Json:
        """Return the manifest of a version, its aliases, what is written about it, and whether its job exists.

        The latter is None while the database does not answer.
        """
        manifest = self._registry.manifest(name, version)
        annotation = self._of("versions", [f"{name}/{version}"])[f"{name}/{version}"]
        job_id, found = manifest.job_id, {**manifest.to_dict(), **annotation.texts()}
        exists = job_id is not None and self._read(lambda each: job_rows.state_of(each, job_id) is not None, None)
        return {**found, "aliases": self._registry.aliases_of(name, version), "job_exists": exists}

    def datasets(
        self, search: Search = EVERYTHING, *, limit: int = MAX_LISTED, before: str | None = None
    ) -> tuple[list[DatasetSummary], str | None]:
        """Return the data sets that match a search by their names, sources or annotations, as `models`."""
        every = {dataset.name: dataset for dataset in self._datasets.all()}
        names = list(every)
        if search != EVERYTHING:
            texts = {name: f"{name} {dataset.title} {dataset.source}" for name, dataset in every.items()}
            with self._database.read() as connection:
                names = search.filtered(connection, "datasets", texts)
        page, following = _page(names, limit, before)
        annotations = self._of("datasets", page)
        return [DatasetSummary.of(every[name], annotations[name]) for name in page], following

    def dataset(self, name: str) -> DatasetSummary:
        """Return a data set."""
        return DatasetSummary.of(self._datasets.get(name), self._of("datasets", [name])[name])

    def _shown(self, models: Sequence[Json], versions: Sequence[Json] | None = None) -> list[Json]:
        """Return models with the tags of all their versions; one model also with some of its versions."""
        listed = [(model["name"], each) for model in models for each in (*(versions or ()), model["default"]) if each]
        ids = [f"{name}/{each['version']}" for name, each in listed]

        def read(connection: Connection) -> Any:
            tags = {model["name"]: annotation_rows.tags_of_model(connection, model["name"]) for model in models}
            return annotation_rows.get(connection, "versions", ids), tags

        nothing: Any = (defaultdict(Annotation), defaultdict(list))
        annotations, tags = self._read(read, nothing)
        for object_id, (_, each) in zip(ids, listed, strict=True):
            each.update(annotations[object_id].texts())
        some = {} if versions is None else {"versions": versions}
        return [{**model, **some, "tags": tags[model["name"]]} for model in models]

    def _of(self, kind: AnnotatedKind, object_ids: Iterable[str]) -> Mapping[str, Annotation]:
        return self._read(lambda connection: annotation_rows.get(connection, kind, object_ids), defaultdict(Annotation))

    def _read(self, read: Callable[[Connection], T], otherwise: T) -> T:
        try:
            with self._database.read() as connection:
                return read(connection)
        except StorageFailed:
            return otherwise

    def _require(self, connection: Connection, kind: AnnotatedKind, object_id: str) -> None:
        """Raise unless there is such a thing, and nobody can delete it until the transaction ends."""
        if kind in _ROWS:
            _ROWS[kind].lock(connection, object_id)
            return
        AdvisoryLock.SUBMISSION.acquire(connection)  # as `Deletion` does
        if not self._stored(kind, [object_id]):
            if kind == "versions":
                raise ModelNotFound("There is no model of this name, or no such version.")
            raise DatasetNotFound("There is no data set of this name.", allowed=", ".join(self._datasets.names()))

    def _stored(self, kind: AnnotatedKind, object_ids: Iterable[str]) -> set[str]:
        """Return those of some versions or data sets that exist."""
        if kind == "datasets":
            return set(self._datasets.names()).intersection(object_ids)
        return {each for each in object_ids if self._registry.has_version(*parse_version_id(each))}


def _page(names: Sequence[str], limit: int, before: str | None) -> tuple[Sequence[str], str | None]:
    """Return a page of sorted names, and its last one if there are more: one that is deleted meanwhile ends it too."""
    rest = [name for name in names if before is None or name > before]
    return rest[:limit], rest[limit - 1] if len(rest) > limit else None
