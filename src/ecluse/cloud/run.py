"""A run: one pipeline job, as people and gates look at it. Values only; no client."""

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any, Literal

from ecluse.cloud.job import JobRequest

State = Literal[
    "pending",
    "running",
    "succeeded",
    "failed",
    "cancelled",
    "skipped",
    "not triggered",
]
FINISHED: frozenset[State] = frozenset(
    {"succeeded", "failed", "cancelled", "skipped", "not triggered"}
)


@dataclass(frozen=True, kw_only=True)
class RunRequest(JobRequest):
    """What a run is created from.

    Attributes:
        run_id: its id.

    """

    run_id: str


_MODEL_VERSION = re.compile(r"projects/[^/@]+/locations/[^/@]+/models/[^/@]+@[^/@]+")


@dataclass(frozen=True)
class Artifact:
    """An artifact that a task wrote.

    Attributes:
        name: the output's name.
        type: its schema's title, such as `system.Metrics`.
        uri: where its content is.
        metadata: what the task said of it.

    """

    name: str
    type: str
    uri: str
    metadata: Mapping[str, Any]


@dataclass(frozen=True)
class Task:
    """One task of a run.

    Attributes:
        name: its name in the compiled pipeline.
        state: how far it is.
        started, ended: when; none if not yet, or never.
        error: why it failed, in the component's own words.
        artifacts: what it wrote.
        group: whether it only holds other tasks: the whole run, a condition, a nested pipeline.
        id: tells it from another task of the same name, in a loop or a nested pipeline.

    """

    name: str
    state: State
    started: datetime | None = None
    ended: datetime | None = None
    error: str = ""
    artifacts: tuple[Artifact, ...] = ()
    group: bool = False
    id: str = ""

    @property
    def elapsed(self) -> timedelta | None:
        """How long it took; none if it has not ended or never started."""
        return self.ended - self.started if self.started and self.ended else None

    @property
    def metrics(self) -> dict[str, float]:
        """The numbers in its Metrics artifacts."""
        return {
            name: float(value)
            for artifact in self.artifacts
            if artifact.type == "system.Metrics"
            for name, value in artifact.metadata.items()
            if isinstance(value, int | float) and not isinstance(value, bool)
        }


@dataclass(frozen=True)
class Run:
    """A pipeline job.

    Attributes:
        name: its resource name, `projects/…/locations/…/pipelineJobs/ID`.
        state: how far it is.
        tasks: its tasks, in the order in which they started.
        error: why it failed.
        created, started, ended: when.
        template: the compiled pipeline's digest, as the service says it took it.
        parameters: the runtime parameters.
        labels: its labels.
        schedule: the resource name of the schedule that started it, if one did.

    """

    name: str
    state: State
    tasks: tuple[Task, ...] = ()
    error: str = ""
    created: datetime | None = None
    started: datetime | None = None
    ended: datetime | None = None
    template: str = ""
    parameters: Mapping[str, Any] = field(default_factory=dict)
    labels: Mapping[str, str] = field(default_factory=dict)
    schedule: str = ""

    @property
    def id(self) -> str:
        """The last part of the resource name."""
        return self.name.rsplit("/", 1)[-1]

    @property
    def finished(self) -> bool:
        """Whether nothing more will happen."""
        return self.state in FINISHED

    @property
    def elapsed(self) -> timedelta | None:
        """How long it took; none if it has not ended."""
        return self.ended - self.started if self.started and self.ended else None

    @property
    def steps(self) -> tuple[Task, ...]:
        """The tasks that do something themselves."""
        return tuple(task for task in self.tasks if not task.group)

    @property
    def metrics(self) -> dict[str, float]:
        """The metrics, by `task.name`, but for those of which there are several values."""
        return {name: values[0] for name, values in self._measured.items() if len(values) == 1}

    @property
    def ambiguous_metrics(self) -> frozenset[str]:
        """Metrics of which there are several values: their task ran several times, in a loop."""
        return frozenset(name for name, values in self._measured.items() if len(values) > 1)

    @property
    def _measured(self) -> dict[str, list[float]]:
        measured: dict[str, list[float]] = {}
        for task in self.tasks:
            for name, value in task.metrics.items():
                measured.setdefault(f"{task.name}.{name}", []).append(value)
        return measured

    @property
    def models(self) -> tuple[str, ...]:
        """The model versions that its tasks registered, `projects/…/models/MODEL@VERSION`.

        Known by what such an artifact's metadata says, whatever its type: `resourceName`, with the
        version at its end or in `versionId`.
        """
        found: dict[str, None] = {}
        for task in self.tasks:
            for artifact in task.artifacts:
                name = str(artifact.metadata.get("resourceName", ""))
                version = artifact.metadata.get("versionId")
                if "@" not in name and version is not None:
                    name = f"{name}@{version}"
                if _MODEL_VERSION.fullmatch(name):
                    found[name] = None
        return tuple(found)

    @property
    def failure(self) -> str:
        """Why the run failed: the first failed step's own words, else the run's."""
        for task in self.steps:
            if task.state == "failed" and task.error:
                return f"task `{task.name}` failed: {task.error}"
        return self.error or f"it ended {self.state}"
