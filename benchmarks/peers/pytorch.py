"""PyTorch on the CPU: a linear layer, cross-entropy, SGD, two threads. One member after the other."""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch.nn.functional import cross_entropy

from benchmarks.peers.task import Curve, Task, new_low_is_overdue


def prepare(task: Task) -> Callable[[], list[Curve]]:
    """Read the data into tensors; one step and one check warm up; return the training."""
    torch.set_num_threads(2)
    data, check_interval = task.data(), task.schedule.check_interval
    x, y = torch.from_numpy(data.x_train), torch.from_numpy(data.y_train)
    x_val, y_val = torch.from_numpy(data.x_validation), torch.from_numpy(data.y_validation)
    order = torch.from_numpy(task.order())

    def train_member(l2, order):
        model = torch.nn.Linear(785, 10, bias=False, dtype=x.dtype)  # the last column of the images is the bias
        torch.nn.init.zeros_(model.weight)
        optimizer = torch.optim.SGD(model.parameters(), lr=task.learning_rate, weight_decay=2 * l2)
        checks, train_losses = [], []
        for step, chosen in enumerate(order):
            optimizer.zero_grad()
            loss = cross_entropy(model(x[chosen]), y[chosen])
            loss.backward()
            optimizer.step()
            train_losses.append(loss.detach())
            if step % check_interval == 0:
                with torch.inference_mode():
                    z = model(x_val)
                    correct, correct_train = z.argmax(1) == y_val, model(x).argmax(1) == y
                    numbers = (cross_entropy(z, y_val), correct.double().mean(), correct_train.double().mean())
                checks.append(tuple(number.item() for number in numbers))
                if new_low_is_overdue([loss for loss, _, _ in checks], task.patience):
                    break
        return Curve(n_steps=step + 1, checks=checks)

    train_member(0.0, order[:1])
    return lambda: [train_member(l2, order) for l2 in task.l2]
