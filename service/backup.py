"""One file with everything of a service on SQLite: its database, models and data sets.

A zip archive of ``inkling.db``, ``model_store/...`` and ``datasets/...``, and last of ``backup.json`` with the size and
SHA-256 of each. The database is copied first: every file is stored before the database names it, so the files that
are read later contain all that the copy names.
"""

import hashlib
import json
import lzma
import os
import struct
import zipfile
import zlib
from collections.abc import Iterator, Mapping
from contextlib import closing, contextmanager, suppress
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from errno import EINVAL
from pathlib import Path
from typing import Any

from service.database import HEAD, sqlite3
from service.errors import Corrupted, InvalidInput, StorageFailed
from service.stores import BlobStore

DATABASE = "inkling.db"
MANIFEST = "backup.json"

# What zipfile, its decompressors and json raise for bytes of others.
_UNREADABLE = (
    *(zipfile.BadZipFile, zlib.error, lzma.LZMAError, struct.error, EOFError, OverflowError, RuntimeError),
    *(ValueError, TypeError, KeyError, AttributeError),
)
_MAX_BLOB_BYTES = 2**40
_CHUNK_BYTES = 2**20


@dataclass(frozen=True, slots=True, kw_only=True)
class Backup:
    """What a backup contains. ``files`` has the size in bytes and the SHA-256 of each, by its name in the archive."""

    version: str
    created_at: str
    files: Mapping[str, tuple[int, str]]
    format: int = 1

    @property
    def size_bytes(self) -> int:
        """Of everything, uncompressed."""
        return sum(size for size, _ in self.files.values())


def back_up(database: Path, stores: Mapping[str, BlobStore], file: Path, *, version: str) -> Backup:
    """Write a backup, read it back, and only then give it its name: a kill leaves no file of that name.

    Parameters
    ----------
    database : the file of an SQLite database, which may be in use.
    stores : by the folder that each has in the archive.

    Raises
    ------
    InvalidInput : the file exists.
    Corrupted : the database is damaged.
    StorageFailed : the file cannot be written, or a store cannot be read.
    """
    if file.exists():
        raise InvalidInput(f"{file} exists; a backup replaces nothing.")
    part, copy = (file.with_name(f".{file.name}.{ending}") for ending in ("part", "db"))
    files: dict[str, tuple[int, str]] = {}
    with _storage_errors(file):
        try:
            _copy_database(database, copy)
            with (
                open(part, "wb", opener=_private) as written,
                zipfile.ZipFile(written, "w", zipfile.ZIP_DEFLATED, compresslevel=1) as archive,
            ):
                with copy.open("rb") as stream, archive.open(DATABASE, "w", force_zip64=True) as member:
                    files[DATABASE] = _pump(stream, member)
                for folder, store in stores.items():
                    for key, content in _blobs(store):
                        archive.writestr(f"{folder}/{key}", content)
                        files[f"{folder}/{key}"] = len(content), hashlib.sha256(content).hexdigest()
                made = Backup(version=version, created_at=datetime.now(UTC).isoformat(), files=files)
                archive.writestr(MANIFEST, json.dumps(asdict(made)))
            _sync(part)
            check(part)
            part.rename(file)
            _sync(file.parent)
        finally:
            for leftover in (part, copy):
                leftover.unlink(missing_ok=True)
    return made


def check(file: Path) -> Backup:
    """Return what a backup contains, after every byte of it was compared with its checksum.

    Raise `Corrupted` if it is no backup, or damaged, and `StorageFailed` if it cannot be read.
    """
    with _storage_errors(file):
        try:
            with zipfile.ZipFile(file) as archive:
                return _checked(file, archive)
        except (OSError, *_UNREADABLE) as error:
            # A damaged directory may name a place before the beginning of the file, which cannot be sought.
            if isinstance(error, OSError) and error.errno != EINVAL:
                raise
            raise Corrupted(f"{file} is damaged, or no backup of Inkling.") from error


def _checked(file: Path, archive: zipfile.ZipFile) -> Backup:
    written = json.loads(archive.read(MANIFEST))
    if written.pop("format") != 1:
        raise Corrupted("This backup was made by a newer version of Inkling.")
    found = Backup(**{**written, "files": {name: tuple(facts) for name, facts in written["files"].items()}})
    if {*archive.namelist()} != {*found.files, MANIFEST}:
        raise Corrupted(f"{file} does not contain what it lists.")
    for name, facts in found.files.items():
        with archive.open(name) as member:
            if _pump(member) != facts:
                raise Corrupted(f"{name} in {file} does not match its checksum.")
    return found


def restore(file: Path, database: Path, stores: Mapping[str, BlobStore]) -> Backup:
    """Restore a backup where there is no database yet. The database comes last: after a kill, restore again.

    Raises
    ------
    InvalidInput : there is a database, or a store holds another file of the same name.
    Corrupted : it is no backup, damaged, or made by a newer version.
    StorageFailed : something cannot be read or written.
    """
    if database.exists() or database.with_name(f"{database.name}-wal").exists():
        raise InvalidInput(f"There is a database already, {database}; restore into a new folder.")
    found = check(file)
    copy = database.with_name(f".{database.name}.restored")
    with _storage_errors(database), zipfile.ZipFile(file) as archive:
        try:
            with archive.open(DATABASE) as member, open(copy, "wb", opener=_private) as stream:
                _pump(member, stream)
            _check_database(copy)
            for name in found.files:
                folder, _, key = name.partition("/")
                if name != DATABASE:
                    _put(stores[folder], key, archive.read(name))
            _sync(copy)
            copy.rename(database)
            _sync(database.parent)
        finally:
            copy.unlink(missing_ok=True)
    return found


def _copy_database(database: Path, copy: Path) -> None:
    copy.unlink(missing_ok=True)
    os.close(_private(str(copy), os.O_CREAT | os.O_WRONLY))
    source = sqlite3.connect(f"{database.absolute().as_uri()}?mode=ro", uri=True)
    with closing(source), closing(sqlite3.connect(copy)) as target:
        source.backup(target)  # one step, so that writers meanwhile cannot make it begin again
    _check_database(copy)


def _check_database(copy: Path) -> None:
    with closing(sqlite3.connect(f"{copy.absolute().as_uri()}?immutable=1", uri=True)) as connection:
        if connection.execute("PRAGMA integrity_check").fetchone() != ("ok",):
            raise Corrupted("The database is damaged.")
        schema = connection.execute("SELECT version_num FROM alembic_version").fetchone()
    if schema is None or schema[0] > HEAD:
        raise Corrupted("The database was written by a newer version of Inkling.")


def _blobs(store: BlobStore, folder: str = "") -> Iterator[tuple[str, bytes]]:
    for name in store.list(folder):
        key = f"{folder}/{name}" if folder else name
        if store.list(key):
            yield from _blobs(store, key)
        else:
            with suppress(FileNotFoundError, Corrupted):  # deleted meanwhile, or an empty folder
                yield key, store.read(key, max_bytes=_MAX_BLOB_BYTES)


def _put(store: BlobStore, key: str, content: bytes) -> None:
    try:
        store.create(key, content)
    except FileExistsError:
        if store.read(key, max_bytes=_MAX_BLOB_BYTES) != content:
            raise InvalidInput(f"There is another {key} already; restore into a new folder.") from None


def _pump(source: Any, target: Any = None) -> tuple[int, str]:
    """Copy a stream, if there is a target; return its size and SHA-256."""
    digest, size = hashlib.sha256(), 0
    while chunk := source.read(_CHUNK_BYTES):
        digest.update(chunk)
        size += len(chunk)
        if target is not None:
            target.write(chunk)
    return size, digest.hexdigest()


def _private(path: str, flags: int) -> int:
    return os.open(path, flags, 0o600)  # it contains the hashes of keys


def _sync(path: Path) -> None:
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


@contextmanager
def _storage_errors(file: Path) -> Iterator[None]:
    try:
        yield
    except sqlite3.Error as error:
        raise StorageFailed(f"The database cannot be copied ({error}).") from error
    except OSError as error:
        raise StorageFailed(f"{file} cannot be read or written ({error.strerror or error}).") from error
