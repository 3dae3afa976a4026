"""Networks of scikit-learn and of ONNX files predict here what they predict there."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import onnx
import onnxruntime
import pytest
from onnx import TensorProto, helper, numpy_helper
from sklearn.neural_network import MLPClassifier

from inkling import InklingClient, InvalidField, InvalidInput
from service.datasets import Dataset

RNG = np.random.default_rng(0)


@pytest.fixture(scope="module")
def client(url: str) -> Any:
    with InklingClient(url) as client:
        yield client


def probabilities(client: InklingClient, name: str, images: Any) -> Any:
    return np.array([list(one.probabilities.values()) for one in client.predict_all(images, model=name)])


@pytest.mark.parametrize("activation", ["relu", "logistic", "tanh"])
@pytest.mark.parametrize("classes", [tuple(range(10)), (2, 3)])
def test_a_classifier_of_scikit_learn(
    client: InklingClient, mnist: Dataset, activation: str, classes: Sequence[int]
) -> None:
    chosen = np.isin(mnist.training.labels[:2000], classes)
    x, y = mnist.training.images[:2000][chosen].reshape(-1, 784) / 255, mnist.training.labels[:2000][chosen]
    classifier = MLPClassifier((16, 8), activation=activation, max_iter=5, random_state=0)
    with pytest.warns(UserWarning, match="converge"):
        classifier.fit(x, y)
    name = f"{activation}-of-{len(classes)}"
    made = client.import_weights(name, classifier, input_scaling="unit", calibrate=False)
    images = mnist.test.images[:50]
    found = probabilities(client, name, images)
    expected = classifier.predict_proba(images.reshape(-1, 784) / 255)
    order = [list(classifier.classes_).index(label) for label in made["classes"]]
    np.testing.assert_allclose(found, expected[:, order], atol=1e-9)
    tested = np.isin(mnist.test.labels, classes)
    accuracy = classifier.score(mnist.test.images[tested].reshape(-1, 784) / 255, mnist.test.labels[tested])
    assert made["metrics"]["published"]["validation_accuracy"] == pytest.approx(accuracy)
    calibrated = client.import_weights(name, classifier, input_scaling="unit")["certainty"]
    assert (calibrated["part"], calibrated["n_images"]) == ("test", tested.sum()) and calibrated["temperature"] != 1


def test_other_estimators_of_scikit_learn_are_refused(client: InklingClient) -> None:
    x, y = RNG.normal(size=(20, 784)), RNG.integers(0, 2, (20, 3))
    for classifier, labels in (
        (MLPClassifier((4,), activation="identity", max_iter=1), y[:, 0]),
        (MLPClassifier((4,), max_iter=1), y),  # several labels at the same time
    ):
        with pytest.warns(UserWarning, match="converge"):
            classifier.fit(x, labels)
        with pytest.raises(InvalidField, match="cannot be imported"):
            client.import_weights("never", classifier, input_scaling="unit")


def matrix(fan_in: int, fan_out: int) -> Any:
    return RNG.normal(0, fan_in**-0.5, (fan_in, fan_out)).astype(np.float32)


def graph(nodes: Sequence[Any], constants: dict[str, Any], shape: Sequence[Any], output: str, **options: Any) -> bytes:
    """Return an ONNX file that makes ``output`` of ``x``, float unless another type is given."""
    inputs = [helper.make_tensor_value_info("x", options.get("kind", TensorProto.FLOAT), shape)]
    outputs = [helper.make_tensor_value_info(output, TensorProto.FLOAT, None)]
    tensors = [numpy_helper.from_array(value, name) for name, value in constants.items()]
    model = helper.make_model(
        helper.make_graph(nodes, "graph", inputs, outputs, tensors),
        opset_imports=[helper.make_opsetid("", 17)],
        ir_version=8,
    )
    content: bytes = model.SerializeToString()
    return content


def as_pytorch_writes_it() -> bytes:
    constants = {"W1": matrix(784, 12).T, "b1": matrix(12, 1)[:, 0], "W2": matrix(12, 10).T, "b2": matrix(10, 1)[:, 0]}
    nodes = [
        helper.make_node("Flatten", ["x"], ["flat"]),
        helper.make_node("Gemm", ["flat", "W1", "b1"], ["z1"], transB=1),
        helper.make_node("Tanh", ["z1"], ["a1"]),
        helper.make_node("Gemm", ["a1", "W2", "b2"], ["z2"], transB=1),
        helper.make_node("Softmax", ["z2"], ["p"], axis=1),
    ]
    return graph(nodes, constants, ["n", 1, 28, 28], "p")


def as_scikit_learn_is_converted() -> bytes:
    """With sums of their own, numbers on the way in and between layers, one output, and labels made of it."""
    constants = {"W1": matrix(784, 9), "b1": matrix(1, 9), "W2": matrix(9, 1), "b2": matrix(1, 1)}
    constants |= {"three": np.array([3], np.float32), "half": np.array(0.5, np.float32)}
    nodes = [
        helper.make_node("Sub", ["x", "half"], ["centred"]),
        helper.make_node("Div", ["centred", "half"], ["scaled"]),
        helper.make_node("MatMul", ["scaled", "W1"], ["m1"]),
        helper.make_node("Add", ["m1", "b1"], ["s1"]),
        helper.make_node("Sigmoid", ["s1"], ["a1"]),
        helper.make_node("Mul", ["three", "a1"], ["c1"]),
        helper.make_node("MatMul", ["c1", "W2"], ["m2"]),
        helper.make_node("Add", ["b2", "m2"], ["s2"]),
        helper.make_node("Sigmoid", ["s2"], ["p1"]),
        helper.make_node("Sub", ["half", "p1"], ["q1"]),
        helper.make_node("Concat", ["p1", "q1"], ["p"], axis=1),
    ]
    return graph(nodes, constants, ["n", 784], "p1")


@pytest.mark.parametrize("make", [as_pytorch_writes_it, as_scikit_learn_is_converted])
def test_an_onnx_file_of_another_program(client: InklingClient, mnist: Dataset, make: Any) -> None:
    content, images = make(), mnist.test.images[:50]
    session = onnxruntime.InferenceSession(content, providers=["CPUExecutionProvider"])
    (image,) = session.get_inputs()
    x = (images.astype(np.float32) / 255).reshape(-1, *image.shape[1:])
    (expected,) = session.run(None, {"x": x})
    is_binary = expected.shape[1] == 1
    classes = (3, 2) if is_binary else ()
    client.import_weights("of-onnx", content, input_scaling="unit", classes=classes, calibrate=False)
    found = probabilities(client, "of-onnx", images)
    np.testing.assert_allclose(found[:, : expected.shape[1]], expected, atol=1e-5)
    with pytest.raises(InvalidField, match="does not say its input_scaling"):
        client.import_weights("never", content)


@pytest.mark.parametrize("name", ["mnist-digits", "mnist-softmax", "mnist-2-vs-3"])
def test_an_onnx_file_of_this_program_comes_back(client: InklingClient, mnist: Dataset, name: str) -> None:
    content = client.weights_file(name, 1, format="onnx")
    classes = client.version(name, 1)["classes"]
    made = client.import_weights(f"{name}-again", content, classes=classes, calibrate=False)
    images = mnist.test.images[:200]
    session = onnxruntime.InferenceSession(content, providers=["CPUExecutionProvider"])
    (expected,) = session.run(["probabilities"], {"image": images})
    np.testing.assert_allclose(probabilities(client, f"{name}-again", images), expected, atol=1e-4)
    assert made["metrics"]["published"]["validation_accuracy"] > 0.9


def changed(content: bytes, change: Any) -> bytes:
    model = onnx.load_model_from_string(content)
    change(model.graph)
    made: bytes = model.SerializeToString()
    return made


def elsewhere(graph: Any) -> None:
    tensor = graph.initializer[0]
    tensor.data_location = TensorProto.EXTERNAL
    tensor.ClearField("raw_data")
    tensor.external_data.add(key="location", value="../../../../etc/passwd")


BAD = {
    "no graph": lambda content: b"\x08\x08",
    "damaged": lambda content: content[:-900],
    "weights in another file": lambda content: changed(content, elsewhere),
    "another activation": lambda content: changed(content, lambda graph: setattr(graph.node[2], "op_type", "Gelu")),
    "no activation": lambda content: changed(content, lambda graph: setattr(graph.node[2], "op_type", "Identity")),
    "a layer of layers": lambda content: changed(content, lambda graph: graph.node[3].input.__setitem__(1, "a1")),
    "another factor": lambda content: changed(
        content, lambda graph: graph.node[1].attribute.append(helper.make_attribute("alpha", 2.0))
    ),
}


@pytest.mark.parametrize("break_", BAD.values(), ids=BAD)
def test_other_onnx_files_are_refused(client: InklingClient, break_: Any) -> None:
    with pytest.raises(InvalidInput) as refused:
        client.import_weights("never", break_(as_pytorch_writes_it()), input_scaling="unit")
    assert refused.value.status == 400
