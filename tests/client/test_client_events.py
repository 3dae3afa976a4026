from __future__ import annotations

from inkling.events import Message, MessageParser


def messages(text: str) -> list[Message]:
    parser = MessageParser()
    return [message for line in text.split("\n") if (message := parser.feed(line)) is not None]


def test_messages_end_at_blank_lines() -> None:
    text = 'id: 4\nevent: check\ndata: {"step": 3}\n\nid: 5\nevent: state\ndata: {}\n\n'
    assert messages(text) == [
        Message(id="4", event="check", data='{"step": 3}'),
        Message(id="5", event="state", data="{}"),
    ]


def test_data_of_several_lines_is_one_text() -> None:
    assert messages("data: one\ndata:two\n\n") == [Message(data="one\ntwo")]


def test_comments_and_unknown_fields_are_left_out() -> None:
    assert messages(": keep-alive\n\nfoo: bar\n\nid: 1\n\n") == [Message(id="1")]


def test_an_event_without_data_is_returned() -> None:
    assert messages("event: end\n\n") == [Message(event="end")]


def test_retry_is_a_number_or_nothing() -> None:
    assert messages("retry: 1500\n\nretry: soon\n\n") == [Message(retry_ms=1500)]


def test_a_message_that_is_cut_off_is_dropped() -> None:
    assert messages("id: 1\ndata: whole\n\nid: 2\ndata: par") == [Message(id="1", data="whole")]
