"""Training, as a worker does it: specification and data in, messages out."""

import logging
import time
from collections.abc import Callable, Sequence
from concurrent.futures import Executor, ThreadPoolExecutor
from functools import cached_property
from threading import Event

import numpy as np

from service import __version__
from service.core import (
    Certainty,
    CheckReport,
    Floats,
    Ints,
    Part,
    Schedule,
    StopReason,
    TrainingResult,
    pack_losses,
    train_stack,
)
from service.datasets import load_dataset, received_dataset, select_unseen, split
from service.errors import ServiceError, WorkerMismatch
from service.telemetry import start_span

from .checkpoint import decode_checkpoint, encode_checkpoint, pack_snapshot, snapshot_stride
from .messages import (
    Checked,
    Checkpointed,
    Ended,
    Environment,
    Failed,
    MemberSpec,
    Message,
    Progress,
    StackSpec,
    Started,
    mismatch,
    n_members_of,
    thread_pools,
)

logger = logging.getLogger(__name__)

CHECKPOINT_INTERVAL_S = 0.5
"""What a lost worker costs at most, and how often the pictures of a running job can change."""


class StopRequests:
    """How an engine asks for a stop, of one member, or of all so that another worker can go on.

    Set from one thread, asked by the training loop before each step, so asking is a set look-up.
    """

    def __init__(self) -> None:
        self._cancelled: set[int] = set()
        self._hand_back = Event()

    def cancel(self, member: int) -> None:
        """Ask one member to end with what it has."""
        self._cancelled.add(member)

    def hand_back(self) -> None:
        """Ask all members to end where they are, to be gone on with elsewhere."""
        self._hand_back.set()

    def should_stop(self, member: int) -> bool:
        """Answer the training loop."""
        return self._hand_back.is_set() or member in self._cancelled

    def was_handed_back(self, member: int) -> bool:
        """Whether a stopped member is to go on elsewhere; a cancel wins over handing back."""
        return self._hand_back.is_set() and member not in self._cancelled


def train_packed(
    spec: bytes, send: Callable[[Message], None], stop: StopRequests, *, engine: str = __version__
) -> None:
    """Train a stack as `run_training` does; one of another format, or of an engine of another version, is `Failed`."""
    try:
        if engine != __version__:
            raise WorkerMismatch(mismatch(engine))
        unpacked = StackSpec.from_bytes(spec)
    except WorkerMismatch as error:
        for member in range(n_members_of(spec)):
            send(Failed(member=member, code=error.code, message=error.message))
        return
    run_training(unpacked, send, stop)


def run_training(spec: StackSpec, send: Callable[[Message], None], stop: StopRequests) -> None:
    """Train a stack and send a message of everything that happens.

    BLAS runs on one thread here: it is as fast at these sizes, and makes the bits of the result independent of the
    number of cores. A second thread makes the validation checks.

    Errors of the service (a corrupted data set, say) are sent as `Failed`; anything else is a bug and raised.
    """
    spans = [_TrainingSpan(member) for member in spec.members]
    try:
        with thread_pools().limit(limits=1), ThreadPoolExecutor(1, "checks") as helper:
            _Run(spec, send, stop, spans).train(helper)
    except ServiceError as error:
        for member, training_span in enumerate(spans):
            training_span.end(f"failed: {error.code}")
            send(Failed(member=member, code=error.code, message=error.message))
    finally:
        for training_span in spans:
            training_span.end("failed")


class _TrainingSpan:
    """The training of one member in log and trace: that it began, and how it ended."""

    def __init__(self, member: MemberSpec):
        self._about = {"job_id": member.job_id, **(member.origin or {})}
        self._span = start_span("train", member.origin, {"inkling.job.id": member.job_id})
        self._over = False
        self._log("begins")

    def end(self, how: str) -> None:
        """Record the end; only the first one counts."""
        if not self._over:
            self._over = True
            self._span.set_attribute("inkling.stop_reason", how)
            self._span.end()
            self._log(f"is over: {how}")

    def _log(self, what: str) -> None:
        request = self._about.get("request_id", "unknown")
        logger.info("training of job %s, request %s, %s", self._about["job_id"], request, what, extra=self._about)


class _Run:
    def __init__(
        self, spec: StackSpec, send: Callable[[Message], None], stop: StopRequests, spans: Sequence[_TrainingSpan]
    ):
        self._spec, self._send, self._stop, self._spans = spec, send, stop, spans
        self._configs = [member.config for member in spec.members]
        sent = spec.dataset_files
        self._dataset = load_dataset(spec.dataset) if sent is None else received_dataset(spec.dataset, sent)
        self._data = split(self._dataset, self._configs[0])
        self._states = [
            decode_checkpoint(member.checkpoint, member.config)
            for member in spec.members
            if member.checkpoint is not None
        ]
        self._checkpoint_step, self._checkpointed_at = -1, 0.0
        self._started_at = time.monotonic()
        self._schedule = Schedule.of(self._configs[0], len(self._data.y_train))
        self._first_step = self._states[0].next_step if self._states else 0
        self._layout = self._configs[0].build_model().layout

    def train(self, helper: Executor) -> None:
        environment, n_batches, sha256 = Environment.current(), self._schedule.batches_per_epoch, self._dataset.sha256
        for member in range(len(self._configs)):
            started = Started(
                member=member, environment=environment, dataset_sha256=sha256, batches_per_epoch=n_batches
            )
            self._send(started)
        train_stack(
            self._configs,
            self._data,
            on_check=self._on_check,
            on_end=self._on_end,
            should_stop=self._stop.should_stop,
            resume_from=self._states or None,
            until_step=min(
                (s for s in (self._spec.until_step, self._spec.pause_at_step) if s is not None), default=None
            ),
            helper=helper,
        )

    def _on_check(self, report: CheckReport) -> None:
        now = time.monotonic()
        number = report.check.step // self._schedule.check_interval
        is_kept = self._spec.max_snapshots > 0 and number % snapshot_stride(number + 1, self._spec.max_snapshots) == 0
        checked = Checked(
            member=report.member,
            check=report.check,
            improved=report.state.stopping.improved,
            progress=self._progress(report, elapsed_s=now - self._started_at),
            step_losses=pack_losses(report.step_losses),
            number=number,
            snapshot=pack_snapshot(self._layout, report.state.last) if is_kept else None,
        )
        self._send(checked)
        # All members of a stack checkpoint at the same checks, so that they can go on together.
        if now - self._checkpointed_at >= CHECKPOINT_INTERVAL_S and report.check.step > self._checkpoint_step:
            self._checkpoint_step, self._checkpointed_at = report.check.step, now
        if report.check.step == self._checkpoint_step:
            self._send(
                Checkpointed(member=report.member, step=report.check.step, checkpoint=encode_checkpoint(report.state))
            )

    def _progress(self, report: CheckReport, *, elapsed_s: float) -> Progress:
        """Return how far a member is after a check, ``elapsed_s`` into this attempt."""
        n_made = report.check.step + 1
        n_made_here = n_made + report.steps_since - self._first_step
        n_steps = self._configs[report.member].epochs * self._schedule.batches_per_epoch
        # The first step pays for a cold start; its pace says nothing about the others.
        step_s = elapsed_s / n_made_here if n_made_here > 1 and elapsed_s > 0 else None
        return Progress(
            fraction=n_made / n_steps,
            epoch=report.check.epoch,
            step=report.check.step,
            images_per_s=self._schedule.batch_size / step_s if step_s else None,
            eta_s=(n_steps - n_made) * step_s if step_s else None,
            patience_left=report.state.stopping.patience_left,
        )

    @cached_property
    def _unseen(self) -> tuple[Floats, Ints, Part]:
        """Images that no member is trained on, as rows of a design matrix, the places of their classes, their part."""
        images, part = select_unseen(self._dataset, self._configs[0])
        return *images.arrays(self._configs[0]), part

    def _on_end(self, member: int, result: TrainingResult) -> None:
        self._spans[member].end(result.stop_reason.value)
        is_paused = result.state.next_step == self._spec.pause_at_step
        interrupted = result.stop_reason is StopReason.CANCELLED and (is_paused or self._stop.was_handed_back(member))
        ended = Ended(
            member=member,
            stop_reason=result.stop_reason,
            checkpoint=encode_checkpoint(result.state),
            handed_back=interrupted,
            failed_step=result.failed_step,
            certainty=None if interrupted else self._certainty(member, result),
        )
        self._send(ended)

    def _certainty(self, member: int, result: TrainingResult) -> Certainty | None:
        """Measure the parameters to be published on images that were not trained on."""
        config, state = self._configs[member], result.state
        if result.stop_reason is StopReason.NON_FINITE_LOSS or state.best_check is None:
            return None
        function, row = config.build_model(), state.best if config.publish == "best" else state.last
        x, y, part = self._unseen
        return Certainty.measure(function.output, function.joint_logits(row[np.newaxis], x)[0], y, part)
