"""The client under its former name, for one release: it is the package `inkling` now."""

from __future__ import annotations

import warnings

import inkling
from inkling import AsyncInklingClient as AsyncInklingClient
from inkling import AsyncJob as AsyncJob
from inkling import Event as Event
from inkling import Explanation as Explanation
from inkling import InklingClient as InklingClient
from inkling import Job as Job
from inkling import Picture as Picture
from inkling import Prediction as Prediction
from inkling.errors import BY_NAME
from service.errors import ServiceError as ServiceError
from service.errors import error_of_code

warnings.warn("service.client is now inkling: from inkling import InklingClient", DeprecationWarning, stacklevel=2)

for _error in BY_NAME.values():
    if _error is not inkling.InklingError:  # which is never raised itself
        _error.__bases__ = (*_error.__bases__, error_of_code(_error("").code))  # so that `except` finds the former name
