"""Models, data sets and what hangs on them."""

from __future__ import annotations

from tests.security.case import CANARY, Case, get

_VERSION = "/models/mnist-softmax/versions/1"
_RANGES = {"headers": {"Range": "bytes=" + ",".join(f"{n}-{n}" for n in range(3_000))}}

MODELS: tuple[Case, ...] = (
    get(115, "/models/..%2f..", 404, "not-found"),
    get(115, f"/models/..%2f{'a' * 64}", 404, "not-found"),
    get(115, f"/models/sha256:{'a' * 64}", 404, "model-not-found"),
    get(115, f"/models/{'A' * 65}", 404, "model-not-found"),
    get(115, "/models/nobody", 404, "model-not-found"),
    get(115, f"/models/{CANARY}%00/versions/1/weights.npz", 404, "model-not-found"),
    get(115, "/models/mnist-softmax/versions/0", 404, "model-not-found"),
    get(115, "/models/mnist-softmax/versions/-1", 404, "model-not-found"),
    get(115, "/models/mnist-softmax/versions/%D9%A1", 404, "model-not-found"),
    get(115, "/models/mnist-softmax/versions/99999999999999999999", 404, "model-not-found"),
    get(115, "/models/mnist-softmax/versions/..%2f1/weights.npz", 404, "not-found"),
    get(115, "/models/mnist-softmax/aliases/nobody/history", 404, "model-not-found"),
    get(115, "/models/mnist-softmax/aliases/nobody", 404, "model-not-found", method="DELETE"),
    get(110, f"{_VERSION}/weights.npz?x=1", 422, "invalid-field", "x"),
    get(110, f"{_VERSION}/weights.png?upscale=0", 422, "invalid-field", "upscale"),
    get(110, f"{_VERSION}/weights.png?upscale=1000000", 422, "invalid-field", "upscale"),
    get(121, "/models/mnist-softmax", 405, "method-not-allowed", method="DELETE", ours="versions are immutable"),
    get(122, f"{_VERSION}/weights.npz", 200, None, name="3,000 ranges", request=_RANGES),
    get(122, "//static/index.css", 200, None, name="3,000 ranges of a file", request=_RANGES),
    get(115, "/compare?model=..%2f..&model=x", 404, "model-not-found"),
    get(115, "/compare?model=x%2f1%2f2&model=x", 422, "invalid-field", "model"),
    get(115, "/compare?model=nobody%2f1&model=nobody%2f2", 404, "model-not-found"),
    get(83, f"/datasets/{CANARY}", 404, "dataset-not-found"),
    get(83, "/datasets/..%2f..", 404, "not-found"),
    get(83, "/datasets/CON", 404, "dataset-not-found"),
    get(83, "/datasets/mnist/images/60000.png", 404, "dataset-not-found"),
    get(83, "/datasets/mnist/images/-1.png", 404, "dataset-not-found"),
    get(83, f"/datasets/mnist/images/{'9' * 5000}.png", 422, "invalid-field"),
    get(83, "/datasets/mnist/images/x.png", 422, "invalid-field"),
    get(83, f"/datasets/mnist/images/0.png?part={CANARY}", 422, "invalid-field", "part"),
    get(83, "/datasets/nist/images", 404, "dataset-not-found"),
    get(83, "/datasets/mnist/images?label=10", 422, "invalid-field", "label"),
    get(83, "/datasets/mnist/images?after=-2", 422, "invalid-field", "after"),
    get(83, "/datasets/mnist/contact-sheet.png?per_class=0", 422, "invalid-field", "per_class"),
)
