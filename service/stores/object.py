"""Blobs as objects in a bucket of an S3-compatible store.

An object appears whole or not at all, and of several conditional writes (``If-None-Match: *``) one succeeds, which is
all that `BlobStore` requires. Blobs do not change, so those that were read are cached in a local folder, each with its
checksum; `ObjectStore.read` passes the cache by for keys that may be created anew.
"""

import hashlib
import logging
import os
import re
import secrets
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from datetime import UTC, datetime, timedelta
from pathlib import Path

from service.errors import Corrupted, InvalidField, StorageFailed

from .interface import KEY_PART, split_key

logger = logging.getLogger(__name__)

_URL = re.compile(r"s3://[a-z0-9][a-z0-9.-]{1,61}[a-z0-9](/[A-Za-z0-9._/-]*)?")
_PROBE = ".inkling-probe"
_CONFLICTS = 5
_DIGEST_BYTES = hashlib.sha256().digest_size


class ObjectStore:
    """A `BlobStore` in a bucket, ``s3://bucket/prefix``; credentials, region and endpoint are in ``AWS_*`` variables.

    The ``cache`` is a folder; any number of processes may share it, and it may be deleted at any time. Raises
    `InvalidField` if the URL does not name a bucket; `StorageFailed` if there is no client, or it rejects the
    variables.
    """

    def __init__(self, url: str, cache: Path) -> None:
        if not _URL.fullmatch(url):
            raise InvalidField("This is not the URL of a bucket.", field="store_url", allowed="s3://bucket/prefix")
        try:
            import obstore  # noqa: PLC0415 - an extra
            from obstore.store import S3Store  # noqa: PLC0415
        except ModuleNotFoundError as error:
            raise StorageFailed("Object storage needs a client: pip install 'inkling-digits[objects]'.") from error
        self._obstore = obstore
        self._cache = cache
        with self._storage_errors():
            self._bucket = S3Store.from_url(
                url.rstrip("/"),
                client_options={
                    "connect_timeout": "5s",
                    "timeout": "20s",
                    # An endpoint without TLS is named on purpose: a store on the same machine or network.
                    "allow_http": os.environ.get("AWS_ENDPOINT_URL", "").startswith("http://"),
                },
                retry_config={"max_retries": 3, "retry_timeout": timedelta(seconds=20)},
            )

    def check(self) -> None:
        """Some stores and proxies ignore the condition of a write."""
        with suppress(FileExistsError):
            self._put(_PROBE, b"first")
        try:
            self._put(_PROBE, b"second")
        except FileExistsError:
            return
        raise StorageFailed("The object store does not honour conditional writes (If-None-Match); it cannot be used.")

    def read(self, key: str, *, max_bytes: int, fresh: bool = False) -> bytes:
        split_key(key)
        cached = None if fresh else self._cached(key)
        if cached is None:
            with self._storage_errors():
                found = self._obstore.get(self._bucket, key)
                if found.meta["size"] > max_bytes:
                    raise Corrupted("A stored object is larger than expected.")
                cached = bytes(found.bytes())
            if not fresh:
                self._keep(key, cached)
        if len(cached) > max_bytes:
            raise Corrupted("A stored object is larger than expected.")
        return cached

    def create(self, key: str, data: bytes) -> None:
        split_key(key)
        self._put(key, data)

    def list(self, folder: str) -> list[str]:
        if folder:
            split_key(folder)
        with self._storage_errors():
            found = self._obstore.list_with_delimiter(self._bucket, f"{folder}/" if folder else None)
        paths = [*found["common_prefixes"], *(each["path"] for each in found["objects"])]
        names = {path.rstrip("/").rpartition("/")[2] for path in paths}
        return sorted(name for name in names if KEY_PART.fullmatch(name))

    def delete(self, key: str) -> None:
        split_key(key)
        with suppress(FileNotFoundError), self._storage_errors():
            self._obstore.delete(self._bucket, key)
        with suppress(OSError):
            self._path(key).unlink(missing_ok=True)

    def walk(self) -> Iterator[tuple[str, float]]:
        with self._storage_errors():
            found = [each for page in self._obstore.list(self._bucket) for each in page]
        now = datetime.now(UTC)
        for each in found:
            if all(map(KEY_PART.fullmatch, each["path"].split("/"))):
                yield each["path"], (now - each["last_modified"]).total_seconds()

    def clean(self) -> None:
        """An interrupted write leaves nothing."""

    def _put(self, key: str, data: bytes) -> None:
        for _ in range(_CONFLICTS):
            try:
                with self._storage_errors():
                    self._obstore.put(self._bucket, key, data, mode="create", use_multipart=False)
                return
            except FileExistsError:
                # The store also rejects a write during another one, which may then have failed.
                if self._exists(key):
                    raise
        raise StorageFailed("The object store rejected a write repeatedly.")

    def _exists(self, key: str) -> bool:
        with suppress(FileNotFoundError), self._storage_errors():
            self._obstore.head(self._bucket, key)
            return True
        return False

    def _cached(self, key: str) -> bytes | None:
        try:
            content = self._path(key).read_bytes()
        except OSError:
            return None
        digest, data = content[:_DIGEST_BYTES], content[_DIGEST_BYTES:]
        if hashlib.sha256(data).digest() == digest:
            return data
        logger.warning("a cached object of the model store is damaged; fetching it again")
        return None

    def _keep(self, key: str, data: bytes) -> None:
        tmp = self._cache / f".{secrets.token_hex(16)}"
        try:
            self._cache.mkdir(mode=0o700, parents=True, exist_ok=True)
            tmp.write_bytes(hashlib.sha256(data).digest() + data)
            tmp.replace(self._path(key))
        except OSError as error:  # such as a full disk; the object itself was read
            logger.warning("an object of the model store cannot be cached: %s", error.strerror)
            with suppress(OSError):
                tmp.unlink(missing_ok=True)

    def _path(self, key: str) -> Path:
        return self._cache / hashlib.sha256(key.encode()).hexdigest()

    @contextmanager
    def _storage_errors(self) -> Iterator[None]:
        try:
            yield
        except self._obstore.exceptions.AlreadyExistsError as error:
            raise FileExistsError from error
        except (self._obstore.exceptions.NotFoundError, FileNotFoundError) as error:
            if "NoSuchBucket" in str(error):
                raise StorageFailed("The bucket of the model store does not exist.") from error
            raise FileNotFoundError from error
        except self._obstore.exceptions.BaseError as error:
            logger.warning("the object store: %.500s", str(error).partition("\n")[0])
            raise StorageFailed("The object store cannot be read or written.") from error
