"""The lower layers are as light as they claim; that imports point down only, `make check` finds."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

NEW_MODULES = """
import sys
before = set(sys.modules)
import {module}
print(*sorted({{name.partition(".")[0] for name in set(sys.modules) - before}}))
print(*sorted(name for name in sys.modules if name.startswith("service.")))
"""


def imported_by(module: str, root: Path) -> tuple[set[str], set[str]]:
    """Import a module in a new process: the top-level packages and the modules of the service it brings in."""
    run = subprocess.run(
        [sys.executable, "-c", NEW_MODULES.format(module=module)], cwd=root, capture_output=True, text=True, check=True
    )
    packages, modules = run.stdout.splitlines()
    return set(packages.split()), set(modules.split())


def test_the_core_needs_numpy_and_the_standard_library_only(root: Path) -> None:
    packages, modules = imported_by("service.core", root)
    assert packages - sys.stdlib_module_names <= {"service", "numpy"}
    assert {name.split(".")[1] for name in modules} == {"core", "errors"}


@pytest.mark.parametrize("module", ["service.worker.run", "service.worker.channel"])
def test_a_worker_starts_without_web_database_or_pictures(module: str, root: Path) -> None:
    packages, modules = imported_by(module, root)
    heavy = {"fastapi", "starlette", "uvicorn", "sqlalchemy", "alembic", "matplotlib", "PIL", "pydantic", "click"}
    assert not packages & heavy
    below = {"worker", "datasets", "stores", "answers", "core", "telemetry", "errors"}
    assert {name.split(".")[1] for name in modules} <= below
