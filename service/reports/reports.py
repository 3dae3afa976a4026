"""The operations on reports: submit, get, list, cancel, and their files.

A report is a query. Its row holds the options; its runs are ordinary jobs with progress, cancelling and recovery;
numbers, sentences and figures are computed from the records of the runs on request.
"""

import time
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import asdict
from functools import lru_cache
from importlib import import_module
from operator import attrgetter
from threading import Lock
from typing import Any

from sqlalchemy import Connection
from ulid import ULID

from service.charts import norms_chart
from service.database import (
    EVERYTHING,
    FINAL,
    NO_ANNOTATION,
    REPORTS,
    Annotation,
    Database,
    GroupState,
    ReportRow,
    Search,
    annotation_rows,
    in_state,
    job_rows,
    of_report,
)
from service.datasets import load_dataset, select
from service.errors import InvalidJobTransition, JobNotFound, NoDataYet, StorageFailed
from service.jobs import (
    Job,
    Jobs,
    JobState,
    SubmissionService,
    Sweeps,
    check_capacity,
    delete_sweep,
    fingerprint,
    insert_sweep,
)

from .contents import Contents, ReportDetail, ReportSection
from .figures import Figure, largest_weights, logistic_figures, softmax_figures
from .findings import Findings, check_gradients, mean_images, weights_after
from .holdout import choose_by_holdout
from .network_report import network_contents, prepare_networks
from .report import Report, ReportOptions, ReportSummary, Runs
from .spikes import Spikes, find_spikes

_KEPT_REPORTS = 4
_POLL_S = 0.25


class Reports(SubmissionService):
    """The reports of a service.

    Parameters
    ----------
    database, max_queue_length, wake_engine, datasets : as for `SubmissionService`.
    jobs, sweeps : where the runs are.
    """

    def __init__(self, database: Database, jobs: Jobs, sweeps: Sweeps, **submission: Any):
        super().__init__(database, **submission)
        self._jobs = jobs
        self._sweeps = sweeps
        # The results of runs that have ended never change, so the last few are kept.
        self._part = lru_cache(_KEPT_REPORTS)(self._make_part)
        self._making_part = Lock()
        self._contents = lru_cache(_KEPT_REPORTS)(self._make_contents)

    def submit(
        self, options: ReportOptions, *, annotation: Annotation = NO_ANNOTATION, idempotency_key: str | None = None
    ) -> Report:
        """Accept a report with all its runs, or return the one accepted under the same key before.

        Raises
        ------
        InvalidField : the options do not fit the data set.
        QueueFull, IdempotencyMismatch
        """
        requests, sweeps = options.requests()
        all_configs = [request.config for request in requests] + [config for _, configs in sweeps for config in configs]
        for config in all_configs:
            select(load_dataset(options.dataset), config)
        request_sha256 = fingerprint({**options.fingerprinted(), **annotation.given()})

        def insert(connection: Connection) -> ReportRow:
            check_capacity(connection, len(all_configs), self._max_queue_length)
            inserted = [insert_sweep(connection, sweep, c, fingerprint(sweep.to_dict())) for sweep, c in sweeps]
            single = [request.new_job() for request in requests]
            # The short ones first: their figures can then be drawn while the others train.
            job_rows.insert(connection, [*single, *(job for _, members in inserted for job in members)])
            in_order, shuffled = (job.id for job in single) if single else (None, None)
            report_id = str(ULID())
            REPORTS.insert(
                connection,
                id=report_id,
                options=asdict(options),
                in_order_job_id=in_order,
                shuffled_job_id=shuffled,
                sweep_id=inserted[-1][0],
                repeats_sweep_id=inserted[0][0] if len(inserted) > 1 else None,
                idempotency_key=idempotency_key,
                request_sha256=request_sha256,
            )
            annotation_rows.put(connection, "reports", report_id, annotation)
            return REPORTS.get(connection, report_id)

        return self.get(self._accept(REPORTS, idempotency_key, request_sha256, insert, REPORTS.get).id)

    def get(self, report_id: str) -> Report:
        """Return a report; raise `JobNotFound`."""
        with self._database.read() as connection:
            row = REPORTS.get(connection, report_id)
            annotation = annotation_rows.get(connection, "reports", [report_id])[report_id]
        return self._report(row, annotation)

    def page(
        self,
        *,
        state: GroupState | None = None,
        search: Search = EVERYTHING,
        limit: int = 50,
        before: str | None = None,
    ) -> tuple[list[ReportSummary], str | None]:
        """Return the newest reports first and, if there are more, the cursor to ask for them with."""
        with self._database.read() as connection:
            conditions = in_state(state, of_report)
            rows, following = REPORTS.page(connection, *conditions, search=search, limit=limit, before=before)
            annotations = annotation_rows.get(connection, "reports", [row.id for row in rows])
        reports = [self._report(row, annotations[row.id]) for row in rows]
        return [ReportSummary(**report.shown()) for report in reports], following

    def cancel(self, report_id: str) -> Report:
        """Request every run that has not ended to stop. A second request changes nothing.

        Raises
        ------
        InvalidJobTransition : all of them have ended already.
        """
        state = self.get(report_id).state
        if state.final:
            raise InvalidJobTransition(f"The report has already ended: it is {state}.")
        with self._database.write() as connection:
            row = REPORTS.get(connection, report_id)
            singles = filter(None, (row.in_order_job_id, row.shuffled_job_id))
            job_rows.cancel(connection, [*singles], row.sweep_ids)
        self._wake_engine()
        return self.get(report_id)

    def delete(self, report_id: str, *, keep_runs: bool = False) -> None:
        """Delete a report, with its jobs and its sweep unless they are to be kept; their models stay.

        Raises
        ------
        InvalidJobTransition : not all of its runs have ended.
        """
        if not self.get(report_id).state.final:
            raise InvalidJobTransition("The report has not ended; cancel it first.")
        with self._database.write() as connection:
            row = REPORTS.get(connection, report_id)
            REPORTS.delete(connection, report_id)
            annotation_rows.delete(connection, "reports", [report_id])
            if not keep_runs:
                for job_id in (row.in_order_job_id, row.shuffled_job_id):
                    if job_id is not None:
                        job_rows.remove(connection, job_id, allowed_from=FINAL)
                for sweep_id in row.sweep_ids:
                    delete_sweep(connection, sweep_id)

    def contents(self, report_id: str) -> Contents:
        """Return numbers, sentences and figures of a report; raise `NoDataYet` until every run has succeeded."""
        return self._contents(report_id)

    def prepare(self, report_id: str) -> None:
        """Prepare the files while the runs train, so that they are complete sooner.

        First what needs no run: imports, fonts, formulas, gradient checks and mean images. Then, as soon as they have
        ended, the figures of the runs of logistic regression, and what is compared with that of the strongest penalty.
        It returns when that is done, or impossible.
        """
        # Deleted meanwhile, one of its runs failed, or the command is over that wanted it, and its folder gone.
        with suppress(JobNotFound, NoDataYet, StorageFailed):
            self._prepare(report_id)

    def _prepare(self, report_id: str) -> None:
        options = self.get(report_id).options
        if options.assignment == 1:
            check_gradients(options)
            choose_by_holdout(load_dataset(options.dataset), options.logistic(shuffle=False).config)
            mean_images(load_dataset(options.dataset), options.softmax())
        else:
            prepare_networks(options)
        norms_chart([1], [[1]], title="", provenance={})
        rendering = import_module(f"{__package__}.rendering")  # it takes longer to import than all the rest of a server
        for formula in import_module(f"{__package__}.text").formulas(options.assignment):
            rendering.typeset(formula)
        if options.assignment == 2:
            return
        self._wait_for(report_id, slice(1 + options.seeds))
        for figure in self._logistic_part(report_id)[1].values():
            figure.draw("svg")  # and with it as PNG
        strongest = 1 + options.seeds + 1
        (penalised,) = self._wait_for(report_id, slice(strongest, strongest + 1))
        if penalised and penalised.latest:
            weights_after(load_dataset(options.dataset), options.softmax(), penalised.latest.step + 1)

    def _wait_for(self, report_id: str, chosen: slice) -> Sequence[Job | None]:
        """Wait until some of the jobs of a report are over, and return them; a deleted one is."""
        while True:
            jobs = self.get(report_id).jobs[chosen]
            if all(job is None or job.state.final for job in jobs):
                return jobs
            time.sleep(_POLL_S)

    def describe(self, report_id: str) -> ReportDetail:
        """Return a report as in the API; once it has succeeded, with findings, text and links to its figures."""
        report = self.get(report_id)
        if report.state is not JobState.SUCCEEDED:
            return ReportDetail(**report.shown())
        contents = self._contents(report_id)
        links = {name: f"/api/v1/reports/{report_id}/{name}" for name in contents.file_names()}
        sections = [ReportSection.of(section) for section in contents.sections]
        return ReportDetail(**report.shown(**links), findings=contents.to_dict(), sections=sections)

    def file_names(self, report_id: str) -> list[str]:
        """Return the names of all files of a report; raise `NoDataYet` until every run has succeeded."""
        with self._database.read() as connection:
            REPORTS.get(connection, report_id)  # what is kept may be of one that is deleted
        return self._contents(report_id).file_names()

    def file(self, report_id: str, name: str) -> bytes:
        """Return one of these files.

        Raises
        ------
        JobNotFound : there is no such report, or no file of that name.
        NoDataYet : not every run has succeeded.
        """
        return self._contents(report_id).file(name)

    def _make_contents(self, report_id: str) -> Contents:
        report = self.get(report_id)
        runs = Runs.of(report, self._jobs)
        if report.options.assignment == 2:
            return network_contents(runs)
        spikes, figures = self._logistic_part(report_id)
        findings = Findings.of(runs, spikes)
        figures = {**figures, **softmax_figures(runs, findings)}
        return Contents.of(runs, findings, figures, largest_weights=largest_weights(runs))

    def _logistic_part(self, report_id: str) -> tuple[Spikes | None, dict[str, Figure]]:
        """Return what needs only the runs of logistic regression: it can be made while the others still train."""
        with self._making_part:  # a second caller waits instead of making it twice
            return self._part(report_id)

    def _make_part(self, report_id: str) -> tuple[Spikes | None, dict[str, Figure]]:
        runs = Runs.of(self.get(report_id), self._jobs, only_logistic=True)
        spikes = find_spikes(runs.in_order, load_dataset(runs.options.dataset))
        return spikes, logistic_figures(runs, spikes)

    def _report(self, row: ReportRow, annotation: Annotation) -> Report:
        options = ReportOptions(**row.options)
        requests, sweeps = options.requests()
        # Reports over several seeds of earlier versions have all of these runs in one sweep.
        values = attrgetter("model", "seed", *sweeps[-1][0].grid)
        members = {values(each.config): each for id_ in row.sweep_ids for each in self._sweeps.get(id_).members}
        ids = (row.in_order_job_id, row.shuffled_job_id)[: len(requests)]
        single = [self._jobs.get(job_id) if job_id else None for job_id in ids]
        return Report(
            id=row.id,
            options=options,
            sweep_id=row.sweep_id,
            created_at=row.created_at,
            annotation=annotation,
            jobs=(*single, *(members.get(values(config)) for _, configs in sweeps for config in configs)),
        )
