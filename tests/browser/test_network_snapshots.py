"""The page's own forward pass through hidden layers gives what NumPy gives, at every snapshot of a job."""

from __future__ import annotations

from typing import Any

import httpx
import numpy as np
import pytest

from service.core import TrainingConfig, design_matrix
from service.datasets import Dataset
from service.worker import unpack_snapshot
from tests.browser.conftest import OpenPage
from tests.web.serving import TINY, wait_until_over

pytestmark = [pytest.mark.slow, pytest.mark.needs("browser")]

PREDICT = """async ([job, pixels, classes]) => {
  const { Past } = await import("/static/page/job/past.js");
  const past = new Past(job);
  await past.load();
  return past.steps.map((step, place) => [step, past.probabilities(place, pixels, classes)]);
}"""


@pytest.mark.parametrize(
    "kind",
    [
        {"hidden_layers": [24, 12]},
        {"hidden_layers": [9], "activation": "sigmoid", "input_scaling": "range"},
        {
            "hidden_layers": [6, 5, 4],
            "activation": "improved_sigmoid",
            "model": "logistic",
            "classes": [3, 5],
            "batch_size": 32,
        },
    ],
    ids=["relu", "sigmoid", "improved_sigmoid"],
)
def test_the_page_predicts_what_numpy_does(
    open_page: OpenPage, client: httpx.Client, mnist: Dataset, kind: dict[str, Any]
) -> None:
    job = client.post("/jobs", json={**TINY, **kind, "name": "network"}).raise_for_status().json()
    wait_until_over(client, job["id"])
    config = TrainingConfig(**{**TINY, **kind})
    model, image = config.build_model(), mnist.test.images[0]
    with open_page("/") as page:
        found = page.evaluate(PREDICT, [job["id"], image.ravel().tolist(), list(config.classes)])
    answer = client.get(f"/jobs/{job['id']}/snapshots/weights.f32")
    steps = [int(step) for step in answer.headers["snapshot-steps"].split(",")]
    size = 4 * model.layout.size
    assert [step for step, _ in found] == steps and len(steps) > 1
    x = design_matrix(image[np.newaxis], np.float64, model.scaling)
    for place, (_, probabilities) in enumerate(found):
        row = unpack_snapshot(model.layout, answer.content[place * size : (place + 1) * size]).astype(np.float64)
        expected = model.probabilities(row, x)[0]
        np.testing.assert_allclose([probabilities[str(label)] for label in config.classes], expected, atol=1e-9)
