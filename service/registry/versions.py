"""The two files of each version in a store: how a version comes to exist, and what is believed of it."""

from __future__ import annotations

import hashlib

from service.core import N_FEATURES
from service.core.npz import ArraySpec, read_npz
from service.errors import Corrupted, ModelNotFound

from .document import MAX_DOCUMENT_BYTES
from .manifest import Manifest, ModelDraft
from .model import Model
from .names import is_model_name, is_version, parse_version
from .stores import BlobStore

MANIFEST = "manifest.json"
WEIGHTS = "weights.npz"


class VersionFiles:
    """``<name>/<version>/weights.npz`` and ``manifest.json``, of all models.

    Parameters
    ----------
    store : where the bytes are.
    """

    def __init__(self, store: BlobStore) -> None:
        self._store = store

    def numbers(self, name: str) -> list[int]:
        """Return all numbers that anybody began to use, ascending."""
        if not is_model_name(name):
            return []
        texts = self._store.list(name)
        return sorted(number for text in texts if (number := parse_version(text)) is not None)

    def exists(self, name: str, version: int) -> bool:
        """Whether there is such a version: one whose manifest is stored."""
        is_key = is_model_name(name) and is_version(version)
        return is_key and MANIFEST in self._store.list(f"{name}/{version}")

    def latest(self, name: str) -> int:
        """Return the highest version, or 0 if there is no such model."""
        return next((number for number in reversed(self.numbers(name)) if self.exists(name, number)), 0)

    def put(self, manifest: Manifest, weights: bytes) -> bool:
        """Store a version under its number; False if the number is taken. See `Registry.put`."""
        folder = f"{manifest.name}/{manifest.version}"
        try:
            self._store.create(f"{folder}/{WEIGHTS}", weights)
        except FileExistsError:
            if not self._holds(f"{folder}/{WEIGHTS}", weights):
                return False
        try:
            self._store.create(f"{folder}/{MANIFEST}", manifest.to_json())
        except FileExistsError:
            return False
        return True

    def manifest(self, name: str, version: int) -> Manifest:
        """Return a version's manifest. See `Registry.manifest`."""
        if not self.exists(name, version):
            raise ModelNotFound("There is no model of this name, or no such version.")
        manifest = Manifest.from_json(self._manifest_bytes(name, version))
        if (manifest.name, manifest.version) != (name, version):
            raise Corrupted("The manifest of this version is that of another one.")
        return manifest

    def read(self, name: str, version: int) -> tuple[Model, bytes]:
        """Return a version and its weight file, verified. See `Registry.load`."""
        manifest = self.manifest(name, version)
        try:
            data = self._store.read(f"{name}/{version}/{WEIGHTS}", max_bytes=manifest.size_bytes)
        except FileNotFoundError as error:
            raise Corrupted("The weights of this version are missing.") from error
        if (len(data), hashlib.sha256(data).hexdigest()) != (manifest.size_bytes, manifest.weights_sha256):
            raise Corrupted("The weights of this version are not what their checksum says.")
        arrays = read_npz(data, weight_specs(manifest))
        return Model(manifest=manifest, best=arrays["best"], last=arrays["last"]), data

    def of_job(self, name: str, version: int, job_id: str | None, weights_sha256: str) -> Manifest | None:
        """Return the version's manifest, if it is what this job made of these weights."""
        if job_id is None:
            return None
        try:
            # Most versions are told apart by this alone, many times faster than by parsing.
            if weights_sha256.encode("ascii") not in self._manifest_bytes(name, version):
                return None
            manifest = self.manifest(name, version)
        except (ModelNotFound, Corrupted):
            return None
        return manifest if (manifest.job_id, manifest.weights_sha256) == (job_id, weights_sha256) else None

    def _manifest_bytes(self, name: str, version: int) -> bytes:
        try:
            return self._store.read(f"{name}/{version}/{MANIFEST}", max_bytes=MAX_DOCUMENT_BYTES)
        except FileNotFoundError as error:
            raise ModelNotFound("There is no model of this name, or no such version.") from error

    def _holds(self, key: str, data: bytes) -> bool:
        try:
            return self._store.read(key, max_bytes=len(data)) == data
        except Corrupted:
            return False


def weight_specs(draft: ModelDraft) -> dict[str, ArraySpec]:
    """Return what the members of a version's weight file must be."""
    spec = ArraySpec(shape=(N_FEATURES, draft.n_outputs), dtypes=(draft.dtype,))
    return {"best": spec, "last": spec}
