"""The course report: all its figures and numbers, computed from runs that are ordinary jobs.

`Reports` has its operations. `Findings` are all its numbers; the templates `assignment-1.txt` and `assignment-2.txt`
are its text, which `text.py` fills in with them; and `Contents` are both, with the figures, in every form of file.
"""

from .contents import FORMS, HAND_IN, Contents, ReportDetail
from .findings import Findings
from .report import MAX_PENALTIES, MAX_SEEDS, Report, ReportOptions, ReportSummary
from .reports import Reports
