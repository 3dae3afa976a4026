"""Mini-batch gradient descent: the one loop, written once for one run or a stack of many.

A stack is a set of runs that share data and batch order. Their weights stand side by side, so that one loop serves
them all, each with products of its own (`products`); a run that ends leaves the stack at once.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from concurrent.futures import Executor

import numpy as np

from .batches import Schedule, epoch_batches
from .checks import CheckGroup, Snapshot, give_way, group_size
from .config import TrainingConfig
from .data import N_FEATURES, Floats, Ints, TrainingData
from .models import MODELS
from .penalty import decay
from .products import member_products
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


def train(
    config: TrainingConfig,
    data: TrainingData,
    *,
    on_check: OnCheck = ignore_check,
    should_stop: ShouldStop = never_stop,
    resume_from: TrainingState | None = None,
    helper: Executor | None = None,
) -> TrainingResult:
    """Train one run; see `train_stack`."""
    states = None if resume_from is None else [resume_from]
    return train_stack([config], data, on_check=on_check, should_stop=should_stop, resume_from=states, helper=helper)[0]


def train_stack(
    configs: Sequence[TrainingConfig],
    data: TrainingData,
    *,
    on_check: OnCheck = ignore_check,
    on_end: OnEnd = ignore_end,
    should_stop: ShouldStop = never_stop,
    resume_from: Sequence[TrainingState] | None = None,
    until_step: int | None = None,
    helper: Executor | None = None,
) -> list[TrainingResult]:
    """Train runs that share data and batch order, all from zero weights or all from one step.

    Each step, with the images X_b of its batch and one column of W an output::

        W <- W - learning_rate * (dC/dZ^T X_b + decay * W)          Z = X_b W

    Validation checks are made while training goes on. If one of them ends a member, all steps since are forgotten
    and the others go on from there: what comes out is what would come out if training had waited for each check.

    Parameters
    ----------
    configs : one a member; they must agree in `TrainingConfig.stack_key`.
    data : of the members' dtype.
    on_check : called once for each member at each validation check, in the order of the members. It comes later
        than the step it tells of, by two groups of checks at most.
    on_end : called once for each member as it leaves the stack, while the others go on.
    should_stop : asked before each step for each member; True ends that member with what it has.
    resume_from : a state for each member, all with the same ``next_step``. A member that has made its epochs,
        or whose patience has run out, ends at once; more epochs or more patience let it go on.
    until_step : the first step not to make; whoever is still there is cancelled, as a run that is made again was.
    helper : an executor with a thread that makes checks on another core. It changes no bit of the result.

    Returns
    -------
    One result a member. It is always returned: a loss that is not finite is a `StopReason`, not an exception.

    Raises
    ------
    ValueError
        The members do not belong in one stack, or the data or the states do not belong to them.
    """
    _check_stack(configs, data, resume_from)
    stack = _Stack(configs, data, resume_from, on_check=on_check, on_end=on_end, helper=helper)
    with np.errstate(over="ignore", invalid="ignore"):  # a loss that is not finite ends its member
        while stack.members:
            for batch in epoch_batches(configs[0], stack.schedule, stack.step):
                give_way()
                here = stack.step == until_step
                cancelled = {member.number for member in stack.members if here or should_stop(member.number)}
                if cancelled:
                    stack.leave(StopReason.CANCELLED, cancelled)
                    break
                if not stack.make_step(data.x_train[batch], data.y_train[batch]):
                    break
            stack.dismiss_trained()
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
        self.losses: list[float] = []  # of the steps since the newest check that was set aside
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
        self.checked = self.state(state.next_step if state else 0, self.losses)

    def take_losses(self) -> Floats:
        losses, self.losses = np.array(self.losses), []
        return losses

    def take_weights(self, rows: Floats) -> None:
        """Copy the newest weights out of the common matrix, as (785, n_outputs), read-only."""
        self.last = rows.T.copy(order="C")
        self.last.flags.writeable = False

    def hear(self, check: Check, rows: Floats) -> None:
        """Take note of a check and of the weights it was made of."""
        self.take_weights(rows)
        self.last_check = check
        self.stopping = self.stopping.after(check.validation_loss)
        if self.stopping.improved:
            self.best, self.best_check = self.last, check
        self.checked = self.state(check.step + 1, [])

    def state(self, next_step: int, pending_losses: Sequence[float]) -> TrainingState:
        return TrainingState(
            next_step=next_step,
            last=self.last,
            best=self.best,
            stopping=self.stopping,
            best_check=self.best_check,
            last_check=self.last_check,
            pending_losses=np.array(pending_losses, dtype=np.float64),
        )


class _Stack:
    """The members still in training; ``weights`` is (n_members, n_outputs, 785), each row an image.

    Steps after a check that is not made yet count on nobody leaving at it. If that proves wrong, they are forgotten.
    """

    def __init__(
        self,
        configs: Sequence[TrainingConfig],
        data: TrainingData,
        states: Sequence[TrainingState] | None,
        *,
        on_check: OnCheck,
        on_end: OnEnd,
        helper: Executor | None,
    ):
        self.data = data
        self.on_check, self.on_end = on_check, on_end
        self.helper = helper
        self.model = MODELS[configs[0].model]
        self.schedule = Schedule.of(configs[0], len(data.y_train))
        self.members = [
            _Member(number, config, states[number] if states else None) for number, config in enumerate(configs)
        ]
        self.finished: dict[int, TrainingResult] = {}
        self.step = states[0].next_step if states else 0
        self.weights = np.array([member.last.T for member in self.members], order="C")
        self.snapshots: list[Snapshot] = []  # of checks that nobody makes yet
        self.group: CheckGroup | None = None  # of checks on their way, older than those
        dtype = self.weights.dtype
        self.learning_rates = np.array([c.learning_rate for c in configs], dtype=dtype).reshape(-1, 1, 1)
        self.decays = np.stack([decay(c) for c in configs])[:, np.newaxis, :]
        self._part(StopReason.EARLY_STOPPING, {m.number for m in self.members if m.stopping.stop})
        self.dismiss_trained()

    def make_step(self, x: Floats, y: Ints) -> bool:
        """Update all members by one batch.

        Returns
        -------
        Whether training goes on with the next batch. Otherwise somebody has left, and `step` says where the others
        are: at this batch, if a loss was not finite; at the check that ended the one who left.
        """
        logits = member_products(self.weights, x.T)
        losses, d_logits = self.model.loss_and_gradient(logits, y)
        finite = np.isfinite(losses)
        if not finite.all():
            lost = {member.number for member, is_finite in zip(self.members, finite, strict=True) if not is_finite}
            self.leave(StopReason.NON_FINITE_LOSS, lost, failed_step=self.step)
            return False
        gradient = member_products(d_logits, x)
        if self.decays.any():
            gradient += self.decays * self.weights
        gradient *= self.learning_rates
        self.weights -= gradient
        for member, loss in zip(self.members, losses.tolist(), strict=True):
            member.losses.append(loss)
        self.step += 1
        return not (self.schedule.is_check(self.step - 1) and self._set_aside_for_check())

    def dismiss_trained(self) -> None:
        """Let go of the members whose epochs are made."""
        while trained := self._trained():
            self.leave(StopReason.MAX_EPOCHS, trained)

    def leave(self, reason: StopReason, numbers: Collection[int], *, failed_step: int | None = None) -> None:
        """Let members go, unless a check before this step ends somebody: then all go back to that."""
        if self._hear():
            return
        self._send_for_check()
        if not self._hear():
            self._part(reason, numbers, failed_step=failed_step)

    def results(self) -> list[TrainingResult]:
        return [self.finished[number] for number in sorted(self.finished)]

    @property
    def _group_size(self) -> int:
        return group_size(len(self.weights) * self.weights.shape[1], self.schedule.check_interval)

    def _trained(self) -> set[int]:
        epoch = self.schedule.epoch_of(self.step)
        return {member.number for member in self.members if epoch >= member.config.epochs}

    def _set_aside_for_check(self) -> bool:
        """Keep what the check after the newest step is made of; tell whether an older one took training back."""
        step = self.step - 1
        number = step // self.schedule.check_interval
        losses = [member.take_losses() for member in self.members]
        self.snapshots.append(Snapshot(number=number, step=step, weights=self.weights.copy(), step_losses=losses))
        size = self._group_size
        is_whole = number % size == size - 1
        if (is_whole or (self.group and self.group.is_made)) and self._hear():
            return True
        if is_whole:
            self._send_for_check()
        return False

    def _send_for_check(self) -> None:
        """Have the checks made that were set aside."""
        if self.snapshots:
            self.group = CheckGroup(self.snapshots, self._group_size, self.model, self.data, self.helper)
            self.snapshots = []

    def _hear(self) -> bool:
        """Hear of the checks on their way; tell whether one of them ended somebody and took training back to it."""
        if self.group is None:
            return False
        group, self.group = self.group, None
        scores = group.scores()
        for place, snapshot in enumerate(group.snapshots):
            lost = set()
            for row, member in enumerate(self.members):
                check = Check(
                    epoch=self.schedule.epoch_of(snapshot.step),
                    step=snapshot.step,
                    train_loss=float(snapshot.step_losses[row][-1]),
                    train_accuracy=float(scores.train_accuracy[place, row]),
                    validation_loss=float(scores.validation_loss[place, row]),
                    validation_accuracy=float(scores.validation_accuracy[place, row]),
                )
                if not np.isfinite(check.validation_loss):
                    lost.add(member.number)
                    continue
                member.hear(check, snapshot.weights[row])
                self.on_check(
                    CheckReport(
                        member=member.number,
                        check=check,
                        steps_since=self.step - 1 - check.step,
                        step_losses=snapshot.step_losses[row],
                        state=member.checked,
                    )
                )
            stopped = {member.number for member in self.members if member.stopping.stop}
            if lost or stopped:
                self._go_back(snapshot)
                self._part(StopReason.NON_FINITE_LOSS, lost)
                self._part(StopReason.EARLY_STOPPING, stopped)
                return True
        return False

    def _go_back(self, snapshot: Snapshot) -> None:
        """Forget all that came after a check."""
        self.weights, self.step, self.snapshots = snapshot.weights, snapshot.step + 1, []
        for member in self.members:
            member.losses = []

    def _part(self, reason: StopReason, numbers: Collection[int], *, failed_step: int | None = None) -> None:
        """Take members out of the stack, each with its result."""
        kept = []
        for place, member in enumerate(self.members):
            if member.number not in numbers:
                kept.append(place)
                continue
            # The newest update may have overflowed the weights, and no loss have been computed since.
            if reason is StopReason.NON_FINITE_LOSS or not np.isfinite(self.weights[place]).all():
                result = TrainingResult(
                    stop_reason=StopReason.NON_FINITE_LOSS,
                    state=member.checked,
                    failed_step=self.step - 1 if failed_step is None else failed_step,
                )
            else:
                member.take_weights(self.weights[place])
                result = TrainingResult(stop_reason=reason, state=member.state(self.step, member.losses))
            self.finished[member.number] = result
            self.on_end(member.number, result)
        self.members = [self.members[place] for place in kept]
        self.weights, self.decays = self.weights[kept], self.decays[kept]
        self.learning_rates = self.learning_rates[kept]


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
