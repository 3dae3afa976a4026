"""What all pictures promise: they say where they come from, have stable bytes, and can be drawn by many threads."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from io import BytesIO
from threading import Barrier
from xml.etree import ElementTree

import numpy as np
import pytest
from PIL import Image

from service.charts import (
    Curves,
    Provenance,
    accuracy_chart,
    contact_sheet,
    digit_picture,
    loss_chart,
    weights_picture,
)

Draw = Callable[[Provenance], bytes]
PROVENANCE = {"job": "01JABCDEF", "model": "softmax", "learning rate": "0.01", "title": "λ = 0.1 · “näıve”"}


@pytest.fixture(scope="module", params=["loss", "accuracy", "weights", "digit", "contact sheet"])
def draw(request: pytest.FixtureRequest, make_curves: Callable[..., Curves]) -> Draw:
    rng = np.random.default_rng(2)
    weights, images = rng.normal(size=(785, 10)), rng.integers(0, 256, (4, 28, 28), np.uint8)
    drawings: dict[str, Draw] = {
        "loss": lambda provenance: loss_chart(make_curves(9), title="A run", provenance=provenance),
        "accuracy": lambda provenance: accuracy_chart(make_curves(9), title="A run", provenance=provenance),
        "weights": lambda provenance: weights_picture(weights, labels="0123456789", provenance=provenance),
        "digit": lambda provenance: digit_picture(images[0], provenance=provenance),
        "contact sheet": lambda provenance: contact_sheet([("7", images)], provenance=provenance),
    }
    return drawings[request.param]


def test_png_says_where_it_comes_from(draw: Draw) -> None:
    picture = Image.open(BytesIO(draw(PROVENANCE)))
    assert picture.format == "PNG"
    assert picture.text == PROVENANCE  # type: ignore[attr-defined]
    assert list(picture.text) == list(PROVENANCE)  # type: ignore[attr-defined]


def test_svg_says_where_it_comes_from(make_curves: Callable[..., Curves]) -> None:
    svg = loss_chart(make_curves(9), title="A run", image_format="svg", provenance=PROVENANCE)
    description = ElementTree.fromstring(svg).findtext(".//{http://purl.org/dc/elements/1.1/}description")
    assert description is not None
    assert json.loads(description) == PROVENANCE


@pytest.mark.parametrize("key", ["", " job", "a" * 80, "jöb", "a\nb", "a\0"])
def test_keys_must_suit_png(key: str) -> None:
    with pytest.raises(ValueError, match="provenance key"):
        digit_picture(np.zeros((28, 28), np.uint8), provenance={key: "x"})


def test_values_may_be_anything() -> None:
    png = digit_picture(np.zeros((28, 28), np.uint8), provenance={"a": "x\0\ny \ud800", "b": ""})
    assert Image.open(BytesIO(png)).text == {"a": "x\ufffd y \ufffd", "b": ""}  # type: ignore[attr-defined]


def test_sixteen_threads_draw_the_same_bytes(draw: Draw) -> None:
    together = Barrier(16)

    def once(_: int) -> bytes:
        together.wait()
        return draw(PROVENANCE)

    with ThreadPoolExecutor(16) as pool:
        assert len(set(pool.map(once, range(16)))) == 1


def test_sixteen_threads_draw_the_same_svg(make_curves: Callable[..., Curves]) -> None:
    def once(_: int) -> bytes:
        return loss_chart(make_curves(9), title="A run", image_format="svg", provenance=PROVENANCE)

    with ThreadPoolExecutor(16) as pool:
        assert len(set(pool.map(once, range(16)))) == 1


def test_another_process_draws_the_same_bytes_and_imports_late() -> None:
    program = """if True:
        import hashlib, sys
        import numpy as np
        from service.charts import Curves, loss_chart
        early = "matplotlib" in sys.modules
        ramp, steps = np.linspace(1, 0, 50), np.arange(50)
        curves = Curves(check_steps=steps, validation_loss=ramp, validation_accuracy=ramp, train_accuracy=ramp,
                        train_loss_steps=steps, train_loss=ramp, best_step=49)
        drawn = [loss_chart(curves, title="A run", image_format=image_format, provenance={"a": "b"})
                 for image_format in ("png", "svg")]
        told = early, "matplotlib.pyplot" in sys.modules, [hashlib.sha256(image).hexdigest() for image in drawn]
    """
    run = subprocess.run([sys.executable, "-c", f"{program}\nprint(told)"], check=True, capture_output=True, text=True)
    here: dict[str, object] = {}
    exec(program, here)
    _, _, hashes = here["told"]  # type: ignore[misc]
    assert run.stdout.strip() == str((False, False, hashes))
