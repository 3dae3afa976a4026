"""The documentation agrees with the code."""

from __future__ import annotations

import importlib.util
import re
from pathlib import Path
from types import ModuleType

import pytest

import service
from service.core import HYPERPARAMETERS
from service.settings import Settings
from service.web.app import create_app


@pytest.fixture(scope="module")
def generate(root: Path) -> ModuleType:
    spec = importlib.util.spec_from_file_location("generate", root / "docs" / "generate.py")
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def pages(root: Path) -> list[Path]:
    return [*root.glob("*.md"), *(root / "docs").glob("*.md")]


def test_generated_pages_are_up_to_date(generate: ModuleType) -> None:
    assert generate.out_of_date() == [], "run `make docs`"


def test_every_setting_has_a_line(root: Path) -> None:
    page = (root / "docs" / "configuration.md").read_text()
    for name, field in Settings.model_fields.items():
        assert field.description, name
        assert f"| `--{name.replace('_', '-')}` | `INKLING_{name.upper()}` |" in page


def test_every_hyperparameter_has_a_line(root: Path) -> None:
    page = (root / "docs" / "hyperparameters.md").read_text()
    for row in HYPERPARAMETERS:
        assert f"| `{row.name}` |" in page


def test_every_route_has_a_line(root: Path) -> None:
    page = (root / "docs" / "api.md").read_text()
    documented = set(re.findall(r"`([A-Z]+) (/[^\s`?]*)[`?]", page))
    paths = create_app(settings=Settings()).openapi()["paths"]
    routes = {(method.upper(), path) for path, methods in paths.items() for method in methods}
    assert routes - documented == set(), "docs/api.md names a route as `GET /api/v1/jobs`"


def test_links_lead_somewhere(root: Path) -> None:
    for page in pages(root):
        for target in re.findall(r"\]\(([^)#\s]+)", page.read_text()):
            if "://" not in target:
                assert (page.parent / target).exists(), f"{page.name}: {target}"


def test_the_files_that_contributors_are_sent_to_exist(root: Path) -> None:
    text = (root / "CONTRIBUTING.md").read_text()
    paths = set(re.findall(r"`((?:service|inkling|tests|tools|docs)/[\w./]*)`", text))
    assert len(paths) > 8
    assert [path for path in sorted(paths) if not (root / path).exists()] == []


def test_the_make_commands_that_pages_name_exist(root: Path) -> None:
    makefile = (root / "Makefile").read_text()
    targets = set(re.findall(r"^([a-z]+):", makefile, flags=re.MULTILINE))
    named = {
        name
        for page in pages(root)
        for name in re.findall(r"(?:^|`)make ([a-z]+)\b", page.read_text(), flags=re.MULTILINE)
    }
    assert {"run", "test"} <= named <= targets


def test_mathematics_is_closed_where_it_is_opened(root: Path) -> None:
    """GitHub renders $`inline`$ and ```math blocks; one that is left open swallows the rest of the page."""
    for page in pages(root):
        text = page.read_text()
        assert text.count("```") % 2 == 0
        prose = re.sub(r"^```.*?^```", "", text, flags=re.MULTILINE | re.DOTALL)
        assert prose.count("$`") == prose.count("`$") == len(re.findall(r"\$`[^`\n]+`\$", prose)), page.name


def test_the_changelog_knows_this_version(root: Path) -> None:
    headings = re.findall(r"^## \[(.+?)\]", (root / "CHANGELOG.md").read_text(), flags=re.MULTILINE)
    assert headings[0] == "Unreleased"
    assert service.__version__ in headings
