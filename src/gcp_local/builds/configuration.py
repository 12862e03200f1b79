"""A build as a file of the repository has it: YAML or JSON, read strictly."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import yaml

from gcp_local.builds.messages import Build
from gcp_local.errors import InvalidArgument
from gcp_local.rpc.protos import from_json

if TYPE_CHECKING:
    from gcp_local.rpc.protos import Message

_MOST_VALUES = 200_000


class _Strict(yaml.SafeLoader):
    """Refuses a name that is given twice."""

    def construct_mapping(self, node: Any, deep: bool = False) -> Any:
        names = [self.construct_object(key, deep=True) for key, _ in node.value]
        for name in names:
            if names.count(name) > 1:
                raise yaml.constructor.ConstructorError(
                    None, None, f"{name!r} is given twice", node.start_mark
                )
        return super().construct_mapping(node, deep=deep)


def read_build(content: bytes, name: str) -> Message:
    """Read a build from a file's bytes.

    Raises:
        InvalidArgument: it is none; the message names the file.

    """
    try:
        said = yaml.load(content, Loader=_Strict)  # noqa: S506  (a SafeLoader)
    except (yaml.YAMLError, UnicodeDecodeError, RecursionError) as error:
        raise InvalidArgument(f"failed unmarshalling build config {name}: {error}") from None
    if not isinstance(said, dict):
        raise InvalidArgument(f"failed unmarshalling build config {name}: it is no mapping")
    try:
        _check_size(said)
        return from_json(said, Build)
    except InvalidArgument as error:
        message = f"failed unmarshalling build config {name}: {error.message}"
        raise InvalidArgument(message) from None


def _check_size(said: dict[str, Any]) -> None:
    """Refuse what aliases have made huge, or endless; no build has as many values."""
    waiting: list[Any] = [said]
    seen = 0
    while waiting:
        value = waiting.pop()
        seen += 1
        if seen > _MOST_VALUES:
            raise InvalidArgument(f"it has more than {_MOST_VALUES} values")
        if isinstance(value, dict):
            waiting += value.values()
        elif isinstance(value, list):
            waiting += value
