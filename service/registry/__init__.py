"""The model registry, and the only code that reads or writes weight files.

A model is a name; its versions are numbered, immutable, and whole or absent; an alias is a movable name for
one of them, with its history. Everything is verified when it is read. ``stores`` holds the kinds of storage.
"""

from __future__ import annotations

from .alias import UNSET as UNSET
from .alias import AliasEntry as AliasEntry
from .alias import Unset as Unset
from .document import utc_text as utc_text
from .manifest import Manifest as Manifest
from .manifest import ModelDraft as ModelDraft
from .manifest import weight_arrays as weight_arrays
from .manifest import weight_row as weight_row
from .manifest import weight_specs as weight_specs
from .model import Model as Model
from .model import ModelSummary as ModelSummary
from .model import VersionSummary as VersionSummary
from .names import ALIAS_PATTERN as ALIAS_PATTERN
from .names import ALIAS_RULE as ALIAS_RULE
from .names import CHAMPION as CHAMPION
from .names import LATEST as LATEST
from .names import NAME_RULE as NAME_RULE
from .names import check_alias as check_alias
from .names import check_model_name as check_model_name
from .registry import Registry as Registry
from .shipped import DEFAULT_MODEL as DEFAULT_MODEL
from .shipped import default_model as default_model
from .shipped import install_shipped as install_shipped
from .stores import BlobStore as BlobStore
from .stores import LocalStore as LocalStore
from .stores import ObjectStore as ObjectStore
