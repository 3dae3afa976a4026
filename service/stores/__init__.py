"""Storage of the registry and of data sets: the interface, and a file for each kind of store."""

from .interface import BlobStore
from .local import LocalStore
from .object import ObjectStore
