"""Weights come in as an .npz file: strictly read, measured, and a version like any other."""

from __future__ import annotations

import tracemalloc
from collections.abc import Callable
from dataclasses import asdict
from io import BytesIO
from itertools import pairwise
from typing import Any

import httpx
import numpy as np
import pytest

from service.bootstrap import Service
from service.core import Certainty, TrainingConfig
from service.core.npz import write_npz
from service.datasets import Dataset, select
from service.inference import evaluate, import_weights
from service.registry import DIGIT_BELOW
from tests.web.serving import problem_of

W = np.zeros((785, 10), np.float32)


def post(client: httpx.Client, content: bytes, name: str = "imported", **params: str) -> httpx.Response:
    return client.post(f"/models/{name}/versions", content=content, params=params)


def npz(**arrays: Any) -> bytes:
    return write_npz(arrays)


def saved(**arrays: Any) -> bytes:
    """As a user of NumPy would write it."""
    file = BytesIO()
    np.savez(file, **arrays)
    return file.getvalue()


def zipped(arrays: dict[str, Any]) -> bytes:
    """Compressed, and with the axes in Fortran's order."""
    file = BytesIO()
    np.savez_compressed(file, **{name: np.asfortranarray(array) for name, array in arrays.items()})
    return file.getvalue()


@pytest.mark.parametrize("name", ["mnist-softmax", "mnist-2-vs-3"])
def test_what_was_exported_comes_back(client: httpx.Client, service: Service, name: str) -> None:
    original = client.get(f"/models/{name}/versions/1").json()
    content = client.get(f"/models/{name}/versions/1/weights.npz").content
    classes = ",".join(map(str, original["classes"]))
    plain = {"classes": classes, "publish": original["published"], "calibrate": "false"}
    answer = post(client, content, f"copy-of-{name}", **plain)
    assert answer.status_code == 201
    made = answer.json()
    assert client.get(answer.headers["location"].removeprefix("/api/v1")).json() == made
    assert made["weights_sha256"] == original["weights_sha256"]
    for field in ("model", "classes", "class_names", "dtype", "published"):
        assert made[field] == original[field], field
    assert (made["stop_reason"], made["job_id"]) == ("imported", None)
    model = service.catalogue.get(f"copy-of-{name}", made["version"])
    metrics, evaluation = made["metrics"]["published"], evaluate(model)
    assert metrics["validation_accuracy"] == pytest.approx(evaluation.accuracy)
    assert metrics["validation_loss"] == pytest.approx(evaluation.loss.mean(), rel=1e-5)
    assert (made["certainty"], model.function.temperature) == (None, 1)


def test_it_is_calibrated_on_the_test_images_of_its_data_set(client: httpx.Client, service: Service) -> None:
    """By the way of a training: a network that is twice as sure as it may be becomes as sure as the one it was."""
    with np.load(BytesIO(client.get("/models/mnist-softmax/versions/1/weights.npz").content)) as arrays:
        content = npz(best=2 * arrays["best"], last=2 * arrays["last"])
    made = post(client, content, "too-sure").json()
    assert made["dataset"]["name"] == "mnist" and made["digit_below"] == DIGIT_BELOW
    model = service.catalogue.get("too-sure", made["version"])
    x, y = select(service.datasets.get("mnist"), TrainingConfig())[1].arrays(TrainingConfig())
    logits = model.function.joint_logits(model.parameters[np.newaxis], x)[0]
    expected = Certainty.measure(model.function.output, logits, y, "test")
    assert expected is not None and made["certainty"] == asdict(expected)
    assert (expected.part, expected.n_images) == ("test", 10_000) and 1.8 < expected.temperature < 2.2
    plain = post(client, content, "too-sure", calibrate="false").json()
    errors = [
        client.get(f"/models/too-sure/versions/{version['version']}/evaluation").json()["calibration"]["expected_error"]
        for version in (made, plain)
    ]
    assert errors[0] < 0.02 < 0.03 < errors[1]


def test_its_data_set_is_found_by_the_number_of_its_classes(client: httpx.Client, mnist: Dataset) -> None:
    """With a number of classes that no data set of other tests has."""
    taken = {len(each["class_names"]) for each in client.get("/datasets").json()["datasets"]}
    n_classes = next(n for n in range(3, 10) if n not in taken)
    weights = np.zeros((785, n_classes), np.float32)
    content = npz(best=weights, last=weights)
    assert post(client, content).json()["errors"][0]["pointer"] == "#/classes", "there is none"
    chosen = mnist.test.labels < n_classes
    x, y = mnist.test.images[chosen], mnist.test.labels[chosen]
    file = saved(x_train=x, y_train=y, x_test=x, y_test=y)
    for name in ("own-signs", "other-signs"):
        client.post("/datasets", data={"name": name}, files={"file": file}).raise_for_status()
        answer = post(client, content).json()
        if name == "own-signs":
            assert (answer["dataset"]["name"], answer["digit_below"]) == (name, 0)
            assert answer["classes"] == list(range(n_classes))
    assert answer["errors"][0]["pointer"] == "#/dataset", "there are two"
    of_mnist = ",".join(map(str, range(10 - n_classes, 10)))
    assert post(client, content, classes=of_mnist).json()["dataset"]["name"] == "mnist"
    for name in ("own-signs", "other-signs"):
        client.delete(f"/datasets/{name}").raise_for_status()


def test_a_data_set_without_images_to_test_on(client: httpx.Client, mnist: Dataset) -> None:
    x, y = mnist.training.images[:1000], mnist.training.labels[:1000]
    file = saved(x_train=x, y_train=y, x_test=x[y == 0], y_test=y[y == 0])
    client.post("/datasets", data={"name": "noughts"}, files={"file": file}).raise_for_status()
    weights = np.zeros((785, 2), np.float32)
    answer = post(client, npz(best=weights, last=weights), classes="1,2", dataset="noughts").json()
    assert answer["detail"] == "noughts lacks images of these classes." and "test on" in answer["errors"][0]["allowed"]
    client.delete("/datasets/noughts").raise_for_status()


def test_a_file_of_numpy_itself(client: httpx.Client) -> None:
    made = post(client, saved(best=W.astype(np.float64), last=W.astype(np.float64))).json()
    assert (made["model"], made["dtype"]) == ("softmax", "float64")
    assert made["metrics"]["best"]["validation_loss"] == pytest.approx(np.log(10))


def test_an_exported_network_comes_back_to_the_bit(client: httpx.Client) -> None:
    original = client.get("/models/mnist-digits/versions/1").json()
    content = client.get("/models/mnist-digits/versions/1/weights.npz").content
    known = {name: original["config"][name] for name in ("activation", "input_scaling")}
    made = post(client, content, "copy-of-network", publish=original["published"], **known).json()
    assert made["weights_sha256"] == original["weights_sha256"]
    assert made["config"]["hidden_layers"] == original["config"]["hidden_layers"]
    assert made["metrics"]["published"]["validation_accuracy"] > 0.98
    for missing in known:
        answer = post(client, content, "never", **{name: value for name, value in known.items() if name != missing})
        assert (answer.status_code, answer.json()["errors"][0]["pointer"]) == (422, f"#/{missing}")


def layers(*sizes: int, seed: int = 0) -> dict[str, Any]:
    """Return weights and biases as another program has them."""
    rng = np.random.default_rng(seed)
    arrays: dict[str, Any] = {}
    for number, (fan_in, fan_out) in enumerate(pairwise((784, *sizes)), 1):
        arrays[f"W{number}"] = rng.normal(0, fan_in**-0.5, (fan_in, fan_out))
        arrays[f"b{number}"] = rng.normal(size=fan_out)
    return arrays


FUNCTIONS: dict[str, Callable[[Any], Any]] = {
    "relu": lambda z: np.maximum(z, 0),
    "tanh": np.tanh,
    "sigmoid": lambda z: 1 / (1 + np.exp(-z)),
    "improved_sigmoid": lambda z: 1.7159 * np.tanh(2 * z / 3),
}
SCALED: dict[str, Callable[[Any], Any]] = {
    "unit": lambda pixels: pixels / 255,
    "bytes": lambda pixels: pixels / 1.0,
    "range": lambda pixels: pixels / 127.5 - 1,
    "standard": lambda pixels: (pixels - 33.318) / 78.567,
}


@pytest.mark.slow
@pytest.mark.parametrize(
    ("activation", "scaling"), list(zip(FUNCTIONS, ("unit", "bytes", "standard", "range"), strict=True))
)
def test_layers_of_another_program_compute_what_they_did(
    client: httpx.Client, mnist: Dataset, activation: str, scaling: str
) -> None:
    arrays, images = layers(12, 7, 10), mnist.test.images[:20]
    content = zipped(arrays) if activation == "relu" else saved(**arrays)
    plain = {"input_scaling": scaling, "calibrate": "false"}
    made = post(client, content, f"of-{activation}", activation=activation, **plain).json()
    assert (made["model"], made["config"]["hidden_layers"], made["dtype"]) == ("softmax", [12, 7], "float64")
    a = SCALED[scaling](images.reshape(-1, 784).astype(np.float64))
    for number in (1, 2):
        a = FUNCTIONS[activation](a @ arrays[f"W{number}"] + arrays[f"b{number}"])
    z = np.exp(a @ arrays["W3"] + arrays["b3"])
    answer = client.post(f"/models/of-{activation}/predict", content=images.tobytes()).json()
    found = [list(one["probabilities"].values()) for one in answer["predictions"]]
    np.testing.assert_allclose(found, z / z.sum(axis=1, keepdims=True), rtol=1e-9, atol=1e-12)


def test_measuring_takes_little_memory(service: Service, mnist: Dataset) -> None:
    """As float64, the images that weights are measured on would take 190 MB."""
    weights = np.zeros((785, 10))
    assert mnist.training.images.any() and mnist.test.images.any(), "they are in memory"
    tracemalloc.start()
    try:
        content = npz(best=weights, last=weights)
        import_weights(service.registry, service.datasets, content, name="measured", classes=(), published="best")
        assert tracemalloc.get_traced_memory()[1] < 45e6
    finally:
        tracemalloc.stop()


BAD: dict[str, tuple[bytes, dict[str, str], int, str]] = {
    "nothing": (b"", {}, 400, "malformed-input"),
    "no zip": (b"hello", {}, 400, "malformed-input"),
    "one array": (npz(best=W), {}, 400, "malformed-input"),
    "one more": (npz(best=W, last=W, more=W), {}, 400, "malformed-input"),
    "another shape": (npz(best=W[:784], last=W[:784]), {}, 400, "malformed-input"),
    "two shapes": (npz(best=W, last=W[:, :2]), {}, 400, "malformed-input"),
    "two types": (npz(best=W, last=W.astype(np.float64)), {}, 400, "malformed-input"),
    "no outputs": (npz(best=W[:, :0], last=W[:, :0]), {}, 400, "malformed-input"),
    "whole numbers": (npz(best=W.astype(np.int64), last=W.astype(np.int64)), {}, 400, "malformed-input"),
    "not finite": (npz(best=W, last=np.full_like(W, np.nan)), {}, 400, "malformed-input"),
    "a loss that overflows": (npz(best=W + np.float32(3e38), last=W), {}, 400, "malformed-input"),
    "objects": (saved(best=np.array([None]), last=np.array([None])), {}, 400, "malformed-input"),
    "cut short": (npz(best=W, last=W)[:-1], {}, 400, "malformed-input"),
    "too few classes": (npz(best=W, last=W), {"classes": "1,2"}, 422, "invalid-field"),
    "a class twice": (npz(best=W[:, :2], last=W[:, :2]), {"classes": "1,1"}, 422, "invalid-field"),
    "classes of a pair unnamed": (npz(best=W[:, :1], last=W[:, :1]), {}, 422, "invalid-field"),
    "classes in words": (npz(best=W, last=W), {"classes": "one"}, 422, "invalid-field"),
    "another publish": (npz(best=W, last=W), {"publish": "worst"}, 422, "invalid-field"),
    "layers that do not follow": (
        saved(**{**layers(12, 10), "W2": np.ones((11, 10))}),
        {"activation": "relu", "input_scaling": "unit"},
        400,
        "malformed-input",
    ),
    "a layer without biases": (saved(W1=np.ones((784, 10))), {}, 400, "malformed-input"),
    **{
        f"a layer {weights} with biases {biases}": (
            saved(W1=np.ones(weights), b1=np.ones(biases)),
            {},
            400,
            "malformed-input",
        )
        for weights, biases in [
            ((), ()),
            ((784,), ()),
            ((784, 2, 10), (2, 10)),
            ((784, 10), (9,)),
            ((784, 10), (1, 10)),
        ]
    },
    "an unknown activation": (saved(**layers(12, 10)), {"activation": "gelu"}, 422, "invalid-field"),
    "too many parameters": (
        saved(**{name: array.astype(np.float32) for name, array in layers(2048, 1000, 10).items()}),
        {"activation": "relu", "input_scaling": "unit"},
        422,
        "invalid-field",
    ),
    "an ONNX file where onnx is missing": (b"\x08\x08", {}, 501, "extra-missing"),
    "another data set": (npz(best=W, last=W), {"dataset": "nothing"}, 404, "dataset-not-found"),
}


@pytest.mark.parametrize(("content", "params", "status", "problem"), BAD.values(), ids=BAD)
def test_what_cannot_be_imported(
    client: httpx.Client, service: Service, content: bytes, params: dict[str, str], status: int, problem: str
) -> None:
    answer = post(client, content, "never", **params)
    assert (answer.status_code, problem_of(answer)) == (status, problem)
    assert client.get("/models/never").status_code == 404
    assert service.store.list("never") == [], "and nothing of it stays"


def test_a_name_that_is_none(client: httpx.Client) -> None:
    answer = post(client, npz(best=W, last=W), "No Name")
    assert (answer.status_code, problem_of(answer)) == (422, "invalid-field")


def test_onnx_says_which_package_is_missing(client: httpx.Client) -> None:
    answer = client.get("/models/mnist-softmax/versions/1/weights.onnx")
    assert (answer.status_code, problem_of(answer)) == (501, "extra-missing")
    assert "inkling-digits[onnx]" in answer.json()["detail"]
