"""Course reports: everything trained, drawn and written by one request."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal, TypedDict, Unpack

from .call import Call, Json, get, read_bytes, read_picture, read_record, read_table, submission
from .display import Picture, PictureFormat, Record, Table
from .methods import Awaitable, Blocking, request, returns, returns_table
from .nouns import Noun


class ReportOptions(TypedDict, total=False):
    """How a report differs from that of the course; see docs/report.md."""

    seed: int
    classes: Sequence[int]
    """The two of logistic regression."""
    l2_penalties: Sequence[float]
    quick: bool
    """Fewer epochs, to try it out."""


class _Report(Noun):
    """A course report, as it was when it was asked for last."""

    path = "reports"

    @property
    def findings(self) -> Json | None:
        """Its numbers, once every run has succeeded."""
        found: Json | None = self.data.get("findings")
        return found

    @property
    def summary(self) -> Json:
        """What a table shows of it."""
        return {**super().summary, **({"findings": self.findings} if self.findings else {})}

    @request
    def document(self, form: Literal["html", "pdf", "json"] = "html") -> Call[bytes]:
        """Return the whole report as a file."""
        return get(read_bytes, "reports", self.id, f"report.{form}")

    @request
    def figure(self, name: str, *, format: PictureFormat = "png") -> Call[Picture]:
        """Return one of its figures; ``data["links"]`` names them."""
        return get(read_picture, "reports", self.id, "figures", f"{name}.{format}")


class Report(Blocking, _Report):
    """A course report; a notebook shows its findings."""


class AsyncReport(Awaitable, _Report):
    """A course report whose methods are awaited."""


class Reports:
    """What a client does about reports."""

    @returns(Report, AsyncReport)
    def train_report(self, **options: Unpack[ReportOptions]) -> Call[Record]:
        """Submit the runs of a course report; without options those of the report itself."""
        return submission("reports", **options)

    @returns(Report, AsyncReport)
    def report(self, report_id: str) -> Call[Record]:
        """Return a report."""
        return get(read_record, "reports", report_id)

    @returns_table(Report, AsyncReport)
    def reports(self, *, limit: int | None = None, before: str | None = None) -> Call[Table[Record]]:
        """Return the newest reports; ``before`` is the ``next`` of an earlier page."""
        return get(read_table("reports"), "reports", limit=limit, before=before)
