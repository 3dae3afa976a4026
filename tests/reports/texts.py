"""What a report says: of a single finding, and of all of them in their sections."""

from __future__ import annotations

from typing import Any

from service.reports import Contents
from service.reports.report import ReportFindings
from service.reports.text import TEXTS, Section, paragraphs, write


def said(macro: str, *found: Any) -> list[str]:
    """Return the sentences that a macro writes of a finding."""
    written = getattr(TEXTS.get_template("claims.txt").module, macro)(*found)
    return [sentence.removeprefix("* ") for sentence in paragraphs(written)]


def written(findings: ReportFindings, contents: Contents) -> dict[str, Section]:
    """Return the sections that are written of findings, by number; ``contents`` has their figures."""
    provenance = {"dataset": "mnist", "dataset_sha256": "0"}
    text = write(findings, contents.figures, jobs=[], provenance=provenance, largest_weights=(1.0, 1.0))
    return {section.number: section for section in text.sections}
