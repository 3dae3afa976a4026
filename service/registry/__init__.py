"""The model registry, and the only code that reads or writes weight files.

A model is a name; its versions are numbered, immutable, and whole or absent; an alias is a movable name for
one of them, with its history. Everything is verified when it is read. `service.stores` has the kinds of storage.
"""

from .alias import UNSET, AliasEntry, Unset
from .detector import DIGIT_BELOW, digit_below, load_detector, load_whole_digits
from .manifest import MAX_WEIGHTS_BYTES, Manifest, ModelDraft, read_weights, write_weights
from .names import (
    ALIAS_PATTERN,
    ALIAS_RULE,
    CHAMPION,
    LATEST,
    MAX_VERSION,
    NAME_RULE,
    check_alias,
    check_model_name,
    parse_version_id,
)
from .registry import Model, Registry
from .shipped import DEFAULT_MODEL, default_model, install_shipped
