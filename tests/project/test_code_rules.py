"""Rules of this code base that no linter has, checked on the syntax tree."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

RUN_CODE_FROM_DATA = {"pickle", "cPickle", "cloudpickle", "dill", "joblib", "marshal", "shelve"}
MAX_LINES = 500
# Standards and projects that a file refers to, and reserved host names.
KNOWN_HOSTS = {
    "keepachangelog.com",
    "www.standardwebhooks.com",
    "numpy.org",
    "purl.org",
    "semver.org",
    "www.apache.org",
    "www.rfc-editor.org",
    "www.w3.org",
}
RESERVED_HOST = re.compile(r"[\w-]+|[\d.]+|([\w-]+\.)*(example|invalid|test)(\.(com|net|org))?")
VENDORED = (
    "service/web/static/swagger-ui",
    "service/web/static/inter",
    "service/web/static/preact",
    "service/web/static/lean-qr",
    "service/web/static/uplot",
    "tests/browser/axe",
    "docs/site/math-licence.txt",
)


@pytest.fixture(scope="module")
def modules(root: Path) -> dict[str, ast.Module]:
    """Return the syntax tree of each module of the product, by its path."""
    paths = sorted([*(root / "inkling").rglob("*.py"), *(root / "service").rglob("*.py")])
    return {str(path.relative_to(root)): ast.parse(path.read_text()) for path in paths}


def imported_names(tree: ast.AST) -> Iterator[str]:
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module and not node.level:
            yield from (f"{node.module}.{alias.name}" for alias in node.names)


@pytest.mark.slow
def test_no_module_runs_code_from_data(modules: dict[str, ast.Module]) -> None:
    for path, tree in modules.items():
        assert not {name.partition(".")[0] for name in imported_names(tree)} & RUN_CODE_FROM_DATA, path
        for node in ast.walk(tree):
            if isinstance(node, ast.keyword) and node.arg == "allow_pickle":
                assert isinstance(node.value, ast.Constant) and node.value.value is False, path
            if isinstance(node, ast.Call) and ast.unparse(node.func) == "np.load":
                assert "allow_pickle" in {keyword.arg for keyword in node.keywords}, path


def test_no_module_keeps_global_figures(modules: dict[str, ast.Module]) -> None:
    for path, tree in modules.items():
        assert not [name for name in imported_names(tree) if "pyplot" in name or "pylab" in name], path


def test_a_module_is_one_noun(modules: dict[str, ast.Module], root: Path) -> None:
    n_lines = {path: len((root / path).read_text().splitlines()) for path in modules}
    assert {path: n for path, n in n_lines.items() if n > MAX_LINES} == {}, "a sign of two nouns"
    assert not {Path(path).stem for path in modules} & {"utils", "util", "helpers", "common", "misc"}


def test_values_are_frozen(modules: dict[str, ast.Module]) -> None:
    changing = [
        f"{path}: {node.name}"
        for path, tree in modules.items()
        for node in ast.walk(tree)
        if isinstance(node, ast.ClassDef)
        for decorator in map(ast.unparse, node.decorator_list)
        if decorator.startswith("dataclass") and "frozen=True" not in decorator
    ]
    assert changing == ["service/sklearn.py: _Regression"], "an estimator is changed by set_params"


def test_test_files_shadow_nothing(pyproject: dict[str, Any], root: Path) -> None:
    """A test file named like a dependency would be imported in its place."""
    names = [path.stem for path in (root / "tests").rglob("*.py") if path.stem != "conftest"]
    packages = {re.split(r"[<>=;\[ ]", line)[0].replace("-", "_") for line in pyproject["project"]["dependencies"]}
    assert not packages & set(names)
    assert len(names) == len(set(names)), "two test files of one name"


def test_only_known_hosts_are_named(own_files: list[Path], root: Path) -> None:
    """No registry, machine or tracker finds its way into a file."""
    named = set()
    for path in own_files:
        content = path.read_bytes()
        if b"\0" in content or any(path.is_relative_to(root / place) for place in VENDORED):
            continue
        for host in re.findall(r"https?://(?:[^/\s@]+@)?([\w.-]+)", content.decode(errors="replace")):
            if host not in KNOWN_HOSTS and not RESERVED_HOST.fullmatch(host):
                named.add(f"{path.relative_to(root)}: {host}")
    assert named == set()
