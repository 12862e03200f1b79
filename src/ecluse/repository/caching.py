"""What a second run with the same parameters would take from Vertex AI's cache. Pure.

A schedule gives each run the same parameters, `run_key` included. Vertex AI then skips a task that
caches if an earlier execution had the same parameter values and the same input artifacts
(https://cloud.google.com/vertex-ai/docs/pipelines/configure-caching): a pipeline whose first tasks
cache is never run again at all. Something new comes into a run by a task that does not cache, or by
an importer with `reimport`, whose artifact is a new one each time; it makes whatever reads it run.

Only what is certain is told. A task that reads a parameter of one that does not cache may run or
not, by that value: this is how a table's version decides, and it is right.
"""

from collections.abc import Callable, Collection, Mapping
from typing import Any

Spec = Mapping[str, Any]
_Outputs = Callable[[str], Mapping[str, bool]]

# Values that differ from run to run, in the place of a constant.
_OF_THE_RUN = ("{{$.pipeline_job_", "{{$.pipeline_task_uuid")


def tasks_to_run_anew(spec: Spec) -> tuple[str, ...]:
    """Return the tasks that must not cache, for every task of a second run to really run.

    None if no run after the first is certain to take anything from the cache.

    Args:
        spec: the PipelineSpec as plain values.

    """
    chosen: list[str] = []
    while cached := _Reading(spec, chosen).cached:
        chosen.append(cached[0])
    return tuple(chosen)


class _Reading:
    """One walk through a pipeline. `fresh` is what may differ between runs.

    Attributes:
        cached: the tasks that are certain to come from the cache, each after those it reads from.

    """

    def __init__(self, spec: Spec, not_caching: Collection[str]) -> None:
        self._components: Spec = spec.get("components", {})
        self._executors: Spec = spec.get("deploymentSpec", {}).get("executors", {})
        self._not_caching = not_caching
        self.cached: list[str] = []
        self._outputs_of(spec["root"], {})

    def _outputs_of(self, component: Spec, given: Mapping[str, bool]) -> dict[str, bool]:
        """Tell of each output of a component that holds tasks whether it may differ."""
        dag = component["dag"]
        tasks: Spec = dag.get("tasks", {})
        known: dict[str, dict[str, bool]] = {}

        def outputs(name: str) -> dict[str, bool]:
            if name not in known:
                task = tasks[name]
                known[name] = self._outputs_of_task(name, task, self._inputs(task, given, outputs))
            return known[name]

        for name in tasks:
            outputs(name)
        return {
            output: any(outputs(task).get(key, True) for task, key in _sources(selector))
            for kind in ("parameters", "artifacts")
            for output, selector in dag.get("outputs", {}).get(kind, {}).items()
        }

    def _inputs(self, task: Spec, given: Mapping[str, bool], outputs: _Outputs) -> dict[str, bool]:
        """Tell of each input of a task whether it may differ."""
        inputs = task.get("inputs", {})
        every = {**inputs.get("parameters", {}), **inputs.get("artifacts", {})}
        fresh = {name: _is_fresh(source, given, outputs) for name, source in every.items()}
        for kind in ("parameterIterator", "artifactIterator"):
            iterator = task.get(kind, {})
            items = iterator.get("items", {})
            if iterator:
                source = items.get("inputParameter") or items.get("inputArtifact", "")
                fresh[iterator["itemInput"]] = fresh.get(source, False)
        return fresh

    def _outputs_of_task(self, name: str, task: Spec, fresh: Mapping[str, bool]) -> dict[str, bool]:
        component = self._components[task["componentRef"]["name"]]
        if "dag" in component:
            return self._outputs_of(component, fresh)
        executor = self._executors.get(component.get("executorLabel", ""), {})
        anything_new = any(fresh.values())
        if "importer" in executor:
            runs_anew = anything_new or bool(executor["importer"].get("reimport"))
        else:
            caches = task.get("cachingOptions", {}).get("enableCache", False)
            runs_anew = anything_new or not caches or name in self._not_caching
            if not runs_anew:
                self.cached.append(name)
        definitions = component.get("outputDefinitions", {})
        return {
            output: runs_anew
            for kind in ("parameters", "artifacts")
            for output in definitions.get(kind, {})
        }


def _is_fresh(source: Spec, given: Mapping[str, bool], outputs: _Outputs) -> bool:
    """Tell whether a task's input may differ between runs."""
    for kind, key in (
        ("taskOutputParameter", "outputParameterKey"),
        ("taskOutputArtifact", "outputArtifactKey"),
    ):
        if kind in source:
            produced = source[kind]
            return bool(outputs(produced["producerTask"]).get(produced[key], True))
    for kind in ("componentInputParameter", "componentInputArtifact"):
        if kind in source:
            return given.get(source[kind], False)
    if "runtimeValue" in source:
        return any(mark in str(source["runtimeValue"]) for mark in _OF_THE_RUN)
    # The final status of a task names its run, and what is not known here may differ.
    return True


def _sources(selector: Spec) -> list[tuple[str, str]]:
    """Return which tasks' outputs an output of a group of tasks comes from."""
    artifacts = selector.get("artifactSelectors", [])
    oneof = selector.get("valueFromOneof", {}).get("parameterSelectors", [])
    one = [selector["valueFromParameter"]] if "valueFromParameter" in selector else []
    return [
        (each["producerSubtask"], each.get("outputArtifactKey") or each["outputParameterKey"])
        for each in (*artifacts, *oneof, *one)
    ]
