"""What share of digits, and of pictures that are none, gets which verdict; and what each threshold refuses.

Digits are those of `benchmarks.accuracy`, but of the drawings only the styles on which the detector was not trained;
what is no digit is `benchmarks.not_digits.KINDS`, in fonts and strokes that no training has seen. All take the way of a
user's picture. Run it from the project's root::

    python -m benchmarks.verdicts
"""

from __future__ import annotations

import argparse
from importlib.util import find_spec

import numpy as np
from numpy.typing import NDArray

from benchmarks.accuracy import SOURCES, Labelled, read, saved
from benchmarks.not_digits import KINDS
from service.bootstrap import shipped_models
from service.inference import Thresholds, judge, predict
from service.registry import Registry
from service.reports.drawings import STYLES, digit_of, draw
from service.stores import LocalStore

VERDICTS = ("digit", "unsure", "several-digits", "not-a-digit", "blank")
CURVE = (0.5, 0.6, 0.7, 0.8, 0.9, 0.95, 0.99)


def unseen_drawings(n_images: int, rng: np.random.Generator) -> Labelled:
    """Return drawings in the styles that the detector was not trained on."""
    styles = [list(STYLES)[1::2][n % (len(STYLES) // 2)] for n in range(n_images)]
    return read(saved(draw(style, rng)) for style in styles), np.array([digit_of(style) for style in styles])


def main() -> None:
    """Print the tables in Markdown."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--model", default="mnist-digits")
    parser.add_argument("--digits", type=int, default=2000, help="of each kind at most")
    parser.add_argument("--others", type=int, default=300, help="of each kind")
    options = parser.parse_args()
    registry = Registry(LocalStore(shipped_models()))
    model = registry.load(options.model, registry.resolve(options.model))
    sources = {**SOURCES, "drawings": unseen_drawings}
    if find_spec("sklearn") is None:
        del sources["scikit-learn's 8x8, enlarged"]
    print(f"| digits | images | {' | '.join(VERDICTS)} | of the right, refused | of the wrong, refused |")
    print(f"|---|---:|{'---:|' * (len(VERDICTS) + 2)}")
    curve: list[tuple[float, float]] = []
    for title, source in sources.items():
        inputs, labels = source(options.digits, np.random.default_rng(0))
        digits, table = predict(model, inputs.images)
        is_refused = np.array([verdict != "digit" for verdict in judge(model, inputs, digits, table)[0]])
        is_right = digits == labels
        counts = shares(judge(model, inputs, digits, table)[0])
        refused = f"{is_refused[is_right].mean():.1%} | {is_refused[~is_right].sum()} of {(~is_right).sum()}"
        print(f"| {title} | {len(labels):,} | {counts} | {refused} |", flush=True)
        if title == "MNIST test, distorted":
            for unsure_below in CURVE:
                found, _ = judge(model, inputs, digits, table, Thresholds(unsure_below=unsure_below))
                accepted = np.array(found) == "digit"
                curve.append((1 - accepted.mean(), 1 - is_right[accepted].mean()))
    print(f"\n| not digits | images | {' | '.join(VERDICTS)} |\n|---|---:|{'---:|' * len(VERDICTS)}")
    everything: list[str] = []
    for title, make in KINDS.items():
        rng = np.random.default_rng(1)
        inputs = read(saved(make(rng)) for _ in range(options.others))
        verdicts, _ = judge(model, inputs, *predict(model, inputs.images))
        everything += verdicts
        print(f"| {title} | {len(verdicts):,} | {shares(verdicts)} |", flush=True)
    print(f"| all | {len(everything):,} | {shares(everything)} |")
    print("\n| unsure below | of distorted test digits refused | errors among the others |\n|---:|---:|---:|")
    for unsure_below, (refused_share, error) in zip(CURVE, curve, strict=True):
        print(f"| {unsure_below} | {refused_share:.1%} | {error:.2%} |")


def shares(verdicts: list[str]) -> str:
    """Return the share of each verdict, as cells of a table."""
    found: NDArray[np.str_] = np.array(verdicts)
    return " | ".join(f"{np.mean(found == verdict):.1%}" for verdict in VERDICTS)


if __name__ == "__main__":
    main()
