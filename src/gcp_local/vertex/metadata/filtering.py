"""List filters of ML Metadata: more than the other services document.

Besides the fields, `metadata.KEY.TYPE_value` (a key with special characters in quotes),
`in_context("…")`, `parent_contexts:"…"` and `child_contexts:"…"`; in strings `*` stands for
anything. Sources: the `filter` fields of `ListArtifactsRequest` and its like, and
https://cloud.google.com/vertex-ai/docs/ml-metadata/analyzing.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import yaml

from gcp_local.resources.filtering import (
    COMPARISONS,
    Fields,
    FilterParser,
    Predicate,
    matches,
    value_at,
)
from gcp_local.rpc.protos import Message
from gcp_local.vertex.metadata.kinds import Artifact, Context, Execution, node_name

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from gcp_local.resources.projects import Projects
    from gcp_local.vertex.metadata.store import MetadataGraph

_COMMON = ("name", "display_name", "schema_title", "create_time", "update_time")
_FIELDS: Mapping[type[Message], tuple[str, ...]] = {
    Artifact: (*_COMMON, "uri", "state"),
    Execution: (*_COMMON, "state"),
    Context: _COMMON,
}
_STRING = 9


def fields_of(kind: type[Message]) -> Mapping[str, str]:
    """Name the fields of a kind of node that one can filter and sort by."""
    return {name: name for name in _FIELDS[kind]}


def compile_node_filter(
    text: str, kind: type[Message], graph: MetadataGraph, projects: Projects
) -> Predicate:
    """Turn a filter into a predicate on artifacts, executions or contexts.

    Raises:
        InvalidArgument: not a filter that the nodes' lists document.

    """
    if not text.strip():
        return lambda _: True
    return _NodeParser(text, kind, graph, projects).parse()


def compile_schema_filter(text: str, kind: type[Message], fields: Fields) -> Predicate:
    """Turn a filter on `schema_title` and `schema_version` into a predicate on schemas."""
    if not text.strip():
        return lambda _: True
    known = {"schema_title": "schema", "schema_version": "schema_version"}
    return _SchemaParser(text, kind, {**known, **fields}).parse()


class _StringsParser(FilterParser):
    """Compares strings by = and !=, with wildcards, and limits the depth."""

    deepest = 4  # and a comparison: five in all

    def _compare(self, path: str, key: str | None, sign: str, value: str, bare: bool) -> Predicate:
        field = self._kind.DESCRIPTOR.fields_by_name[path]
        if field.type != _STRING or key is not None:
            return super()._compare(path, key, sign, value, bare)
        holds = self._matcher(path, sign, self._expected(path, value))
        return lambda message: holds(self._text_of(message, path))

    def _expected(self, path: str, value: str) -> str:  # noqa: ARG002
        return value

    def _text_of(self, message: Message, path: str) -> str:
        return str(value_at(message, path))

    def _matcher(self, path: str, sign: str, value: str) -> Callable[[str], bool]:
        if sign not in ("=", "!="):
            self._fail(f"{path!r} is compared by = or !=, with * for anything")
        return lambda text: matches(text, value) == (sign == "=")


class _SchemaParser(_StringsParser):
    def _text_of(self, message: Message, path: str) -> str:
        if path == "schema":
            return str(yaml.safe_load(message.schema)["title"])
        return super()._text_of(message, path)


class _NodeParser(_StringsParser):
    def __init__(
        self, text: str, kind: type[Message], graph: MetadataGraph, projects: Projects
    ) -> None:
        super().__init__(text, kind, fields_of(kind))
        self._graph, self._projects = graph, projects

    def _comparison(self) -> Predicate:
        word = self._peek().text if self._peek().kind == "word" else ""
        if word == "in_context" and self._kind is not Context:
            return self._in_context()
        if word in ("parent_contexts", "child_contexts") and self._kind is Context:
            return self._related()
        if word == "metadata" or word.startswith("metadata."):
            return self._metadata()
        return super()._comparison()

    def _expected(self, path: str, value: str) -> str:
        """Take a name with the project's id for the one with its number."""
        if path == "name" and value.startswith("projects/") and "*" not in value:
            return self._projects.numbered(value)
        return value

    def _context(self) -> str:
        token = self._next()
        if token.kind != "string":
            self._fail("a context's full name in quotes was expected")
        return node_name(self._projects, self.unquoted(token), "contexts", "filter")

    def _in_context(self) -> Predicate:
        self._next()
        if not self._accept("("):
            self._fail('in_context is written in_context("CONTEXT")')
        members = self._graph.members(self._context())
        if not self._accept(")"):
            self._fail('in_context is written in_context("CONTEXT")')
        return lambda message: message.name in members

    def _related(self) -> Predicate:
        field = self._next().text
        if self._next().text != ":":
            self._fail(f'{field} is written {field}:"CONTEXT"')
        name = self._context()
        if field == "parent_contexts":
            return lambda message: name in message.parent_contexts
        child = self._graph.find(name, Context)
        parents = frozenset(child.parent_contexts) if child is not None else frozenset()
        return lambda message: message.name in parents

    def _metadata(self) -> Predicate:
        """Read `metadata.KEY.TYPE_value SIGN VALUE`."""
        path = self._next().text
        if self._peek().kind == "dot":
            self._next()
            key, kind = self.unquoted(self._next()), self._next().text.removeprefix(".")
        else:
            _, _, rest = path.partition(".")
            key, _, kind = rest.rpartition(".")
        if not key or "." in kind or kind not in ("string_value", "number_value", "bool_value"):
            self._fail(
                "metadata is compared as metadata.KEY.string_value, .number_value or .bool_value"
            )
        sign, value = self._next(), self._next()
        if sign.kind != "operator" or sign.text == ":" or value.kind not in ("word", "string"):
            self._fail(f"a comparison was expected after metadata.{key}.{kind}")
        holds = self._value_matcher(f"metadata.{key}.{kind}", kind, sign.text, value)

        def has(message: Message) -> bool:
            found = message.metadata.fields.get(key)
            same_type = found is not None and found.WhichOneof("kind") == kind
            return same_type and holds(getattr(found, kind))

        return has

    def _value_matcher(self, path: str, kind: str, sign: str, token: Any) -> Callable[[Any], bool]:
        if kind == "string_value":
            return self._matcher(path, sign, self.unquoted(token))
        if kind == "bool_value":
            if token.text not in ("true", "false") or sign not in ("=", "!="):
                self._fail(f"{path} is compared by = or != with true or false")
            wanted = token.text == "true"
            return lambda value: COMPARISONS[sign](value, wanted)
        try:
            number = float(token.text)
        except ValueError:
            self._fail(f"{token.text!r} is not a number")
            raise
        return lambda value: COMPARISONS[sign](value, number)
