"""A network through the API: its pictures, its explanation, its files, beside a linear model."""

from __future__ import annotations

import re
import xml.etree.ElementTree as ET
from io import BytesIO
from typing import Any

import httpx
import numpy as np
import pytest
from PIL import Image

from service.bootstrap import Service
from service.datasets import Dataset
from service.inference import predict
from tests.web.serving import TINY, problem_of, wait_until_over

PATH = "/models/small-network/versions/1"
OCTETS = {"Content-Type": "application/octet-stream"}


@pytest.fixture(scope="module")
def network(client: httpx.Client) -> dict[str, Any]:
    """A job whose model has hidden layers, after its end."""
    fields = {**TINY, "train_size": 5000, "learning_rate": 0.1, "hidden_layers": [20, 12], "name": "small-network"}
    return wait_until_over(client, client.post("/jobs", json=fields).raise_for_status().json()["id"])


def test_its_units_are_pictures(client: httpx.Client, network: dict[str, Any]) -> None:
    sizes = []
    for layer in (1, 2, 3):
        answer = client.get(f"{PATH}/weights.png", params={"layer": layer, "upscale": 2})
        assert answer.status_code == 200
        picture = Image.open(BytesIO(answer.content))
        assert picture.info["layer"] == str(layer)
        sizes.append(picture.size)
    assert sizes[0][0] == 16 * 60 + 4 and sizes[1][0] == 12 * 60 + 4 and sizes[2][0] == 10 * 60 + 4
    assert client.get(f"{PATH}/weights.png").content == client.get(f"{PATH}/weights.png?layer=1").content
    for path, layer in ((PATH, 4), ("/models/mnist-softmax/versions/1", 2), (PATH, 0)):
        answer = client.get(f"{path}/weights.png", params={"layer": layer})
        assert (answer.status_code, problem_of(answer)) == (422, "invalid-field")


def test_a_job_and_its_snapshots_show_them_too(client: httpx.Client, network: dict[str, Any]) -> None:
    job = f"/jobs/{network['id']}"
    step = client.get(f"{job}/snapshots").json()["snapshots"][-1]["step"]
    for layer, in_a_row in ((1, 16), (2, 12), (3, 10)):
        for path in (job, f"{job}/snapshots/{step}"):
            drawn = client.get(f"{path}/weights.png", params={"layer": layer, "upscale": 1}).raise_for_status()
            assert Image.open(BytesIO(drawn.content)).width == in_a_row * 30 + 2
    assert problem_of(client.get(f"{job}/weights.png?layer=4")) == "invalid-field"


@pytest.mark.parametrize(
    ("path", "n_parameters", "words"),
    [
        (PATH, 785 * 20 + 21 * 12 + 13 * 10, ["layer 1: 20", "relu", "weights 785 × 20", "15,700 parameters"]),
        ("/models/mnist-softmax/versions/1", 7850, ["outputs: 10", "softmax", "weights 785 × 10"]),
        ("/models/mnist-2-vs-3/versions/1", 785, ["outputs: 1", "sigmoid", "pixels: 784"]),
    ],
)
def test_its_architecture_is_a_drawing(
    client: httpx.Client, network: dict[str, Any], path: str, n_parameters: int, words: list[str]
) -> None:
    answer = client.get(f"{path}/architecture.svg")
    assert answer.headers["content-type"] == "image/svg+xml"
    texts = [node.text or "" for node in ET.fromstring(answer.text).iter("{http://www.w3.org/2000/svg}text")]
    assert any(text.endswith(f": {n_parameters:,} parameters") for text in texts)
    assert set(words) <= set(texts)
    tag = {"If-None-Match": answer.headers["etag"]}
    assert client.get(f"{path}/architecture.svg", headers=tag).status_code == 304


def test_it_is_explained(client: httpx.Client, network: dict[str, Any], service: Service, mnist: Dataset) -> None:
    model = service.catalogue.get("small-network", 1)
    for image in mnist.test.images[:10]:
        result = client.post(f"{PATH}/explain", content=image.tobytes(), headers=OCTETS).json()
        assert (result["rule"], result["baseline"]) == ("deeplift_rescale", "blank")
        assert np.sum(result["evidence"]) + result["bias"] == pytest.approx(result["logit"])
        assert {unit["layer"] for unit in result["units"]} == {1, 2} and len(result["units"]) == 28
        flipped = np.array(result["flip"]["pixels"], np.uint8)
        posted = client.post(f"{PATH}/predict", content=flipped.tobytes(), headers=OCTETS).json()["predictions"][0]
        assert posted["digit"] == result["flip"]["digit"] != result["digit"] and result["flip"]["is_local"]
        assert predict(model, flipped[np.newaxis])[0][0] == posted["digit"]


def test_it_is_compared_with_a_linear_model(client: httpx.Client, network: dict[str, Any]) -> None:
    compared = client.get("/compare?model=small-network/1&model=mnist-softmax/1").json()
    assert compared["n_images"] == 10_000
    evaluated = client.get(f"{PATH}/evaluation").json()
    assert compared["models"][0]["accuracy"] == evaluated["accuracy"] > 0.5


def test_its_weight_file_has_a_matrix_a_layer(client: httpx.Client, network: dict[str, Any]) -> None:
    content = client.get(f"{PATH}/weights.npz").content
    with np.load(BytesIO(content)) as arrays:
        assert {name: arrays[name].shape for name in arrays if name.startswith("best")} == {
            "best_W1": (785, 20),
            "best_W2": (21, 12),
            "best_W3": (13, 10),
        }


@pytest.mark.slow
def test_a_sweep_over_hidden_layers_has_pictures(client: httpx.Client) -> None:
    body = {"base": TINY, "name": "layers", "grid": {"hidden_layers": [[], [12], [6, 8]]}}
    answer = client.post("/sweeps", json=body)
    assert answer.status_code == 202, answer.text
    sweep = answer.json()
    for member in sweep["members"]:
        wait_until_over(client, member["job"])
    answer = client.get(f"/sweeps/{sweep['id']}/weights.png?upscale=1")
    assert answer.status_code == 200, answer.text
    assert client.get(f"/sweeps/{sweep['id']}/accuracy.png").status_code == 200
    chart = client.get(f"/sweeps/{sweep['id']}/accuracy.svg")
    assert {"none", "12", "6 8"} <= {text.strip() for text in re.findall("<!--(.*?)-->", chart.text)}
