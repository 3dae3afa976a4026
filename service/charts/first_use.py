"""matplotlib, imported when a chart is first drawn, and by one thread.

Its modules import each other in circles. Two threads that enter the circle at different places at once would each
wait for the other, which Python resolves by showing one of them half a module.
"""

from __future__ import annotations

from importlib import import_module
from threading import Lock

_importing = Lock()


def load_matplotlib() -> None:
    """Import all of matplotlib that charts need. Every chart calls this before it imports anything of it."""
    with _importing:
        import_module("service.charts.canvas")
