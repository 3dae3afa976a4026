"""What ONNX Runtime says of an exported model is what Inkling says."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import httpx
import numpy as np
import onnxruntime
import pytest

from service.bootstrap import Service
from service.cli import cli
from service.core import MODELS, TrainingConfig
from service.datasets import Dataset
from service.inference import predict, write_onnx
from service.registry import Manifest, Model
from tests.compatibility.hidden_layer import HiddenLayer
from tests.web.serving import TINY, wait_until_over


@pytest.fixture(scope="module")
def in_double(url: str) -> str:
    with httpx.Client(base_url=f"{url}/api/v1") as client:
        fields = {**TINY, "dtype": "float64", "name": "in-double", "classes": [3, 1, 7]}
        wait_until_over(client, client.post("/jobs", json=fields).raise_for_status().json()["id"])
    return "in-double"


@pytest.fixture(scope="module")
def networks(url: str) -> None:
    """Train a network of each activation, under either output, in either precision."""
    kinds: dict[str, dict[str, Any]] = {
        "net-relu": {"hidden_layers": [32, 16]},
        "net-sigmoid": {"hidden_layers": [24], "activation": "sigmoid", "dtype": "float64", "classes": [3, 1, 7]},
        "net-improved": {"hidden_layers": [8, 8, 8], "activation": "improved_sigmoid", "input_scaling": "range"},
        "net-logistic": {"hidden_layers": [12], "model": "logistic", "classes": [2, 3]},
    }
    with httpx.Client(base_url=f"{url}/api/v1") as client:
        for name, kind in kinds.items():
            job = client.post("/jobs", json={**TINY, "train_size": 4000, **kind, "name": name}).raise_for_status()
            wait_until_over(client, job.json()["id"])


@pytest.mark.usefixtures("networks")
@pytest.mark.parametrize(
    "name",
    [
        "mnist-softmax",
        "mnist-2-vs-3",
        "mnist-digits",
        "in-double",
        "net-relu",
        "net-sigmoid",
        "net-improved",
        "net-logistic",
    ],
)
def test_the_runtime_says_the_same(service: Service, mnist: Dataset, url: str, in_double: str, name: str) -> None:
    model = service.catalogue.get(name, 1)
    content = httpx.get(f"{url}/api/v1/models/{name}/versions/1/weights.onnx").raise_for_status().content
    assert content == write_onnx(model)
    session = onnxruntime.InferenceSession(content, providers=["CPUExecutionProvider"])
    images = mnist.test.images
    probabilities, digits = session.run(["probabilities", "digit"], {"image": images})
    labels, table = predict(model, images)
    np.testing.assert_array_equal(digits, labels)
    np.testing.assert_allclose(probabilities, table, atol=1e-5, rtol=0)
    assert probabilities.dtype == np.float32
    about = session.get_modelmeta()
    assert about.producer_name == "inkling"
    assert about.custom_metadata_map["weights_sha256"] == model.manifest.weights_sha256


def test_on_the_command_line(tmp_path: Path) -> None:
    from click.testing import CliRunner

    output = tmp_path / "digits.onnx"
    arguments = ["models", "export", "mnist-softmax", "-o", str(output), "--data-dir", str(tmp_path / "data")]
    result = CliRunner().invoke(cli, arguments)
    assert result.exit_code == 0, result.output
    onnxruntime.InferenceSession(output.read_bytes(), providers=["CPUExecutionProvider"])


def test_a_model_of_several_layers_is_written_from_its_operations(
    mnist: Dataset, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(MODELS, "hidden", HiddenLayer)
    config, images = TrainingConfig(model="hidden", classes=(3, 1, 7)), mnist.test.images[:500]
    row = config.build_model().initial(np.random.default_rng(0)).astype(np.float32)
    manifest = Manifest(
        model=config.model,
        classes=config.classes,
        class_names=("3", "1", "7"),
        dtype=config.dtype,
        published="best",
        config=config.to_record(),
        dataset={"name": "mnist", "sha256": "0" * 64},
        metrics={"best": {}, "last": {}, "published": {}},
        stop_reason="max_epochs",
        environment={},
        job_id=None,
        created_at=datetime.now(UTC),
        name="hidden",
        version=1,
        weights_sha256="0" * 64,
        size_bytes=1,
    )
    model = Model(manifest=manifest, best=row, last=row)
    session = onnxruntime.InferenceSession(write_onnx(model), providers=["CPUExecutionProvider"])
    probabilities, digits = session.run(["probabilities", "digit"], {"image": images})
    labels, table = predict(model, images)
    np.testing.assert_array_equal(digits, labels)
    np.testing.assert_allclose(probabilities, table, atol=1e-5, rtol=0)
