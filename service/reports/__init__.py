"""The course report: all its figures and numbers, computed from runs that are ordinary jobs.

`Reports` has its operations. `Findings` are all its numbers, `sentences` are written from them, and
`Contents` puts both in their order, for a page, a document and a JSON file alike.
"""

from .contents import FORMS as FORMS
from .contents import Contents as Contents
from .findings import Findings as Findings
from .report import MAX_PENALTIES as MAX_PENALTIES
from .report import Report as Report
from .report import ReportOptions as ReportOptions
from .reports import Reports as Reports
