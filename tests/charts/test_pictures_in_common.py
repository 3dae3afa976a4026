"""What all pictures promise: they hold their provenance, have stable bytes, and can be drawn by many threads."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from io import BytesIO
from threading import Barrier
from typing import Any, Literal
from xml.etree import ElementTree

import numpy as np
import pytest
from PIL import Image

from service.charts import (
    Curves,
    Line,
    Provenance,
    accuracy_chart,
    batch_sheet,
    contact_sheet,
    digit_picture,
    gap_chart,
    heatmap_chart,
    lines_chart,
    loss_chart,
    norms_chart,
    shuffle_chart,
    weights_picture,
)

Draw = Callable[[Provenance], bytes]
NAMES = [
    "loss",
    "accuracy",
    "lines",
    "norms",
    "heat map",
    "shuffle",
    "gap",
    "weights",
    "digit",
    "contact sheet",
    "batch",
]
PROVENANCE = {"job": "01JABCDEF", "model": "softmax", "learning rate": "0.01", "title": "λ = 0.1 · “näıve”"}


@pytest.fixture(scope="module")
def drawings(make_curves: Callable[..., Curves]) -> dict[str, Draw]:
    rng = np.random.default_rng(2)
    weights, images = rng.normal(size=(10, 28, 28)), rng.integers(0, 256, (4, 28, 28), np.uint8)
    curves, grid = make_curves(9), rng.random((3, 4))
    lines = [
        Line(label=label, steps=curves.check_steps, values=curves.checks["train_accuracy"]) for label in "0123456789"
    ]
    return {
        "loss": lambda provenance: loss_chart(make_curves(9), title="A run", provenance=provenance),
        "accuracy": lambda provenance: accuracy_chart(make_curves(9), title="A run", provenance=provenance),
        "lines": lambda provenance: lines_chart(lines, metric="train_accuracy", title="Runs", provenance=provenance),
        "norms": lambda provenance: norms_chart(range(4), grid[:1].T, title="Norms", provenance=provenance),
        "slopes": lambda provenance: norms_chart(
            range(4), grid[:1].T, title="Norms", inverse=True, provenance=provenance
        ),
        "heat map": lambda provenance: heatmap_chart(
            "x", range(4), "y", range(3), grid, metric="train_loss", title="Grid", provenance=provenance
        ),
        "shuffle": lambda provenance: shuffle_chart(curves, curves, first_spike=0, title="", provenance=provenance),
        "gap": lambda provenance: gap_chart(curves, positive_from=20, title="Gap", provenance=provenance),
        "weights": lambda provenance: weights_picture(weights, labels="0123456789", provenance=provenance),
        "digit": lambda provenance: digit_picture(images[0], provenance=provenance),
        "batch": lambda provenance: batch_sheet(images, "2323", provenance=provenance),
        "contact sheet": lambda provenance: contact_sheet([("7", images)], provenance=provenance),
    }


@pytest.fixture(scope="module", params=NAMES)
def draw(request: pytest.FixtureRequest, drawings: dict[str, Draw]) -> Draw:
    return drawings[request.param]


@pytest.mark.slow
def test_png_holds_its_provenance(draw: Draw) -> None:
    picture = Image.open(BytesIO(draw(PROVENANCE)))
    assert picture.format == "PNG"
    assert picture.text == PROVENANCE  # type: ignore[attr-defined]
    assert list(picture.text) == list(PROVENANCE)  # type: ignore[attr-defined]


def test_svg_holds_its_provenance(make_curves: Callable[..., Curves]) -> None:
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


@pytest.mark.slow
def test_sixteen_threads_draw_the_same_bytes(drawings: dict[str, Draw]) -> None:
    together = Barrier(16)

    def once(place: int) -> tuple[str, bytes]:
        if place < 16:
            together.wait()
        name = NAMES[place % len(NAMES)]
        return name, drawings[name](PROVENANCE)

    with ThreadPoolExecutor(16) as pool:
        drawn = list(pool.map(once, range(3 * len(NAMES))))
    for name in NAMES:
        assert len({picture for of, picture in drawn if of == name}) == 1, name


@pytest.mark.slow
def test_formats_drawn_together_are_those_drawn_alone(make_curves: Callable[..., Curves]) -> None:
    penalties = np.array([0, 0.01, 1.0])
    charts: list[Callable[..., bytes]] = [
        partial(loss_chart, make_curves(9)),
        partial(norms_chart, penalties, 1 / (1 + penalties[:, np.newaxis]), inverse=True),
    ]
    for chart in charts:
        also: dict[Any, bytes] = {"png": b"", "pdf": b""}
        together = {"svg": chart(title="A run", image_format="svg", also=also, provenance=PROVENANCE), **also}
        for form, file in together.items():
            assert file == chart(title="A run", image_format=form, provenance=PROVENANCE)


@pytest.mark.slow
@pytest.mark.parametrize("image_format", ["svg", "pdf"])
def test_threads_draw_the_same_vectors(image_format: Literal["svg", "pdf"], make_curves: Callable[..., Curves]) -> None:
    def once(_: int) -> bytes:
        return loss_chart(make_curves(9), title="A run", image_format=image_format, provenance=PROVENANCE)

    with ThreadPoolExecutor(8) as pool:
        assert len(set(pool.map(once, range(8)))) == 1


@pytest.mark.slow
def test_another_process_draws_the_same_bytes_and_imports_late() -> None:
    program = """if True:
        import hashlib, sys
        import numpy as np
        from service.charts import Curves, loss_chart
        early = "matplotlib" in sys.modules
        ramp, steps = np.linspace(1, 0, 50), np.arange(50)
        curves = Curves(check_steps=steps, checks={"validation_loss": ramp},
                        train_loss_steps=steps, train_loss=ramp, best_step=49)
        drawn = [loss_chart(curves, title="A run", image_format=image_format, provenance={"a": "b"})
                 for image_format in ("png", "svg", "pdf")]
        drew = early, "matplotlib.pyplot" in sys.modules, [hashlib.sha256(image).hexdigest() for image in drawn]
    """
    run = subprocess.run([sys.executable, "-c", f"{program}\nprint(drew)"], check=True, capture_output=True, text=True)
    here: dict[str, Any] = {}
    exec(program, here)
    _, _, hashes = here["drew"]
    assert run.stdout.strip() == str((False, False, hashes))
