"""What clients send besides images: ids, keys, the parameters of an address, and the bodies that are JSON.

The fields of a training request are made from the table of hyperparameters.
"""

import re
from collections.abc import Callable
from functools import partial
from hashlib import sha256
from typing import Annotated, Any, Literal, Self

from fastapi import Depends, Header, Path
from fastapi.exceptions import RequestValidationError
from pydantic import (
    AfterValidator,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Discriminator,
    Field,
    Tag,
    ValidationError,
    ValidationInfo,
    create_model,
    field_validator,
)
from starlette.requests import Request

from service.bootstrap import Service
from service.core import DIGITS, FORMULAS, HYPERPARAMETERS, MAX_LAYERS, MAX_TEXT_CHARS, MAX_UNITS, Hyperparameter
from service.database import GroupState, Search, submitter
from service.database.annotation_rows import (
    MAX_NOTES_CHARS,
    MAX_SEARCH_CHARS,
    MAX_SEARCHED_TAGS,
    MAX_TAG_CHARS,
    MAX_TAGS,
    MAX_TITLE_CHARS,
    RULES,
    TAG_PATTERN,
    TEXT_PATTERN,
    TITLE_PATTERN,
)
from service.datasets import MAX_INGREDIENTS, MAX_WEIGHT
from service.errors import JobNotFound, MalformedInput
from service.jobs import MAX_EPOCHS, MAX_MEMBERS, MAX_STEPS
from service.registry import NAME_RULE

MAX_EVENT_ID = 2**63 - 1

CLASSES_PATTERN = "^([0-9](,[0-9]){0,9})?$"
NUMBER_CURSOR, NAME_CURSOR = "^[0-9]{1,18}$", "^[a-z0-9][a-z0-9._-]*$"

_ULID = re.compile(r"[0-7][0-9A-HJKMNP-TV-Z]{25}")
_KEY = re.compile(r"[ -~]{1,255}")
_DECIMAL, _ONE_SPELLING = re.compile(r"-?[0-9]+"), re.compile(r"0|-?[1-9][0-9]*")


async def _service(request: Request) -> Service:  # a coroutine: FastAPI would run a plain function in a thread
    service: Service = request.app.state.service
    return service


ServiceDep = Annotated[Service, Depends(_service)]


def _decimal(text: Any, form: re.Pattern[str] = _DECIMAL) -> Any:
    """Return "", which pydantic refuses as no whole number, for what it would read as one besides decimal digits.

    Those are texts such as ``5.0``, ``1_0``, ``+5`` and `` 5``.
    """
    return "" if isinstance(text, str) and not form.fullmatch(text) else text


WHOLE, DECIMAL = BeforeValidator(_decimal), BeforeValidator(partial(_decimal, form=_ONE_SPELLING))
"""Of a whole number that is a query parameter by itself, or in a path, where a thing has one name: ``01`` is not 1.

They come last, so that what bounds the number is documented."""


class Parameters(BaseModel):
    """Query parameters that are many, or that endpoints have in common: all of an endpoint, as FastAPI mixes none."""

    model_config = ConfigDict(extra="forbid")

    @field_validator("*", mode="before")
    @classmethod
    def _whole_number(cls, value: Any, info: ValidationInfo) -> Any:
        is_whole = cls.model_fields[info.field_name or ""].annotation in (int, int | None)
        return _decimal(value) if is_whole else value

    @classmethod
    def of(cls, request: Request) -> Self:
        """Read them without FastAPI's dependencies, which take longer than a prediction, and raise as it does."""
        try:
            return cls.model_validate(dict(request.query_params))
        except ValidationError as error:
            found = error.errors(include_url=False)
            raise RequestValidationError([{**each, "loc": ("query", *each["loc"])} for each in found]) from None

    @classmethod
    def documented(cls) -> list[dict[str, Any]]:
        """Return them as OpenAPI has them, for routes that read them by `of`."""
        schema = cls.model_json_schema()
        required = schema.get("required", ())
        return [
            {"name": name, "in": "query", "required": name in required, "schema": each}
            | {about: each[about] for about in ("description",) if about in each}
            for name, each in schema["properties"].items()
        ]


class Page(Parameters):
    """A page of a listing that has the newest first."""

    limit: int = Field(50, ge=1, le=200)
    before: str | None = Field(None, pattern=NUMBER_CURSOR, description="The `next` of an earlier page.")


TagText = Annotated[str, Field(max_length=MAX_TAG_CHARS, pattern=TAG_PATTERN)]


class SearchParameters(Parameters):
    """What is looked for in a listing."""

    q: str | None = Field(
        None,
        max_length=MAX_SEARCH_CHARS,
        pattern=TEXT_PATTERN,
        description="Words that must all be in name, title, tags or notes, or begin the id, in any case.",
    )
    tag: list[TagText] = Field([], max_length=MAX_SEARCHED_TAGS, description="Only what has this tag; of several, all.")

    @property
    def asked(self) -> dict[str, Any]:
        """The same as the arguments of `Service.page`."""
        return {**self.model_dump(exclude={"q", "tag"}), "search": Search.of(self.q, self.tag)}


class SearchedPage(Page, SearchParameters):
    """A page of a listing that can be searched."""


class NamesPage(SearchParameters):
    """A page of a listing in the order of names, that can be searched."""

    limit: int = Field(200, ge=1, le=200)
    before: str | None = Field(None, max_length=64, pattern=NAME_CURSOR, description="The `next` of an earlier page.")


class GroupsPage(SearchedPage):
    """A page of what consists of many jobs."""

    state: GroupState | None = Field(
        None, description="Only those in this state; finished: all of their jobs are over."
    )


def check_id(kind: str) -> Callable[[str], str]:
    """Return a validator of ids: what can be none is not looked for."""

    def check(text: str) -> str:
        if not _ULID.fullmatch(text):
            raise JobNotFound(f"There is no {kind} of that id.")
        return text

    return check


_SUBMITTED = Path(description="As the answer to the submission gave it.")
JobId = Annotated[str, _SUBMITTED, AfterValidator(check_id("job"))]
SweepId = Annotated[str, _SUBMITTED, AfterValidator(check_id("sweep"))]
ReportId = Annotated[str, _SUBMITTED, AfterValidator(check_id("report"))]


def _check_key(key: str) -> str:
    if not _KEY.fullmatch(key):
        allowed = "1 to 255 printable ASCII characters"
        raise MalformedInput("The idempotency key cannot be used.", field="Idempotency-Key", allowed=allowed)
    who = submitter.get()  # whose keys have nothing to do with those of others
    return f"{who.key_id}:{sha256(key.encode()).hexdigest()}" if who else key


IdempotencyKey = Annotated[
    Annotated[str, AfterValidator(_check_key)] | None,
    Header(
        alias="Idempotency-Key",
        json_schema_extra={"pattern": f"^{_KEY.pattern}$"},
        description="Submitting again with the same key gives the first job, to the same API key. At most 255 "
        "printable characters.",
    ),
]
"""Its default is None."""


class Strict(BaseModel):
    """A request: unknown fields are refused, and nothing is coerced."""

    model_config = ConfigDict(extra="forbid", strict=True, allow_inf_nan=False)


_Title = Annotated[
    str, Field(max_length=MAX_TITLE_CHARS, pattern=TITLE_PATTERN, description=f"For people: {RULES['title']}.")
]
_Tags = Annotated[list[TagText], Field(max_length=MAX_TAGS, description=f"To find it by: {RULES['tags']}.")]
_Notes = Annotated[
    str, Field(max_length=MAX_NOTES_CHARS, pattern=TEXT_PATTERN, description=f"For people: {RULES['notes']}.")
]


class AnnotationChange(Strict):
    """What people write about something. What is not given stays as it is; the tags are replaced as a whole."""

    title: _Title = Field(default_factory=str)
    tags: _Tags = Field(default_factory=list)
    notes: _Notes = Field(default_factory=str)


class Annotating(Strict):
    """Tags and notes of what is submitted."""

    tags: _Tags = []
    notes: _Notes = ""


_MOST = DIGITS.n_classes


def _type_of(row: Hyperparameter) -> Any:
    match row.kind:
        case "integer":
            kind: Any = Annotated[int, Field(ge=row.minimum, le=row.maximum)]
        case "number":
            kind = Annotated[float, Field(ge=row.minimum, le=row.maximum)]
        case "boolean":
            kind = bool
        case "choice":
            kind = Literal[tuple(row.choices)]
        case "classes":
            kind = Annotated[list[Annotated[int, Field(ge=0, lt=_MOST)]], Field(min_length=2, max_length=_MOST)]
        case "text":
            kind = Annotated[str, Field(min_length=1, max_length=MAX_TEXT_CHARS)]
        case "layers":
            kind = Annotated[list[Annotated[int, Field(ge=1, le=MAX_UNITS)]], Field(max_length=MAX_LAYERS)]
    return kind | None if row.nullable else kind


def _help_of(row: Hyperparameter) -> str:
    help_ = f"{row.help[0].upper()}{row.help[1:]}. {row.allowed[0].upper()}{row.allowed[1:]}."
    if row.name.startswith("l2_"):
        help_ += "".join(f"\n- `{name}`: {formula}" for name, formula in FORMULAS.items())
    return help_


def _request_of(name: str, field: Callable[[Hyperparameter], Any], *names: str) -> type[Strict]:
    """Make a request with a field of each hyperparameter, or of some."""
    rows = [row for row in HYPERPARAMETERS if not names or row.name in names]
    return create_model(name, __base__=Strict, **{row.name: field(row) for row in rows})


def _optional(row: Hyperparameter) -> Any:
    return _type_of(row), Field(row.default, description=_help_of(row))


def _unless_model(row: Hyperparameter) -> Any:
    return (_type_of(row), Field(description=_help_of(row))) if row.name == "model" else _optional(row)


def _values(row: Hyperparameter) -> Any:
    return list[_type_of(row)], Field(default_factory=list, description=f"Its values, each once. {_help_of(row)}")  # type: ignore[misc]


def _increased(row: Hyperparameter) -> Any:
    # What is not given is left out of what is dumped; there is no default.
    about = f"Not given: as it was. Not less than that. {_help_of(row)}"
    return _type_of(row), Field(default_factory=lambda: None, description=about)


_Hyperparameters: Any = _request_of("_Hyperparameters", _unless_model)
SweepBase: Any = _request_of("SweepRequestBase", _optional)
SweepGrid: Any = _request_of("SweepRequestGrid", _values)
ResumeRequest: Any = _request_of("ResumeRequest", _increased, "epochs", "patience")

DatasetName = Annotated[str, Field(min_length=1, max_length=40)]


class WeightedDataset(Strict):
    """A data set, or a version of a collection, among several to train on."""

    name: DatasetName
    version: int | None = Field(None, ge=1, le=999_999, description="Of a collection; without one it is frozen now.")
    weight: int = Field(1, ge=1, le=MAX_WEIGHT, description="How often each image stands in the training part.")


WeightedDatasets = Annotated[list[WeightedDataset], Field(min_length=1, max_length=MAX_INGREDIENTS)]
"""The first one has the test part and the images to validate on; its weight is 1."""

TrainingSet = Annotated[
    Annotated[DatasetName, Tag("(name)")] | Annotated[WeightedDatasets, Tag("(list)")],
    Discriminator(lambda value: "(list)" if isinstance(value, list) else "(name)"),
]
"""One data set or several; with tags, so that an error is about the form that was meant."""


class TrainingRequest(_Hyperparameters):  # type: ignore[misc]  # made of the table
    """What to train: flat, and all but `model` optional."""

    model_config = ConfigDict(
        json_schema_extra={
            "examples": [
                {"model": "softmax", "epochs": 50, "l2_penalty": 0.01},
                {"model": "logistic", "classes": [2, 3]},
            ]
        }
    )

    dataset: TrainingSet = Field(
        "mnist", description="The data set to train on: `mnist`, one that was uploaded, or several together."
    )
    name: str | None = Field(
        None,
        description="The model of which this becomes the next version: "
        f"{NAME_RULE}. Not given: data set and model, as in `mnist-softmax`.",
    )
    paused: bool = Field(False, description="Wait before the first step to be continued.")
    title: _Title = ""
    tags: _Tags = Field([])
    notes: _Notes = ""


class SweepRequest(Annotating):
    """What to compare: one member for each combination of the values in the grid."""

    model_config = ConfigDict(
        json_schema_extra={
            "examples": [{"base": {"model": "softmax", "epochs": 50}, "grid": {"l2_penalty": [0, 0.01, 1]}}]
        }
    )

    base: Annotated[
        SweepBase, Field(default_factory=SweepBase, description="What all members share, where it is not the default.")
    ]
    grid: SweepGrid = Field(description=f"Its product is 1 to {MAX_MEMBERS:,} members.")
    dataset: TrainingSet = Field("mnist", description="The data set to train on, or several together.")
    name: str | None = Field(
        None,
        description="The model of which every member becomes a version: "
        f"{NAME_RULE}. Not given: data set and model, as in `mnist-softmax-sweep`.",
    )
    title: _Title = ""


class ContinueRequest(Strict):
    """How far a paused job trains on before it pauses again, at what comes first; with nothing, to its end."""

    model_config = ConfigDict(json_schema_extra={"examples": [{"steps": 1}, {"epochs": 1}, {}]})

    steps: Annotated[int, Field(ge=1, le=MAX_STEPS)] | None = None
    epochs: (
        Annotated[int, Field(ge=1, le=MAX_EPOCHS, description="The one that it is in counts, from where it is.")] | None
    ) = None


class AliasMove(Strict):
    """Which version an alias is to name from now on."""

    version: int = Field(ge=1, le=999_999_999)
    reason: str | None = Field(None, max_length=2000, description="Kept in the alias's history.")
