"""Networks, each contender in a process of its own on one core: ``python -m benchmarks.peers.network NAME JSON``.

All begin with the same parameters, take the same batches in the same order and make one check an epoch: the loss of the
validation images and the accuracy of both parts. Reading, scaling and compiling come before the clock starts.
"""

from __future__ import annotations

import json
import os
import sys
import time
from collections.abc import Callable
from typing import Any

os.sched_setaffinity(0, {min(os.sched_getaffinity(0))})  # before anything starts threads

import numpy as np  # noqa: E402
from threadpoolctl import threadpool_limits  # noqa: E402

from service.core import TrainingConfig, train  # noqa: E402
from service.core.data import Schedule, TrainingData, epoch_batches  # noqa: E402
from service.core.training import initial_state  # noqa: E402
from service.datasets import load_dataset, split  # noqa: E402

GAIN, SLOPE = 1.7159, 2 / 3


def inkling(config: TrainingConfig, data: TrainingData) -> Callable[[], float]:
    """Train as the product does, the checks too on this thread; return the norm of the parameters."""

    def run() -> float:
        return float(np.linalg.norm(train(config, data).last))

    return run


class _Given:
    """What the peers are given: two matrices with their biases in the last row, and the batches of all epochs."""

    def __init__(self, config: TrainingConfig, data: TrainingData):
        model = config.build_model()
        self.matrices = [m.copy() for m in model.layout.views(initial_state(config, model).last).values()]
        schedule = Schedule.of(config, len(data.y_train))
        steps = (list(epoch_batches(config, schedule, e * schedule.batches_per_epoch)) for e in range(config.epochs))
        self.order = np.concatenate([np.array(epoch) for epoch in steps])
        self.check_interval = schedule.check_interval


def pytorch(config: TrainingConfig, data: TrainingData) -> Callable[[], float]:
    """PyTorch, eager, one thread: layers, cross-entropy and SGD with momentum as the library has them."""
    import torch  # noqa: PLC0415 - the others need not have it
    from torch.nn.functional import cross_entropy  # noqa: PLC0415

    torch.set_num_threads(1)
    given = _Given(config, data)
    x, y, x_val, y_val = (
        torch.from_numpy(part) for part in (data.x_train, data.y_train, data.x_validation, data.y_validation)
    )
    order = torch.from_numpy(given.order)

    class Improved(torch.nn.Module):
        def forward(self, z: Any) -> Any:
            return GAIN * torch.tanh(SLOPE * z)

    def run(steps: Any = order) -> float:
        first, second = (torch.from_numpy(matrix) for matrix in given.matrices)
        hidden, out = torch.nn.Linear(785, first.shape[1], bias=False), torch.nn.Linear(first.shape[1], 10)
        with torch.no_grad():
            hidden.weight.copy_(first.T)
            out.weight.copy_(second[:-1].T)
            out.bias.copy_(second[-1])
        model = torch.nn.Sequential(hidden, Improved(), out)
        optimizer = torch.optim.SGD(model.parameters(), lr=config.learning_rate, momentum=config.momentum)
        for step, chosen in enumerate(steps):
            optimizer.zero_grad()
            cross_entropy(model(x[chosen]), y[chosen]).backward()
            optimizer.step()
            if step % given.check_interval == 0:
                with torch.inference_mode():
                    z = model(x_val)
                    _ = (
                        cross_entropy(z, y_val).item(),
                        (z.argmax(1) == y_val).sum().item(),
                        (model(x).argmax(1) == y).sum().item(),
                    )
        return float(torch.cat([p.detach().ravel() for p in model.parameters()]).norm())

    run(order[:1])
    return run


def jax(config: TrainingConfig, data: TrainingData) -> Callable[[], float]:
    """JAX: the steps between two checks in one compiled scan."""
    import jax as j  # noqa: PLC0415
    import jax.numpy as jnp  # noqa: PLC0415

    given = _Given(config, data)
    x, y, x_val, y_val = map(jnp.asarray, (data.x_train, data.y_train, data.x_validation, data.y_validation))

    def logits(parameters: Any, x: Any) -> Any:
        first, second = parameters
        return GAIN * jnp.tanh(SLOPE * (x @ first)) @ second[:-1] + second[-1]

    def cost(parameters: Any, x: Any, y: Any) -> Any:
        return -jnp.mean(jnp.take_along_axis(j.nn.log_softmax(logits(parameters, x)), y[:, None], 1))

    def step(state: Any, chosen: Any) -> Any:
        parameters, velocity = state
        loss, gradient = j.value_and_grad(cost)(parameters, x[chosen], y[chosen])
        velocity = [config.momentum * v + g for v, g in zip(velocity, gradient, strict=True)]
        return ([p - config.learning_rate * v for p, v in zip(parameters, velocity, strict=True)], velocity), loss

    def check(parameters: Any) -> Any:
        z = logits(parameters, x_val)
        correct = jnp.mean(z.argmax(1) == y_val), jnp.mean(logits(parameters, x).argmax(1) == y)
        return cost(parameters, x_val, y_val), *correct

    def scanned(state: Any, order: Any) -> Any:
        return j.lax.scan(step, state, order)[0]

    starts = range(1, len(given.order), given.check_interval)
    parts = [given.order[:1], *(given.order[start : start + given.check_interval] for start in starts)]
    parts = [jnp.asarray(part) for part in parts]
    parameters = [jnp.asarray(matrix) for matrix in given.matrices]
    state = (parameters, [jnp.zeros_like(p) for p in parameters])
    compiled = {len(part): j.jit(scanned).lower(state, part).compile() for part in parts}
    checked = j.jit(check).lower(parameters).compile()

    def run() -> float:
        now = state
        for number, part in enumerate(parts):
            now = compiled[len(part)](now, part)
            if number == 0 or len(part) == given.check_interval:  # a check follows step 0, then each interval
                j.block_until_ready(checked(now[0]))
        return float(jnp.sqrt(sum(jnp.sum(p * p) for p in now[0])))

    return run


def layer_by_layer(config: TrainingConfig, data: TrainingData) -> Callable[[], float]:
    """NumPy in float64, a layer at a time with one-hot targets, as the course's staff writes it."""
    given = _Given(config, data)
    x, x_val = data.x_train.astype(np.float64), data.x_validation.astype(np.float64)
    one_hot = np.eye(10)
    y, y_val = one_hot[data.y_train], one_hot[data.y_validation]

    def forward(ws: list[Any], x: Any) -> list[Any]:
        activations = [x]
        for w in ws[:-1]:
            a = GAIN * np.tanh(SLOPE * (activations[-1] @ w))
            activations.append(np.concatenate((a, np.ones((len(a), 1))), axis=1))
        exponentials = np.exp(activations[-1] @ ws[-1])
        activations.append(exponentials / exponentials.sum(axis=1, keepdims=True))
        return activations

    def run() -> float:
        ws = [matrix.astype(np.float64) for matrix in given.matrices]
        velocities = [np.zeros_like(w) for w in ws]
        for step, chosen in enumerate(given.order):
            activations = forward(ws, x[chosen])
            delta = -(y[chosen] - activations[-1]) / len(chosen)
            gradients = []
            for layer in range(len(ws) - 1, -1, -1):
                gradients.insert(0, activations[layer].T @ delta)
                if layer:
                    tanh = activations[layer][:, :-1] / GAIN
                    delta = (delta @ ws[layer][:-1].T) * (GAIN * SLOPE * (1 - tanh**2))
            for w, v, g in zip(ws, velocities, gradients, strict=True):
                np.multiply(v, config.momentum, out=v)
                np.add(v, g, out=v)
                np.subtract(w, config.learning_rate * v, out=w)
            if step % given.check_interval == 0:
                outputs = forward(ws, x_val)[-1]
                np.mean(np.sum(y_val * -np.log(outputs), axis=1))
                for of, labels in ((outputs, y_val), (forward(ws, x)[-1], y)):
                    np.mean(of.argmax(1) == labels.argmax(1))
        return float(np.sqrt(sum(np.sum(w * w) for w in ws)))

    return run


CONTENDERS = {each.__name__: each for each in (inkling, pytorch, jax, layer_by_layer)}


def main() -> None:
    """Prepare, train, and print the seconds by the clock and of the processor, and the norm of the parameters."""
    config = TrainingConfig.from_dict(json.loads(sys.argv[2]))
    with threadpool_limits(limits=1), np.errstate(over="ignore"):
        run = CONTENDERS[sys.argv[1]](config, split(load_dataset("mnist"), config))
        began_s, began_processor_s = time.perf_counter(), time.process_time()
        norm = run()
        found = {"seconds": time.perf_counter() - began_s, "processor_s": time.process_time() - began_processor_s}
    print(json.dumps({**found, "norm": norm}))


if __name__ == "__main__":
    main()
