"""`dsl.ParallelFor`: the inputs of each round, and the rounds' outputs gathered into lists."""

from __future__ import annotations

from typing import TYPE_CHECKING

from gcp_local.orchestrator import parameters
from gcp_local.orchestrator.parameters import MistypedValueError
from gcp_local.orchestrator.spec import ComponentInput
from gcp_local.orchestrator.states import TaskFailedError, Values

if TYPE_CHECKING:
    from collections.abc import Sequence

    from gcp_local.orchestrator.spec import Component, Loop
    from gcp_local.orchestrator.states import Outcome

_MOST_ARTIFACTS = 100  # https://github.com/kubeflow/kubeflow/issues/7513


def rounds(loop: Loop, inputs: Values) -> list[Values]:
    """Give the inputs of each round.

    Raises:
        TaskFailedError: what is looped over is not a list.

    """
    if loop.over_artifacts:
        assert isinstance(loop.items, ComponentInput)
        listed = inputs.artifacts.get(loop.items.name, ())
        return [
            Values(inputs.parameters, {**inputs.artifacts, loop.item_input: (artifact,)})
            for artifact in listed
        ]
    if isinstance(loop.items, ComponentInput):
        items = inputs.parameters.get(loop.items.name)
        if isinstance(items, str):
            try:
                items = parameters.storable(parameters.strict_json(items))
            except ValueError:
                items = None
        if not isinstance(items, list):
            raise TaskFailedError(f"The loop's items {loop.items.name!r} are not a list.")
    else:
        items = list(loop.items)
    return [
        Values({**inputs.parameters, loop.item_input: item}, inputs.artifacts) for item in items
    ]


def gathered(component: Component, outcomes: Sequence[Outcome]) -> Values:
    """Make lists of the rounds' outputs (`dsl.Collected`), in the order of the items.

    Raises:
        TaskFailedError: a list of such values cannot be kept, or is of more artifacts than Vertex
            AI collects.

    """
    lists = {
        name: [
            outcome.outputs.parameters[name]
            for outcome in outcomes
            if name in outcome.outputs.parameters
        ]
        for name in component.parameter_outputs
    }
    try:
        parameters.storable(list(lists.values()))
    except MistypedValueError as error:
        raise TaskFailedError(f"The collected outputs: {error}.") from error
    artifacts = {
        name: tuple(
            artifact for outcome in outcomes for artifact in outcome.outputs.artifacts.get(name, ())
        )
        for name in component.artifact_outputs
    }
    for name, collected in artifacts.items():
        if len(collected) > _MOST_ARTIFACTS:
            raise TaskFailedError(
                f"The loop gives {len(collected)} artifacts as {name!r}: Vertex AI collects at most"
                f" {_MOST_ARTIFACTS}."
            )
    return Values(lists, artifacts)
