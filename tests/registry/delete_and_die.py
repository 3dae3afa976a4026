"""Run by test_deletion.py: ``STORE FOLDER``, where the store holds ``digits``, versions 1 and 2.

In a fresh copy of the store, a child deletes version 2 and dies at its first system call on a file; in the next copy
at its second; and so on until one survives. After each kill version 2 must be whole or absent; after cleaning nothing
of an absent one is left, and the next registration is version 3. It prints the versions that each kill left.
"""

from __future__ import annotations

import itertools
import json
import shutil
import sys
from dataclasses import fields, replace
from functools import partial
from pathlib import Path

from service.registry import ModelDraft, Registry
from service.stores import LocalStore
from tests.killed_child import is_killed_at

SOURCE, COPIES = Path(sys.argv[1]), Path(sys.argv[2])
CALLS = ("mkdir", "open", "write", "fsync", "link", "unlink", "close")

left = []
for nth in itertools.count(1):
    root = shutil.copytree(SOURCE, COPIES / str(nth))
    registry = Registry(LocalStore(root))
    died = is_killed_at(nth, CALLS, partial(registry.delete_version, "digits", 2))
    versions = registry.versions("digits")
    for version in versions:
        model = registry.load("digits", version)
    left.append(versions)
    registry.clean()
    files = sorted(path.name for path in (root / "digits" / "2").iterdir())
    assert files == (["manifest.json", "weights.npz"] if 2 in versions else ["deleted.json"]), files
    draft = ModelDraft(**{field.name: getattr(model.manifest, field.name) for field in fields(ModelDraft)})
    assert registry.register("digits", replace(draft, job_id="another"), model.best, model.last).version == 3
    if not died:
        break

print(json.dumps(left))
