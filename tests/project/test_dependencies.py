"""What is declared, what is imported, what is locked and what is explained agree."""

from __future__ import annotations

import ast
import re
import sys
from importlib.metadata import packages_distributions
from pathlib import Path
from typing import Any

import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name
from packaging.version import Version

LOCKS = ("build", "run", "dev", "extras", "s3")
# Found at run time, by uvicorn, by starlette, and where SQLite's driver is chosen: no import names them.
NEVER_IMPORTED = {"uvloop", "python-multipart", "arize-phoenix-sqlean"}
# Extras that are too heavy for every environment, by the module that they bring.
OF_EXTRAS = {"mlflow": "mlflow-skinny", "onnx": "onnx", "sklearn": "scikit-learn"}
# The releases that fixed known vulnerabilities.
FLOORS = {"starlette": "1.0.1", "python-multipart": "0.0.30", "pillow": "12.3.0"}


def locked(path: Path) -> dict[str, list[str]]:
    """Return each package with its versions, one for each range of Python."""
    versions: dict[str, list[str]] = {}
    for name, version in re.findall(r"^([\w.-]+)==(\S+)", path.read_text(), flags=re.MULTILINE):
        versions.setdefault(canonicalize_name(name), []).append(version)
    return versions


@pytest.fixture(scope="session")
def run_time(pyproject: dict[str, Any]) -> list[Requirement]:
    return [Requirement(line) for line in pyproject["project"]["dependencies"]]


@pytest.fixture(scope="session")
def extras(pyproject: dict[str, Any]) -> list[Requirement]:
    """What `service` may import where it is installed; the peers of `bench` are not for it."""
    groups = pyproject["project"]["optional-dependencies"].items()
    return [Requirement(line) for name, lines in groups if name != "bench" for line in lines]


@pytest.fixture(scope="session")
def development(pyproject: dict[str, Any]) -> list[Requirement]:
    groups = pyproject["dependency-groups"].items()
    everywhere = [lines for name, lines in groups if name not in ("extras", "s3")]
    return [Requirement(line) for lines in everywhere for line in lines if isinstance(line, str)]


@pytest.mark.slow
def test_every_import_is_declared_and_every_declaration_imported(
    root: Path, run_time: list[Requirement], extras: list[Requirement]
) -> None:
    imported = set()
    for path in [*(root / "service").rglob("*.py"), *(root / "inkling").rglob("*.py")]:
        for node in ast.walk(ast.parse(path.read_text())):
            if isinstance(node, ast.Import):
                imported |= {alias.name.partition(".")[0] for alias in node.names}
            elif isinstance(node, ast.ImportFrom) and node.module and not node.level:
                imported.add(node.module.partition(".")[0])
    imported -= sys.stdlib_module_names | {"inkling", "service", "_typeshed"}  # the last is a type checker's own
    distributions = packages_distributions()
    brought = {name: distributions.get(name, [OF_EXTRAS.get(name, "")]) for name in imported}
    used = {name: {canonicalize_name(of) for of in candidates} for name, candidates in brought.items()}
    required = {canonicalize_name(requirement.name) for requirement in run_time} - NEVER_IMPORTED
    declared = required | ({canonicalize_name(requirement.name) for requirement in extras} - NEVER_IMPORTED)
    assert [name for name, candidates in used.items() if not candidates & declared] == []
    assert declared <= set().union(*used.values())


def test_every_dependency_is_explained(root: Path, run_time: list[Requirement], development: list[Requirement]) -> None:
    page = (root / "docs" / "dependencies.md").read_text()
    rows = re.findall(r"^\| `([\w-]+)` \| \S", page, flags=re.MULTILINE)
    assert sorted(rows) == sorted(requirement.name for requirement in run_time + development)


@pytest.mark.parametrize("name", LOCKS)
def test_a_lock_holds_hashes_and_no_address(name: str, root: Path) -> None:
    text = (root / "requirements" / f"{name}.txt").read_text()
    for word in ("://", "--index-url", "--extra-index-url", "--find-links", "--trusted-host", " @ ", "file:"):
        assert word not in text
    for entry in re.split(r"\n(?=\w)", text):
        assert "--hash=sha256:" in entry, entry


def test_the_locks_fit_the_declarations(
    root: Path, pyproject: dict[str, Any], run_time: list[Requirement], development: list[Requirement]
) -> None:
    optional = pyproject["project"]["optional-dependencies"]
    shared = [Requirement(line) for name in ("postgresql", "objects", "dask") for line in optional[name]]
    assert sorted(path.stem for path in (root / "requirements").iterdir()) == sorted(LOCKS)
    locks = {name: locked(root / "requirements" / f"{name}.txt") for name in LOCKS}
    for requirements, lock in (
        (run_time + shared, locks["run"]),
        (run_time + shared + development, locks["dev"] | locks["build"]),
    ):
        for requirement in requirements:
            versions = lock[canonicalize_name(requirement.name)]
            assert all(requirement.specifier.contains(version) for version in versions), requirement
    for name, versions in locks["run"].items():
        assert locks["dev"][name] == versions, "tests would run on other versions than users"


def test_no_locked_version_is_below_its_security_floor(root: Path, run_time: list[Requirement]) -> None:
    lock = locked(root / "requirements" / "run.txt")
    declared = {requirement.name: requirement.specifier for requirement in run_time}
    for name, floor in FLOORS.items():
        assert all(Version(version) >= Version(floor) for version in lock[name])
        lowest = min(Version(part.version) for part in declared[name] if part.operator == ">=")
        assert lowest >= Version(floor), name
