"""The available data sets by name: those of the package, and those of users, kept as immutable files. ::

<name>/<sha256>.idx         the four files, uncompressed, each named by its content
<name>/manifest.json        written last and deleted first: with it the data set exists
"""

import hashlib
import json
import logging
import re
from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping, Sequence
from contextlib import suppress
from dataclasses import asdict, dataclass
from functools import lru_cache
from threading import Lock

from service.errors import Corrupted, DatasetNotFound, InUse, InvalidField, NameTaken, StorageFull
from service.stores import BlobStore

from .dataset import LOADERS, Dataset, Ingredient, checksum_of, open_dataset
from .mixture import Mixture
from .uploads import About, Upload, read_class_names, upload_of

logger = logging.getLogger(__name__)

NAME_RULE = "1 to 40 of a-z, 0-9 and '-', beginning with a letter"
_NAME = re.compile(r"[a-z][a-z0-9-]{0,39}")
_MIXTURE_PREFIX = "mix-"
_MANIFEST = "manifest.json"
_MAX_MANIFEST_BYTES, _MAX_FILE_BYTES = 65_536, 2**30
_LOADING = Lock()
_N_KEPT_OPEN = 4
"""Data sets whose images stay in memory."""
_OLD_S = 3600.0
"""No upload takes longer: files that no manifest names and that are as old as this were abandoned."""


@dataclass(frozen=True, slots=True, kw_only=True)
class _Manifest:
    about: About
    class_names: tuple[str, ...]
    sha256: Mapping[str, str]
    made_of: tuple[Ingredient, ...] = ()


class Datasets:
    """All data sets of a service. Other processes may add and delete some: manifests are read at each call.

    The store ``files`` has those of users, ``max_uploads`` of ``limit_bytes`` at most, expanded; None has none.
    """

    def __init__(self, files: BlobStore | None = None, *, max_uploads: int = 100, limit_bytes: int = 2**27) -> None:
        self._files = files
        self._max_uploads = max_uploads
        self._limit_bytes = limit_bytes
        self._opened = lru_cache(_N_KEPT_OPEN)(self._open)
        self._changing = Lock()

    def names(self) -> list[str]:
        """Return all names, in alphabetical order."""
        return sorted([*LOADERS, *self._kept_names()])

    def all(self) -> list[Dataset]:
        """Return all that can be opened; damaged ones are logged."""
        found = []
        for name in self.names():
            try:
                with suppress(DatasetNotFound):  # deleted meanwhile
                    found.append(self.get(name))
            except Corrupted:
                logger.exception("data set %s is damaged and not listed", name)
        return found

    def get(self, name: str) -> Dataset:
        """Return the data set of this name, the same object while it stays the same, from any thread.

        Fast (milliseconds, then a look-up): images are only read on first use, and verified then. Raises
        `DatasetNotFound`; `Corrupted` or `StorageFailed`, where the next call tries again.
        """
        if name in LOADERS:
            with _LOADING:
                return LOADERS[name]()
        manifest_bytes = self._manifest_bytes(name)
        if manifest_bytes is None:
            raise self._not_found()
        return self._opened(name, manifest_bytes)

    def requested(self, name: str) -> Dataset:
        """Return the data set that a request names in its field ``dataset``; raise `InvalidField`, or as `get`."""
        try:
            return self.get(name)
        except DatasetNotFound as error:
            raise InvalidField(error.message, field="dataset", allowed=error.allowed) from None

    def receive(self, texts: Mapping[str, str], read: Callable[[Sequence[str] | None, int], Upload]) -> Dataset:
        """Check and keep a data set from a form; raise as ``read``, or as `add`.

        The texts are ``name``, and optionally ``class_names`` as a JSON list, ``title``, ``source`` and ``licence``;
        ``read`` gets the class names and the number of bytes to which the files may expand.
        """
        if "name" not in texts:
            raise InvalidField("name is required.", field="name", allowed=NAME_RULE)
        about, class_names = About.of(texts), read_class_names(texts.get("class_names"))
        return self.add(texts["name"], read(class_names, self._limit_bytes), about)

    def add(self, name: str, upload: Upload, about: About) -> Dataset:
        """Keep an uploaded data set; it never changes.

        Raises `InvalidField` if it cannot have this name; `NameTaken` if another one has it, while sending the same
        again is harmless; `StorageFull` or `StorageFailed`, when it is absent or complete.
        """
        if not _NAME.fullmatch(name):
            raise InvalidField("A data set cannot have this name.", field="name", allowed=NAME_RULE)
        if name in LOADERS:
            raise _name_taken()
        there = [each for each in self._kept_names() if not _is_mixture(each)]
        if name not in there and len(there) >= self._max_uploads:
            raise StorageFull("No more data sets are kept.", allowed=f"{self._max_uploads:,} data sets")
        sha256 = upload.sha256_by_file
        manifest = _Manifest(about=about, class_names=upload.class_names, sha256=sha256)
        with self._changing:
            self._refuse_another(name, manifest)  # before anything of it is stored
            for file, data in upload.files.items():
                with suppress(FileExistsError):  # a file of this name has the same content
                    self._store.create(f"{name}/{sha256[file]}.idx", data)
            if not self._put(name, manifest):
                self._delete_unnamed(name, [f"{each}.idx" for each in sha256.values()])
                self._refuse_another(name, manifest)
        return self.get(name)

    def mixture(self, weights: Sequence[tuple[str, int]]) -> Dataset:
        """Return several data sets as one, the same for the same names and weights; see `Mixture`.

        What is kept of it is what it is made of, and the checksums of the files that it would have. Raises
        `InvalidField` if one does not exist, or they cannot be trained on together; `StorageFull`, `StorageFailed`.
        """
        mixture = Mixture(parts=[(self.requested(name), weight) for name, weight in weights])
        mixture.check(limit_bytes=self._limit_bytes)
        recipe = json.dumps([(each.name, each.sha256, each.weight) for each in mixture.ingredients()])
        name = _MIXTURE_PREFIX + hashlib.sha256(recipe.encode()).hexdigest()[:16]
        if self._manifest_bytes(name) is None:
            dataset = mixture.dataset(name)
            manifest = _Manifest(
                about=About(title=dataset.title, source="", licence=""),
                class_names=dataset.class_names,
                sha256=upload_of(dataset.arrays).sha256_by_file,
                made_of=dataset.made_of,
            )
            self._put(name, manifest)
        return self.get(name)

    def delete(self, name: str) -> None:
        """Delete an uploaded data set; its name may be used again. What a crash leaves is deleted by `clean`.

        Raises `DatasetNotFound`; `InUse` if it is in the package, or a mixture is made of it; `StorageFailed`, when it
        is there as before, or deleted.
        """
        if name in LOADERS:
            raise InUse("This data set is part of Inkling and cannot be deleted.")
        of_it = [each for each in filter(_is_mixture, self._kept_names()) if name in self._ingredients_of(each)]
        if of_it:
            raise InUse(f"{', '.join(of_it[:5])} is made of it; delete that first.")
        with self._changing:
            if self._files is None or not _NAME.fullmatch(name) or _MANIFEST not in self._files.list(name):
                raise self._not_found()
            self._files.delete(f"{name}/{_MANIFEST}")
            self._delete_unnamed(name, self._files.list(name))

    def clean(self) -> None:
        """Delete the files of uploads and deletions that a crash interrupted."""
        old: dict[str, set[str]] = defaultdict(set)
        for key, age_s in self._files.walk() if self._files else ():
            if age_s > _OLD_S:
                name, _, file = key.partition("/")
                old[name].add(file)
        with self._changing:
            for name, files in old.items():
                with suppress(Corrupted):  # without its manifest nothing is known of its files
                    self._delete_unnamed(name, files)

    def class_names(self, name: str, classes: Sequence[int]) -> tuple[str, ...]:
        """Return the names of some classes of a data set; their numbers if it is gone or damaged."""
        try:
            return self.get(name).names_of(classes)
        except (DatasetNotFound, Corrupted):
            return tuple(map(str, classes))

    def files_to_send(self, name: str) -> dict[str, bytes] | None:
        """Return the files that a worker needs besides the package, verified: None if the data set is in the package.

        Raises as `get`.
        """
        if name in LOADERS or self._files is None:
            return None
        if _is_mixture(name) and (dataset := self.get(name)).made_of:
            return dict(upload_of(dataset.arrays).files)
        if (manifest := self._manifest(name)) is None:
            raise self._not_found()
        return {file: self._read(name, sha256) for file, sha256 in manifest.sha256.items()}

    @property
    def _store(self) -> BlobStore:
        if self._files is None:
            raise StorageFull("There is no room for data sets.")
        return self._files

    def _kept_names(self) -> list[str]:
        """Return the names of those of users that are complete."""
        return [name for name in self._files.list("") if _MANIFEST in self._files.list(name)] if self._files else []

    def _open(self, name: str, manifest_bytes: bytes) -> Dataset:
        manifest = _read_manifest(manifest_bytes)
        if manifest.made_of:
            mixture = Mixture(parts=[(self.get(each.name), each.weight) for each in manifest.made_of])
            if mixture.ingredients() != manifest.made_of:
                raise Corrupted("A data set in a mixture is not the one that it was made of.")
            return mixture.dataset(name, sha256=checksum_of(manifest.sha256))
        return open_dataset(
            name,
            lambda file: self._read(name, manifest.sha256[file]),
            manifest.sha256,
            class_names=manifest.class_names,
            **asdict(manifest.about),
        )

    def _put(self, name: str, manifest: _Manifest) -> bool:
        """Write a manifest, with which its data set exists; False if there is one."""
        try:
            self._store.create(f"{name}/{_MANIFEST}", json.dumps(asdict(manifest)).encode())
        except FileExistsError:
            return False
        return True

    def _refuse_another(self, name: str, manifest: _Manifest) -> None:
        """Raise `NameTaken` if there is a data set of this name that is not the same."""
        kept = self._manifest(name)
        if kept and (kept.sha256, kept.class_names) != (manifest.sha256, manifest.class_names):
            raise _name_taken()

    def _delete_unnamed(self, name: str, files: Iterable[str]) -> None:
        """Delete those files that no manifest names."""
        manifest = self._manifest(name)
        kept = {f"{sha256}.idx" for sha256 in manifest.sha256.values()} if manifest else set()
        for file in set(files) - kept - {_MANIFEST}:
            self._store.delete(f"{name}/{file}")

    def _ingredients_of(self, mixture: str) -> list[str]:
        manifest = self._manifest(mixture)
        return [ingredient.name for ingredient in manifest.made_of] if manifest else []

    def _manifest(self, name: str) -> _Manifest | None:
        content = self._manifest_bytes(name)
        return None if content is None else _read_manifest(content)

    def _manifest_bytes(self, name: str) -> bytes | None:
        """Return the manifest of a data set of a user; None if there is none, or none can have the name."""
        if self._files is None or not _NAME.fullmatch(name):
            return None
        try:
            return self._files.read(f"{name}/{_MANIFEST}", max_bytes=_MAX_MANIFEST_BYTES, fresh=True)
        except FileNotFoundError:
            return None

    def _read(self, name: str, sha256: str) -> bytes:
        try:
            data = self._store.read(f"{name}/{sha256}.idx", max_bytes=_MAX_FILE_BYTES)
        except FileNotFoundError as loss:
            if self._manifest_bytes(name) is None:  # deleted meanwhile
                raise self._not_found() from None
            raise Corrupted("A file of a data set is missing.") from loss
        if hashlib.sha256(data).hexdigest() != sha256:
            raise Corrupted("A file of a data set is damaged: its checksum differs.")
        return data

    def _not_found(self) -> DatasetNotFound:
        return DatasetNotFound("There is no data set of this name.", allowed=", ".join(self.names()))


PACKAGED = Datasets()
"""Those of the package alone: the default where no others are given."""
load_dataset = PACKAGED.get


def _is_mixture(name: str) -> bool:
    """Whether a data set of this name may be a mixture."""
    return name.startswith(_MIXTURE_PREFIX)


def _name_taken() -> NameTaken:
    return NameTaken("There is another data set of this name.", field="name")


def _read_manifest(data: bytes) -> _Manifest:
    try:
        found = json.loads(data)
        return _Manifest(
            about=About(**found["about"]),
            class_names=tuple(found["class_names"]),
            sha256=found["sha256"],
            made_of=tuple(Ingredient(**each) for each in found.get("made_of", ())),
        )
    except (ValueError, TypeError, KeyError, RecursionError) as damage:
        raise Corrupted("The manifest of a data set is damaged.") from damage
