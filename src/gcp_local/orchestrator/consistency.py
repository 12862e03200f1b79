"""Checks of a pipeline's references, which reading one component at a time cannot do."""

from __future__ import annotations

from typing import TYPE_CHECKING

from gcp_local.orchestrator.refusals import refusal
from gcp_local.orchestrator.spec import ComponentInput, Dag, TaskOutput

if TYPE_CHECKING:
    from gcp_local.orchestrator.spec import Component, Task

_DEEPEST = 50


def in_order(tasks: dict[str, Task], where: str) -> dict[str, Task]:
    """Order tasks so that each comes after those it waits for."""
    ordered: dict[str, Task] = {}
    left = dict(tasks)
    for task in tasks.values():
        for name in task.upstream - tasks.keys():
            raise refusal(f"task {task.name!r} waits for {name!r}, which is not there", where)
    while left:
        ready = [task for task in left.values() if task.upstream <= ordered.keys()]
        if not ready:
            raise refusal(f"the tasks {sorted(left)} wait for one another", where)
        for task in ready:
            ordered[task.name] = left.pop(task.name)
    return ordered


def check(root: Component, components: dict[str, Component]) -> None:
    """Check every reference between components, which reading one at a time cannot."""
    finished: set[str] = set()

    def visit(component: Component, path: tuple[str, ...]) -> None:
        if component.name in path:
            raise refusal(f"component {component.name!r} contains itself", "components")
        if len(path) > _DEEPEST:
            raise refusal(f"components are nested more than {_DEEPEST} deep", "components")
        if component.name in finished or not isinstance(component.body, Dag):
            return
        for task in component.body.tasks.values():
            where = f"{component.name}.dag.tasks.{task.name}"
            if task.component not in components:
                raise refusal(
                    f"{where} uses component {task.component!r}, which is not there", where
                )
            child = components[task.component]
            _check_task(task, component, components, where)
            visit(child, (*path, component.name))
        _check_outputs(component, components)
        finished.add(component.name)

    visit(root, ())


def _check_task(
    task: Task, parent: Component, components: dict[str, Component], where: str
) -> None:
    assert isinstance(parent.body, Dag)
    tasks, child = parent.body.tasks, components[task.component]
    for kind, sources in (
        ("parameter", {key: source.origin for key, source in task.parameters.items()}),
        ("artifact", task.artifacts),
    ):
        for key, origin in sources.items():
            match origin:
                case ComponentInput(name) if name not in getattr(parent, f"{kind}s"):
                    unknown = f"an unknown input {name!r}"
                case TaskOutput(name, output) if not _gives(
                    components.get(tasks[name].component), f"{kind}_outputs", output
                ):
                    unknown = f"an unknown output {name}.{output}"
                case _:
                    continue
            raise refusal(f"{where} takes {key!r} from {unknown}", where)
    given = {*task.parameters, *task.artifacts}
    if task.loop is not None:
        items, inputs = task.loop.items, "artifacts" if task.loop.over_artifacts else "parameters"
        if isinstance(items, ComponentInput) and items.name not in getattr(task, inputs):
            raise refusal(f"{where} loops over an unknown input {items.name!r}", where)
        if task.loop.item_input not in getattr(child, inputs):
            raise refusal(f"{where} gives an unknown input {task.loop.item_input!r}", where)
        given.add(task.loop.item_input)
    required = [key for key, p in child.parameters.items() if not (p.optional or p.has_default)]
    required += [key for key, artifact in child.artifacts.items() if not artifact.optional]
    for key in sorted(required):
        if key not in given:
            raise refusal(f"{where} does not give the required input {key!r}", where)


def _gives(component: Component | None, kind: str, output: str) -> bool:
    return component is not None and output in getattr(component, kind)


def _check_outputs(component: Component, components: dict[str, Component]) -> None:
    assert isinstance(component.body, Dag)
    tasks = component.body.tasks
    for kind in ("parameter_outputs", "artifact_outputs"):
        for key, selectors in getattr(component.body, kind).items():
            for selector in selectors:
                task = tasks.get(selector.task)
                if not _gives(components.get(task.component) if task else None, kind, selector.key):
                    where = f"{component.name}.dag.outputs.{key}"
                    named = f"{selector.task}.{selector.key}"
                    raise refusal(f"{where} is taken from an unknown output {named}", where)
