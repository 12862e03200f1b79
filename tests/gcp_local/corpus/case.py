"""What a case of the corpus is: a pipeline, what it is given, and what must come of it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

SUCCEEDED = "SUCCEEDED"
FAILED = "FAILED"
NOT_TRIGGERED = "NOT_TRIGGERED"
SKIPPED = "SKIPPED"

FOLDER = "{folder}"
"""In a parameter's value: a folder that only this run uses."""


@dataclass(frozen=True)
class Made:
    """An artifact that a run made: its type, its metadata, and its payload.

    Attributes:
        type: the schema's title and version, `system.Dataset@0.0.1`.
        metadata: the whole of it, or None where that is not what the case is about.
        content: the text of its object, or None if it has none.

    """

    type: str
    metadata: Mapping[str, Any] | None = field(default_factory=dict)
    content: str | None = None


@dataclass(frozen=True)
class Case:
    """One run of one pipeline.

    Attributes:
        name: as an identifier; cases that run the same pipeline differ in what it is given.
        feature: what of KFP it is about, in words.
        pipeline: the function that `dsl.pipeline` made.
        parameters: what the run is given.
        artifacts: artifacts that are there before the run and are given to it.
        labels: the job's.
        state: how the job ends.
        outputs: all parameters that the pipeline gives.
        made: artifacts by `task.output`, or by the name of the pipeline's own output.
        tasks: how tasks end that do not succeed; all others do.
        told: outputs of single tasks, by `task.output`, that the pipeline does not give.
        error: what the job's error says, in part.
        refused: what the refusal says, in part; then there is no job. What is said of outputs and
            tasks holds under `--permissive` and `--ignore-accelerators`, if anything is said.
        cached: caching is as compiled. Otherwise it is off, as the SDK's `enable_caching=False`
            has it: what a task finds in the cache depends on which of its likes was first.

    """

    name: str
    feature: str
    pipeline: Any
    parameters: Mapping[str, Any] = field(default_factory=dict)
    artifacts: Mapping[str, Made] = field(default_factory=dict)
    labels: Mapping[str, str] = field(default_factory=dict)
    state: str = SUCCEEDED
    outputs: Mapping[str, Any] = field(default_factory=dict)
    made: Mapping[str, Made | tuple[Made, ...]] = field(default_factory=dict)
    tasks: Mapping[str, str] = field(default_factory=dict)
    told: Mapping[str, Any] = field(default_factory=dict)
    error: str = ""
    refused: str = ""
    cached: bool = False
