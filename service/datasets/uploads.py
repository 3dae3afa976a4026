"""Data sets that users sent, kept as immutable files. ::

<name>/<sha256>.idx         the four files, uncompressed, each named by its content
<name>/manifest.json        written last, exclusively: with it the data set exists
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import asdict, dataclass
from typing import Protocol

from service.errors import Corrupted, DatasetNotFound, NameTaken

from .dataset import Dataset
from .idx_files import checksum_of, open_parts
from .upload import About, Upload

_MANIFEST = "manifest.json"
_MAX_MANIFEST_BYTES, _MAX_FILE_BYTES = 65_536, 2**30


class Files(Protocol):
    """What is asked of a place for immutable files; the stores of the model registry offer it."""

    def read(self, key: str, *, max_bytes: int) -> bytes: ...  # noqa: D102

    def create(self, key: str, data: bytes) -> None: ...  # noqa: D102

    def list(self, folder: str) -> list[str]: ...  # noqa: D102


@dataclass(frozen=True, slots=True, kw_only=True)
class _Manifest:
    about: About
    class_names: tuple[str, ...]
    sha256: Mapping[str, str]


class Uploads:
    """The data sets in a store, each opened anew when it is asked for."""

    def __init__(self, files: Files) -> None:
        self._files = files

    def names(self) -> list[str]:
        """Return the names of those that are whole."""
        return [name for name in self._files.list("") if _MANIFEST in self._files.list(name)]

    def add(self, name: str, upload: Upload, about: About) -> None:
        """Keep a data set. Doing so again changes nothing.

        Raises
        ------
        NameTaken : there is another one of that name.
        StorageFull, StorageFailed : the store refused; it is absent or whole.
        """
        sha256 = {file: hashlib.sha256(data).hexdigest() for file, data in upload.files.items()}
        for file, data in upload.files.items():
            with suppress(FileExistsError):  # a file of this name has this content
                self._files.create(f"{name}/{sha256[file]}.idx", data)
        manifest = _Manifest(about=about, class_names=upload.class_names, sha256=sha256)
        try:
            self._files.create(f"{name}/{_MANIFEST}", json.dumps(asdict(manifest)).encode())
        except FileExistsError:
            there = self._manifest(name)
            if (there.sha256, there.class_names) != (sha256, upload.class_names):
                raise NameTaken("There is another data set of this name.", field="name") from None

    def open(self, name: str) -> Dataset:
        """Open a data set; its files are verified as they are read.

        Raises
        ------
        DatasetNotFound, Corrupted, StorageFailed
        """
        manifest = self._manifest(name)
        training, test = open_parts(lambda file: self._read(name, manifest.sha256[file]))
        return Dataset(
            name=name,
            **asdict(manifest.about),
            class_names=manifest.class_names,
            training=training,
            test=test,
            sha256=checksum_of(manifest.sha256),
        )

    def files(self, name: str) -> dict[str, bytes]:
        """Return the four files, verified; raise as `open`."""
        return {file: self._read(name, sha256) for file, sha256 in self._manifest(name).sha256.items()}

    def _manifest(self, name: str) -> _Manifest:
        try:
            found = json.loads(self._files.read(f"{name}/{_MANIFEST}", max_bytes=_MAX_MANIFEST_BYTES))
            return _Manifest(
                about=About(**found["about"]), class_names=tuple(found["class_names"]), sha256=found["sha256"]
            )
        except FileNotFoundError:
            raise DatasetNotFound("There is no data set of this name.") from None
        except (ValueError, TypeError, KeyError) as damage:
            raise Corrupted("The manifest of a data set is damaged.") from damage

    def _read(self, name: str, sha256: str) -> bytes:
        try:
            data = self._files.read(f"{name}/{sha256}.idx", max_bytes=_MAX_FILE_BYTES)
        except FileNotFoundError as loss:
            raise Corrupted("A file of a data set is missing.") from loss
        if hashlib.sha256(data).hexdigest() != sha256:
            raise Corrupted("A file of a data set is damaged: its checksum differs.")
        return data
