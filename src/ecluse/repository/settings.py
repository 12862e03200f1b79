"""What people write: environments/*.yaml, pipelines/*/pipeline.yaml and [tool.ecluse].

The models are frozen and refuse unknown fields. Whoever misspells one is told the file, the line,
the field and the nearest right name.
"""

import re
from collections.abc import Collection, Mapping
from typing import Annotated, Any, Literal, Self, TypeAlias

import pydantic
from pydantic import (
    AfterValidator,
    BeforeValidator,
    Field,
    JsonValue,
    StringConstraints,
)

from ecluse.repository.cron import checked_cron
from ecluse.repository.duration import parse_duration
from ecluse.repository.freeze_settings import Freeze
from ecluse.repository.gate_settings import Gate, PlacedGate, Prices
from ecluse.repository.strict import Strict as _Settings
from ecluse.repository.time_zone import TimeZone
from ecluse.repository.trigger_settings import Trigger, Triggers

Parameter: TypeAlias = JsonValue

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
Account = Annotated[str, StringConstraints(pattern=r"^[^@\s]+@[^@\s]+$")]
LabelValue = Annotated[str, StringConstraints(pattern=r"^[a-z0-9_-]{0,63}$")]
LabelKey = Annotated[str, StringConstraints(pattern=r"^[a-z][a-z0-9_-]{0,62}$")]


def _known_duration(text: str) -> str:
    parse_duration(text)
    return text


Duration = Annotated[str, AfterValidator(_known_duration)]
"""A length of time, such as `30m`: `parse_duration` says how long it is."""

ModelAlias = Annotated[str, StringConstraints(pattern=r"^[a-z][a-z0-9-]{0,126}[a-z0-9]$")]

PLACEHOLDERS = (
    "environment", "project", "location", "bucket", "service_account", "runtime_image", "commit",
)  # fmt: skip
PLACEHOLDER = re.compile(r"\{([^{}]*)\}")


class Budget(_Settings):
    """How much one command asks of an environment at once, so that its quotas are respected.

    Attributes:
        calls: the most calls of Google's APIs in flight.
        runs: the most pipeline runs under way that a promotion started.

    """

    calls: Annotated[int, Field(ge=1, le=256)] = 16
    runs: Annotated[int, Field(ge=1, le=1000)] = 10


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
    service_account: Account
    starter: Account | None = None
    signing_key: KeyVersion
    requires: str | None = None
    evidence_max_age: Duration | None = None
    lease_seconds: Annotated[float, Field(ge=1)] = 60.0
    labels: dict[LabelKey, LabelValue] = Field(default_factory=dict)
    network: str | None = None
    encryption_key: str | None = None
    parameters: dict[str, Parameter] = Field(default_factory=dict)
    budget: Budget = Budget()
    prices: Prices | None = None
    freezes: list[Freeze] = Field(default_factory=list)

    @property
    def template_host(self) -> str:
        """The address of the template repository: https://LOCATION-kfp.pkg.dev/PROJECT/NAME."""
        return f"https://{self.location}-kfp.pkg.dev/{self.project}/{self.templates}"

    @property
    def template_repository(self) -> str:
        """The template repository's resource name."""
        return f"projects/{self.project}/locations/{self.location}/repositories/{self.templates}"

    @property
    def image_repository(self) -> str:
        """The image repository's resource name."""
        host, project, repository = self.images.split("/")
        location = host.removesuffix("-docker.pkg.dev")
        return f"projects/{project}/locations/{location}/repositories/{repository}"

    @property
    def trigger_account(self) -> str:
        """Whose identity the builds have that triggers start: the deployer's, unless said."""
        return self.starter or f"deployer@{self.project}.iam.gserviceaccount.com"

    @property
    def build_logs(self) -> str:
        """The bucket that the project's builds write their logs to, as cloudbuild/ has it."""
        return f"gs://{self.project}-builds"

    def template_uri(self, package: str, digest: str) -> str:
        """Return the address of one compiled pipeline, by digest and never by tag."""
        return f"{self.template_host}/{package}/{digest}"


class Schedule(_Settings):
    """When an environment runs the live pipeline by itself."""

    cron: Annotated[str, AfterValidator(checked_cron)]
    time_zone: TimeZone = "Etc/UTC"


class Watch(_Settings):
    """That the first run by schedule after an activation is looked after.

    Attributes:
        rollback: whether the pipeline goes back to what was live before, if that run fails.

    """

    rollback: bool = False


def _said(watch: Any) -> Any:
    if watch is None:
        raise ValueError("it says nothing: write `watch: {}`, or `watch: {rollback: true}`")
    return watch


AskedWatch = Annotated[Watch | None, BeforeValidator(_said)]
"""A watch that is written down is meant: an empty one is not the same as none."""


class Overrides(_Settings):
    """What one environment does differently."""

    parameters: dict[str, Parameter] = Field(default_factory=dict)
    schedule: Schedule | None = None
    watch: AskedWatch = None
    gates: list[Gate] = Field(default_factory=list, exclude_if=lambda gates: not gates)
    triggers: Triggers | None = None


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


class Smoke(_Settings):
    """What a quick qualifying run is given besides, or instead: few rounds, a table of samples."""

    parameters: Annotated[dict[str, Parameter], Field(min_length=1)]


class PipelineSettings(_Settings):
    """A pipeline's pipeline.yaml.

    Attributes:
        requalify: how a change proves itself that is none of the pipeline's own: only the runtime
            image or the compiler moved. With `smoke` the qualifying run is a quick one.
        smoke: what that run is given.
        model_alias: the alias that the model versions of what is live are known by, such as
            `champion`; none to leave aliases alone.
        watch: whether the first run by schedule after an activation is looked after.

    """

    description: str
    owner: str
    labels: dict[LabelKey, LabelValue] = Field(default_factory=dict)
    parameters: dict[str, Parameter] = Field(default_factory=dict)
    environments: dict[str, Overrides] = Field(default_factory=dict)
    schedule: Schedule | None = None
    watch: AskedWatch = None
    triggers: Annotated[Triggers, Field(min_length=1)] | None = None
    after: Annotated[list[str], Field(min_length=1)] | None = None
    gates: list[Gate] = Field(default_factory=list)
    requalify: Annotated[
        Literal["full", "smoke"], Field(exclude_if=lambda requalify: requalify == "full")
    ] = "full"
    smoke: Smoke | None = None
    model_alias: ModelAlias | None = None
    sample_data: SampleData | None = None
    bad_change: str | None = None

    @pydantic.model_validator(mode="after")
    def _knows_what_a_smoke_run_is_given(self) -> Self:
        if self.requalify == "smoke" and self.smoke is None:
            raise ValueError("`requalify: smoke` needs `smoke: {parameters: {…}}` beside it")
        return self

    @pydantic.model_validator(mode="after")
    def _watches_what_is_scheduled(self) -> Self:
        places = [place for place, own in self.environments.items() if own.schedule is not None]
        if self.watch is not None and self.schedule is None and not places:
            raise ValueError("`watch` looks after runs by schedule: it needs a `schedule`")
        for place, own in self.environments.items():
            if own.watch is not None and self.schedule_in(place) is None:
                raise ValueError(f"`watch` in {place} needs a `schedule`, there or for all")
        return self

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

    def watch_in(self, environment: str) -> Watch | None:
        """Return how runs by schedule are looked after in an environment; none if none are."""
        if self.schedule_in(environment) is None:
            return None
        overrides = self.environments.get(environment)
        return overrides.watch if overrides and overrides.watch else self.watch

    def gates_in(self, environment: str) -> tuple[PlacedGate, ...]:
        """Return the gates of a run in an environment: the common ones, then its own."""
        overrides = self.environments.get(environment)
        own = overrides.gates if overrides is not None else []
        return (
            *(PlacedGate(gate, ("gates", index)) for index, gate in enumerate(self.gates)),
            *(
                PlacedGate(gate, ("environments", environment, "gates", index))
                for index, gate in enumerate(own)
            ),
        )

    def triggers_in(self, environment: str) -> tuple[Trigger, ...]:
        """Return the triggers that hold in an environment: its own, if it says any, even none."""
        overrides = self.environments.get(environment)
        if overrides is not None and overrides.triggers is not None:
            return tuple(overrides.triggers)
        return tuple(self.triggers or ())

    def parameters_in(
        self,
        environment: Environment,
        declared: Collection[str],
        *,
        runtime_image: str,
        commit: str,
        smoke: bool = False,
    ) -> dict[str, Parameter]:
        """Return the runtime parameters of a run in an environment, placeholders filled in.

        The pipeline's own for this environment come before its common ones, and those before the
        environment's, which hold for every pipeline that declares a parameter of the name. In a
        quick qualifying run those of `smoke` come first of all.
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
        if smoke and self.smoke is not None:
            merged |= self.smoke.parameters
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


def _filled(value: Parameter, values: Mapping[str, str]) -> Parameter:
    if isinstance(value, str):
        return PLACEHOLDER.sub(lambda match: values[match[1]], value)
    if isinstance(value, list):
        return [_filled(child, values) for child in value]
    if isinstance(value, dict):
        return {key: _filled(child, values) for key, child in value.items()}
    return value
