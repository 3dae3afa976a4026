"""The nest, storms, and the weights that an undisturbed run ends with."""

from __future__ import annotations

import json
import os
from collections.abc import Callable, Iterator, Mapping
from typing import Any

import pytest

from service.core import TrainingConfig
from service.database import Database, migrate
from service.jobs import InlineExecutor
from tests.chaos.audit import Audit
from tests.chaos.storm import Storm
from tests.chaos.supervisor import Nest
from tests.jobs.house import House


@pytest.fixture(scope="session")
def nest() -> Iterator[Nest]:
    nest = Nest()
    yield nest
    nest.close()


@pytest.fixture(scope="session")
def seed() -> int:
    return int(os.environ.get("CHAOS_SEED", "1"))


@pytest.fixture(scope="session")
def weights_of(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Callable[[Mapping[str, Any]], str]]:
    """Train a configuration undisturbed, once, and return the checksum of its weights."""
    folder = tmp_path_factory.mktemp("undisturbed")
    database = Database(f"sqlite:///{folder / 'inkling.db'}")
    migrate(database)
    house = House(folder, lambda: InlineExecutor(1), database=database)
    house.engine.start()
    known: dict[str, str] = {}

    def weights_of(config: Mapping[str, Any]) -> str:
        config = {name: config[name] for name in TrainingConfig.__dataclass_fields__}
        text = json.dumps(config, sort_keys=True)
        if text not in known:
            model = house.train(**config).model
            assert model is not None
            known[text] = house.registry.manifest(model["name"], model["version"]).weights_sha256
        return known[text]

    yield weights_of
    house.close()


@pytest.fixture
def audit(weights_of: Callable[[Mapping[str, Any]], str]) -> Callable[[Storm], list[str]]:
    """Say what a storm did, and return the promises that were broken."""

    def audit(storm: Storm) -> list[str]:
        audit = Audit(storm.folder, storm.ledger, weights_of)
        violations = audit.violations()
        for counts in (storm.counts, storm.ledger.counts, audit.counts):
            print(", ".join(f"{count} {what}" for what, count in sorted(counts.items())))
        print(f"{len(violations)} promises broken", *violations, sep="\n  ")
        return violations

    return audit
