"""Plain NumPy for a sweep: the members' weights side by side as columns of one matrix, the rest as in `student`."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from benchmarks.peers.task import Curve, Task, new_low_is_overdue


def prepare(task: Task) -> Callable[[], list[Curve]]:
    """Read the data, with labels as one-hot rows; return the training."""
    data, order, check_interval = task.data(), task.order(), task.schedule.check_interval
    x, x_val = data.x_train, data.x_validation
    one_hot = np.eye(10, dtype=x.dtype)
    y, y_val = one_hot[data.y_train], one_hot[data.y_validation]

    def softmax(x, w):  # (n_images, n_members, 10)
        z = np.exp(x @ w).reshape(len(x), -1, 10)
        return z / z.sum(axis=2, keepdims=True)

    def cost(y, y_hat):
        return -np.mean(np.sum(y[:, None] * np.log(y_hat), axis=2), axis=0)

    def accuracy(y, y_hat):
        return np.mean(y_hat.argmax(axis=2) == y.argmax(axis=1)[:, None], axis=0)

    def train():
        running = np.arange(len(task.l2))
        decay = 2 * np.repeat(np.array(task.l2, x.dtype), 10)
        w = np.zeros((785, 10 * len(running)), x.dtype)
        checks = [[] for _ in running]
        n_steps, train_losses = [len(order)] * len(running), []
        for step, chosen in enumerate(order):
            x_batch, y_batch = x[chosen], y[chosen]
            y_hat = softmax(x_batch, w)
            train_losses.append(cost(y_batch, y_hat))
            errors = (y_batch[:, None] - y_hat).reshape(len(chosen), -1)
            w -= task.learning_rate * (-x_batch.T @ errors / len(chosen) + decay * w)
            if step % check_interval == 0:
                y_hat = softmax(x_val, w)
                rows = zip(cost(y_val, y_hat), accuracy(y_val, y_hat), accuracy(y, softmax(x, w)), strict=True)
                for member, row in zip(running, rows, strict=True):
                    checks[member].append(tuple(map(float, row)))
                stops = np.array([new_low_is_overdue([c[0] for c in checks[m]], task.patience) for m in running])
                for member in running[stops]:
                    n_steps[member] = step + 1
                running, columns = running[~stops], np.repeat(~stops, 10)
                w, decay = w[:, columns], decay[columns]
                if not len(running):
                    break
        return [Curve(n_steps=n, checks=rows) for n, rows in zip(n_steps, checks, strict=True)]

    return train
