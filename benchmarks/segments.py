"""Train the network that says whether a candidate is one whole digit, `service/registry/whole_digits.npz`, and fit the
costs of candidates in `service.inference.segmentation`.

Candidates are those of `benchmarks.numbers`, most of them of digits that touch, written with MNIST's training part. The
network is trained by the core on four fifths of the numbers; the costs are a logistic regression on the rest, which the
network has not seen. From the project's root, in ten minutes of processor time::

    python -m benchmarks.segments
"""

from __future__ import annotations

import argparse
import hashlib
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from benchmarks.numbers import KINDS, number_of
from service.bootstrap import shipped_models
from service.core import Floats, TrainingConfig, TrainingData, design_matrix, train
from service.core.npz import write_npz
from service.datasets import load_dataset
from service.inference import DecodingLimits, predict, read_picture
from service.inference.preprocessing import to_grey
from service.inference.reading import MAX_PARTS, image_of, limited_log_odds, nll_of, writing_in
from service.inference.segmentation import candidates, find_text
from service.registry import Model, Registry
from service.registry.detector import WHOLE_LAYERS, WHOLE_WEIGHTS
from service.stores import LocalStore

_NEAR = 0.13
"""How far the sides of a candidate's box may be from a digit's, in heights of the line."""
_FITTED_EVERY = 5
CONFIG = TrainingConfig(
    model="logistic",
    classes=(1, 0),
    hidden_layers=WHOLE_LAYERS,
    learning_rate=0.05,
    epochs=25,
    patience=None,
    checks_per_epoch=1,
    augmentation="soft",
)


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Candidates:
    """Candidates of many numbers.

    Parameters
    ----------
    features : (n, n_costs), the negative log-likelihood last.
    images : (n, 28, 28) uint8.
    is_digit : (n,) whether they are one whole digit.
    number : (n,) of which number they are.
    """

    features: NDArray[np.float64]
    images: NDArray[np.uint8]
    is_digit: NDArray[np.bool_]
    number: NDArray[np.int64]


def collected(model: Model, *, n_numbers: int, seed: int = 21) -> Candidates:
    """Write numbers of every kind, a third as many where none touch, and take all candidates of them."""
    features, images, is_digit, number = [], [], [], []
    n_written = 0
    for place, kind in enumerate(KINDS.values()):
        rng = np.random.default_rng([seed, place])
        for _ in range(n_numbers if min(kind.gaps(rng, 1)) < 0 else n_numbers // 3):
            written = number_of(kind, rng, load_dataset("mnist").training)
            picture = read_picture(written.content, DecodingLimits())
            darkness, _ = writing_in(to_grey(picture.pixels)[0])
            x, y, width, height = np.array(written.boxes).T * darkness.shape[1] / picture.size_px[0]
            true = np.stack([y, x, y + height, x + width], axis=1)
            text = find_text(darkness, MAX_PARTS)
            for line in text.lines:
                segments = [segment for segment in candidates(line) if segment.mark is None]
                of_line = np.array([image_of(darkness, text.labels, one)[0] for one in segments])
                nll = nll_of(predict(model, of_line)[1])
                images.append(of_line)
                features += [[*one.features, of_model] for one, of_model in zip(segments, nll, strict=True)]
                distances = [np.abs(true - one.box).max(axis=1).min() for one in segments]
                is_digit += [distance < _NEAR * line.height_px for distance in distances]
                number += [n_written] * len(segments)
            n_written += 1
    return Candidates(
        features=np.array(features), images=np.concatenate(images), is_digit=np.array(is_digit), number=np.array(number)
    )


def trained(found: Candidates, is_fitted: NDArray[np.bool_]) -> tuple[bytes, Floats]:
    """Train the network on candidates that are not for the costs; return its file, and its probabilities of all."""
    function = CONFIG.build_model()
    x, y = design_matrix(found.images, scaling=function.scaling), np.where(found.is_digit, 0, 1)
    data = TrainingData(
        x_train=x[~is_fitted], y_train=y[~is_fitted], x_validation=x[is_fitted], y_validation=y[is_fitted]
    )
    row = train(CONFIG, data).state.last
    return write_npz(function.layout.views(row)), function.probabilities(row, x)[:, 0]


def fitted(features: NDArray[np.float64], is_digit: NDArray[np.bool_]) -> tuple[list[float], float]:
    """Fit a logistic regression, with an L2 penalty on costs in units of the usual values, by Newton's method.

    Returns
    -------
    The costs, and the share of candidates that are classified correctly.
    """
    scale = np.maximum(np.abs(features).mean(axis=0), 1e-9)
    x, costs = features / scale, np.zeros(features.shape[1])
    for _ in range(50):
        p = 1 / (1 + np.exp((x @ costs).clip(-50, 50)))
        hessian = (x * (p * (1 - p))[:, np.newaxis]).T @ x + np.eye(len(costs))
        costs -= np.linalg.solve(hessian, x.T @ (is_digit - p) + costs)
    return (costs / scale).tolist(), float(np.mean((x @ costs < 0) == is_digit))


def main() -> None:
    """Collect, train, fit, write the weights, and print what `detector` and `segmentation` say of them."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--numbers", type=int, default=700, help="of each kind in which digits touch")
    options = parser.parse_args()
    model = Registry(LocalStore(shipped_models())).load("mnist-digits", 1)
    found = collected(model, n_numbers=options.numbers)
    print(f"{len(found.is_digit):,} candidates, {found.is_digit.mean():.3f} of them digits", flush=True)
    is_fitted = found.number % _FITTED_EVERY == 0
    content, p = trained(found, is_fitted)
    WHOLE_WEIGHTS.write_bytes(content)
    print(f"WHOLE_SHA256 = {hashlib.sha256(content).hexdigest()!r}")
    with_network = np.column_stack([found.features, limited_log_odds(p)])[is_fitted]
    for name, features, is_digit in (
        ("COSTS", found.features, found.is_digit),
        ("COSTS_OF_DIGITS", with_network, found.is_digit[is_fitted]),
    ):
        costs, share = fitted(features, is_digit)
        print(f"{name} = ({', '.join(f'{cost:.2f}' for cost in costs)}), {share:.3f} are classified correctly")


if __name__ == "__main__":
    main()
