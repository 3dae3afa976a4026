"""What has expired is deleted, what is in use stays, every deletion is audited, and the disk gets its space back."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from click.testing import CliRunner
from sqlalchemy import Table, text, update

from service.bootstrap import Service
from service.cli.upkeep import clean
from service.database import Database, migrate, sqlite3
from service.database.tables import jobs, reports, sweeps
from service.errors import NotFound
from service.jobs import SweepRequest
from service.reports import ReportOptions
from service.retention import Keep
from service.settings import Settings
from tests.jobs.job_system import SHORT, eventually

LONG_AGO = datetime.now(UTC) - timedelta(days=40)
MONTH = Keep(jobs_days=30, snapshots_days=30)


@pytest.fixture
def service(tmp_path: Path, kind: str, url: str) -> Iterator[Service]:
    """Return a service whose engine does not run."""
    service = Service(Settings(data_dir=tmp_path, database_url=url, executor="inline", workers=1))
    yield service
    service.stop()


def submit(service: Service, **fields: object) -> str:
    body = {"model": "softmax", **SHORT, "name": "old", **fields}
    return service.jobs.submit(service.jobs.request_of(body)).id


def age(service: Service, table: Table, *ids: str) -> None:
    ended = {"finished_at": LONG_AGO} if table is jobs else {}
    with service.database.write() as connection:
        connection.execute(update(table).where(table.c.id.in_(ids)).values(created_at=LONG_AGO, **ended))


def names(service: Service, keep: Keep) -> list[str]:
    return [f"{item.kind} {item.id}" for item in service.retention.expired(keep)]


@pytest.mark.slow
def test_jobs_sweeps_and_reports_go_when_all_of_them_ended_long_ago(service: Service) -> None:
    old, young, waiting = (submit(service, seed=seed) for seed in range(3))
    swept, mixed = (service.sweeps.submit(SweepRequest(base=SHORT, grid={"seed": seeds})) for seeds in ([4, 5], [6, 7]))
    report, new_report = (service.reports.submit(ReportOptions(quick=True, seed=seed)) for seed in range(2))
    for job_id in (old, young):
        service.jobs.cancel(job_id)
    for sweep in (swept, mixed):
        service.sweeps.cancel(sweep.id)
    for each in (report, new_report):
        service.reports.cancel(each.id)
    age(service, sweeps, swept.id, mixed.id, report.sweep_id, new_report.sweep_id)
    age(service, reports, report.id, new_report.id)
    age(service, jobs, old, *(member.id for member in swept.members), mixed.members[0].id)
    age(service, jobs, *(job.id for job in report.jobs if job), *(job.id for job in new_report.jobs[1:] if job))
    expired = service.retention.expired(MONTH)
    expected = [f"report {report.id}", f"sweep {swept.id}", f"job {old}"]
    assert [f"{item.kind} {item.id}" for item in expired] == expected
    assert [service.retention.delete(item) for item in expired] == [True] * 3
    assert [service.retention.delete(item) for item in expired] == [False] * 3, "another process was first"
    assert names(service, MONTH) == names(service, Keep()) == []
    for get, gone in ((service.reports.get, report), (service.sweeps.get, swept), (service.sweeps.get, report)):
        with pytest.raises(NotFound):
            get(gone.sweep_id if get == service.sweeps.get and gone is report else gone.id)
    assert {job.id for job in service.jobs.page(limit=1000)[0]} >= {young, waiting, mixed.members[0].id}
    lines = service.audit_log.page(limit=10)
    assert [(line.object_id, line.status) for line in reversed(lines)] == [
        (item.id, status) for status in (204, 404) for item in expired
    ]
    assert {(line.method, line.key_id, line.request_id) for line in lines} == {("DELETE", None, "retention")}


def test_the_newest_versions_stay_and_those_in_use(service: Service) -> None:
    service.install_models()
    weights = service.registry.weights_bytes("mnist-softmax", 1)
    shipped = service.registry.manifest("mnist-softmax", 1)
    for version in range(1, 7):
        service.registry.put(replace(shipped, name="old", version=version), weights)
    service.registry.set_alias("old", "champion", 1)
    submit(service, start_from="old/2", name="new")
    keep = Keep(versions=2)
    expired = [item for item in service.retention.expired(keep) if item.id.startswith("old/")]
    assert [(item.id, item.n_bytes) for item in expired] == [("old/3", len(weights)), ("old/4", len(weights))]
    service.registry.set_alias("old", "challenger", 3)
    assert [service.retention.delete(item) for item in expired] == [False, True]
    assert service.registry.versions("old") == (1, 2, 3, 5, 6)
    assert [(line.object_id, line.status) for line in service.audit_log.page(limit=2)] == [
        ("old/4", 204),
        ("old/3", 409),
    ]


@pytest.mark.slow
def test_a_service_thins_snapshots_and_deletes_at_its_start(tmp_path: Path) -> None:
    settings = Settings(data_dir=tmp_path, executor="inline", workers=1)
    with Service(settings) as service:
        job_id, old = (submit(service, epochs=n, checks_per_epoch=4, patience=None) for n in (15, 1))
        for each in (job_id, old):
            eventually(lambda: service.jobs.get(each).state.final)  # noqa: B023
        before = service.snapshots.list(job_id)
        age(service, jobs, job_id)
    assert (before["every_checks"], len(before["snapshots"])) == (1, 60)
    with Service(settings.model_copy(update={"keep_snapshots_days": 30})) as service:
        eventually(lambda: len(service.snapshots.list(job_id)["snapshots"]) < 60)
        after = service.snapshots.list(job_id)
        assert (after["every_checks"], after["snapshots"]) == (4, before["snapshots"][::4])
        assert service.snapshots.weights(job_id, after["snapshots"][-1]["step"]).parameters.any()
        assert service.audit_log.page(limit=1)[0].route == "/api/v1/jobs/{job_id}/snapshots"
        age(service, jobs, old)
    with Service(settings.model_copy(update={"keep_jobs_days": 30})) as service:
        eventually(lambda: not service.jobs.page()[0])
        assert service.registry.versions("old") == (1, 2), "models stay"


@pytest.mark.parametrize("is_old", [False, True])
def test_free_pages_are_returned(tmp_path: Path, is_old: bool) -> None:
    path = tmp_path / "inkling.db"
    if is_old:  # made before its pages could be returned
        with sqlite3.connect(path) as plain:
            plain.execute("CREATE TABLE early (number INTEGER)")
        plain.close()
    database = Database(f"sqlite:///{path}")
    migrate(database)

    def fill_and_free() -> None:
        with database.write() as connection:
            connection.execute(text("CREATE TABLE filler AS SELECT randomblob(6000000)"))
        with database.write() as connection:
            connection.execute(text("DROP TABLE filler"))

    fill_and_free()
    database.shrink()
    database.close()
    assert (path.stat().st_size > 6_000_000) is is_old
    database.shrink(rewrite=True)
    assert database.size_bytes() < 1_000_000
    fill_and_free()
    database.shrink()
    database.close()
    assert path.stat().st_size < 1_000_000
    with sqlite3.connect(path) as plain:
        assert plain.execute("PRAGMA integrity_check").fetchone() == ("ok",)
    plain.close()


def test_the_command_says_what_deletes_it_and_says_so(tmp_path: Path) -> None:
    with Service(Settings(data_dir=tmp_path, executor="inline", workers=1)) as service:
        job_id = submit(service)
        eventually(lambda: service.jobs.get(job_id).state.final)
        age(service, jobs, job_id)

    def run(*args: str) -> str:
        result = CliRunner().invoke(clean, ["--data-dir", str(tmp_path), *args])
        assert result.exit_code == 0, result.output
        return result.output

    assert run("--dry-run") == "Expired: nothing; 0.0 MB.\n"
    listed = run("--keep-jobs-days", "30", "--dry-run")
    assert listed.split()[:2] == ["job", job_id] and "Expired: 1 job" in listed
    found = json.loads(run("--keep-jobs-days", "30", "--dry-run", "--json"))
    assert (found["expired"][0]["id"], found["n_deleted"]) == (job_id, 0) and found["n_bytes"] > 1000
    assert "Deleted 1 of 1" in run("--keep-jobs-days", "30", "--yes")
    assert json.loads(run("--keep-jobs-days", "30", "--json"))["expired"] == []
    refused = CliRunner().invoke(clean, ["--data-dir", str(tmp_path), "--keep-versions", "0"])
    assert refused.exit_code == 2 and "--keep-versions" in refused.output
