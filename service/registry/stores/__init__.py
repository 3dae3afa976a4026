"""Where the registry's bytes are kept: the interface, and one file for each kind of place."""

from __future__ import annotations

from .interface import BlobStore as BlobStore
from .local import LocalStore as LocalStore
from .object import ObjectStore as ObjectStore
