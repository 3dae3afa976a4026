"""The repository as files."""

from __future__ import annotations

import tomllib
from pathlib import Path
from typing import Any

import pytest

ROOT = Path(__file__).parents[2]


@pytest.fixture(scope="session")
def root() -> Path:
    """Return the folder of the repository."""
    return ROOT


@pytest.fixture(scope="session")
def pyproject() -> dict[str, Any]:
    """Return pyproject.toml, parsed."""
    return tomllib.loads((ROOT / "pyproject.toml").read_text())


@pytest.fixture(scope="session")
def own_files() -> list[Path]:
    """Return every file that people wrote, without what tools leave behind."""
    folders = (
        "service",
        "inkling",
        "tests",
        "docs",
        "tools",
        "benchmarks",
        "deploy",
        "requirements",
        ".ci",
        ".github",
        "model_store",
    )
    files = [path for path in ROOT.iterdir() if path.is_file()]
    files += [path for folder in folders for path in (ROOT / folder).rglob("*") if path.is_file()]
    return sorted(path for path in files if "__pycache__" not in path.parts)
