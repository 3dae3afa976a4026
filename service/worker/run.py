"""Training, as a worker does it: specification and data in, messages out."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Sequence
from concurrent.futures import Executor, ThreadPoolExecutor

from threadpoolctl import threadpool_limits

from service.core import CheckReport, Schedule, StopReason, TrainingResult, train_stack
from service.datasets import load_dataset, received_dataset, split
from service.errors import ServiceError
from service.telemetry import start_span

from .checkpoint import decode_checkpoint, encode_checkpoint
from .environment import describe_environment
from .messages import Checked, Checkpointed, Ended, Failed, Message, Started
from .progress import Pace
from .snapshots import pack_weights, snapshot_stride
from .spec import MemberSpec, StackSpec
from .stop import StopRequests

logger = logging.getLogger(__name__)

CHECKPOINT_INTERVAL_S = 0.5
"""What a lost worker costs at most, and how often the pictures of a running job can change."""


def run_training(spec: StackSpec, send: Callable[[Message], None], stop: StopRequests) -> None:
    """Train a stack and say everything that happens through ``send``.

    BLAS runs on one thread here: it is as fast at these sizes, and makes the bits of the result independent of the
    number of cores. A second thread makes the validation checks.

    Errors of the service (a corrupted data set, say) are sent as `Failed`; anything else is a bug and raised.
    """
    tales = [_Tale(member) for member in spec.members]
    try:
        with threadpool_limits(limits=1), ThreadPoolExecutor(1, "checks") as helper:
            _Run(spec, send, stop, tales).train(helper)
    except ServiceError as error:
        for member, tale in enumerate(tales):
            tale.end(f"failed: {error.code}")
            send(Failed(member=member, code=error.code, message=error.message))
    finally:
        for tale in tales:
            tale.end("failed")


class _Tale:
    """What log and trace tell of the training of one member: that it began, and how it ended."""

    def __init__(self, member: MemberSpec):
        self._about = {"job_id": member.job_id, **(member.origin or {})}
        self._span = start_span("train", member.origin, {"inkling.job.id": member.job_id})
        self._over = False
        self._log("begins")

    def end(self, how: str) -> None:
        """Tell the end; only the first one is told."""
        if not self._over:
            self._over = True
            self._span.set_attribute("inkling.stop_reason", how)
            self._span.end()
            self._log(f"is over: {how}")

    def _log(self, what: str) -> None:
        request = self._about.get("request_id", "unknown")
        logger.info("training of job %s, request %s, %s", self._about["job_id"], request, what, extra=self._about)


class _Run:
    def __init__(self, spec: StackSpec, send: Callable[[Message], None], stop: StopRequests, tales: Sequence[_Tale]):
        self._tales = tales
        self._configs = [member.config for member in spec.members]
        self._until_step, self._max_snapshots = spec.until_step, spec.max_snapshots
        self._send = send
        self._stop = stop
        sent = spec.dataset_files
        dataset = load_dataset(spec.dataset) if sent is None else received_dataset(spec.dataset, sent)
        self._dataset_sha256 = dataset.sha256
        self._data = split(dataset, self._configs[0])
        self._states = [
            decode_checkpoint(member.checkpoint, member.config)
            for member in spec.members
            if member.checkpoint is not None
        ]
        self._checkpoint_step, self._checkpointed_at = -1, 0.0
        self._started_at = time.monotonic()
        schedule = Schedule.of(self._configs[0], len(self._data.y_train))
        self._batches_per_epoch, self._check_interval = schedule.batches_per_epoch, schedule.check_interval
        self._paces = [
            Pace(
                first_step=self._states[0].next_step if self._states else 0,
                n_steps=config.epochs * schedule.batches_per_epoch,
                batch_size=schedule.batch_size,
            )
            for config in self._configs
        ]

    def train(self, helper: Executor) -> None:
        environment = describe_environment()
        for member in range(len(self._configs)):
            self._send(
                Started(
                    member=member,
                    environment=environment,
                    dataset_sha256=self._dataset_sha256,
                    batches_per_epoch=self._batches_per_epoch,
                )
            )
        train_stack(
            self._configs,
            self._data,
            on_check=self._on_check,
            on_end=self._on_end,
            should_stop=self._stop.should_stop,
            resume_from=self._states or None,
            until_step=self._until_step,
            helper=helper,
        )

    def _on_check(self, report: CheckReport) -> None:
        now = time.monotonic()
        number = report.check.step // self._check_interval
        is_kept = self._max_snapshots > 0 and number % snapshot_stride(number + 1, self._max_snapshots) == 0
        self._send(
            Checked(
                member=report.member,
                check=report.check,
                improved=report.state.stopping.improved,
                progress=self._paces[report.member].progress(
                    epoch=report.check.epoch,
                    step=report.check.step,
                    steps_since=report.steps_since,
                    elapsed_s=now - self._started_at,
                    patience_left=report.state.stopping.patience_left,
                ),
                step_losses=Checked.pack_losses(report.step_losses),
                number=number,
                snapshot=pack_weights(report.state.last) if is_kept else None,
            )
        )
        # All members of a stack checkpoint at the same checks, so that they can go on together.
        if now - self._checkpointed_at >= CHECKPOINT_INTERVAL_S and report.check.step > self._checkpoint_step:
            self._checkpoint_step, self._checkpointed_at = report.check.step, now
        if report.check.step == self._checkpoint_step:
            self._send(
                Checkpointed(
                    member=report.member,
                    step=report.check.step,
                    checkpoint=encode_checkpoint(report.state),
                )
            )

    def _on_end(self, member: int, result: TrainingResult) -> None:
        self._tales[member].end(result.stop_reason.value)
        self._send(self._ended(member, result))

    def _ended(self, member: int, result: TrainingResult) -> Ended:
        interrupted = result.stop_reason is StopReason.CANCELLED and self._stop.was_handed_back(member)
        return Ended(
            member=member,
            stop_reason=result.stop_reason,
            checkpoint=encode_checkpoint(result.state),
            handed_back=interrupted,
            failed_step=result.failed_step,
        )
