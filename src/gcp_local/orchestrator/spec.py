"""A compiled pipeline (KFP's IR, a PipelineSpec) as plain immutable values.

The names are those of the IR (https://github.com/kubeflow/pipelines, pipeline_spec.proto);
`reading` makes these from a job's `pipeline_spec` and refuses what Vertex AI would refuse.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from gcp_local.orchestrator.parameters import Json, ParameterType
    from gcp_local.orchestrator.unproven import Unproven


@dataclass(frozen=True)
class ParameterSpec:
    """One input parameter. Without a default and not optional, a value must be given.

    If there are `literals`, it must be one of them.
    """

    kind: ParameterType
    default: Json = None
    has_default: bool = False
    optional: bool = False
    literals: tuple[Json, ...] = ()


@dataclass(frozen=True)
class ArtifactSpec:
    """One input or output artifact, or list of them; `metadata` is an output's first metadata."""

    schema_title: str
    schema_version: str
    schema_uri: str = ""
    instance_schema: str = ""
    is_list: bool = False
    optional: bool = False
    metadata: Mapping[str, Json] = field(default_factory=dict)


@dataclass(frozen=True)
class Constant:
    """A value written in the pipeline; strings in it may hold `{{$…}}` placeholders."""

    value: Json


@dataclass(frozen=True)
class TaskOutput:
    """An output of another task of the same DAG."""

    task: str
    key: str


@dataclass(frozen=True)
class ComponentInput:
    """An input of the component whose DAG the task stands in."""

    name: str


@dataclass(frozen=True)
class FinalStatus:
    """How another task ended, for an exit handler's `PipelineTaskFinalStatus`."""

    task: str


@dataclass(frozen=True)
class ParameterSource:
    """Where a task's parameter comes from; `selector` picks a part of it (`parseJson(…)["a"]`)."""

    origin: Constant | TaskOutput | ComponentInput | FinalStatus
    selector: str = ""


ArtifactSource = TaskOutput | ComponentInput


@dataclass(frozen=True)
class Retry:
    """How often a failed task is tried again, and how long is waited before (seconds)."""

    count: int
    backoff: float
    factor: float
    longest: float

    def pause(self, tries: int) -> float:
        """Give the seconds to wait after so many tries before the next."""
        try:
            return min(self.backoff * self.factor ** (tries - 1), self.longest)
        except OverflowError:
            return self.longest


@dataclass(frozen=True)
class Loop:
    """A task run once an item, at most `parallelism` at a time (0: no limit of its own)."""

    item_input: str
    items: tuple[Json, ...] | ComponentInput
    over_artifacts: bool
    parallelism: int


@dataclass(frozen=True)
class Task:
    """A node of a DAG. `name` is its key there, by which everything refers to it.

    If `cached`, an earlier execution's outputs will do; `cache_key`, if any, says which are the
    same.
    """

    name: str
    display_name: str
    component: str
    parameters: Mapping[str, ParameterSource]
    artifacts: Mapping[str, ArtifactSource]
    upstream: frozenset[str]
    condition: str = ""
    waits_for_success: bool = True
    retry: Retry | None = None
    loop: Loop | None = None
    cached: bool = False
    cache_key: str = ""


@dataclass(frozen=True)
class Dag:
    """Tasks in an order in which they could run, and where the DAG's outputs come from.

    An output with several selectors is the first that has a value (`dsl.OneOf`).
    """

    tasks: Mapping[str, Task]
    parameter_outputs: Mapping[str, tuple[TaskOutput, ...]]
    artifact_outputs: Mapping[str, tuple[TaskOutput, ...]]


@dataclass(frozen=True)
class Container:
    """A command; its words may hold `{{$…}}` placeholders.

    `accelerator` says which it asks for, as in `1 NVIDIA_TESLA_T4`; empty: none.
    """

    image: str
    command: tuple[str, ...]
    args: tuple[str, ...]
    env: Mapping[str, str]
    accelerator: str = ""


@dataclass(frozen=True)
class Importer:
    """An artifact that exists already is given to the pipeline."""

    uri: Constant | ComponentInput
    artifact: ArtifactSpec
    metadata: Mapping[str, Json]
    reimport: bool


@dataclass(frozen=True)
class Component:
    """What a task does, and the inputs and outputs it has."""

    name: str
    parameters: Mapping[str, ParameterSpec]
    artifacts: Mapping[str, ArtifactSpec]
    parameter_outputs: Mapping[str, ParameterType]
    artifact_outputs: Mapping[str, ArtifactSpec]
    body: Dag | Container | Importer


@dataclass(frozen=True)
class Pipeline:
    """A whole compiled pipeline, and what in it is unproven."""

    name: str
    root: Component
    components: Mapping[str, Component]
    default_root: str = ""
    unproven: tuple[Unproven, ...] = ()
