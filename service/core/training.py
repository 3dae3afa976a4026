"""Mini-batch gradient descent: the one loop, written once for one run or a stack of many.

A stack is a set of runs that share data and batch order. Their parameters stand side by side, a row each, so that one
loop serves them all, while a model computes each by itself; a run that ends leaves the stack at once.
"""

from collections.abc import Callable, Collection, Mapping, Sequence
from concurrent.futures import Executor
from dataclasses import replace
from math import isfinite

import numpy as np

from .augmentation import STRENGTHS, Augmenter
from .checks import CheckGroup, PendingCheck, group_size, yield_cpu
from .config import TrainingConfig
from .data import Schedule, TrainingData, epoch_batches
from .models import Model
from .results import Check, CheckReport, OnCheck, OnEnd, ShouldStop, StopReason, TrainingResult, TrainingState
from .task import Floats, Ints


def train(
    config: TrainingConfig,
    data: TrainingData,
    *,
    on_check: OnCheck = lambda report: None,
    should_stop: ShouldStop = lambda member: False,
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
    on_check: OnCheck = lambda report: None,
    on_end: OnEnd = lambda member, result: None,
    should_stop: ShouldStop = lambda member: False,
    resume_from: Sequence[TrainingState] | None = None,
    until_step: int | None = None,
    helper: Executor | None = None,
) -> list[TrainingResult]:
    """Train runs that share data and batch order, all from their initial parameters or all from one step.

    Each step, with the gradient of C on the images of its batch::

        gradient = dC/dtheta + decay * theta
        velocity <- momentum * velocity + gradient
        theta <- theta - learning_rate * velocity

    Validation checks are made while training goes on. If one of them ends a member, its steps since are discarded, and
    the others keep theirs: what comes out is what would come out if training had waited for each check. There is always
    a result for each member: a loss that is not finite is a `StopReason`. Raises ValueError if members, data or states
    do not belong in one stack.

    Parameters
    ----------
    configs : one a member; they must agree in `TrainingConfig.stack_key`.
    on_check : called once for each member at each validation check, in the order of the members. It comes later than
        the step it reports, by two groups of checks at most.
    on_end : called once for each member as it leaves the stack, while the others go on.
    should_stop : asked before each step for each member; True ends that member with what it has.
    resume_from : a state for each member, all with the same ``next_step``. A member that has made its epochs, or whose
        patience has run out, ends at once; more epochs or more patience let it go on.
    until_step : the first step not to make; whoever is still there is cancelled, as a run that is made again was.
    helper : an executor with a thread that makes checks on another core. It changes no bit of the result.
    """
    _check_stack(configs, data, resume_from)
    stack = _Stack(configs, data, resume_from, on_check=on_check, on_end=on_end, helper=helper)
    with np.errstate(over="ignore", invalid="ignore"):  # a loss that is not finite ends its member
        while stack.members:
            for batch in epoch_batches(configs[0], stack.schedule, stack.step):
                yield_cpu()
                here = stack.step == until_step
                cancelled = {member.number for member in stack.members if here or should_stop(member.number)}
                if cancelled:
                    stack.leave(StopReason.CANCELLED, cancelled)
                    break
                if not stack.make_step(stack.augment(data.x_train[batch], stack.step), data.y_train[batch]):
                    break
            stack.remove_trained()
    return stack.results()


class _Member:
    """One run of a stack: its state at its newest check, or where it began, and the losses of its steps since."""

    def __init__(self, number: int, config: TrainingConfig, state: TrainingState):
        self.number = number
        self.config = config
        # Patience may have been given anew; what it counts goes on.
        self.checked = replace(state, stopping=replace(state.stopping, patience=config.patience))
        self.losses: list[float] = state.pending_losses.tolist()  # of the steps since the newest check that is pending

    def take_losses(self) -> Floats:
        losses, self.losses = np.array(self.losses), []
        return losses

    def state(self, rows: Floats, next_step: int, losses: Sequence[float]) -> TrainingState:
        """Return the state before a step, with a read-only copy of parameters and of what the optimizer keeps."""
        rows = rows.copy()
        rows.flags.writeable = False
        pending = np.array(losses, dtype=np.float64)
        return replace(self.checked, next_step=next_step, last=rows[0], optimizer=rows[1:], pending_losses=pending)

    def record_check(self, check: Check, rows: Floats) -> None:
        """Take note of a check and of the rows it was made of."""
        state, stopping = self.state(rows, check.step + 1, []), self.checked.stopping.after(check.validation_loss)
        self.checked = replace(state, stopping=stopping, last_check=check)
        if stopping.improved:
            self.checked = replace(self.checked, best=state.last, best_check=check)


class _Stack:
    """The members still in training; ``rows`` is (n_rows, n_members, n_parameters): first the parameters.

    Steps after a check that is not made yet assume that nobody leaves at it. If one does, its own are discarded: no bit
    of the others depends on it.
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
        self.model = configs[0].build_model()
        self.schedule = Schedule.of(configs[0], len(data.y_train))
        self.momentum = configs[0].momentum
        self.augment = _augmentation(configs[0], self.model, self.schedule)
        states = states or [initial_state(config, self.model) for config in configs]
        self.members = [_Member(number, *run) for number, run in enumerate(zip(configs, states, strict=True))]
        self.finished: dict[int, TrainingResult] = {}
        self.step = states[0].next_step
        self.rows = np.stack([np.vstack([state.last, state.optimizer]) for state in states], axis=1)
        self.pending: list[PendingCheck] = []  # checks that nobody makes yet
        self.group: CheckGroup | None = None  # checks that are being made, older than those
        self.learning_rates = np.array([c.learning_rate for c in configs], dtype=self.rows.dtype).reshape(-1, 1)
        self.decays = np.stack([decay(config, self.model) for config in configs])
        self.is_penalized = bool(self.decays.any())
        self.remove_members({m.number: StopReason.EARLY_STOPPING for m in self.members if m.checked.stopping.stop})
        self.remove_trained()

    def make_step(self, x: Floats, y: Ints) -> bool:
        """Update all members by one batch; return whether training goes on with the next batch.

        Otherwise a member has left, and the others go on from `step`.
        """
        parameters = self.rows[0]
        losses, gradient = self.model.loss_and_gradient(parameters, x, y)
        step_losses = losses.tolist()
        if not all(map(isfinite, step_losses)):
            lost = {member.number for member, loss in zip(self.members, step_losses, strict=True) if not isfinite(loss)}
            self.leave(StopReason.NON_FINITE_LOSS, lost, failed_step=self.step)
            return False
        if self.is_penalized:
            gradient += self.decays * parameters
        if self.momentum:
            velocity = self.rows[1]
            velocity *= self.momentum
            velocity += gradient
            np.multiply(velocity, self._rates(), out=gradient)
        else:
            gradient *= self._rates()
        parameters -= gradient
        for member, loss in zip(self.members, step_losses, strict=True):
            member.losses.append(loss)
        self.step += 1
        return not (self.schedule.is_check(self.step - 1) and self._add_pending_check())

    def _rates(self) -> Floats:
        """Return the learning rate of each member in this step, (n_members, 1)."""
        if self.members[0].config.learning_rate_schedule == "constant":
            return self.learning_rates
        n_batches = self.schedule.batches_per_epoch
        factors = [m.config.rate_factor(self.step, m.config.epochs * n_batches) for m in self.members]
        rates: Floats = self.learning_rates * np.array(factors, self.rows.dtype).reshape(-1, 1)
        return rates

    def remove_trained(self) -> None:
        """Remove the members whose epochs are made."""
        epoch = self.schedule.epoch_of(self.step)
        if trained := {member.number for member in self.members if epoch >= member.config.epochs}:
            self.leave(StopReason.MAX_EPOCHS, trained)

    def leave(self, reason: StopReason, numbers: Collection[int], *, failed_step: int | None = None) -> None:
        """Remove members before this step, unless a check before it has ended them."""
        while self.group or self.pending:
            self._apply_checks()
            self._start_checks()
        self.remove_members(dict.fromkeys(numbers, reason), failed_step=failed_step)

    def results(self) -> list[TrainingResult]:
        return [self.finished[number] for number in sorted(self.finished)]

    @property
    def _group_size(self) -> int:
        n_columns = len(self.members) * self.model.n_outputs
        return group_size(n_columns, self.schedule.check_interval, self.rows.nbytes)

    def _add_pending_check(self) -> bool:
        """Keep what the check after the newest step is made of; return whether an older one ended a member."""
        step = self.step - 1
        number = step // self.schedule.check_interval
        losses = [member.take_losses() for member in self.members]
        self.pending.append(PendingCheck(number=number, step=step, rows=self.rows.copy(), step_losses=losses))
        has_ended = (self._has_whole_group or (self.group is not None and self.group.is_made)) and self._apply_checks()
        if self._has_whole_group:
            self._start_checks()
        return has_ended

    @property
    def _has_whole_group(self) -> bool:
        """Whether nothing is to be added to the oldest group of the pending checks."""
        if not self.pending:
            return False
        size = self._group_size
        return self.pending[-1].number + 1 >= size * (self.pending[0].number // size + 1)

    def _start_checks(self) -> None:
        """Have the pending checks of the oldest group made."""
        if self.pending:
            size = self._group_size
            numbers = [check.number // size for check in self.pending]
            n_oldest = numbers.count(numbers[0])
            self.group = CheckGroup(self.pending[:n_oldest], size, self.model, self.data, self.helper)
            self.pending = self.pending[n_oldest:]

    def _apply_checks(self) -> bool:
        """Report the checks being made; return whether one of them ended a member, so that the rest is pending."""
        if self.group is None:
            return False
        group, self.group = self.group, None
        scores = group.scores()
        for place, pending in enumerate(group.pending):
            lost = set()
            for row, member in enumerate(self.members):
                check = Check(
                    epoch=self.schedule.epoch_of(pending.step),
                    step=pending.step,
                    train_loss=float(pending.step_losses[row][-1]),
                    **{metric: float(values[place, row]) for metric, values in scores.items()},
                )
                if not np.isfinite(check.validation_loss):
                    lost.add(member.number)
                    continue
                member.record_check(check, pending.rows[:, row])
                self.on_check(
                    CheckReport(
                        member=member.number,
                        check=check,
                        steps_since=self.step - 1 - check.step,
                        step_losses=pending.step_losses[row],
                        state=member.checked,
                    )
                )
            stopped = {member.number for member in self.members if member.checked.stopping.stop}
            if lost or stopped:
                self.pending = [*group.pending[place + 1 :], *self.pending]
                reasons = dict.fromkeys(stopped, StopReason.EARLY_STOPPING)
                self.remove_members({**reasons, **dict.fromkeys(lost, StopReason.NON_FINITE_LOSS)}, at=pending)
                return True
        return False

    def remove_members(
        self, reasons: Mapping[int, StopReason], *, failed_step: int | None = None, at: PendingCheck | None = None
    ) -> None:
        """Take members out of the stack, each with its result: that of a check, by default that of the newest step."""
        rows, step = (self.rows, self.step) if at is None else (at.rows, at.step + 1)
        kept = []
        for place, member in enumerate(self.members):
            reason = reasons.get(member.number)
            if reason is None:
                kept.append(place)
                continue
            # The newest update may have overflowed the weights, and no loss have been computed since.
            if reason is StopReason.NON_FINITE_LOSS or not np.isfinite(rows[:, place]).all():
                result = TrainingResult(
                    stop_reason=StopReason.NON_FINITE_LOSS,
                    state=member.checked,
                    failed_step=step - 1 if failed_step is None else failed_step,
                )
            else:
                state = member.state(rows[:, place], step, [] if at else member.losses)
                result = TrainingResult(stop_reason=reason, state=state)
            self.finished[member.number] = result
            self.on_end(member.number, result)
        self.members = [self.members[place] for place in kept]
        self.pending = [check.of(kept) for check in self.pending if kept]
        places = np.array(kept, np.intp)
        self.rows = np.take(self.rows, places, axis=1)  # in C order, which indexing would not be
        self.decays, self.learning_rates = self.decays[places], self.learning_rates[places]
        self.is_penalized = bool(self.decays.any())


def _augmentation(config: TrainingConfig, model: Model, schedule: Schedule) -> Callable[[Floats, int], Floats]:
    """Return what makes of the images of a step those that it gets: distorted ones, if the run asks for that."""
    if (strength := STRENGTHS.get(config.augmentation)) is None:
        return lambda x, step: x
    augmenter = Augmenter(model.task.image_shape, strength, background=-model.scaling.shift)

    def distorted(x: Floats, step: int) -> Floats:
        x = x.copy() if x.base is not None else x  # never the images themselves
        x[:, :-1] = augmenter(x[:, :-1], config.seed, *divmod(step, schedule.batches_per_epoch))
        return x

    return distorted


def next_gradient(config: TrainingConfig, state: TrainingState, schedule: Schedule, x: Floats, y: Ints) -> Floats:
    """Return the gradient of the step after a state, (n_parameters,), before momentum, on images x and columns y."""
    model = config.build_model()
    x = _augmentation(config, model, schedule)(x, state.next_step)
    _, (gradient,) = model.loss_and_gradient(state.last[np.newaxis], x, y)
    return np.asarray(gradient + decay(config, model) * state.last)


def initial_state(config: TrainingConfig, model: Model) -> TrainingState:
    """Return the state in which a run begins; its random numbers are those of no epoch's order."""
    parameters = model.initial(np.random.default_rng([config.seed, 0, 1])).astype(config.dtype)
    parameters.flags.writeable = False
    return TrainingState.at_start(parameters, config.patience, n_optimizer_rows=config.n_optimizer_rows)


def decay(config: TrainingConfig, model: Model) -> Floats:
    """Return the factor d by which the penalty's gradient is d * theta, (n_parameters,), dtype of the run.

    Source: course report, task 4a, for ``squared``: d = 2 * lambda everywhere.
    """
    factor = np.full(model.layout.size, 2 * config.equivalent_squared_penalty, dtype=config.dtype)
    if config.l2_convention == "squared_without_bias":
        factor[model.layout.is_bias()] = 0
    return factor


def _check_stack(configs: Sequence[TrainingConfig], data: TrainingData, states: Sequence[TrainingState] | None) -> None:
    if not configs or len({config.stack_key() for config in configs}) != 1:
        raise ValueError("the members of a stack must share data, batch order and dtype")
    first = configs[0]
    if data.x_train.dtype != first.dtype or data.x_validation.dtype != first.dtype:
        raise ValueError(f"the data must be {first.dtype}, as the configuration says")
    if data.x_train.shape[1] != first.task.n_inputs:
        raise ValueError(f"the images must have {first.task.n_inputs} inputs, not {data.x_train.shape[1]}")
    if states is None:
        return
    if len(states) != len(configs) or len({state.next_step for state in states}) != 1:
        raise ValueError("resuming takes one state for each member, all at the same step")
    size = first.build_model().layout.size
    rows = [row for state in states for row in (state.last, state.best, *state.optimizer)]
    if any(len(state.optimizer) != first.n_optimizer_rows for state in states):
        raise ValueError("the optimizer of a state must have as many rows as its run")
    if any(row.shape != (size,) or row.dtype != first.dtype for row in rows):
        raise ValueError("the parameters of a state must be of the layout and dtype of its run")
