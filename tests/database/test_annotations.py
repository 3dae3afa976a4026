"""Annotations on both databases: stored whole, found the same, gone with their tags."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from sqlalchemy import select

from service.database import (
    EVERYTHING,
    JOBS,
    NO_ANNOTATION,
    Annotation,
    Database,
    Search,
    TagCount,
    annotation_rows,
    job_rows,
    tables,
)
from service.errors import InvalidField

ONE = Annotation(title="Ærlig MODELL", tags=("b", "a b", "b"), notes="50 %_of\nall \\ 'quoted'")


def found(database: Database, text: str | None = None, *tags: str) -> list[str]:
    with database.read() as connection:
        page, _ = JOBS.page(connection, search=Search.of(text, tags), limit=9)
    return [row.id for row in page]


def test_what_is_put_is_got_and_found(database: Database, add_job: Callable[..., str]) -> None:
    first, second = add_job(name="first"), add_job(name="second")
    with database.write() as connection:
        annotation_rows.put(connection, "jobs", first, ONE)
        annotation_rows.put(connection, "sweeps", second, ONE)  # of another kind
    with database.read() as connection:
        got = annotation_rows.get(connection, "jobs", [first, second])
    assert (got[first], got[second]) == (ONE, NO_ANNOTATION)
    assert ONE.tags == ("a b", "b")
    for text in ("ærlig", "%_OF", "modell \\", "'quoted'", "FIRST", first.lower(), "a b"):
        assert found(database, text) == [first], text
    for text in ("%%", "erlig_", "firsts"):
        assert found(database, text) == [], text
    assert found(database) == found(database, " ") == [second, first]
    assert found(database, None, "b") == found(database, "first", "b", "a b") == [first]
    assert found(database, None, "a") == found(database, None, "B") == []
    with database.read() as connection:
        assert annotation_rows.count_by_tag(connection, "jobs") == [TagCount("a b", 1), TagCount("b", 1)]


def test_an_empty_annotation_and_a_deleted_job_leave_no_rows(database: Database, add_job: Callable[..., str]) -> None:
    for end in ("empty", "deleted"):
        job = add_job()
        with database.write() as connection:
            annotation_rows.put(connection, "jobs", job, ONE)
        with database.write() as connection:
            if end == "empty":
                annotation_rows.put(connection, "jobs", job, NO_ANNOTATION)
            else:
                job_rows.remove(connection, job, allowed_from=["queued"])
        with database.read() as connection:
            for table in (tables.annotated, tables.tags):
                assert connection.execute(select(table)).all() == []


@pytest.mark.parametrize(
    "parts",
    [{"title": "a\nb"}, {"title": "a\n"}, {"tags": ("a", "")}, {"tags": ("a ",)}, {"tags": ("\x85",)}, {"notes": "\0"}],
)
def test_a_part_that_cannot_be_stored_or_found_is_refused(parts: dict[str, object]) -> None:
    with pytest.raises(InvalidField) as refused:
        Annotation(**parts)  # type: ignore[arg-type]
    assert refused.value.field == next(iter(parts))


def test_an_empty_search_is_everything() -> None:
    assert Search.of("  ") == Search.of(None) == EVERYTHING
