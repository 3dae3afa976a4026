"""The bill of materials lists what is installed, in the versions that are locked."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest
from packaging.utils import canonicalize_name

from tests.project.test_dependencies import locked


@pytest.mark.slow
def test_the_bill_of_materials(root: Path) -> None:
    tool = [sys.executable, "-P", str(root / "tools" / "sbom.py"), sys.prefix]
    texts = {subprocess.run(tool, capture_output=True, text=True, check=True).stdout for _ in range(2)}
    assert len(texts) == 1, "the same of the same"
    bill = json.loads(texts.pop())
    assert (bill["bomFormat"], bill["specVersion"]) == ("CycloneDX", "1.6")
    assert bill["metadata"]["component"]["name"] == "inkling-digits"
    versions = {part["name"]: part["version"] for part in bill["components"]}
    for name, locks in locked(root / "requirements" / "run.txt").items():
        assert name not in versions or versions[name] in locks
    needed = {edge["ref"]: edge["dependsOn"] for edge in bill["dependencies"]}
    direct = {ref.split("/")[1].split("@")[0] for ref in needed[bill["metadata"]["component"]["bom-ref"]]}
    assert {"fastapi", "numpy", "sqlalchemy"} <= direct <= versions.keys()
    for part in bill["components"]:
        assert part["purl"] == f"pkg:pypi/{canonicalize_name(part['name'])}@{part['version']}"
        assert part["bom-ref"] in needed
    assert sum("licenses" in part for part in bill["components"]) > 0.9 * len(versions)
