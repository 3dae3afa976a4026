"""What is written in one place only."""

from __future__ import annotations

import tokenize
from pathlib import Path

import pytest

HERE = {"service/core/task.py": {"28", "10"}}
"""The shape of images and the number of classes; all else is made of them."""
ALLOWED = {"service/inference/picture.py": {"28"}}
"""Offsets in a zip archive."""


@pytest.mark.parametrize(
    "package", ["core", "worker", "jobs", "registry", "database", "inference", "charts", "web", "cli"]
)
def test_the_shape_of_images_is(root: Path, package: str) -> None:
    for path in (root / "service" / package).rglob("*.py"):
        name = path.relative_to(root).as_posix()
        with path.open("rb") as file:
            numbers = {token.string for token in tokenize.tokenize(file.readline) if token.type == tokenize.NUMBER}
        found = numbers & {"28", "784", "785"}
        assert found <= HERE.get(name, set()) | ALLOWED.get(name, set()), name
        if package == "core":
            assert "(10)" not in path.read_text(), f"{name}: a number of classes"
