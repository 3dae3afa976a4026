"""JAX on the CPU: the whole training in one jitted function, scans between checks; a sweep is its vmap over l2.

Stopping is inside too, so nothing goes back and forth until the end. Under vmap a member that has stopped is carried
along until the last one stops, as vmap has it.
"""

from __future__ import annotations

from collections.abc import Callable

import jax
import jax.numpy as jnp
import numpy as np
from jax import lax

from benchmarks.peers.task import Curve, Task


def prepare(task: Task, *, class_major: bool = False) -> Callable[[], list[Curve]]:
    """Read the data and compile; return the training. Logits are (n_images, 10), or (10, n_images) if class-major."""
    data, check_interval = task.data(), task.schedule.check_interval
    arrays = [jnp.asarray(part) for part in (data.x_train, data.y_train, data.x_validation, data.y_validation)]
    order = jnp.asarray(task.order())
    n_checks = (len(order) - 1) // check_interval + 1
    between = order[1 : 1 + (n_checks - 1) * check_interval].reshape(n_checks - 1, check_interval, -1)
    rest = order[1 + (n_checks - 1) * check_interval :]

    axis = 0 if class_major else 1

    def logits(w, x):
        return w @ x.T if class_major else x @ w

    def cross_entropy(z, y):
        return -jnp.mean(jnp.sum(jax.nn.one_hot(y, 10, axis=axis) * jax.nn.log_softmax(z, axis=axis), axis=axis))

    def cost(w, x, y):
        return cross_entropy(logits(w, x), y)

    def train(l2, x, y, x_val, y_val, between, rest):
        def step(w, chosen):
            loss, gradient = jax.value_and_grad(cost)(w, x[chosen], y[chosen])
            return w - task.learning_rate * (gradient + 2 * l2 * w), loss

        def check(w):
            z, z_train = logits(w, x_val), logits(w, x)
            accuracies = [jnp.mean(of.argmax(axis=axis) == labels) for of, labels in ((z, y_val), (z_train, y))]
            return jnp.array([cross_entropy(z, y_val), *accuracies])

        def period(state):
            n, w, checks, train_losses, lowest, without = state
            w, losses = lax.scan(step, w, between[n - 1])
            row = check(w)
            improved = row[0] < lowest
            return (
                n + 1,
                w,
                checks.at[n].set(row),
                train_losses.at[n - 1].set(losses),
                jnp.minimum(row[0], lowest),
                jnp.where(improved, 0, without + 1),
            )

        w, _ = step(jnp.zeros((10, 785) if class_major else (785, 10)), order[0])
        row = check(w)
        state = (1, w, jnp.zeros((n_checks, 3)).at[0].set(row), jnp.zeros(between.shape[:2]), row[0], 0)
        state = lax.while_loop(lambda s: (s[0] < n_checks) & (s[5] < task.patience), period, state)
        n, w, checks, train_losses, _, without = state
        last, _ = lax.scan(step, w, rest)
        stopped = without >= task.patience
        return jnp.where(stopped, w, last), checks, n, stopped, train_losses

    one = len(task.l2) == 1
    l2 = jnp.array(task.l2[0] if one else task.l2)
    mapped = train if one else jax.vmap(train, in_axes=(0, *[None] * 6))
    compiled = jax.jit(mapped).lower(l2, *arrays, between, rest).compile()

    def run():
        _, checks, n, stopped, _ = jax.block_until_ready(compiled(l2, *arrays, between, rest))
        return curves(checks, n, stopped)

    def curves(checks, n, stopped):
        members = zip(
            np.asarray(checks).reshape(-1, n_checks, 3), np.atleast_1d(n), np.atleast_1d(stopped), strict=True
        )
        return [
            Curve(
                n_steps=int((n - 1) * check_interval + 1 if stopped else len(order)),
                checks=checks[:n].tolist(),
            )
            for checks, n, stopped in members
        ]

    return run
