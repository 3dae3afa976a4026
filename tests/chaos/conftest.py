"""The fork server, the load of faults, and the weights that an undisturbed run ends with."""

from __future__ import annotations

import json
import os
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest

from service.core import TrainingConfig
from service.database import Database, migrate
from service.jobs import InlineExecutor
from tests.chaos.audit import Audit
from tests.chaos.fault_load import FaultLoad
from tests.chaos.supervisor import ForkServer
from tests.jobs.job_system import JobSystem
from tests.postgresql import Server

KINDS = [os.environ["CHAOS_DATABASE"]] if "CHAOS_DATABASE" in os.environ else ["sqlite", "postgresql"]


@pytest.fixture(scope="session")
def fork_server() -> Iterator[ForkServer]:
    fork_server = ForkServer()
    yield fork_server
    fork_server.close()


@pytest.fixture(scope="session")
def seed() -> int:
    return int(os.environ.get("CHAOS_SEED", "1"))


@pytest.fixture(params=KINDS)
def url(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[str]:
    """Return the URL of a database of each kind, or of the one that was asked for."""
    if request.param == "sqlite":
        yield f"sqlite:///{tmp_path / 'inkling.db'}"
        return
    server: Server = request.getfixturevalue("postgresql")
    with server.migrated_database() as url:
        yield url


@pytest.fixture(scope="session")
def weights_of(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Callable[[Mapping[str, Any]], str]]:
    """Train a configuration undisturbed, once, and return the checksum of its weights."""
    folder = tmp_path_factory.mktemp("undisturbed")
    database = Database(f"sqlite:///{folder / 'inkling.db'}")
    migrate(database)
    system = JobSystem(folder, lambda: InlineExecutor(1), database=database)
    system.engine.start()
    known: dict[str, str] = {}

    def weights_of(config: Mapping[str, Any]) -> str:
        config = {name: config[name] for name in TrainingConfig.__dataclass_fields__ if name in config}
        text = json.dumps(config, sort_keys=True)
        if text not in known:
            model = system.train(**config).model
            assert model is not None
            known[text] = system.registry.manifest(model["name"], model["version"]).weights_sha256
        return known[text]

    yield weights_of
    system.close()


@pytest.fixture
def audit(weights_of: Callable[[Mapping[str, Any]], str]) -> Callable[[FaultLoad], list[str]]:
    """Print the counts of a load, and return the broken promises."""

    def audit(load: FaultLoad) -> list[str]:
        audit = Audit(load, weights_of)
        violations = audit.violations()
        for counts in (load.counts, load.ledger.counts, audit.counts):
            print(", ".join(f"{count} {what}" for what, count in sorted(counts.items())))
        print(f"{len(violations)} promises broken", *violations, sep="\n  ")
        return violations

    return audit
