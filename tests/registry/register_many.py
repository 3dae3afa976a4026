"""Run by test_crashes_and_races.py: ``ROOT FIRST_SEED COUNT`` registers so many versions of ``digits``."""

from __future__ import annotations

import json
import sys
from dataclasses import fields
from pathlib import Path

from service.registry import ModelDraft, Registry
from service.stores import LocalStore

registry = Registry(LocalStore(Path(sys.argv[1])))
model = registry.load("digits", 1)
draft = ModelDraft(**{field.name: getattr(model.manifest, field.name) for field in fields(ModelDraft)})
first_seed, count = int(sys.argv[2]), int(sys.argv[3])
print(
    json.dumps(
        [
            registry.register("digits", draft, model.best + seed, model.last).version
            for seed in range(first_seed, first_seed + count)
        ]
    )
)
