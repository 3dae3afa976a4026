"""Writes the bill of materials of a Python environment to standard output, as CycloneDX 1.6 JSON.

It lists what is installed, not what was requested, and is the same for the same packages. It needs the standard library
alone, so that it runs in the image, which has no tools.

    python tools/sbom.py .venv
"""

from __future__ import annotations

import json
import re
import sys
from importlib.metadata import Distribution, PathDistribution, distributions
from pathlib import Path
from typing import Any

ROOT = "inkling-digits"
NOT_OURS = {"pip", "setuptools", "uv", "hatchling", "editables"}
"""Tools that put an environment together and are not in what runs."""


def bill(environment: Path) -> dict[str, Any]:
    """Return the bill of an environment: its packages, their licences, and which needs which."""
    folders = [str(path) for path in environment.glob("lib*/python*/site-packages")]
    found = {name(each): each for each in distributions(path=folders) if isinstance(each, PathDistribution)}
    components = {key: component(found[key]) for key in sorted(found.keys() - NOT_OURS)}
    refs = {key: component["bom-ref"] for key, component in components.items()}
    return {
        "bomFormat": "CycloneDX",
        "specVersion": "1.6",
        "version": 1,
        "metadata": {"component": {**components.pop(ROOT), "type": "application"}},
        "components": list(components.values()),
        "dependencies": [
            {"ref": ref, "dependsOn": sorted(refs[need] for need in needs(found[key]) & refs.keys())}
            for key, ref in refs.items()
        ],
    }


def component(package: Distribution) -> dict[str, Any]:
    """Return one package. Its licence is an SPDX expression where it declares one, else its name for it."""
    about = package.metadata
    purl = f"pkg:pypi/{name(package)}@{package.version}"
    expression, text = about.get("License-Expression"), about.get("License") or ""
    classifiers = [
        line.rpartition(" :: ")[2] for line in about.get_all("Classifier") or () if line.startswith("License")
    ]
    named = classifiers or ([text] if text and "\n" not in text else [])
    licences = [{"expression": expression}] if expression else [{"license": {"name": each}} for each in named]
    return {
        "type": "library",
        "bom-ref": purl,
        "name": name(package),
        "version": package.version,
        **({"licenses": licences} if licences else {}),
        "purl": purl,
    }


def needs(package: Distribution) -> set[str]:
    """Return the names of what a package may need, extras included: what is there of them counts."""
    return {normal(re.split(r"[^\w.-]", line, maxsplit=1)[0]) for line in package.requires or ()}


def name(package: Distribution) -> str:
    """Return the normal form of a package's name."""
    return normal(package.metadata["Name"])


def normal(text: str) -> str:
    """Return a name as every index writes it."""
    return re.sub(r"[-_.]+", "-", text).lower()


if __name__ == "__main__":
    json.dump(bill(Path(sys.argv[1])), sys.stdout, indent=1)
    sys.stdout.write("\n")
