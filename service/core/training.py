"""Mini-batch gradient descent: the one loop, written once for one run or a stack of many.

A stack is a set of runs that share data and batch order. Their weights stand side by side as columns, so that
one matrix product serves them all; a run that ends leaves the stack at once.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from .batches import Schedule, epoch_batches
from .config import TrainingConfig
from .data import N_FEATURES, Floats, Ints, TrainingData
from .models import MODELS
from .penalty import decay
from .results import (
    Check,
    CheckReport,
    OnCheck,
    OnEnd,
    ShouldStop,
    TrainingResult,
    TrainingState,
    ignore_check,
    ignore_end,
    never_stop,
)
from .stopping import EarlyStopping, StopReason

_BLOCK_MULTIPLY_ADDS = 750_000
"""Products below about a million multiply-adds skip OpenBLAS's packing, which pays for narrow weights."""


def train(
    config: TrainingConfig,
    data: TrainingData,
    *,
    on_check: OnCheck = ignore_check,
    should_stop: ShouldStop = never_stop,
    resume_from: TrainingState | None = None,
) -> TrainingResult:
    """Train one run; see `train_stack`."""
    states = None if resume_from is None else [resume_from]
    return train_stack([config], data, on_check=on_check, should_stop=should_stop, resume_from=states)[0]


def train_stack(
    configs: Sequence[TrainingConfig],
    data: TrainingData,
    *,
    on_check: OnCheck = ignore_check,
    on_end: OnEnd = ignore_end,
    should_stop: ShouldStop = never_stop,
    resume_from: Sequence[TrainingState] | None = None,
) -> list[TrainingResult]:
    """Train runs that share data and batch order, all from zero weights or all from one step.

    Each step, with the images X_b of its batch and one column of W an output::

        W <- W - learning_rate * (dC/dZ^T X_b + decay * W)          Z = X_b W

    Parameters
    ----------
    configs : one a member; they must agree in `TrainingConfig.stack_key`.
    data : of the members' dtype.
    on_check : called once for each member at each validation check, in the order of the members.
    on_end : called once for each member as it leaves the stack, while the others go on.
    should_stop : asked before each step for each member; True ends that member with what it has.
    resume_from : a state for each member, all with the same ``next_step``. A member that has made its epochs,
        or whose patience has run out, ends at once; more epochs or more patience let it go on.

    Returns
    -------
    One result a member. It is always returned: a loss that is not finite is a `StopReason`, not an exception.

    Raises
    ------
    ValueError
        The members do not belong in one stack, or the data or the states do not belong to them.
    """
    _check_stack(configs, data, resume_from)
    stack = _Stack(configs, data, on_end, resume_from)
    with np.errstate(over="ignore", invalid="ignore"):  # a loss that is not finite ends its member below
        while stack.members:
            for batch in epoch_batches(configs[0], stack.schedule, stack.step):
                stack.leave(StopReason.CANCELLED, [should_stop(m.number) for m in stack.members])
                if not stack.members:
                    break
                stack.make_step(data.x_train[batch], data.y_train[batch])
                if stack.members and stack.schedule.is_check(stack.step - 1):
                    for report in stack.check():
                        on_check(report)
                    stack.dismiss_finished()
            stack.dismiss_finished()
    return stack.results()


class _Member:
    """One run of a stack: all that is its own except its place in the common matrix."""

    def __init__(self, number: int, config: TrainingConfig, state: TrainingState | None):
        self.number = number
        self.config = config
        self.stopping = EarlyStopping(patience=config.patience)
        zeros = np.zeros((N_FEATURES, config.n_outputs), dtype=config.float_type)
        zeros.flags.writeable = False
        self.last = self.best = zeros
        self.best_check: Check | None = None
        self.last_check: Check | None = None
        self.losses: list[float] = []
        if state is not None:
            # Patience may have been given anew; what it counts goes on.
            self.stopping = EarlyStopping(
                patience=config.patience,
                lowest_loss=state.stopping.lowest_loss,
                checks_without_improvement=state.stopping.checks_without_improvement,
            )
            self.last, self.best = state.last, state.best
            self.best_check, self.last_check = state.best_check, state.last_check
            self.losses = state.pending_losses.tolist()
        self.checked = self.state(state.next_step if state else 0)

    def state(self, next_step: int) -> TrainingState:
        return TrainingState(
            next_step=next_step,
            last=self.last,
            best=self.best,
            stopping=self.stopping,
            best_check=self.best_check,
            last_check=self.last_check,
            pending_losses=np.array(self.losses, dtype=np.float64),
        )


class _Stack:
    """The members still in training; ``weights`` is (n_members, n_outputs, 785), each row an image."""

    def __init__(
        self,
        configs: Sequence[TrainingConfig],
        data: TrainingData,
        on_end: OnEnd,
        states: Sequence[TrainingState] | None,
    ):
        self.data = data
        self.on_end = on_end
        self.model = MODELS[configs[0].model]
        self.schedule = Schedule.of(configs[0], len(data.y_train))
        self.members = [
            _Member(number, config, states[number] if states else None) for number, config in enumerate(configs)
        ]
        self.finished: dict[int, TrainingResult] = {}
        self.step = states[0].next_step if states else 0
        self.weights = np.array([member.last.T for member in self.members], order="C")
        dtype = self.weights.dtype
        self.learning_rates = np.array([c.learning_rate for c in configs], dtype=dtype).reshape(-1, 1, 1)
        self.decays = np.stack([decay(c) for c in configs])[:, np.newaxis, :]
        self.dismiss_finished()

    def make_step(self, x: Floats, y: Ints) -> None:
        """Update all members by one batch; those whose loss is not finite leave before the update."""
        self.step += 1
        rows = self.weights.reshape(-1, N_FEATURES)
        logits = (rows @ x.T).reshape(*self.weights.shape[:2], len(x))
        losses, d_logits = self.model.loss_and_gradient(logits, y)
        finite = np.isfinite(losses)
        if not finite.all():
            self.leave(StopReason.NON_FINITE_LOSS, ~finite)
            losses, d_logits = losses[finite], d_logits[finite]
        gradient = (d_logits.reshape(-1, len(x)) @ x).reshape(self.weights.shape)
        if self.decays.any():
            gradient += self.decays * self.weights
        gradient *= self.learning_rates
        self.weights -= gradient
        for member, loss in zip(self.members, losses.tolist(), strict=True):
            member.losses.append(loss)

    def check(self) -> list[CheckReport]:
        """Validate all members after the newest step, and move their stoppers and best weights."""
        step = self.step - 1
        validation_logits = self._logits(self.data.x_validation)
        validation_losses = self.model.loss(validation_logits, self.data.y_validation)
        validation_accuracies = self.model.accuracy(validation_logits, self.data.y_validation)
        train_accuracies = self.model.accuracy(self._logits(self.data.x_train), self.data.y_train)
        finite = np.isfinite(validation_losses)
        reports = []
        for place, member in enumerate(self.members):
            if not finite[place]:
                continue
            check = Check(
                epoch=self.schedule.epoch_of(step),
                step=step,
                train_loss=member.losses[-1],
                train_accuracy=float(train_accuracies[place]),
                validation_loss=float(validation_losses[place]),
                validation_accuracy=float(validation_accuracies[place]),
            )
            self._take_weights(place, member)
            member.last_check = check
            member.stopping = member.stopping.after(check.validation_loss)
            if member.stopping.improved:
                member.best, member.best_check = member.last, check
            step_losses, member.losses = np.array(member.losses), []
            member.checked = member.state(self.step)
            reports.append(
                CheckReport(member=member.number, check=check, step_losses=step_losses, state=member.checked)
            )
        self.leave(StopReason.NON_FINITE_LOSS, ~finite)
        return reports

    def dismiss_finished(self) -> None:
        """Let go of the members whose patience has run out or whose epochs are made."""
        self.leave(StopReason.EARLY_STOPPING, [m.stopping.stop for m in self.members])
        epoch = self.schedule.epoch_of(self.step)
        self.leave(StopReason.MAX_EPOCHS, [epoch >= m.config.epochs for m in self.members])

    def leave(self, reason: StopReason, leaving: Sequence[bool] | NDArray[np.bool_]) -> None:
        """Take members out of the stack, each with its result; ``leaving`` tells for each whether it goes."""
        if not any(leaving):
            return
        kept = []
        for place, member in enumerate(self.members):
            if not leaving[place]:
                kept.append(place)
                continue
            # The newest update may have overflowed the weights, and no loss have been computed since.
            if reason is StopReason.NON_FINITE_LOSS or not np.isfinite(self.weights[place]).all():
                result = TrainingResult(
                    stop_reason=StopReason.NON_FINITE_LOSS, state=member.checked, failed_step=self.step - 1
                )
            else:
                self._take_weights(place, member)
                result = TrainingResult(stop_reason=reason, state=member.state(self.step))
            self.finished[member.number] = result
            self.on_end(member.number, result)
        self.members = [self.members[place] for place in kept]
        self.weights, self.decays = self.weights[kept], self.decays[kept]
        self.learning_rates = self.learning_rates[kept]

    def results(self) -> list[TrainingResult]:
        return [self.finished[number] for number in sorted(self.finished)]

    def _take_weights(self, place: int, member: _Member) -> None:
        """Copy a member's weights out of the common matrix, as (785, n_outputs), read-only."""
        member.last = self.weights[place].T.copy(order="C")
        member.last.flags.writeable = False

    def _logits(self, x: Floats) -> Floats:
        """Logits of all members for many images, (n_members, n_outputs, n_images), block by block."""
        rows = np.asfortranarray(self.weights.reshape(-1, N_FEATURES))  # small products run a sixth faster
        logits = np.empty((len(rows), len(x)), dtype=rows.dtype)
        block = max(96, _BLOCK_MULTIPLY_ADDS // rows.size)
        for start in range(0, len(x), block):
            part = slice(start, start + block)
            np.matmul(rows, x[part].T, out=logits[:, part])
        return logits.reshape(*self.weights.shape[:2], len(x))


def _check_stack(configs: Sequence[TrainingConfig], data: TrainingData, states: Sequence[TrainingState] | None) -> None:
    if not configs or len({config.stack_key() for config in configs}) != 1:
        raise ValueError("the members of a stack must share data, batch order and dtype")
    if data.x_train.dtype != configs[0].float_type or data.x_validation.dtype != configs[0].float_type:
        raise ValueError(f"the data must be {configs[0].dtype}, as the configuration says")
    if states is None:
        return
    if len(states) != len(configs) or len({state.next_step for state in states}) != 1:
        raise ValueError("resuming takes one state for each member, all at the same step")
    for config, state in zip(configs, states, strict=True):
        for weights in (state.last, state.best):
            if weights.shape != (N_FEATURES, config.n_outputs) or weights.dtype != config.float_type:
                raise ValueError("the weights of a state must be of the shape and dtype of its run")
