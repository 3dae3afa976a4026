"""The course report: every figure and number of it, worked out from runs that are ordinary jobs.

Handed in and asked about at `Reports`. `Findings` are all its numbers, `sentences` are written from them, and
`contents` puts both in their order, for a page, a document and a JSON file alike.
"""

from .contents import Contents as Contents
from .files import FORMS as FORMS
from .findings import Findings as Findings
from .options import MAX_PENALTIES as MAX_PENALTIES
from .options import ReportOptions as ReportOptions
from .report import Report as Report
from .reports import Reports as Reports
