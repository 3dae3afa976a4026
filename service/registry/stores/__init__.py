"""Storage of the registry and of data sets: the interface, and a file for each kind of store."""

from __future__ import annotations

from .interface import BlobStore as BlobStore
from .local import LocalStore as LocalStore
from .object import ObjectStore as ObjectStore
