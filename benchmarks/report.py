"""How long the whole course report takes, beside its runs trained one after the other as a student would write them.

    python -m benchmarks.report [--rounds N]

Each round measures both in processes of their own: ``inkling report`` from the command to the last file, in an empty
data folder; and `student`, which is plain NumPy in float64, batch by batch, without a picture or a file. The ratio of
the medians is printed, and that of the processor time, which says more where others use the machine. Both find the
same epoch of early stopping and the same norms, which is checked.
"""

from __future__ import annotations

import argparse
import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import numpy as np

from service.datasets import load_dataset

PENALTIES = (0.0, 1.0, 0.1, 0.01, 0.001)


def student() -> dict[str, float]:
    """Train every run of the report, one after the other, and return what is needed to see that they are right."""
    mnist = load_dataset("mnist")

    def prepare(images, labels):
        x = images.reshape(len(images), 784).astype(np.float64) / 127.5 - 1
        return np.hstack([x, np.ones((len(x), 1))]), labels

    x_train, y_train = prepare(mnist.training.images[:20_000], mnist.training.labels[:20_000])
    x_val, y_val = prepare(mnist.test.images, mnist.test.labels)

    def train(x, y, x_val, y_val, forward, cost, accuracy, *, rate, epochs, shuffle, l2=0.0):
        rng = np.random.default_rng(0)
        w = np.zeros((x.shape[1], y.shape[1]))
        n_batches, step, losses = len(x) // 128, 0, []
        for epoch in range(epochs):
            order = rng.permutation(len(x)) if shuffle else np.arange(len(x))
            for batch in range(n_batches):
                chosen = order[128 * batch : 128 * (batch + 1)]
                x_batch, y_batch = x[chosen], y[chosen]
                y_hat = forward(x_batch, w)
                cost(y_batch, y_hat)  # the training loss of each step is part of the report's curves
                w -= rate * (-x_batch.T @ (y_batch - y_hat) / len(x_batch) + 2 * l2 * w)
                if step % (n_batches // 5) == 0:
                    y_hat = forward(x_val, w)
                    losses.append(cost(y_val, y_hat))
                    accuracy(y_val, y_hat)
                    accuracy(y, forward(x, w))
                    if len(losses) > 10 and losses[-11] == min(losses[-11:]):
                        return w, epoch
                step += 1
        return w, epochs - 1

    def binary(x, y):
        chosen = (y == 2) | (y == 3)
        return x[chosen], (y[chosen] == 2).astype(np.float64)[:, None]

    def sigmoid(x, w):
        return 1 / (1 + np.exp(-x @ w))

    def softmax(x, w):
        z = np.exp(x @ w)
        return z / z.sum(axis=1, keepdims=True)

    logistic = (
        sigmoid,
        lambda y, y_hat: -np.mean(y * np.log(y_hat) + (1 - y) * np.log(1 - y_hat)),
        lambda y, y_hat: np.mean((y_hat > 0.5) == y),
    )
    multiclass = (
        softmax,
        lambda y, y_hat: -np.mean(np.sum(y * np.log(y_hat), axis=1)),
        lambda y, y_hat: np.mean(y_hat.argmax(axis=1) == y.argmax(axis=1)),
    )
    data = (*binary(x_train, y_train), *binary(x_val, y_val))
    _, epoch = train(*data, *logistic, rate=0.05, epochs=500, shuffle=False)
    train(*data, *logistic, rate=0.05, epochs=500, shuffle=True)
    found = {"epoch": float(epoch)}
    data = (x_train, np.eye(10)[y_train], x_val, np.eye(10)[y_val])
    for l2 in PENALTIES:
        w, _ = train(*data, *multiclass, rate=0.01, epochs=50, shuffle=True, l2=l2)
        found[f"{l2:g}"] = float(np.linalg.norm(w))
    return found


def report(folder: Path) -> dict[str, float]:
    """Run the command, and return the same numbers."""
    command = [sys.executable, "-m", "service", "report", "--out", str(folder / "out"), "--data-dir", str(folder)]
    # As `make run` has it: imports find their bytecode, whatever the environment of this program says.
    environment = {name: value for name, value in os.environ.items() if name != "PYTHONDONTWRITEBYTECODE"}
    subprocess.run(command, check=True, stdout=subprocess.DEVNULL, env=environment)
    numbers = json.loads((folder / "out" / "report.json").read_text())
    norms = {f"{run['l2_penalty']:g}": run["norm"] for run in numbers["softmax"]}
    return {"epoch": float(numbers["in_order"]["last"]["epoch"]), **norms}


def processor_s() -> float:
    """Return the processor time of all processes that this one has started and that have ended."""
    times = os.times()
    return times.children_user + times.children_system


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=1)
    parser.add_argument("--student", action="store_true", help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if arguments.student:
        print(json.dumps(student()))
        return
    plain_s, report_s, plain_cpu_s, report_cpu_s = [], [], [], []
    for number in range(arguments.rounds):
        with tempfile.TemporaryDirectory() as folder:
            began, used_s = time.monotonic(), processor_s()
            ours = report(Path(folder))
            report_s.append(time.monotonic() - began)
            report_cpu_s.append(processor_s() - used_s)
        began, used_s = time.monotonic(), processor_s()
        said = subprocess.run(
            [sys.executable, "-m", "benchmarks.report", "--student"], check=True, capture_output=True, text=True
        ).stdout
        plain_s.append(time.monotonic() - began)
        plain_cpu_s.append(processor_s() - used_s)
        theirs = json.loads(said)
        assert ours["epoch"] == theirs["epoch"] == 33
        for l2 in ("0", "1", "0.1"):  # the others may stop at different epochs: the batches are drawn differently
            assert abs(ours[l2] / theirs[l2] - 1) < 0.03, (l2, ours[l2], theirs[l2])
        print(f"round {number + 1}: report {report_s[-1]:6.2f} s   plain {plain_s[-1]:6.2f} s", flush=True)
    ours_s, theirs_s = statistics.median(report_s), statistics.median(plain_s)
    print(f"the report {ours_s:.1f} s, plain NumPy {theirs_s:.1f} s: {theirs_s / ours_s:.1f} times faster")
    ours_s, theirs_s = statistics.median(report_cpu_s), statistics.median(plain_cpu_s)
    print(f"of processor time {ours_s:.1f} and {theirs_s:.1f} s: {theirs_s / ours_s:.1f} times less")


if __name__ == "__main__":
    main()
