"""Every command that a page shows is run, in the page's order, against a service.

The fenced ``sh`` blocks of a page are one script, run in a folder of its own. A comment before a block changes that:
``<!-- not run: why -->``, or ``<!-- refused -->`` where the service is to refuse it. Addresses and ports are those of
this test; an id that a page shows stands for the newest job, sweep or key. To save time,
runs have a tenth of the epochs, and reports are quick ones of one penalty.
"""

from __future__ import annotations

import os
import re
import shutil
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import NamedTuple

import numpy as np
import pytest
from PIL import Image

from service.access import Scope
from service.bootstrap import Service
from service.datasets import load_dataset
from service.settings import Settings
from tests.free_port import free_port
from tests.web.serving import serving

pytestmark = [pytest.mark.slow, pytest.mark.timeout(300)]

ROOT = Path(__file__).parents[2]
BLOCK = re.compile(r"(?:<!-- (not run: [^\n]+|refused) -->\n)?```sh\n(.*?)^```$", re.MULTILINE | re.DOTALL)
ID = r"[0-9A-Z]{26}\b"
NOT_RUN = {
    "README.md": 6,
    "backup.md": 2,
    "cli.md": 6,
    "deploy.md": 3,
    "index.md": 1,
    "models.md": 5,  # trainings and tables that take minutes
    "monitoring.md": 1,
    "reliability.md": 1,
    "scale.md": 1,
    "security.md": 2,
    "student.md": 1,  # serves a class until it is stopped
}
"""How many blocks of a page are not run. It should only ever shrink."""
TAKES_MINUTES = ("cli.md",)
"""Of every command an example, which starts a process of its own: tests/cli has them all in one process."""

PREAMBLE = r"""
set -eu
curl() { command curl --fail-with-body --no-progress-meter "$@"; }
id_of() {
    python3 -c 'import json, sys; print(json.load(sys.stdin)[sys.argv[1]][0]["id"])' "$1"
}
newest() { inkling "$1" list --json | id_of "$1"; }
newest_key() { inkling keys list | grep -oE '^[0-9a-f]{12}' | head -n 1; }
all_over() {
    for state in queued running cancelling; do
        command curl -s "URL/api/v1/jobs?state=$state" | grep -oE '"id":"[0-9A-Z]{26}"' | cut -d '"' -f 4 |
            while read -r job; do command curl -s -N -o /dev/null "URL/api/v1/jobs/$job/events"; done
    done
}
"""


class Block(NamedTuple):
    """A fenced block of commands, and the word before it."""

    mark: str
    commands: str


def blocks_of(page: Path) -> list[Block]:
    return [Block(mark, commands) for mark, commands in BLOCK.findall(page.read_text())]


PAGES = {page.name: blocks_of(page) for page in (ROOT / "README.md", *sorted((ROOT / "docs").glob("*.md")))}


def test_hardly_anything_is_not_run() -> None:
    found = {name: sum(block.mark.startswith("not run") for block in blocks) for name, blocks in PAGES.items()}
    assert {name: count for name, count in found.items() if count} == NOT_RUN
    assert sum(block.mark == "refused" for blocks in PAGES.values() for block in blocks) == 1
    assert sum(len(blocks) for blocks in PAGES.values()) > 50


class Running(NamedTuple):
    """A service that lets everybody in, with a key for the pages that send one."""

    url: str
    key: str


@pytest.fixture(scope="module")
def running(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Running]:
    data_dir = tmp_path_factory.mktemp("data")
    with (
        Service(Settings(data_dir=data_dir, executor="processes", workers=1, allow_anonymous=True)) as service,
        serving(service) as url,
    ):
        yield Running(url, service.keys.create("reader", [Scope.ADMIN])[1])


@pytest.fixture(scope="module")
def files(tmp_path_factory: pytest.TempPathFactory, root: Path) -> Path:
    """Return a folder with the files that readers have: pictures of digits, and a data set as MNIST is published."""
    folder = tmp_path_factory.mktemp("files")
    for name in ("digit.png", "scans/1.jpg", "scans/2.jpg"):
        file = folder / name
        file.parent.mkdir(exist_ok=True)
        Image.fromarray(load_dataset("mnist").test.images[0]).resize((280, 280)).save(file)
    for file in (root / "service" / "datasets" / "files" / "mnist").glob("*.gz"):
        shutil.copy(file, folder)
    parts = load_dataset("mnist")
    arrays = {"x_train": parts.training.images, "y_train": parts.training.labels}
    for number in range(8):
        letter = folder / "letters" / str(3 + 4 * (number % 2)) / f"{number}.png"
        letter.parent.mkdir(parents=True, exist_ok=True)
        Image.fromarray(parts.test.images[number]).save(letter)
    np.savez(folder / "fashion.npz", **arrays, x_test=parts.test.images, y_test=parts.test.labels)
    return folder


@pytest.fixture
def folder(files: Path, tmp_path: Path) -> Path:
    """Return a folder of a page's own with these files. The large ones, which no page writes, are the same."""
    for file in files.iterdir():
        if file.is_dir():
            shutil.copytree(file, tmp_path / file.name)
        else:
            (shutil.copy if file.suffix == ".png" else os.link)(file, tmp_path / file.name)
    return tmp_path


def script_of(blocks: list[Block], url: str) -> str:
    """Return the script of a page."""
    text = PREAMBLE
    for number, block in enumerate(blocks):
        if block.mark.startswith("not run"):
            continue
        text += f'echo "## block {number}, $SECONDS s" >&2\n'
        commands = block.commands
        for kind, of_kind in (("sweeps", r"\bsweeps \w+"), ("jobs", r"\b(?:jobs \w+|verify)")):
            if re.search(rf"{of_kind} {ID}", commands):
                text += f"NEWEST=$(newest {kind})\n"
                commands = re.sub(rf"({of_kind}) {ID}", r"\1 $NEWEST", commands)
        text += f"(\n{commands}) && exit 99 || [ $? = 22 ]\n" if block.mark == "refused" else commands
        text += "all_over\n"
    text = re.sub(r"\b(keys revoke) [0-9a-f]{12}\b", r'\1 "$(newest_key)"', text)
    collected = r'\1 "$(inkling collections show \2 --json | id_of images)"'
    text = re.sub(rf"(collections \w+ (\w+)) {ID}", collected, text)
    text = re.sub(r'(--epochs |"epochs": )(\d+)', lambda found: f"{found[1]}{max(1, int(found[2]) // 10)}", text)
    text = text.replace("inkling report --", "inkling report --quick --l2-penalties 1 --")
    text = re.sub(r"(-d|--json) '\{(\"quick\": true)?\}'", r"""\1 '{"quick": true, "l2_penalties": [1]}'""", text)
    text = re.sub(r"(http://)?\b(127\.0\.0\.1|localhost):8000", url, text).replace("URL/", f"{url}/")
    text = text.replace(".venv/bin/", "").replace("/var/lib/inkling", "$PWD/data")
    return text.replace("8100", str(free_port())).replace("8786", str(free_port()))


@pytest.mark.needs("curl")
@pytest.mark.parametrize(
    "name",
    [
        pytest.param(name, marks=pytest.mark.long) if name in TAKES_MINUTES else name
        for name, blocks in PAGES.items()
        if len(blocks) > NOT_RUN.get(name, 0)
    ],
)
def test_the_commands_of_a_page_work(name: str, running: Running, folder: Path) -> None:
    file = folder / "page.sh"
    file.write_text(script_of(PAGES[name], running.url))
    environment = dict(os.environ)
    environment |= {
        "PATH": f"{Path(sys.executable).parent}:{environment['PATH']}",
        "INKLING_KEY": running.key,
        "PYTHONWARNINGS": "",
    }
    output = folder / "page.log"
    with (
        output.open("w") as log,
        subprocess.Popen(
            ["bash", str(file)],
            cwd=folder,
            env=environment,
            stdout=log,
            stderr=subprocess.STDOUT,
            stdin=subprocess.DEVNULL,
            start_new_session=True,
        ) as run,
    ):
        try:
            code = run.wait(timeout=240)
        finally:
            with suppress(ProcessLookupError):
                os.killpg(run.pid, signal.SIGKILL)  # what a page started and did not stop
    assert code == 0, output.read_text()
