"""The course report: all its figures and numbers, computed from runs that are ordinary jobs.

`Reports` has its operations. `Findings` are all its numbers, `sentences` are written from them, and
`Contents` puts both in their order, for a page, a document and a JSON file alike.
"""

from .contents import FORMS, HAND_IN, Contents, ReportDetail
from .findings import Findings
from .report import MAX_PENALTIES, MAX_SEEDS, Report, ReportOptions, ReportSummary
from .reports import Reports
