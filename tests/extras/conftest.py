"""The tests in ``inside`` are run by ``test_extras``, where the extras are installed."""

from __future__ import annotations

from importlib.util import find_spec

from tests.web.serving import service, settings, url  # noqa: F401

collect_ignore = [] if find_spec("onnxruntime") else ["inside"]
