"""The first charts of a process, drawn by several threads at once."""

from __future__ import annotations

import subprocess
import sys

import pytest

_SCRIPT = """
from concurrent.futures import ThreadPoolExecutor
from threading import Barrier

import numpy as np

from service.charts import Line, confusion_chart, lines_chart, norms_chart

line = Line(label="a", steps=np.arange(2), values=np.array([0.1, 0.2]))
charts = [
    lambda: lines_chart([line], metric="train_loss", title="t", provenance={}),
    lambda: confusion_chart(np.eye(2, dtype=int), ["0", "1"], title="t", provenance={}),
    lambda: norms_chart([0.1, 1.0], [[2.0], [1.0]], title="t", provenance={}),
] * 4
together = Barrier(len(charts))

def draw(chart):
    together.wait()
    return chart()

with ThreadPoolExecutor(len(charts)) as pool:
    assert all(picture.startswith(b"\\x89PNG") for picture in pool.map(draw, charts))
"""


@pytest.mark.slow
def test_threads_that_draw_first_at_once_all_get_their_picture() -> None:
    ran = subprocess.run([sys.executable, "-P", "-c", _SCRIPT], capture_output=True, text=True, check=False)
    assert ran.returncode == 0, ran.stderr[-2000:]
