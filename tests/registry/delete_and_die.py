"""Run by test_deletion.py: ``STORE FOLDER``, where the store holds ``digits``, versions 1 and 2.

In a fresh copy of the store, a child deletes version 2 and dies at its first system call on a file; in the next copy
at its second; and so on until one survives. After each kill version 2 must be whole or absent; after cleaning nothing
of an absent one is left, and the next registration is version 3. It prints the versions that each kill left.
"""

from __future__ import annotations

import itertools
import json
import os
import shutil
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

from service.registry import LocalStore, Registry

SOURCE, COPIES = Path(sys.argv[1]), Path(sys.argv[2])


def dying(call: Callable[..., Any], countdown: list[int]) -> Callable[..., Any]:
    def call_or_die(*args: Any, **kwargs: Any) -> Any:
        countdown[0] -= 1
        if countdown[0] == 0:
            os._exit(9)
        return call(*args, **kwargs)

    return call_or_die


left = []
for nth in itertools.count(1):
    root = shutil.copytree(SOURCE, COPIES / str(nth))
    registry = Registry(LocalStore(root))
    child = os.fork()
    if child == 0:
        countdown = [nth]
        for name in ("mkdir", "open", "write", "fsync", "link", "unlink", "close"):
            setattr(os, name, dying(getattr(os, name), countdown))
        registry.delete_version("digits", 2)
        os._exit(0)
    died = os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 9
    versions = registry.versions("digits")
    for version in versions:
        model = registry.load("digits", version)
    left.append(versions)
    registry.clean()
    files = sorted(path.name for path in (root / "digits" / "2").iterdir())
    assert files == (["manifest.json", "weights.npz"] if 2 in versions else ["deleted.json"]), files
    if not died:
        break

print(json.dumps(left))
