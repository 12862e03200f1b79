"""The corpus: cases read from `cases/*.yaml`, checked against their schema and written out.

A case is a request and the answer that Google promises, with the place where it promises it.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Annotated, Any, Literal

import yaml
from pydantic import BaseModel, BeforeValidator, ConfigDict, Field

FOLDER = Path(__file__).parent / "cases"
NEEDS = Path(__file__).parent / "needs.yaml"
Service = Literal[
    "aiplatform",
    "storage",
    "artifactregistry",
    "cloudbuild",
    "cloudkms",
    "pubsub",
    "bigquery",
    "kfp",
]
Cost = Literal["costs", "slow", "stays"]
_CALL = re.compile(r"(GET|HEAD|POST|PUT|PATCH|DELETE) (/\S*)")


class CorpusError(Exception):
    """A file of the corpus that is not one: which, and where."""


class _Model(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


def _as_step(said: object) -> object:
    return {"call": said} if isinstance(said, str) else said


def _as_expected(said: object) -> object:
    return {"status": said} if isinstance(said, int) else said


def _whole_call(call: str) -> str:
    if not _CALL.fullmatch(call):
        raise ValueError(f"{call!r} is not like 'GET /path?query'")
    return call


class Until(_Model):
    """Ask again until a field of the answer has one of these values."""

    field: str
    values: list[str] = Field(alias="in")


class Step(_Model):
    """One request.

    Attributes:
        call: `METHOD /path?query`; variables are written `$name` or `${name}`.
        service: whose it is, if not the case's.
        headers: beside what the session sends.
        body: what is sent as JSON.
        content: what is sent as it stands; not both.
        wait: the answer is a long-running operation; take what it has come to.
        until: ask again until the answer is so.
        keep: variables to set: a name, and where the answer has its value: the path of a field,
            `header:NAME`, or `text:REGEX` with one group.

    """

    call: Annotated[str, BeforeValidator(_whole_call)]
    service: Service | None = None
    headers: Mapping[str, str] = {}
    body: Any = None
    content: str | None = None
    wait: bool = False
    until: Until | None = None
    keep: Mapping[str, str] = {}

    @property
    def method(self) -> str:
        """The HTTP method."""
        return self.call.split(" ")[0]

    @property
    def path(self) -> str:
        """Path and query, with variables."""
        return self.call.split(" ")[1]


class ExpectedError(_Model):
    """What an error says: `google.rpc.Code`'s name, Cloud Storage's reason, a pattern."""

    status: str | None = None
    reason: str | None = None
    message: str | None = None


class Expected(_Model):
    """The promised answer; see `matching` for how a body is written.

    Attributes:
        status: the HTTP status.
        error: what the error says.
        body: fields that are there, with their values; others may be there, too.
        absent: paths of fields that are not there.
        headers: by lower-case name, a regular expression each.
        content: the body as it stands.

    """

    status: int = 200
    error: ExpectedError | None = None
    body: Any = None
    absent: list[str] = []
    headers: Mapping[str, str] = {}
    content: str | None = None


AnyStep = Annotated[Step, BeforeValidator(_as_step)]


class Case(_Model):
    """One case.

    Attributes:
        name: a sentence that is true of Google.
        source: where Google says so.
        service: whom the requests go to.
        needs: what is made before and removed after (`needs.yaml`).
        before: requests that must succeed first.
        request: the request in question.
        expect: its answer.
        undo: requests that remove what the case has made, whether it succeeded or not.
        marks: `costs` money, `slow` (over ten seconds), `stays` (what it makes cannot be removed).
        rpc: the method that the request is, by its full name.

    """

    name: str
    source: Annotated[str, Field(min_length=12)]
    service: Service
    needs: list[str] = []
    before: list[AnyStep] = []
    request: AnyStep
    expect: Annotated[Expected, BeforeValidator(_as_expected)]
    undo: list[AnyStep] = []
    marks: list[Cost] = []
    rpc: str | None = None


class Need(_Model):
    """Something that cases need: how it is made, and how it is removed."""

    service: Service
    needs: list[str] = []
    make: list[AnyStep]
    undo: list[AnyStep] = []
    marks: list[Cost] = []


def load_needs() -> dict[str, Need]:
    """Read what cases may need.

    Raises:
        CorpusError: the file is not well formed.

    """
    said = yaml.safe_load(NEEDS.read_text())
    return {name: _checked(Need, body, f"needs.yaml, {name}") for name, body in said.items()}


def load(folder: Path = FOLDER) -> list[Case]:
    """Read all cases, file by file.

    Raises:
        CorpusError: a file is not well formed, or two cases share a name.

    """
    cases: dict[str, Case] = {}
    for path in sorted(folder.glob("*.yaml")):
        said = yaml.safe_load(path.read_text())
        if not isinstance(said, dict) or not {"service", "cases"} <= said.keys():
            raise CorpusError(f"{path.name}: a service and its cases are wanted")
        for body in said["cases"]:
            where = f"{path.name}, {body.get('name') if isinstance(body, dict) else body!r}"
            for each in _written_out(body, where):
                case = _checked(Case, {"service": said["service"], **each}, where)
                if case.name in cases:
                    raise CorpusError(f"{where}: there is a case of that name already")
                cases[case.name] = case
    return list(cases.values())


def _written_out(body: Any, where: str) -> Iterator[dict[str, Any]]:
    """Make a case of each of its values, if it has several."""
    if not isinstance(body, dict):
        raise CorpusError(f"{where}: not a case")
    values = body.get("each")
    if values is None:
        yield body
        return
    for value in values:
        case = {name: _with_value(part, value) for name, part in body.items() if name != "each"}
        shown = (
            value
            if isinstance(value, str)
            else yaml.safe_dump(value, default_flow_style=True, width=1000)
        )
        yield {**case, "name": f"{body.get('name')}: {shown.removesuffix('...').strip()}"}


def _with_value(part: Any, value: Any) -> Any:
    """Put a value in the place of `$each`, or its fields in the places of `$each.NAME`."""
    if isinstance(part, dict):
        return {_with_value(name, value): _with_value(item, value) for name, item in part.items()}
    if isinstance(part, list):
        return [_with_value(item, value) for item in part]
    if not isinstance(part, str):
        return part
    fields = value if isinstance(value, dict) else {}
    for name, item in fields.items():
        if part == f"$each.{name}":
            return item
        part = part.replace(f"$each.{name}", str(item))
    if part == "$each":
        return value
    return part if isinstance(value, dict) else part.replace("$each", str(value))


def _checked(model: type[Any], body: Any, where: str) -> Any:
    try:
        return model.model_validate(body)
    except ValueError as error:
        raise CorpusError(f"{where}: {error}") from None
