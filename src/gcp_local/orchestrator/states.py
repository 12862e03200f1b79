"""The states of tasks and jobs, how a task ended, and what it was given.

The numbers are those of Vertex AI's protos, so that they can be written into them as they are.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import IntEnum
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from gcp_local.orchestrator.artifacts import Artifact
    from gcp_local.orchestrator.parameters import Json


class TaskState(IntEnum):
    """`google.cloud.aiplatform.v1.PipelineTaskDetail.State`."""

    PENDING = 1
    RUNNING = 2
    SUCCEEDED = 3
    CANCELLED = 6
    FAILED = 7
    SKIPPED = 8
    NOT_TRIGGERED = 9


class JobState(IntEnum):
    """`google.cloud.aiplatform.v1.PipelineState`."""

    PENDING = 2
    RUNNING = 3
    SUCCEEDED = 4
    FAILED = 5
    CANCELLING = 6
    CANCELLED = 7


SUCCESS = frozenset({TaskState.SUCCEEDED, TaskState.SKIPPED})
"""The states of a task that has outputs: it ran, or an earlier execution gave them."""
ENDED_JOB = frozenset({JobState.SUCCEEDED, JobState.FAILED, JobState.CANCELLED})
UNENDED_TASK = frozenset({TaskState.PENDING, TaskState.RUNNING})


@dataclass(frozen=True)
class Values:
    """Parameters and artifacts by name: what a task is given, or what it gives."""

    parameters: Mapping[str, Json] = field(default_factory=dict)
    artifacts: Mapping[str, tuple[Artifact, ...]] = field(default_factory=dict)


@dataclass(frozen=True)
class Outcome:
    """How a task ended, what it gave, why it failed, and by what key its outputs may be cached."""

    state: TaskState
    outputs: Values = field(default_factory=Values)
    error: str = ""
    cache_key: str = ""


NOT_TRIGGERED = Outcome(TaskState.NOT_TRIGGERED)


class TaskFailedError(Exception):
    """A task cannot go on; the message is what its error will say."""
