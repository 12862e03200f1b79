"""Compiled pipelines as they are uploaded: YAML (or JSON, which is YAML) that nobody vouches for.

The YAML library builds what it reads by recursion in C, which a hundred thousand brackets overflow,
and an alias can contain itself or multiply what it stands for. So the file's events, which it gives
one by one, are looked through first, and what was built is measured before anything else goes
through it.
"""

from __future__ import annotations

import math
import re
from dataclasses import dataclass
from typing import Any

import yaml

from gcp_local.errors import InvalidArgument
from gcp_local.rpc.protos import Message, Struct

_LOADER = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
_MAX_BYTES = 10 * 1024 * 1024
_MAX_DEPTH = 30  # a `Struct` nested more deeply than 33 cannot be read again
_MAX_VALUES = 1_000_000
_REQUIRED = ("pipelineInfo", "root", "schemaVersion", "components", "deploymentSpec")


@dataclass(frozen=True)
class Template:
    """A compiled pipeline.

    Attributes:
        package: the registry's name for it, made from the pipeline's.
        body: the specification.
        documents: how many YAML documents the file has; a second one is a platformSpec.

    """

    package: str
    body: dict[str, Any]
    documents: int

    def spec(self) -> Message:
        """Give the specification as a `Struct`."""
        struct = Struct()
        struct.update(self.body)
        return struct


def read(content: bytes) -> Template:
    """Read a compiled pipeline; InvalidArgument if it is none, or none that a message can hold."""
    if len(content) > _MAX_BYTES:
        raise InvalidArgument("The pipeline is larger than 10 MiB.")
    documents = _read_yaml(content)
    first = documents[0]
    missing = [key for key in _REQUIRED if key not in first]
    if missing:
        message = f"The file is not a compiled pipeline: it lacks {', '.join(missing)}."
        raise InvalidArgument(message)
    info = first["pipelineInfo"]
    name = info.get("name") if isinstance(info, dict) else None
    if not isinstance(name, str):
        raise InvalidArgument("The file is not a compiled pipeline: it lacks pipelineInfo.name.")
    package = re.sub(r"[^a-z0-9]+", "-", name.lower()).strip("-")
    if not package:
        raise InvalidArgument(f"No package can be named after the pipeline {name!r}.")
    return Template(package, first, len(documents))


def _read_yaml(content: bytes) -> list[dict[str, Any]]:
    try:
        _look_through(content)
        documents = list(yaml.load_all(content, Loader=_LOADER))
    except (yaml.YAMLError, UnicodeError, RecursionError, ValueError) as error:
        first = str(error).splitlines()[0]
        raise InvalidArgument(f"The file is not YAML: {first}") from error
    if not documents or not isinstance(documents[0], dict):
        raise InvalidArgument("The file is not a compiled pipeline: it is not a mapping.")
    _measure(documents[0])
    return documents


def _look_through(content: bytes) -> None:
    depth = 0
    for event in yaml.parse(content, Loader=_LOADER):
        if isinstance(event, yaml.CollectionStartEvent):
            depth += 1
        elif isinstance(event, yaml.CollectionEndEvent):
            depth -= 1
        elif isinstance(event, yaml.ScalarEvent) and event.value == "<<":
            raise InvalidArgument("The file is not a compiled pipeline: it merges mappings ('<<').")
        if depth > _MAX_DEPTH:
            raise _too_deep()


def _measure(body: dict[str, Any]) -> None:
    """Refuse what a `Struct` cannot hold, and what aliases have made endless or huge."""
    waiting: list[tuple[Any, int]] = [(body, 1)]
    seen = 0
    while waiting:
        value, depth = waiting.pop()
        seen += 1
        if depth > _MAX_DEPTH:
            raise _too_deep()
        if seen > _MAX_VALUES:
            raise InvalidArgument(f"The pipeline has more than {_MAX_VALUES} values.")
        if isinstance(value, dict):
            waiting += [(key, depth) for key in value]
            waiting += [(item, depth + 1) for item in value.values()]
            if not all(isinstance(key, str) for key in value):
                raise InvalidArgument("The pipeline has a key that is not a string.")
        elif isinstance(value, list):
            waiting += [(item, depth + 1) for item in value]
        else:
            _check_scalar(value)


def _check_scalar(value: Any) -> None:
    if isinstance(value, str):
        try:
            value.encode()
        except UnicodeEncodeError:
            message = "A string of the pipeline holds half of a surrogate pair."
            raise InvalidArgument(message) from None
    elif isinstance(value, int | float):
        if not _is_finite(value):
            raise InvalidArgument("The pipeline has a number that is out of range.")
    elif value is not None:
        kind = type(value).__name__
        raise InvalidArgument(f"The pipeline has a value of type {kind}, which JSON does not know.")


def _is_finite(value: float) -> bool:
    try:
        return math.isfinite(value)
    except OverflowError:
        return False


def _too_deep() -> InvalidArgument:
    return InvalidArgument(f"The pipeline is nested more than {_MAX_DEPTH} levels deep.")
