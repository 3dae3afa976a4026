"""Run by test_crashes_and_races.py: ``STORE FOLDER``, where the store holds ``digits``, version 1.

In a fresh copy of the store, a child registers a version and dies at its first system call on a file; in the
next copy at its second; and so on until one survives. After each kill every version must load, and the same job
(in one copy) or another one (in a second) must register as if nothing had been.
"""

from __future__ import annotations

import itertools
import json
import os
import shutil
import sys
from collections.abc import Callable
from dataclasses import fields, replace
from pathlib import Path
from typing import Any

from service.registry import LocalStore, ModelDraft, Registry

SOURCE, COPIES = Path(sys.argv[1]), Path(sys.argv[2])
model = Registry(LocalStore(SOURCE)).load("digits", 1)
draft = ModelDraft(**{field.name: getattr(model.manifest, field.name) for field in fields(ModelDraft)})


def register(registry: Registry, job: int) -> int:
    job_draft = replace(draft, job_id=f"job-{job}")
    return registry.register("digits", job_draft, model.best + job, model.last).version


def dying(call: Callable[..., Any], countdown: list[int]) -> Callable[..., Any]:
    def call_or_die(*args: Any, **kwargs: Any) -> Any:
        countdown[0] -= 1
        if countdown[0] == 0:
            os._exit(9)
        return call(*args, **kwargs)

    return call_or_die


def dies_at(nth: int, registry: Registry) -> bool:
    """Whether a child that registers job 1 died at its nth call."""
    child = os.fork()
    if child == 0:
        countdown = [nth]
        for name in ("mkdir", "open", "write", "fsync", "link", "unlink", "close"):
            setattr(os, name, dying(getattr(os, name), countdown))
        register(registry, 1)
        os._exit(0)
    return os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 9


outcomes = []
for nth in itertools.count(1):
    for job in (1, 2):
        registry = Registry(LocalStore(shutil.copytree(SOURCE, COPIES / f"{nth}-{job}")))
        died = dies_at(nth, registry)
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
