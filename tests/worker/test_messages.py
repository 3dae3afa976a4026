"""What travels between an engine and its workers arrives as it was sent."""

from __future__ import annotations

import msgpack
import pytest
from hypothesis import given
from hypothesis import strategies as st

from service.core import Check, StopReason, TrainingConfig
from service.worker import (
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
    StopRequests,
    decode_message,
    encode_message,
    train_packed,
)

counts = st.integers(min_value=0, max_value=2**53)
numbers = st.floats(allow_nan=False)
texts = st.text(st.characters(exclude_categories=["Cs"]), max_size=40)
checks = st.builds(
    Check,
    epoch=counts,
    step=counts,
    train_loss=numbers,
    train_accuracy=numbers,
    validation_loss=numbers,
    validation_accuracy=numbers,
)
progresses = st.builds(
    Progress,
    fraction=numbers,
    epoch=counts,
    step=counts,
    images_per_s=st.none() | numbers,
    eta_s=st.none() | numbers,
    patience_left=st.none() | counts,
)
environments = st.builds(
    Environment,
    inkling=texts,
    python=texts,
    numpy=texts,
    machine=texts,
    blas=texts,
    blas_architecture=texts,
    blas_threads=counts,
)
messages: st.SearchStrategy[Message] = st.one_of(
    st.builds(Started, member=counts, environment=environments, dataset_sha256=texts, batches_per_epoch=counts),
    st.builds(
        Checked,
        member=counts,
        check=checks,
        improved=st.booleans(),
        progress=progresses,
        step_losses=st.binary(max_size=64),
        number=counts,
        snapshot=st.none() | st.binary(max_size=64),
    ),
    st.builds(Checkpointed, member=counts, step=counts, checkpoint=st.binary(max_size=64)),
    st.builds(
        Ended,
        member=counts,
        stop_reason=st.sampled_from(StopReason),
        checkpoint=st.binary(max_size=64),
        handed_back=st.booleans(),
        failed_step=st.none() | counts,
    ),
    st.builds(Failed, member=counts, code=texts, message=texts),
)


@given(messages)
def test_a_message_arrives_as_it_was_sent(message: Message) -> None:
    arrived = decode_message(encode_message(message))
    assert arrived == message
    assert type(arrived) is type(message)


@given(messages)
def test_no_message_is_empty(message: Message) -> None:
    assert encode_message(message)


@given(
    st.lists(
        st.builds(
            MemberSpec,
            job_id=texts,
            fence=counts,
            config=st.builds(
                TrainingConfig,
                classes=st.permutations(range(10)).map(lambda order: tuple(order[:4])),
                learning_rate=st.floats(1e-6, 10),
                seed=st.integers(0, 2**32 - 1),
                patience=st.none() | st.integers(1, 100),
                dtype=st.sampled_from(["float32", "float64"]),
            ),
            checkpoint=st.none() | st.binary(max_size=64),
        ),
        max_size=3,
    )
)
def test_a_specification_arrives_as_it_was_sent(members: list[MemberSpec]) -> None:
    spec = StackSpec(dataset="mnist", members=tuple(members))
    assert StackSpec.from_bytes(spec.to_bytes()) == spec


def test_a_specification_of_another_format_is_sent_back_with_a_sentence(monkeypatch: pytest.MonkeyPatch) -> None:
    """Of a later one, and of the first, which had no number."""
    spec = StackSpec(dataset="mnist", members=(MemberSpec(job_id="j", fence=1, config=TrainingConfig()),) * 2)
    monkeypatch.setattr("service.worker.messages.FORMAT", 7)
    later = spec.to_bytes()
    monkeypatch.undo()
    first = msgpack.packb({name: value for name, value in msgpack.unpackb(later).items() if name != "format"})
    for data in (later, first):
        received: list[Message] = []
        train_packed(data, received.append, StopRequests())
        assert [(m.member, m.code) for m in received if isinstance(m, Failed)] == [
            (n, "worker-mismatch") for n in (0, 1)
        ]


def test_a_message_of_another_format_is_a_failure(monkeypatch: pytest.MonkeyPatch) -> None:
    message = Checkpointed(member=2, step=3, checkpoint=b"")
    monkeypatch.setattr("service.worker.messages.FORMAT", 7)
    later = encode_message(message)
    monkeypatch.undo()
    decoded = decode_message(later)
    assert isinstance(decoded, Failed)
    assert (decoded.member, decoded.code) == (2, "worker-mismatch")
