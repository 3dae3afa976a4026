"""Rows of ``annotations`` and ``tags``: what people write about whatever has a list.

One table for all kinds: versions and data sets have no rows of their own, and a search over each is the same query.
Whoever deletes one of them deletes its annotation in the same transaction.
"""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Annotated, Any, Literal, TypeAlias, get_args

from sqlalchemy import ColumnElement, Connection, and_, func, or_, select

from service.answers import Doc
from service.errors import InvalidField

from .tables import annotated, tags

AnnotatedKind: TypeAlias = Literal["jobs", "sweeps", "reports", "versions", "datasets", "collections"]
ANNOTATED_KINDS: tuple[AnnotatedKind, ...] = get_args(AnnotatedKind)

MAX_TITLE_CHARS, MAX_NOTES_CHARS = 200, 5_000
MAX_TAGS, MAX_TAG_CHARS = 20, 40
MAX_SEARCH_CHARS, MAX_SEARCHED_TAGS = 100, 5
MAX_LISTED_TAGS = 200
_CONTROLS = r"\x00-\x1f\x7f-\x9f\u2028\u2029"  # not \s, in which Python, Rust and ECMAScript differ
TITLE_PATTERN = f"^[^{_CONTROLS}]*$"
TAG_PATTERN = f"^[^ ,{_CONTROLS}]([^,{_CONTROLS}]*[^ ,{_CONTROLS}])?$"
TEXT_PATTERN = r"^[^\x00]*$"
"""PostgreSQL cannot store the character 0."""
RULES = {
    "title": f"one line of at most {MAX_TITLE_CHARS} characters",
    "tags": f"at most {MAX_TAGS}, each of 1 to {MAX_TAG_CHARS} characters without commas, and no space at its ends",
    "notes": f"at most {MAX_NOTES_CHARS:,} characters, none of them the character 0",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Annotation:
    """What people write about something, empty until they do; tags are sorted, each once.

    Raises `InvalidField` at construction if one of them is not as `RULES` says.
    """

    title: Annotated[str, Doc("What people call it; empty, or a name of its own, until they do.")] = ""
    tags: tuple[str, ...] = ()
    notes: str = ""

    def __post_init__(self) -> None:
        object.__setattr__(self, "tags", tuple(sorted(set(self.tags))))
        are_allowed = {
            "title": len(self.title) <= MAX_TITLE_CHARS and re.fullmatch(TITLE_PATTERN, self.title),
            "tags": len(self.tags) <= MAX_TAGS
            and all(len(tag) <= MAX_TAG_CHARS and re.fullmatch(TAG_PATTERN, tag) for tag in self.tags),
            "notes": len(self.notes) <= MAX_NOTES_CHARS and re.fullmatch(TEXT_PATTERN, self.notes),
        }
        for field, is_allowed in are_allowed.items():
            if not is_allowed:
                raise InvalidField(f"{field} must be {RULES[field]}.", field=field, allowed=RULES[field])

    @classmethod
    def taken_from(cls, fields: dict[str, Any]) -> Annotation:
        """Take those of a request out of its other fields."""
        return cls(**{name: fields.pop(name) for name in RULES if name in fields})

    def given(self) -> dict[str, Any]:
        """Return what is not empty, by name: a request without is the same as before there were annotations."""
        return {name: getattr(self, name) for name in RULES if getattr(self, name)}

    def texts(self, title: str = "") -> dict[str, Any]:
        """Return all of it by name; ``title`` is what it is called unless a person named it."""
        return {"title": self.title or title, "tags": list(self.tags), "notes": self.notes}


NO_ANNOTATION = Annotation()


@dataclass(frozen=True, slots=True)
class TagCount:
    """A tag, and how many have it."""

    tag: str
    n_tagged: int


@dataclass(frozen=True, slots=True)
class Search:
    """What is looked for: every word, in any case, at the beginning of an id or in a name or annotation; every tag."""

    words: tuple[str, ...] = ()
    tags: tuple[str, ...] = ()

    @classmethod
    def of(cls, text: str | None = None, tags: Iterable[str] = ()) -> Search:
        """Build from the text that somebody typed."""
        return cls(tuple(dict.fromkeys((text or "").casefold().split())), tuple(tags))

    def conditions(self, kind: str, row_id: ColumnElement[str], *texts: Any) -> list[ColumnElement[bool]]:
        """Return it as conditions on a query; words may also be in the columns ``texts``."""
        found: list[ColumnElement[bool]] = [row_id.in_(_having(kind, tag=tag)) for tag in self.tags]
        for word in self.words:
            begins_id = func.lower(row_id).startswith(word, autoescape=True)
            in_texts = (func.lower(text).contains(word, autoescape=True) for text in texts)
            found.append(or_(begins_id, *in_texts, row_id.in_(_having(kind, word=word))))
        return found

    def filtered(
        self, connection: Connection, kind: AnnotatedKind, texts: Mapping[str, str], *, versions: bool = False
    ) -> list[str]:
        """Return those ids of things without rows that match, in their order.

        Words may also be in ``texts``, by id. With ``versions`` the ids are models, whose versions are annotated.
        """
        found = list(texts)
        queries = [(word, _having(kind, word=word)) for word in self.words]
        for word, query in [*queries, *((None, _having(kind, tag=tag)) for tag in self.tags)]:
            ids = set(connection.execute(query).scalars())
            if versions:
                ids = {object_id.partition("/")[0] for object_id in ids}
            found = [each for each in found if each in ids or (word is not None and word in texts[each].casefold())]
        return found


EVERYTHING = Search()


def get(connection: Connection, kind: AnnotatedKind, object_ids: Iterable[str]) -> Mapping[str, Annotation]:
    """Return the annotation of each id, an empty one where there is none."""
    query = (
        select(annotated.c.object_id, annotated.c.title, annotated.c.notes, tags.c.tag)
        .join_from(annotated, tags, _same_object, isouter=True)
        .where(annotated.c.kind == kind, annotated.c.object_id.in_(list(object_ids)))
    )
    texts: dict[str, dict[str, str]] = {}
    tags_of: dict[str, list[str]] = defaultdict(list)
    for object_id, title, notes, tag in connection.execute(query):
        texts[object_id] = {"title": title, "notes": notes}
        tags_of[object_id] += [] if tag is None else [tag]
    found = {object_id: Annotation(**texts[object_id], tags=tuple(tags_of[object_id])) for object_id in texts}
    return defaultdict(Annotation, found)


def put(connection: Connection, kind: AnnotatedKind, object_id: str, annotation: Annotation) -> None:
    """Replace the annotation of something; an empty one has no row."""
    delete(connection, kind, [object_id])
    if not annotation.given():
        return
    texts = annotation.title, *annotation.tags, annotation.notes
    key = {"kind": kind, "object_id": object_id}
    columns = {"title": annotation.title, "notes": annotation.notes, "folded": "\n".join(texts).casefold()}
    connection.execute(annotated.insert(), {**key, **columns})
    if annotation.tags:
        connection.execute(tags.insert(), [{**key, "tag": tag} for tag in annotation.tags])


def delete(connection: Connection, kind: AnnotatedKind, object_ids: Iterable[str]) -> None:
    """Delete the annotations of some ids, with their tags."""
    these = annotated.c.object_id.in_(list(object_ids))
    connection.execute(annotated.delete().where(annotated.c.kind == kind, these))


def ids(connection: Connection, kind: AnnotatedKind) -> list[str]:
    """Return the ids of all that is annotated."""
    return list(connection.execute(select(annotated.c.object_id).where(annotated.c.kind == kind)).scalars())


def count_by_tag(connection: Connection, kind: AnnotatedKind) -> list[TagCount]:
    """Return the tags that are used most."""
    n = func.count()
    query = select(tags.c.tag, n).where(tags.c.kind == kind).group_by(tags.c.tag)
    rows = connection.execute(query.order_by(n.desc(), tags.c.tag).limit(MAX_LISTED_TAGS))
    return [TagCount(tag, n_tagged) for tag, n_tagged in rows]


def tags_of_model(connection: Connection, name: str) -> list[str]:
    """Return the tags of all versions of a model, each once, in alphabetical order."""
    is_version = tags.c.object_id.startswith(f"{name}/", autoescape=True)
    query = select(tags.c.tag).where(tags.c.kind == "versions", is_version).distinct().order_by(tags.c.tag)
    return list(connection.execute(query.limit(MAX_LISTED_TAGS)).scalars())


_same_object = and_(tags.c.kind == annotated.c.kind, tags.c.object_id == annotated.c.object_id)


def _having(kind: str, *, word: str | None = None, tag: str | None = None) -> Any:
    """Select the ids of what has a tag, or a word in its annotation."""
    if tag is not None:
        return select(tags.c.object_id).where(tags.c.kind == kind, tags.c.tag == tag)
    has_word = annotated.c.folded.contains(word, autoescape=True)
    return select(annotated.c.object_id).where(annotated.c.kind == kind, has_word)
