"""Metadata schemas: what the metadata of a node of some type may look like.

A schema is a subset of an OpenAPI 3.0 schema object: an object with `properties`, `required` and
`additionalProperties`, whose properties have one type each
(https://cloud.google.com/vertex-ai/docs/ml-metadata/custom-schemas and …/system-schemas).
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from functools import cache
from typing import Any

import yaml
from google.protobuf import json_format

from gcp_local.errors import InvalidArgument

ARTIFACT, EXECUTION, CONTEXT = 1, 2, 3  # google.cloud.aiplatform.v1.MetadataSchemaType
_DEEPEST = 30
VERSION = "0.0.1"  # of all the schemas that are there from the start

_TITLE = re.compile(r"[a-z][a-z0-9_-]{2,20}[.][A-Z][a-zA-Z0-9_-]{2,49}")
_KEYWORDS = frozenset(
    {"title", "version", "type", "description", "properties", "required", "additionalProperties"}
)
_PROPERTY_KEYWORDS = frozenset(
    {"title", "type", "description", "properties", "required", "items", "enum", "default"}
)
_TYPES: Mapping[str, type | tuple[type, ...]] = {
    "string": str,
    "number": float,
    "integer": float,
    "boolean": bool,
    "array": list,
    "object": dict,
}

_DATASET = ("container_format", "payload_format")
_MODEL = ("framework", "framework_version", "payload_format")
_METRICS = (
    "accuracy", "precision", "recall", "f1score", "mean_absolute_error", "mean_squared_error",
)  # fmt: skip
_PROPERTIES: Mapping[str, tuple[tuple[str, ...], str]] = {
    "system.Dataset": (_DATASET, "string"),
    "system.Model": (_MODEL, "string"),
    "system.Metrics": (_METRICS, "number"),
}
_SYSTEM: Mapping[int, str] = {
    ARTIFACT: "Artifact Dataset Model Metrics ClassificationMetrics SlicedClassificationMetrics"
    " HTML Markdown",
    EXECUTION: "Run ContainerExecution CustomJobExecution DagExecution ImporterExecution"
    " ResolverExecution",
    CONTEXT: "Experiment ExperimentRun Pipeline PipelineRun",
}
_GOOGLE = (
    "VertexDataset VertexModel VertexEndpoint VertexBatchPredictionJob VertexTensorboardRun"
    " UnmanagedContainerModel ClassificationMetrics RegressionMetrics ForecastingMetrics"
    " ExperimentModel BQTable BQMLModel"
)


def built_in() -> dict[str, int]:
    """Give the titles of the schemas that every store has, with the type of each."""
    titles = {f"system.{name}": kind for kind, names in _SYSTEM.items() for name in names.split()}
    return titles | {f"google.{name}": ARTIFACT for name in _GOOGLE.split()}


def built_in_schema(title: str) -> dict[str, Any]:
    """Give a built-in schema."""
    schema: dict[str, Any] = {"title": title, "type": "object"}
    names, kind = _PROPERTIES.get(title, ((), ""))
    if names:
        schema["properties"] = {name: {"type": kind} for name in names}
    return schema


@cache
def built_in_text(title: str) -> str:
    """Write a built-in schema in YAML, as Vertex AI shows it."""
    return str(yaml.safe_dump(built_in_schema(title), sort_keys=False))


def built_in_id(title: str) -> str:
    """Make a built-in schema's id: `system.DagExecution` has `system-dag-execution-v0-0-1`."""
    words = re.sub(r"(?<=[a-z0-9])(?=[A-Z])|[.]", "-", title).lower()
    return f"{words}-v{VERSION.replace('.', '-')}"


def read_schema(text: str) -> dict[str, Any]:
    """Read a schema's YAML.

    Raises:
        InvalidArgument: it is none, or uses what Vertex AI does not support.

    """
    try:
        _look_through(text)
        schema = yaml.safe_load(text)
    except (yaml.YAMLError, ValueError, RecursionError) as error:
        raise _refusal(f"it is not YAML: {str(error).splitlines()[0]}") from None
    if not isinstance(schema, dict):
        raise _refusal("it is not an object")
    if not isinstance(schema.get("title"), str) or not _TITLE.fullmatch(schema["title"]):
        raise _refusal(f"its title must satisfy the regex ^{_TITLE.pattern}$")
    if schema.get("type") != "object":
        raise _refusal("its type must be object")
    unknown = schema.keys() - _KEYWORDS
    if unknown:
        raise _refusal(f"the keyword {min(map(str, unknown))!r} is not supported")
    if not isinstance(schema.get("additionalProperties", True), bool):
        raise _refusal("additionalProperties must be true or false")
    _check_properties(schema, "")
    return schema


def _look_through(text: str) -> None:
    """Refuse what would overflow or multiply when it is built: nesting, and references."""
    depth = 0
    for event in yaml.parse(text, yaml.SafeLoader):
        if isinstance(event, yaml.AliasEvent):
            raise _refusal("YAML aliases are not supported")
        depth += isinstance(event, yaml.CollectionStartEvent)
        depth -= isinstance(event, yaml.CollectionEndEvent)
        if depth > _DEEPEST:
            raise _refusal(f"it is nested more than {_DEEPEST} deep")


def _check_properties(schema: Mapping[str, Any], at: str) -> None:
    properties = schema.get("properties", {})
    required = schema.get("required", [])
    if not isinstance(properties, dict):
        raise _refusal(f"the properties of {at or 'the schema'} must be an object")
    if not isinstance(required, list) or not all(isinstance(name, str) for name in required):
        raise _refusal(f"required of {at or 'the schema'} must be a list of names")
    for name, declared in properties.items():
        where = f"{at}.{name}" if at else f"{name}"
        if not isinstance(name, str):
            raise _refusal(f"the property's name {name!r} must be a string")
        if not isinstance(declared, dict) or str(declared.get("type")) not in _TYPES:
            raise _refusal(f"the property {where!r} must have one of the types {', '.join(_TYPES)}")
        unknown = declared.keys() - _PROPERTY_KEYWORDS
        if unknown:
            shown = min(map(str, unknown))
            raise _refusal(f"the keyword {shown!r} of the property {where!r} is not supported")
        _check_properties(declared, where)


def _refusal(why: str) -> InvalidArgument:
    return InvalidArgument.of_field("metadata_schema.schema", f"Invalid MetadataSchema: {why}.")


def check_metadata(metadata: Any, schema: Mapping[str, Any], title: str) -> None:
    """Hold a node's metadata against its schema.

    Args:
        metadata: the `google.protobuf.Struct`.
        schema: as `read_schema` gives it.
        title: the schema's title, for the error's text.

    Raises:
        InvalidArgument: a property of another type, a required one that is missing, or one too
            many.

    """
    given = json_format.MessageToDict(metadata)
    if schema.get("additionalProperties") is False:
        for name in given.keys() - schema.get("properties", {}).keys():
            raise _mismatch(name, f"the schema {title!r} has no such property")
    _check_object(given, schema, title, "")


def _check_object(given: Mapping[str, Any], schema: Mapping[str, Any], title: str, at: str) -> None:
    for name in schema.get("required", ()):
        if name not in given:
            raise _mismatch(f"{at}{name}", f"the schema {title!r} requires it")
    for name, declared in schema.get("properties", {}).items():
        value = given.get(name)
        if value is None:
            continue
        kind = declared["type"]
        right = isinstance(value, _TYPES[kind])
        if kind == "integer":
            right = right and float(value).is_integer()
        if not right:
            raise _mismatch(f"{at}{name}", f"the schema {title!r} says that it is of type {kind}")
        if kind == "object":
            _check_object(value, declared, title, f"{at}{name}.")


def _mismatch(path: str, why: str) -> InvalidArgument:
    return InvalidArgument.of_field("metadata", f"Invalid metadata field {path!r}: {why}.")
