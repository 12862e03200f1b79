"""The `{{$…}}` placeholders in a container's words and in constants.

Each text is read once, from left to right: what a placeholder stands for is never searched for
placeholders again, so that no value of a run can smuggle one in.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from gcp_local.orchestrator.parameters import as_text

if TYPE_CHECKING:
    from collections.abc import Iterable

    from gcp_local.orchestrator.parameters import Json

_PLACEHOLDER = re.compile(r"\{\{\$(?P<path>(?:\.[^{}]*)?)\}\}")
_INPUT_PARAMETER = re.compile(r"\.inputs\.parameters\['(?P<name>[^']*)'\]")
_OUTPUT_FILE = re.compile(r"\.outputs\.parameters\['(?P<name>[^']*)'\]\.output_file")
_ARTIFACT = re.compile(
    r"\.(?P<way>inputs|outputs)\.artifacts\['(?P<name>[^']*)'\]"
    r"(?:\.(?P<what>uri|path|name|metadata)(?:\['(?P<key>[^']*)'\])?)?"
)


class PlaceholderError(ValueError):
    """A placeholder that stands for nothing here."""


@dataclass(frozen=True)
class Scope:
    """What placeholders can stand for in one task.

    Attributes:
        executor_input: the task's ExecutorInput in its JSON form.
        job: values by placeholder, such as `.pipeline_job_name`.
        mount: the folder that stands for `/gcs/` in the task's process.

    """

    executor_input: Mapping[str, Any]
    job: Mapping[str, str]
    mount: str = "/gcs"

    def parameter(self, name: str) -> Json:
        """Find an input parameter; null when it was not given."""
        return self.executor_input["inputs"].get("parameterValues", {}).get(name)

    def given(self, name: str) -> bool:
        """Tell whether the input has a value."""
        inputs = self.executor_input["inputs"]
        return self.parameter(name) is not None or bool(inputs.get("artifacts", {}).get(name))


def resolve_words(words: Iterable[str], scope: Scope) -> list[str]:
    """Fill in a command's words; `IfPresent` may make none, one or several words of one.

    Raises:
        PlaceholderError: a placeholder stands for nothing in this task.

    """
    resolved: list[str] = []
    for word in words:
        if word.startswith(('{"Concat":', '{"IfPresent":')):
            resolved.extend(_structure(_parsed(word), scope))
        else:
            resolved.append(resolve(word, scope))
    return resolved


def resolve(text: str, scope: Scope) -> str:
    """Fill in the placeholders of one text.

    Raises:
        PlaceholderError: as in `resolve_words`.

    """
    return _PLACEHOLDER.sub(lambda match: _value(match["path"], scope), text)


def resolve_value(value: Json, scope: Scope) -> Json:
    """Fill in the placeholders of every string in a value."""
    if isinstance(value, str):
        return resolve(value, scope)
    if isinstance(value, list):
        return [resolve_value(item, scope) for item in value]
    if isinstance(value, dict):
        return {name: resolve_value(item, scope) for name, item in value.items()}
    return value


def _parsed(word: str) -> Any:
    try:
        return json.loads(word)
    except ValueError:
        raise PlaceholderError(f"{word[:80]} is not a placeholder") from None


def _structure(item: Any, scope: Scope) -> list[str]:
    match item:
        case str():
            return [resolve(item, scope)]
        case list():
            return [word for part in item for word in _structure(part, scope)]
        case {"Concat": parts}:
            return ["".join(word for part in parts for word in _structure(part, scope))]
        case {"IfPresent": {"InputName": name, **branches}}:
            branch = branches.get("Then" if scope.given(name) else "Else")
            return [] if branch is None else _structure(branch, scope)
        case _:
            raise PlaceholderError(f"{json.dumps(item)[:80]} is not a placeholder")


def _value(path: str, scope: Scope) -> str:
    if not path:
        return json.dumps(scope.executor_input)
    if path in scope.job:
        return scope.job[path]
    outputs = scope.executor_input["outputs"]
    if path in {".outputs.output_file", ".outputMetadataUri"} and "outputFile" in outputs:
        return str(outputs["outputFile"])
    if match := _INPUT_PARAMETER.fullmatch(path):
        return as_text(scope.parameter(match["name"]))
    if (match := _OUTPUT_FILE.fullmatch(path)) and match["name"] in outputs.get("parameters", {}):
        return str(outputs["parameters"][match["name"]]["outputFile"])
    if match := _ARTIFACT.fullmatch(path):
        listed = scope.executor_input[match["way"]].get("artifacts", {}).get(match["name"])
        if listed is not None:
            return _artifact(listed["artifacts"], match["what"], match["key"], scope)
    raise PlaceholderError(f"the placeholder {{{{${path}}}}} stands for nothing in this task")


def _artifact(
    artifacts: list[dict[str, Any]], what: str | None, key: str | None, scope: Scope
) -> str:
    if what is None:
        return json.dumps(artifacts)
    artifact = artifacts[0] if artifacts else {}
    match what:
        case "path":
            uri = str(artifact.get("uri", ""))
            remote = uri.startswith("gs://")
            return f"{scope.mount}/{uri.removeprefix('gs://')}" if remote else uri
        case "metadata" if key is not None:
            return as_text(artifact.get("metadata", {}).get(key))
        case "metadata":
            return json.dumps(artifact.get("metadata", {}))
        case _:
            return str(artifact.get(what, ""))
