"""Where a task's inputs come from, and where a DAG's outputs do."""

from __future__ import annotations

import hashlib
import re
from typing import TYPE_CHECKING

from gcp_local.orchestrator import conditions, parameters
from gcp_local.orchestrator.parameters import MistypedValueError, ParameterType
from gcp_local.orchestrator.placeholders import PlaceholderError, Scope, resolve_value
from gcp_local.orchestrator.spec import (
    ComponentInput,
    Constant,
    Container,
    Dag,
    FinalStatus,
    TaskOutput,
)
from gcp_local.orchestrator.states import Outcome, TaskFailedError, TaskState, Values

if TYPE_CHECKING:
    from collections.abc import Mapping

    from gcp_local.orchestrator.artifacts import Artifact
    from gcp_local.orchestrator.journal import Node
    from gcp_local.orchestrator.parameters import Json
    from gcp_local.orchestrator.spec import Component, ParameterSource, Task

_FAILED_PRECONDITION = 9
_ITEM = re.compile(r"-loop-item(-subvar-.+)?\Z")


def artifact_name(parent: str, node: Node, key: str) -> str:
    """Name the ML Metadata artifact that a task's output is."""
    return metadata_name(parent, f"{node.job}\0{node.id}\0{key}")


def metadata_name(parent: str, identity: str) -> str:
    """Name an ML Metadata artifact; the same identity gives the same name."""
    number = int.from_bytes(hashlib.sha256(identity.encode()).digest()[:8], "big") >> 1
    return f"{parent}/metadataStores/default/artifacts/{number}"


def task_inputs(
    task: Task,
    component: Component,
    given: Values,
    outcomes: Mapping[str, Outcome],
    placeholders: Mapping[str, str],
    job: str,
) -> Values:
    """Gather a task's inputs, defaults applied and types kept.

    Raises:
        TaskFailedError: a required input has no value, or one of the wrong type.
        ConditionError: an input's selector picks nothing.

    """
    found: dict[str, Json] = {}
    constants: dict[str, Json] = {}
    for name, source in task.parameters.items():
        if isinstance(source.origin, Constant):
            constants[name] = source.origin.value
            continue
        value = _parameter(source, given, outcomes, job)
        if value is not None:
            found[name] = value
    scope = Scope({"inputs": {"parameterValues": found}, "outputs": {}}, placeholders)
    for name, constant in constants.items():
        try:
            found[name] = resolve_value(constant, scope)
        except PlaceholderError as error:
            raise TaskFailedError(f"The input {name!r}: {error}") from error
    artifacts: dict[str, tuple[Artifact, ...]] = {}
    for name, origin in task.artifacts.items():
        pool = (
            given.artifacts.get(origin.name)
            if isinstance(origin, ComponentInput)
            else _outputs(outcomes, origin.task).artifacts.get(origin.key)
        )
        if pool is not None:
            artifacts[name] = pool
    return _complete(task, component, found, artifacts)


def condition_values(component: Component, inputs: Values) -> dict[str, Json]:
    """Give what a task's condition reads: each input, null if it has no value.

    An input that is declared a STRING is read as text whatever it is, as KFP's own engine reads it:
    the compiler writes `== '1'` where an item's part is compared with 1.
    """
    values: dict[str, Json] = dict.fromkeys(component.parameters)
    for name, value in inputs.parameters.items():
        spec = component.parameters.get(name)
        written = spec is not None and spec.kind is ParameterType.STRING and value is not None
        values[name] = parameters.as_text(value) if written else value
    return values


def _parameter(
    source: ParameterSource, given: Values, outcomes: Mapping[str, Outcome], job: str
) -> Json:
    match source.origin:
        case ComponentInput(name):
            value = given.parameters.get(name)
        case TaskOutput(task, key):
            value = _outputs(outcomes, task).parameters.get(key)
        case FinalStatus(task):
            return final_status(outcomes[task], task, job)
        case Constant(constant):
            value = constant
    if source.selector and value is not None:
        return conditions.selected(source.selector, value)
    return value


def _outputs(outcomes: Mapping[str, Outcome], task: str) -> Values:
    return outcomes[task].outputs if task in outcomes else Values()


def final_status(outcome: Outcome, task: str, job: str) -> dict[str, Json]:
    """Make the `PipelineTaskFinalStatus` that an exit handler's task reads."""
    # A task whose outputs came from the cache has succeeded, to those who ask for its end.
    state = TaskState.SUCCEEDED if outcome.state is TaskState.SKIPPED else outcome.state
    status: dict[str, Json] = {
        "state": state.name,
        "pipelineJobResourceName": job,
        "pipelineTaskName": task,
    }
    if outcome.state is TaskState.FAILED:
        status["error"] = {"code": _FAILED_PRECONDITION, "message": outcome.error}
    return status


def _complete(
    task: Task,
    component: Component,
    found: dict[str, Json],
    artifacts: dict[str, tuple[Artifact, ...]],
) -> Values:
    loop_input = task.loop.item_input if task.loop else None
    for name, spec in component.parameters.items():
        if name == loop_input:
            continue
        if name not in found:
            if spec.has_default:
                found[name] = spec.default
            elif not spec.optional:
                raise TaskFailedError(f"The required input parameter {name!r} has no value.")
            continue
        # The compiler calls an item of a loop whose type it does not know a STRING, and a part of
        # one too: only who uses it knows its type.
        if isinstance(component.body, Dag) and _ITEM.search(name):
            continue
        try:
            found[name] = parameters.of_type(found[name], spec.kind)
        except MistypedValueError as error:
            raise TaskFailedError(f"The input parameter {name!r}: {error}.") from error
        if spec.literals and found[name] not in spec.literals:
            allowed = ", ".join(repr(literal) for literal in spec.literals)
            raise TaskFailedError(
                f"The input parameter {name!r} is {found[name]!r}, which is none of {allowed}."
            )
    for name, artifact in component.artifacts.items():
        if name != loop_input and name not in artifacts and not artifact.optional:
            raise TaskFailedError(f"The required input artifact {name!r} was not produced.")
    if isinstance(component.body, Container):
        image = component.body.image  # which may name an input that only the task has
        found = {
            name: value
            for name, value in found.items()
            if name in component.parameters or f"['{name}']" in image
        }
    return Values(found, artifacts)


def dag_outputs(dag: Dag, outcomes: Mapping[str, Outcome]) -> Values:
    """Gather a DAG's outputs from its tasks; what no task produced is left out."""
    values: dict[str, Json] = {}
    for key, selectors in dag.parameter_outputs.items():
        for selector in selectors:
            produced = _outputs(outcomes, selector.task).parameters
            if selector.key in produced:
                values[key] = produced[selector.key]
                break
    artifacts: dict[str, tuple[Artifact, ...]] = {}
    for key, selectors in dag.artifact_outputs.items():
        for selector in selectors:
            made = _outputs(outcomes, selector.task).artifacts
            if selector.key in made:
                artifacts[key] = made[selector.key]
                break
    return Values(values, artifacts)
