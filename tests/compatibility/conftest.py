"""What the tests of jobs need."""

from tests.jobs.conftest import migrated_file

__all__ = ["migrated_file"]
