"""A power cut loses what is not durable. A kill cannot show that, since the kernel goes on; the system calls do."""

from __future__ import annotations

import re
import subprocess
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import httpx
import pytest

from tests.chaos.supervisor import program
from tests.web.serving import TINY, wait_until_over

pytestmark = [
    pytest.mark.slow,
    pytest.mark.needs("strace"),
]

_SYSTEM_CALLS = "fsync,fdatasync,link,linkat,write,writev,sendto,sendmsg"
_LINE = re.compile(r"(?P<thread>\d+) +(?:<\.\.\. )?(?P<name>\w+)(?P<rest>.*)")
_PATH = re.compile(r"\d+<([^>]*)>")


@dataclass(frozen=True, slots=True)
class Done:
    """Something that became true: ``durable`` a file, ``named`` a file, ``answered`` a client."""

    what: str
    where: str


def events(trace: Sequence[str], folder: Path) -> Iterator[Done]:
    """Read a trace: what makes durable counts when it returns, what shows counts when it begins."""
    open_calls: dict[str, str] = {}
    for line in trace:
        match = _LINE.match(line)
        if match is None:
            continue
        thread, name, rest = match["thread"], match["name"], match["rest"]
        if name in ("fsync", "fdatasync"):
            if found := _PATH.search(rest):
                open_calls[thread] = found[1]
            if "unfinished" not in rest and rest.rstrip().endswith("= 0"):
                yield Done("durable", relative(open_calls[thread], folder))
        elif name in ("link", "linkat") and "resumed" not in rest:
            source, target = re.findall(r'"([^"]*)"', rest)[:2]
            yield Done("named", f"{relative(source, folder)} -> {relative(target, folder)}")
        elif status := re.search(r"HTTP/1\.1 (\d+)", rest):
            yield Done("answered", status[1])


def relative(path: str, folder: Path) -> str:
    return path.removeprefix(f"{folder}/")


def disorder(done: Sequence[Done]) -> list[str]:
    """Return what was shown before it was durable."""
    wrong = []
    database = Done("durable", "inkling.db-wal")
    for at, event in enumerate(done):
        if event.what == "named":
            source, target = event.where.split(" -> ")
            if Done("durable", source) not in done[:at]:
                wrong.append(f"{target} had its name before its bytes were durable")
            folder = Done("durable", target.rpartition("/")[0])
            after = done[at:]
            answered = next(
                (n for n, other in enumerate(after) if other == database or other.what == "answered"), len(after)
            )
            if folder not in after[:answered]:
                wrong.append(f"{target} was reported before its name was durable")
        if event == Done("answered", "202") and database not in done[:at]:
            wrong.append("a job was acknowledged before its row was durable")
    return wrong


def test_bytes_then_name_then_folder_then_row_then_answer(tmp_path: Path) -> None:
    data, trace = tmp_path / "data", tmp_path / "trace"
    strace = ("strace", "-f", "-y", "-qq", "-s", "40", "-e", f"trace={_SYSTEM_CALLS}", "-o", str(trace))
    with program(data, *strace, executor="inline") as service:
        skipped = len(trace.read_text().splitlines())  # the shipped models are installed at the start
        with httpx.Client(base_url=f"{service.url}/api/v1", timeout=60) as client:
            job = client.post("/jobs", json={**TINY, "name": "alpha"}).raise_for_status().json()
            assert wait_until_over(client, job["id"])["state"] == "succeeded"
            client.put("/models/alpha/aliases/champion", json={"version": 1}).raise_for_status()
        subprocess.run(["pkill", "-TERM", "-P", str(service.process.pid)], check=True)
        assert service.process.wait(30) == 0
    done = list(events(trace.read_text().splitlines()[skipped:], data))
    named = [event.where.partition(" -> ")[2] for event in done if event.what == "named"]
    assert named == [
        "model_store/alpha/1/weights.npz",
        "model_store/alpha/1/manifest.json",
        "model_store/alpha/aliases/champion/000001.json",
    ]
    assert disorder(done) == []
    # Without any one of what it needs, the same trace would be refused.
    needed = {event for event in done if event.what == "durable" and disorder([o for o in done if o != event])}
    folders = {"model_store/alpha/1", "model_store/alpha/aliases/champion"}
    assert {"inkling.db-wal", *folders} < {event.where for event in needed}
    assert len(needed) == 3 + len(named), "and each file's bytes"
