"""What people write: environments/*.yaml, pipelines/*/pipeline.yaml and [tool.ecluse].

The models are frozen and refuse unknown fields. Whoever misspells one is told the file, the line,
the field and the nearest right name.
"""

import difflib
import re
import tomllib
from collections.abc import Collection, Iterable, Mapping, Sequence
from pathlib import Path
from typing import Annotated, Any, Literal, Self, TypeAlias, TypeVar, get_args
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

import pydantic
from pydantic import (
    AfterValidator,
    BaseModel,
    ConfigDict,
    Field,
    JsonValue,
    StringConstraints,
    ValidationError,
)

from ecluse.errors import SettingsError
from ecluse.yaml_source import FieldPath, read_yaml

Parameter: TypeAlias = JsonValue

_Model = TypeVar("_Model", bound="_Settings")

ProjectId = Annotated[str, StringConstraints(pattern=r"^[a-z][a-z0-9-]{4,28}[a-z0-9]$")]
Location = Annotated[str, StringConstraints(pattern=r"^[a-z]+-[a-z]+[0-9]+$")]
Bucket = Annotated[
    str, StringConstraints(pattern=r"^gs://[a-z0-9][a-z0-9._-]{1,61}[a-z0-9](/[^/?#]+)*$")
]
RepositoryId = Annotated[str, StringConstraints(pattern=r"^[a-z][a-z0-9-]{0,61}[a-z0-9]$")]
ImageRepository = Annotated[
    str, StringConstraints(pattern=r"^[a-z0-9-]+-docker\.pkg\.dev/[a-z][a-z0-9-]+/[a-z0-9-]+$")
]
KeyVersion = Annotated[
    str,
    StringConstraints(
        pattern=r"^projects/[^/]+/locations/[^/]+/keyRings/[^/]+/cryptoKeys/[^/]+"
        r"/cryptoKeyVersions/[1-9][0-9]*$"
    ),
]
LabelKey = Annotated[str, StringConstraints(pattern=r"^[a-z][a-z0-9_-]{0,62}$")]
MetricName = Annotated[str, StringConstraints(pattern=r"^[A-Za-z0-9_-]+\.[^\s]+$")]

PLACEHOLDERS = (
    "environment", "project", "location", "bucket", "service_account", "runtime_image", "commit",
)  # fmt: skip
_PLACEHOLDER = re.compile(r"\{([^{}]*)\}")


class _Settings(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid", strict=True)


class Environment(_Settings):
    """A Google Cloud project and everything a run needs there (environments/NAME.yaml)."""

    name: str
    project: ProjectId
    location: Location
    bucket: Bucket
    ledger: Bucket
    evidence: Bucket
    templates: RepositoryId
    images: ImageRepository
    service_account: Annotated[str, StringConstraints(pattern=r"^[^@\s]+@[^@\s]+$")]
    signing_key: KeyVersion
    requires: str | None = None
    labels: dict[LabelKey, str] = Field(default_factory=dict)
    network: str | None = None
    encryption_key: str | None = None
    parameters: dict[str, Parameter] = Field(default_factory=dict)

    @property
    def template_host(self) -> str:
        """The address of the template repository: https://LOCATION-kfp.pkg.dev/PROJECT/NAME."""
        return f"https://{self.location}-kfp.pkg.dev/{self.project}/{self.templates}"

    def template_uri(self, package: str, digest: str) -> str:
        """Return the address of one compiled pipeline, by digest and never by tag."""
        return f"{self.template_host}/{package}/{digest}"


class Gate(_Settings):
    """A rule on one metric of a run, which must hold before the pipeline goes live.

    Attributes:
        metric: `task-name.metric_name`, as the compiled pipeline and the task's Metrics call them.
        min: the least acceptable value.
        max: the greatest acceptable value.
        no_worse_than: compare with the live pipeline's last qualifying run.
        tolerance: by how much the champion may be missed, in the metric's own unit.
        better: which direction is better, for the comparison with the champion.

    """

    metric: MetricName
    min: float | None = None
    max: float | None = None
    no_worse_than: Literal["champion"] | None = None
    tolerance: Annotated[float, Field(ge=0)] = 0.0
    better: Literal["higher", "lower"] = "higher"

    @pydantic.model_validator(mode="after")
    def _has_one_rule(self) -> Self:
        rules = [rule for rule in (self.min, self.max, self.no_worse_than) if rule is not None]
        if len(rules) != 1:
            raise ValueError("a gate has exactly one of `min`, `max` and `no_worse_than`")
        if self.no_worse_than is None and (self.tolerance or self.better != "higher"):
            raise ValueError("`tolerance` and `better` go with `no_worse_than` only")
        return self


def _known_time_zone(name: str) -> str:
    try:
        ZoneInfo(name)
    except (ZoneInfoNotFoundError, ValueError, OSError):
        raise ValueError(f"`{name}` is no time zone, such as `Europe/Paris`") from None
    return name


class Schedule(_Settings):
    """When an environment runs the live pipeline by itself."""

    cron: Annotated[str, StringConstraints(pattern=r"^\S+ \S+ \S+ \S+ \S+$")]
    time_zone: Annotated[str, AfterValidator(_known_time_zone)] = "Etc/UTC"


class Overrides(_Settings):
    """What one environment does differently."""

    parameters: dict[str, Parameter] = Field(default_factory=dict)
    schedule: Schedule | None = None


class SampleData(_Settings):
    """How to get data for a run on the embedded cloud, and how to tell whether a file will do."""

    parameter: str
    generate: Annotated[list[str], Field(min_length=1)]
    check: Annotated[list[str], Field(min_length=1)] | None = None

    @pydantic.model_validator(mode="after")
    def _names_the_file(self) -> Self:
        for command in (self.generate, self.check):
            if command is not None and "{path}" not in command:
                raise ValueError("the command needs a `{path}` argument for the file")
        return self


class PipelineSettings(_Settings):
    """A pipeline's pipeline.yaml."""

    description: str
    owner: str
    labels: dict[LabelKey, str] = Field(default_factory=dict)
    parameters: dict[str, Parameter] = Field(default_factory=dict)
    environments: dict[str, Overrides] = Field(default_factory=dict)
    schedule: Schedule | None = None
    gates: list[Gate] = Field(default_factory=list)
    sample_data: SampleData | None = None
    bad_change: str | None = None

    def delivered(self) -> dict[str, Any]:
        """Return the part that reaches the cloud, as plain values: what a release freezes.

        The description and what only a laptop uses stay out: changing them requalifies nothing.
        """
        return self.model_dump(
            mode="json", exclude={"description", "sample_data", "bad_change"}, exclude_none=True
        )

    def schedule_in(self, environment: str) -> Schedule | None:
        """Return the schedule that holds in an environment."""
        overrides = self.environments.get(environment)
        return overrides.schedule if overrides and overrides.schedule else self.schedule

    def parameters_in(
        self,
        environment: Environment,
        declared: Collection[str],
        *,
        runtime_image: str,
        commit: str,
    ) -> dict[str, Parameter]:
        """Return the runtime parameters of a run in an environment, placeholders filled in.

        The pipeline's own for this environment come before its common ones, and those before the
        environment's, which hold for every pipeline that declares a parameter of the name.
        """
        overrides = self.environments.get(environment.name, Overrides())
        values = {
            "environment": environment.name,
            "project": environment.project,
            "location": environment.location,
            "bucket": environment.bucket,
            "service_account": environment.service_account,
            "runtime_image": runtime_image,
            "commit": commit,
        }
        general = {name: v for name, v in environment.parameters.items() if name in declared}
        merged = {**general, **self.parameters, **overrides.parameters}
        return {name: _filled(value, values) for name, value in merged.items()}


class ImageSettings(_Settings):
    """What an image is made of ([tool.ecluse.images.NAME] in pyproject.toml).

    Attributes:
        target: the Dockerfile's stage.
        sources: files and folders that go in, from the repository's root. Nothing else may.

    """

    target: str
    sources: Annotated[list[str], Field(min_length=1)]
    dockerfile: str = "Dockerfile"


class ProjectSettings(_Settings):
    """[tool.ecluse] in pyproject.toml: what holds for every environment."""

    images: dict[str, ImageSettings] = Field(default_factory=dict)


def read_environment(file: Path, shown: str) -> Environment:
    """Read environments/NAME.yaml.

    Raises:
        SettingsError: with file, line and field.

    """
    return _read(Environment, file, shown, {"name": file.stem})


def read_pipeline(file: Path, shown: str) -> PipelineSettings:
    """Read a pipeline.yaml.

    Raises:
        SettingsError: with file, line and field.

    """
    return _read(PipelineSettings, file, shown, {})


def read_project(file: Path) -> ProjectSettings:
    """Read [tool.ecluse] of a pyproject.toml."""
    try:
        table = tomllib.loads(file.read_text(encoding="utf-8")).get("tool", {}).get("ecluse", {})
        return ProjectSettings.model_validate(table)
    except tomllib.TOMLDecodeError as error:
        raise SettingsError(f"not valid TOML: {error}", where=file.name) from None
    except ValidationError as error:
        problem = error.errors()[0]
        path = ".".join(str(part) for part in problem["loc"])
        raise SettingsError(
            f"`{path}`: {_said(problem)}", where=f"{file.name}, [tool.ecluse]"
        ) from None


def _read(model: type[_Model], file: Path, shown: str, given: Mapping[str, Any]) -> _Model:
    source = read_yaml(file, shown)
    for name in given:
        if name in source.content:
            raise SettingsError(
                f"`{name}` is not written in the file: the file's name says it",
                where=source.where((name,)),
                fix="remove the line",
            )
    try:
        settings = model.model_validate({**source.content, **given})
    except ValidationError as error:
        problems = _in_order_of_use(error.errors())
        first = problems[0]
        path = _field_path(first["loc"], source.lines)
        more = f" (and {len(problems) - 1} more)" if len(problems) > 1 else ""
        dotted = ".".join(str(part) for part in path) or "the file"
        raise SettingsError(
            f"`{dotted}`: {_said(first)}{more}",
            where=source.where(path),
            fix=_suggestion(model, first),
        ) from None
    for part in ("parameters", "environments"):
        for path, value in _texts((part,), source.content.get(part)):
            _refuse_unknown_placeholder(value, source.where(path))
    return settings


def _field_path(location: tuple[int | str, ...], lines: Mapping[FieldPath, int]) -> FieldPath:
    """Drop what pydantic adds to a field's path: names of union members and of types.

    The path's last part is kept when it is missing from the file: it is the missing field.
    """
    path: FieldPath = ()
    for index, part in enumerate(location):
        longer = (*path, part)
        if longer in lines:
            path = longer
        elif index == len(location) - 1 and isinstance(part, str) and part.isidentifier():
            return longer
    return path


def _said(problem: Mapping[str, Any] | Any) -> str:
    """Say a pydantic problem in our words."""
    match problem["type"]:
        case "missing":
            return "this field is missing"
        case "extra_forbidden":
            return "there is no such field"
        case "string_pattern_mismatch":
            return f"`{problem['input']}` does not look like one ({problem['ctx']['pattern']})"
        case "value_error":
            return str(problem["ctx"]["error"])
        case _:
            found = problem["input"]
            shown = (
                f"`{found}`"
                if isinstance(found, bool | int | float | str | None)
                else type(found).__name__
            )
            message = str(problem["msg"])
            return f"{message[0].lower()}{message[1:]}, found {shown}"


def _in_order_of_use(problems: Sequence[Any]) -> list[Any]:
    """Put misspelt fields first, and leave out the fields that are missing because of them."""
    extra = [problem for problem in problems if problem["type"] == "extra_forbidden"]
    rest = [
        problem
        for problem in problems
        if problem["type"] != "extra_forbidden"
        and not (
            problem["type"] == "missing"
            and any(
                other["loc"][:-1] == problem["loc"][:-1]
                and difflib.get_close_matches(str(other["loc"][-1]), [str(problem["loc"][-1])])
                for other in extra
            )
        )
    ]
    return extra + rest


def _suggestion(model: type[BaseModel], problem: Any) -> str:
    if problem["type"] != "extra_forbidden":
        return ""
    parent: type[BaseModel] | None = model
    for part in problem["loc"][:-1]:
        parent = _model_of(parent, part) if parent is not None else None
    word = str(problem["loc"][-1])
    fields = [name for name in parent.model_fields if name != "name"] if parent is not None else []
    near = difflib.get_close_matches(word, fields, n=1)
    if near:
        return f"did you mean `{near[0]}`?"
    return f"the fields are: {', '.join(fields)}" if fields else ""


def _model_of(parent: type[BaseModel], part: str | int) -> type[BaseModel] | None:
    """Return the settings model behind one step of a field's path, through lists and mappings."""
    if not isinstance(part, str) or part not in parent.model_fields:
        return parent
    pending: list[Any] = [parent.model_fields[part].annotation]
    while pending:
        annotation = pending.pop()
        if isinstance(annotation, type) and issubclass(annotation, BaseModel):
            return annotation
        pending.extend(get_args(annotation))
    return None


def _texts(path: FieldPath, value: Any) -> Iterable[tuple[FieldPath, str]]:
    """Yield every text inside a value with its path."""
    if isinstance(value, str):
        yield path, value
    elif isinstance(value, Mapping):
        for key, child in value.items():
            yield from _texts((*path, str(key)), child)
    elif isinstance(value, list):
        for index, child in enumerate(value):
            yield from _texts((*path, index), child)


def _refuse_unknown_placeholder(text: str, where: str) -> None:
    for word in _PLACEHOLDER.findall(text):
        if word not in PLACEHOLDERS:
            near = difflib.get_close_matches(word, PLACEHOLDERS, n=1)
            raise SettingsError(
                f"`{{{word}}}` is no placeholder",
                where=where,
                fix=f"did you mean `{{{near[0]}}}`?"
                if near
                else f"the placeholders are: {', '.join(PLACEHOLDERS)}",
            )


def _filled(value: Parameter, values: Mapping[str, str]) -> Parameter:
    if isinstance(value, str):
        return _PLACEHOLDER.sub(lambda match: values[match[1]], value)
    if isinstance(value, list):
        return [_filled(child, values) for child in value]
    if isinstance(value, dict):
        return {key: _filled(child, values) for key, child in value.items()}
    return value
