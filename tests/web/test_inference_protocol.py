"""The Open Inference Protocol, asked by the public client of Triton and, for what that would not send, by hand."""

from __future__ import annotations

import asyncio
import gzip
import json
import zlib
from collections.abc import Iterator
from typing import Any

import httpx
import numpy as np
import pytest
import tritonclient.http as triton
import tritonclient.http.aio as triton_aio
from tritonclient.utils import InferenceServerException

from service.bootstrap import Service
from service.datasets import Dataset
from service.inference import predict
from service.settings import Settings
from service.web.inference_protocol import HEADER_LENGTH
from tests.web.serving import serving

NAME = "mnist-softmax"


@pytest.fixture(autouse=True)
def default_model(finished_job: dict[str, Any]) -> None:
    """Whether or not a model was shipped, there is one."""


@pytest.fixture(scope="module")
def digits(mnist: Dataset) -> Any:
    return mnist.test.images[:5]


@pytest.fixture
def server(url: str) -> Iterator[Any]:
    with triton.InferenceServerClient(url.removeprefix("http://")) as client:
        yield client


@pytest.fixture
def expected_answer(service: Service, digits: Any) -> tuple[Any, Any]:
    return predict(service.catalogue.get(NAME), digits)


def image_tensor(images: Any, datatype: str = "UINT8", *, binary: bool = True, kind: Any = triton) -> Any:
    tensor = kind.InferInput("image", list(images.shape), datatype)
    tensor.set_data_from_numpy(images.astype({"UINT8": np.uint8, "FP32": np.float32}[datatype]), binary_data=binary)
    return tensor


@pytest.mark.parametrize("binary_output", [True, False])
@pytest.mark.parametrize("binary", [True, False])
@pytest.mark.parametrize("flat", [True, False])
@pytest.mark.parametrize("datatype", ["UINT8", "FP32"])
def test_the_public_client_infers(
    server: Any, digits: Any, expected_answer: Any, datatype: str, flat: bool, binary: bool, binary_output: bool
) -> None:
    images = digits.reshape(-1, 784) if flat else digits
    outputs = [triton.InferRequestedOutput(name, binary_data=binary_output) for name in ("digit", "probabilities")]
    answer = server.infer(NAME, [image_tensor(images, datatype, binary=binary)], outputs=outputs, request_id="seven")
    labels, probabilities = expected_answer
    np.testing.assert_array_equal(answer.as_numpy("digit"), labels)
    np.testing.assert_array_equal(answer.as_numpy("probabilities"), probabilities)
    assert answer.as_numpy("digit").dtype == np.int64
    assert answer.as_numpy("probabilities").dtype == np.float32
    assert answer.get_response()["id"] == "seven"
    assert [output["name"] for output in answer.get_response()["outputs"]] == ["digit", "probabilities"]


def test_the_public_client_infers_with_a_network(server: Any, digits: Any, service: Service) -> None:
    answer = server.infer("mnist-digits", [image_tensor(digits)], model_version="1")
    labels, probabilities = predict(service.catalogue.get("mnist-digits", 1), digits)
    np.testing.assert_array_equal(answer.as_numpy("digit"), labels)
    np.testing.assert_array_equal(answer.as_numpy("probabilities"), probabilities)
    metadata = server.get_model_metadata("mnist-digits")
    assert [output["shape"] for output in metadata["outputs"] if output["name"] == "probabilities"] == [[-1, 10]]


def test_all_outputs_by_default_and_none_of_an_id(server: Any, digits: Any, expected_answer: Any) -> None:
    answer = server.infer(NAME, [image_tensor(digits)], model_version="1", priority=1, timeout=100)
    assert answer.as_numpy("digit").shape == (5,)
    assert answer.as_numpy("probabilities").shape == (5, 10)
    assert answer.get_response()["model_version"] == "1"
    assert "id" not in answer.get_response()


def test_compressed_by_the_public_client(server: Any, digits: Any, expected_answer: Any) -> None:
    answer = server.infer(
        NAME, [image_tensor(digits)], request_compression_algorithm="gzip", response_compression_algorithm="gzip"
    )
    np.testing.assert_array_equal(answer.as_numpy("digit"), expected_answer[0])


def test_the_public_asyncio_client(url: str, digits: Any, expected_answer: Any) -> None:
    async def ask() -> Any:
        async with triton_aio.InferenceServerClient(url.removeprefix("http://")) as client:
            assert await client.is_server_live()
            assert await client.is_server_ready()
            assert await client.is_model_ready(NAME)
            assert (await client.get_model_metadata(NAME))["name"] == NAME
            assert NAME in {entry["name"] for entry in await client.get_model_repository_index()}
            assert (await client.get_inference_statistics(NAME))["model_stats"][0]["name"] == NAME
            return await client.infer(NAME, [image_tensor(digits)], request_id="1")

    answer = asyncio.run(ask())
    np.testing.assert_array_equal(answer.as_numpy("probabilities"), expected_answer[1])


@pytest.mark.parametrize("binary", [True, False])
def test_classification(server: Any, digits: Any, expected_answer: Any, binary: bool) -> None:
    output = triton.InferRequestedOutput("probabilities", binary_data=binary, class_count=3)
    rows = server.infer(NAME, [image_tensor(digits)], outputs=[output]).as_numpy("probabilities")
    assert rows.shape == (5, 3)
    for row, label, probabilities in zip(rows, *expected_answer, strict=True):
        texts = [text.decode() if isinstance(text, bytes) else text for text in row]
        values, indices, names = zip(*(text.split(":") for text in texts), strict=True)
        assert names[0] == str(label)
        assert [int(index) for index in indices] == np.argsort(-probabilities, kind="stable")[:3].tolist()
        np.testing.assert_allclose([float(value) for value in values], np.sort(probabilities)[:-4:-1], atol=1e-6)


def test_what_the_server_says_of_itself(server: Any, client: httpx.Client) -> None:
    assert server.is_server_live()
    assert server.is_server_ready()
    assert server.is_model_ready(NAME)
    assert server.is_model_ready(NAME, "1")
    assert not server.is_model_ready(NAME, "999")
    assert not server.is_model_ready("nobody")
    assert set(server.get_server_metadata()["extensions"]) == {
        "binary_tensor_data",
        "classification",
        "model_configuration",
        "model_repository",
        "statistics",
    }
    versions = [version["version"] for version in client.get(f"/models/{NAME}").json()["versions"]]
    metadata = server.get_model_metadata(NAME)
    assert metadata["versions"] == [str(version) for version in versions]
    assert metadata["inputs"] == [{"name": "image", "datatype": "UINT8", "shape": [-1, 28, 28]}]
    assert [(tensor["name"], tensor["datatype"], tensor["shape"]) for tensor in metadata["outputs"]] == [
        ("probabilities", "FP32", [-1, 10]),
        ("digit", "INT64", [-1]),
    ]
    assert metadata["outputs"][0]["parameters"]["labels"] == [str(digit) for digit in range(10)]
    assert server.get_model_metadata(NAME, "1")["versions"] == ["1"]


def test_the_configuration_of_a_model(server: Any, digits: Any, service: Service) -> None:
    config = server.get_model_config(NAME)
    assert (config["name"], config["platform"]) == (NAME, server.get_model_metadata(NAME)["platform"])
    assert config["input"] == [{"name": "image", "data_type": "TYPE_UINT8", "dims": [28, 28]}]
    assert [(each["name"], each["data_type"]) for each in config["output"]] == [
        ("probabilities", "TYPE_FP32"),
        ("digit", "TYPE_INT64"),
    ]
    assert server.get_model_config(NAME, "1") == config
    answer = server.infer(NAME, [image_tensor(digits)])
    for each in config["output"]:
        assert list(answer.as_numpy(each["name"]).shape[1:]) == each["dims"]
    most = config["max_batch_size"]
    images = np.zeros((most + 1, *config["input"][0]["dims"]), np.uint8)
    assert len(server.infer(NAME, [image_tensor(images[:most])]).as_numpy("digit")) == most
    with pytest.raises(InferenceServerException, match="Allowed"):
        server.infer(NAME, [image_tensor(images)])


def test_the_index_of_models(server: Any, url: str) -> None:
    index = server.get_model_repository_index()
    assert {"name": NAME, "version": "1", "state": "READY", "reason": ""} in index
    assert httpx.post(f"{url}/v2/repository/index", json={"ready": True}).json() == index


def test_statistics_count(server: Any, digits: Any) -> None:
    def figures() -> dict[str, Any]:
        (found,) = server.get_inference_statistics(NAME, "1")["model_stats"]
        return dict(found)

    before = figures()
    server.infer(NAME, [image_tensor(digits)], model_version="1")
    with pytest.raises(InferenceServerException):
        server.infer(NAME, [image_tensor(digits[:, :27])], model_version="1")
    after = figures()
    assert after["inference_count"] - before["inference_count"] == 5
    assert after["execution_count"] - before["execution_count"] == 1
    assert after["last_inference"] > before["last_inference"]
    spent = {}
    for part in ("success", "queue", "compute_input", "compute_infer", "compute_output"):
        assert after["inference_stats"][part]["count"] - before["inference_stats"][part]["count"] == 1
        spent[part] = after["inference_stats"][part]["ns"] - before["inference_stats"][part]["ns"]
        assert spent[part] > 0
    assert abs(2 * spent["success"] - sum(spent.values())) <= 10
    assert after["inference_stats"]["fail"]["count"] - before["inference_stats"]["fail"]["count"] == 1
    names = {(entry["name"], entry["version"]) for entry in server.get_inference_statistics()["model_stats"]}
    assert (NAME, "1") in names


def test_not_ready_without_a_model(tmp_path: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("service.bootstrap.shipped_models", lambda: tmp_path / "none")
    with Service(Settings(data_dir=tmp_path, executor="inline", workers=1)) as service, serving(service) as url:
        with triton.InferenceServerClient(url.removeprefix("http://")) as client:
            assert client.is_server_live()
            assert not client.is_server_ready()
            assert client.get_model_repository_index() == []
        answer = httpx.get(f"{url}/v2/health/ready")
        assert (answer.status_code, answer.json()) == (503, {"error": "No model can answer."})


IMAGE = {"name": "image", "datatype": "UINT8", "shape": [1, 784], "data": [0] * 784}


def binary_request(request: Any, tail: bytes = b"", *, length: object = None, **headers: str) -> dict[str, Any]:
    text = json.dumps(request).encode()
    return {"content": text + tail, "headers": {HEADER_LENGTH: str(len(text) if length is None else length), **headers}}


def tensor(**changed: Any) -> dict[str, Any]:
    return {"inputs": [{**IMAGE, **changed}]}


def binary_tensor(**changed: Any) -> dict[str, Any]:
    parameters = {"binary_data_size": 784}
    return {"inputs": [{"name": "image", "datatype": "UINT8", "shape": [1, 784], "parameters": parameters, **changed}]}


PIXELS = bytes(784)
GZIP = {"Content-Encoding": "gzip"}
BOMB = zlib.compress(bytes(17_000_000), wbits=31)

BAD: dict[str, dict[str, Any]] = {
    "nothing": {},
    "no JSON": {"content": b"{"},
    "a list": {"json": []},
    "no inputs": {"json": {}},
    "inputs, none": {"json": {"inputs": []}},
    "inputs, two": {"json": {"inputs": [IMAGE, IMAGE]}},
    "another input": {"json": tensor(name="x")},
    "a wrong datatype": {"json": tensor(datatype="INT64")},
    "the datatype of nothing": {"json": tensor(datatype=None)},
    "no shape": {"json": tensor(shape=None)},
    "a shape, negative": {"json": tensor(shape=[-1, 784])},
    "a shape, of nothing": {"json": tensor(shape=[0, 784])},
    "a shape, one number": {"json": tensor(shape=[784])},
    "a shape, four numbers": {"json": tensor(shape=[1, 1, 28, 28])},
    "a shape, fractions": {"json": tensor(shape=[1.0, 784])},
    "a shape, true": {"json": tensor(shape=[True, 784])},
    "a shape, another picture": {"json": tensor(shape=[1, 14, 56])},
    "a shape, its product beyond 64 bits": {"json": tensor(shape=[2**31 - 1, 784], data=[0])},
    "a shape, numbers beyond 64 bits": {"json": tensor(shape=[2**70, 784])},
    "data, too few": {"json": tensor(data=[0] * 783)},
    "data, too many": {"json": tensor(data=[0] * 785)},
    "data, none": {"json": tensor(data=None)},
    "data, in another shape": {"json": tensor(data=[[0]] * 784)},
    "data, fractions": {"json": tensor(data=[0.5] * 784)},
    "data, 256": {"json": tensor(data=[256] * 784)},
    "data, NaN": {"content": json.dumps(tensor(datatype="FP32", data=[float("nan")] * 784)).encode()},
    "data, texts": {"json": tensor(data=["0"] * 784)},
    "another output": {"json": {"inputs": [IMAGE], "outputs": [{"name": "logits"}]}},
    "an output twice": {"json": {"inputs": [IMAGE], "outputs": [{"name": "digit"}, {"name": "digit"}]}},
    "the classes of digit": {
        "json": {"inputs": [IMAGE], "outputs": [{"name": "digit", "parameters": {"classification": 1}}]}
    },
    "classification, negative": {
        "json": {"inputs": [IMAGE], "outputs": [{"name": "probabilities", "parameters": {"classification": -1}}]}
    },
    "shared memory": {"json": tensor(parameters={"shared_memory_region": "r"})},
    "an id, a number": {"json": {"id": 7, "inputs": [IMAGE]}},
    "the header length, huge": binary_request(binary_tensor(), PIXELS, length=10**30),
    "the header length, beyond the body": binary_request(binary_tensor(), PIXELS, length=5000),
    "the header length, negative": binary_request(binary_tensor(), PIXELS, length=-1),
    "the header length, nothing": binary_request(binary_tensor(), PIXELS, length=0),
    "the header length, no number": binary_request(binary_tensor(), PIXELS, length="many"),
    "the header length, one less": binary_request(tensor(), length=len(json.dumps(tensor())) - 1),
    "bytes, one missing": binary_request(binary_tensor(), PIXELS[1:]),
    "bytes, one too many": binary_request(binary_tensor(), PIXELS + b"\0"),
    "bytes, none": binary_request(binary_tensor()),
    "bytes that nobody takes": binary_request(tensor(), PIXELS),
    "bytes and data": binary_request(binary_tensor(data=[0] * 784), PIXELS),
    "bytes, half of what the datatype takes": binary_request(binary_tensor(datatype="FP32"), PIXELS),
    "bytes, of a shape beyond 64 bits": binary_request(binary_tensor(shape=[2**31 - 1, 784]), PIXELS),
    "bytes, of a negative size": binary_request(binary_tensor(parameters={"binary_data_size": -784}), PIXELS),
    "bytes, NaN": binary_request(
        binary_tensor(datatype="FP32", parameters={"binary_data_size": 3136}), np.full(784, np.nan, "<f4").tobytes()
    ),
    "gzip, none": {"content": b"no gzip", "headers": GZIP},
    "gzip, half": {"content": gzip.compress(json.dumps(tensor()).encode())[:-9], "headers": GZIP},
    "nested too deeply": {"content": b"[" * 100_000},
}


@pytest.mark.parametrize("coding", ["gzip", "GZIP", "x-gzip", "identity, gzip", "Identity"])
def test_codings_have_other_names_and_several_members(url: str, coding: str) -> None:
    body = json.dumps(tensor()).encode()
    packed = body if coding == "Identity" else gzip.compress(body[:99]) + gzip.compress(body[99:])
    answer = httpx.post(f"{url}/v2/models/{NAME}/infer", content=packed, headers={"Content-Encoding": coding})
    assert answer.status_code == 200, answer.text


@pytest.mark.slow
@pytest.mark.parametrize("request_", BAD.values(), ids=BAD)
def test_bad_requests(url: str, request_: dict[str, Any]) -> None:
    answer = httpx.post(f"{url}/v2/models/{NAME}/infer", **request_)
    assert (answer.status_code, list(answer.json())) == (400, ["error"])
    assert 10 < len(answer.json()["error"]) < 400
    assert "Traceback" not in answer.text


REFUSED: dict[str, tuple[str, str, dict[str, Any], int]] = {
    "a body that expands too far": (
        "POST",
        f"/models/{NAME}/infer",
        {"content": BOMB, "headers": GZIP},
        413,
    ),
    "a body too large": ("POST", f"/models/{NAME}/infer", {"content": bytes(16_777_217)}, 413),
    "too many images": (
        "POST",
        f"/models/{NAME}/infer",
        binary_request(
            binary_tensor(shape=[10_001, 784], parameters={"binary_data_size": 7_840_784}), bytes(7_840_784)
        ),
        413,
    ),
    "another encoding": ("POST", f"/models/{NAME}/infer", {"headers": {"Content-Encoding": "br"}}, 415),
    "an unknown model": ("POST", "/models/nobody/infer", {"json": tensor()}, 404),
    "an unknown version": ("POST", f"/models/{NAME}/versions/999/infer", {"json": tensor()}, 404),
    "an unknown address": ("GET", "/nothing", {}, 404),
    "an unknown method": ("GET", f"/models/{NAME}/infer", {}, 405),
    "an unknown parameter": ("GET", "?x=1", {}, 400),
    "another host": ("GET", "", {"headers": {"Host": "evil.example"}}, 400),
    "another origin": ("POST", "/repository/index", {"headers": {"Origin": "http://evil.example"}}, 403),
    "no metadata": ("GET", "/models/nobody", {}, 404),
    "no statistics": ("GET", "/models/nobody/stats", {}, 404),
    "no configuration": ("GET", "/models/nobody/config", {}, 404),
    "a configuration that is sent": ("POST", f"/models/{NAME}/config", {"json": {}}, 405),
    "what models need not": ("POST", f"/repository/models/{NAME}/load", {"json": {}}, 404),
    "another form of answer": ("GET", f"/models/{NAME}", {"headers": {"Accept": "image/png"}}, 406),
    "an index of what": ("POST", "/repository/index", {"json": {"ready": 1}}, 400),
}


@pytest.mark.parametrize(("method", "path", "request_", "status"), REFUSED.values(), ids=REFUSED)
def test_refusals(url: str, method: str, path: str, request_: dict[str, Any], status: int) -> None:
    answer = httpx.request(method, f"{url}/v2{path}", **request_)
    assert (answer.status_code, list(answer.json())) == (status, ["error"])


def test_head(url: str) -> None:
    assert httpx.head(f"{url}/v2/health/ready").status_code == 200


def test_the_public_client_shows_the_reason(server: Any, digits: Any) -> None:
    with pytest.raises(InferenceServerException, match=r"shape of image.*Allowed: \[n, 28, 28\]"):
        server.infer(NAME, [image_tensor(digits[:, :, :27])])
