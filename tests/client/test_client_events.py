from __future__ import annotations

import pytest

from inkling import ServerFailed
from inkling.connection import Event, EventCursor


def events(text: str) -> list[Event]:
    cursor = EventCursor("1")
    with cursor.connection():
        return [event for line in text.split("\n") if (event := cursor.feed(line)) is not None]


def test_events_end_at_blank_lines() -> None:
    text = 'id: 4\nevent: check\ndata: {"step": 3}\n\nid: 5\nevent: state\ndata: {}\n\n'
    assert events(text) == [Event(id=4, kind="check", data={"step": 3}), Event(id=5, kind="state", data={})]


def test_data_of_several_lines_is_one_text() -> None:
    assert events('id:1\nevent:check\ndata: {"a":\ndata:1}\n\n') == [Event(id=1, kind="check", data={"a": 1})]


def test_comments_and_unknown_fields_are_left_out() -> None:
    text = ": keep-alive\n\nfoo: bar\n\nid: 1\n:\nevent: state\nfoo\ndata: {}\n\n"
    assert events(text) == [Event(id=1, kind="state", data={})]


def test_what_is_cut_off_is_dropped() -> None:
    cursor = EventCursor("1", after=7)
    for line in ("id: 8", "event: check", 'data: {"whole": fal'):
        with cursor.connection() as headers:
            assert cursor.feed(line) is None
            assert headers["Last-Event-ID"] == "7"
    with cursor.connection():
        assert cursor.feed("") is None


def test_the_end_and_when_to_come_back() -> None:
    cursor = EventCursor("1")
    assert (cursor.retry_s, cursor.is_over) == (1.0, False)
    for line in ("retry: 1500", "", "retry: soon", "", "event: end", ""):
        assert cursor.feed(line) is None
    assert (cursor.retry_s, cursor.is_over) == (1.5, True)


@pytest.mark.parametrize(
    "text",
    [
        "id: one\nevent: check\ndata: {}\n\n",
        "id: 1\nevent: check\ndata: {\n\n",
        f"id: 1\nevent: check\ndata: {'[' * 200_000}\n\n",
    ],
    ids=["no id", "no JSON", "nested"],
)
def test_events_of_another_server_are_recognized(text: str) -> None:
    with pytest.raises(ServerFailed, match="is not Inkling"):
        events(text)
