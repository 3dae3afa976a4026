"""Log lines of one round of the event loop: written together, in order, and never late when it matters."""

from __future__ import annotations

import asyncio
import io
import logging
import threading
from pathlib import Path

import pytest

from service.web.round_handler import RoundHandler


class Written(io.StringIO):
    """Remembers each write."""

    def __init__(self) -> None:
        super().__init__()
        self.parts: list[str] = []

    def write(self, text: str) -> int:
        self.parts.append(text)
        return super().write(text)


@pytest.fixture
def written() -> Written:
    return Written()


@pytest.fixture
def logger(written: Written) -> logging.Logger:
    handler = RoundHandler()
    handler.setStream(written)
    logger = logging.Logger("digits", logging.INFO)
    logger.addHandler(handler)
    return logger


def test_lines_of_a_round_are_one_write(logger: logging.Logger, written: Written) -> None:
    async def answer() -> None:
        logger.info("one")
        logger.info("two")
        assert written.parts == []
        await asyncio.sleep(0)
        assert written.parts == ["one\ntwo\n"]
        logger.info("three")
        await asyncio.sleep(0)
        assert written.parts == ["one\ntwo\n", "three\n"]

    asyncio.run(answer())


def test_a_warning_waits_for_nothing_and_overtakes_nothing(logger: logging.Logger, written: Written) -> None:
    async def answer() -> None:
        logger.info("one")
        logger.warning("two")
        assert written.parts == ["one\ntwo\n"]

    asyncio.run(answer())


def test_threads_without_a_loop_do_not_wait_either(logger: logging.Logger, written: Written) -> None:
    async def answer() -> None:
        logger.info("one")
        thread = threading.Thread(target=logger.info, args=("two",))
        thread.start()
        thread.join()
        assert written.parts == ["one\ntwo\n"]

    asyncio.run(answer())
    logger.info("three")
    assert written.parts[1:] == ["three\n"]


def test_what_is_held_when_the_loop_ends_is_written_at_the_end(logger: logging.Logger, written: Written) -> None:
    async def end() -> None:
        logger.info("last")
        asyncio.get_running_loop().stop()

    loop = asyncio.new_event_loop()
    task = loop.create_task(end())
    loop.run_forever()
    assert task.done()
    loop.close()
    logger.handlers[0].close()
    logging.shutdown([lambda: logger.handlers[0]])  # type: ignore[list-item,return-value]
    assert written.getvalue() == "last\n"


def test_a_line_that_cannot_be_formatted_holds_up_no_other(
    logger: logging.Logger, written: Written, capsys: pytest.CaptureFixture[str]
) -> None:
    logger.info("%d", "seven")
    logger.info("eight")
    assert written.parts == ["eight\n"]
    assert "Logging error" in capsys.readouterr().err


def test_a_full_disk_under_the_log_ends_nothing(written: Written, capsys: pytest.CaptureFixture[str]) -> None:
    full = Path("/dev/full").open("w")  # noqa: SIM115
    handler = RoundHandler()
    handler.setStream(full)
    logger = logging.Logger("digits", logging.INFO)
    logger.addHandler(handler)

    async def answer() -> str:
        logger.info("one")
        await asyncio.sleep(0)
        return "answered"

    assert asyncio.run(answer()) == "answered"
    assert "No space left" in capsys.readouterr().err
    with pytest.raises(OSError, match="No space left"):
        full.close()
    handler.stream = written
    logger.info("two")
    assert written.parts == ["two\n"]
