"""Run by test_crashes_and_races.py: ``STORE FOLDER``, where the store holds ``digits``, version 1.

In a fresh copy of the store, a child registers a version and dies at its first system call on a file; in the
next copy at its second; and so on until one survives. After each kill every version must load, and the same job
(in one copy) or another one (in a second) must register as if nothing had been.
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
model = Registry(LocalStore(SOURCE)).load("digits", 1)
draft = ModelDraft(**{field.name: getattr(model.manifest, field.name) for field in fields(ModelDraft)})


def register(registry: Registry, job: int) -> int:
    job_draft = replace(draft, job_id=f"job-{job}")
    return registry.register("digits", job_draft, model.best + job, model.last).version


outcomes = []
for nth in itertools.count(1):
    for job in (1, 2):
        registry = Registry(LocalStore(shutil.copytree(SOURCE, COPIES / f"{nth}-{job}")))
        died = is_killed_at(nth, CALLS, partial(register, registry, 1))
        left = registry.versions("digits")
        for version in left:
            registry.load("digits", version)
        made = register(registry, job)
        registry.load("digits", made)
        assert register(registry, job) == made
        outcomes.append((job, left[-1], made))
    if not died:
        break

print(json.dumps(outcomes))
