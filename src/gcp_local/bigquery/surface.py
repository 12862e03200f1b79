"""BigQuery's API as Google's discovery document has it: its methods, the shapes of its JSON.

BigQuery has no client that is generated from protos, so what `rpc.routes` and `rpc.protos` are to
the other services, this is to BigQuery: every method is known, whether it is implemented or not,
and every field is, with its type. `surface.json` is written from the document by
`tests/gcp_local/bigquery/write_surface.py`.
"""

from __future__ import annotations

import base64
import binascii
import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property, lru_cache
from pathlib import Path
from typing import Any
from urllib.parse import unquote

from gcp_local.errors import InvalidArgument, NotFound

FILE = Path(__file__).with_name("surface.json")
_VARIABLE = re.compile(r"\{(\w+)\}")
_WHOLE = re.compile(r"-?[0-9]+")
_SCALARS = frozenset({
    "string", "boolean", "any", "date-time", "google-datetime", "google-duration",
    "google-fieldmask", "byte",
})  # fmt: skip
_BITS = {"int32": (32, True), "uint32": (32, False), "int64": (64, True), "uint64": (64, False)}
# https://cloud.google.com/apis/docs/system-parameters
_SYSTEM = {
    "$.xgafv", "access_token", "alt", "callback", "fields", "key", "oauth_token", "prettyPrint",
    "quotaUser", "uploadType", "upload_protocol", "userIp", "upload_id",
}  # fmt: skip
# What Google's Python client sends beyond the document, and BigQuery takes.
_UNDOCUMENTED = {("bigquery.jobs.get", "projection"), ("bigquery.jobs.cancel", "projection")}


@dataclass(frozen=True)
class Method:
    """One method, `bigquery.tables.insert`, and how it is called.

    Attributes:
        path: below `/bigquery/v2/`, with variables in braces.
        query: the types of its query parameters.
        request: the name of the shape of its body, if it takes one.
        response: the name of the shape of its answer, if it gives one.

    """

    name: str
    verb: str
    path: str
    query: Mapping[str, Any]
    request: str | None
    response: str | None

    @property
    def attribute(self) -> str:
        """The name of the Python method that implements it: `tables_insert`."""
        noun, _, verb = self.name.removeprefix("bigquery.").partition(".")
        return re.sub(r"(?<=[a-z])(?=[A-Z])", "_", f"{noun}_{verb}").lower()

    @cached_property
    def _pattern(self) -> re.Pattern[str]:
        parts = _VARIABLE.split(self.path)
        text = "".join(
            f"(?P<{part}>[^/]+?)" if at % 2 else re.escape(part) for at, part in enumerate(parts)
        )
        return re.compile(text)

    def match(self, path: str) -> dict[str, str] | None:
        """Give the variables, decoded, if a still encoded path fits, else None."""
        found = self._pattern.fullmatch(path)
        return (
            {name: unquote(value) for name, value in found.groupdict().items()} if found else None
        )


class Surface:
    """All methods, and the shapes of what they take and give."""

    def __init__(self, methods: Mapping[str, Method], shapes: Mapping[str, Any]) -> None:
        self.methods = methods
        self._shapes = shapes

    @classmethod
    @lru_cache(maxsize=1)
    def load(cls) -> Surface:
        """Read what was written from Google's document."""
        document = json.loads(FILE.read_text())
        methods = {name: Method(name, **said) for name, said in document["methods"].items()}
        return cls(methods, document["shapes"])

    def find(self, verb: str, path: str) -> tuple[Method, dict[str, str]]:
        """Find the method of a request.

        Args:
            verb: the HTTP method.
            path: what comes after `/bigquery/v2/`, still percent-encoded.

        Raises:
            NotFound: there is no such method.

        """
        candidates = [method for method in self.methods.values() if method.verb == verb]
        # A custom verb (":undelete") is more particular than a name that may hold a colon.
        for method in sorted(candidates, key=lambda method: ":" not in method.path):
            variables = method.match(path)
            if variables is not None:
                return method, variables
        raise NotFound(f"No method of BigQuery has the URL {verb} /bigquery/v2/{path}.")

    def read_query(self, method: Method, query: Mapping[str, str]) -> dict[str, Any]:
        """Read a request's query parameters: whole numbers as int, booleans as bool.

        Raises:
            InvalidArgument: one that the method has not, or of the wrong type.

        """
        read: dict[str, Any] = {}
        for name, text in query.items():
            if name in _SYSTEM or (method.name, name) in _UNDOCUMENTED:
                continue
            if name not in method.query:
                message = f'Invalid JSON payload received. Unknown name "{name}": '
                raise InvalidArgument(message + "Cannot bind query parameter.")
            read[name] = self._of_query(method.query[name], text, name)
        return read

    def _of_query(self, kind: Any, text: str, at: str) -> Any:
        if kind == "boolean":
            if text.lower() not in ("true", "false"):
                raise _wrong(at, f"{text!r} is no boolean")
            return text.lower() == "true"
        value = self._read(kind, text, at)
        return int(value) if isinstance(kind, str) and kind in _BITS else value

    def read(self, shape: str, value: Any, at: str = "", *, nulls: bool = False) -> Any:
        """Hold JSON to a shape, as strictly as Google does, and give a copy in canonical form.

        64-bit numbers become text, as BigQuery writes them; fields that only an answer has go.

        Args:
            shape: the shape's name, as `Table`.
            value: the JSON.
            at: where the value stands in the request, for messages.
            nulls: keep a null, by which a PATCH clears a field; else it is as if it were not there.

        Raises:
            InvalidArgument: an unknown field, a wrong type, an unknown value of an enumeration.

        """
        return self._read(shape, value, at, nulls=nulls)

    def has(self, shape: Any, path: Sequence[str]) -> bool:
        """Tell whether a shape has what a path of fields names; `*` is any field."""
        kind = self._kind(shape)
        if not path:
            return True
        if isinstance(kind, str):
            return kind == "any"
        if "list" in kind:
            return self.has(kind["list"], path)
        if "map" in kind:
            return self.has(kind["map"], path[1:])
        fields = kind.get("object", {})
        below = (
            fields.values() if path[0] == "*" else [fields[path[0]]] if path[0] in fields else []
        )
        return any(
            self.has(each[0] if isinstance(each, list) else each, path[1:]) for each in below
        )

    def check_answer(self, shape: str, value: Any) -> None:
        """Hold an answer to its shape; errors as `read`. For tests."""
        self._read(shape, value, "", answer=True)

    def _read(
        self, kind: Any, value: Any, at: str, *, answer: bool = False, nulls: bool = False
    ) -> Any:
        kind = self._kind(kind)
        if isinstance(kind, str):
            return _scalar(kind, value, at)
        if "enum" in kind:
            if value not in kind["enum"]:
                raise _wrong(at, f"{value!r:.80}")
            return value
        if "list" in kind:
            if not isinstance(value, list):
                raise _wrong(at, "it must be a list")
            items = enumerate(value)
            return [
                self._read(kind["list"], each, f"{at}[{n}]", answer=answer) for n, each in items
            ]
        if not isinstance(value, dict):
            raise _wrong(at, "it must be an object")
        if "map" in kind:
            return {
                name: None
                if each is None and nulls
                else self._read(kind["map"], each, _below(at, name), answer=answer)
                for name, each in value.items()
            }
        return self._read_object(kind["object"], value, at, answer=answer, nulls=nulls)

    def _kind(self, kind: Any) -> Any:
        """Resolve a shape's name, and give a resource's fields as those of an object."""
        if isinstance(kind, str) and kind in self._shapes:
            kind = self._shapes[kind]
            if isinstance(kind, dict) and not {"list", "map", "object", "enum"} & set(kind):
                kind = {"object": kind}
        return kind

    def _read_object(
        self,
        fields: Mapping[str, Any],
        value: Mapping[str, Any],
        at: str,
        *,
        answer: bool,
        nulls: bool,
    ) -> dict[str, Any]:
        read: dict[str, Any] = {}
        for name, each in value.items():
            if name not in fields:
                where = f" at '{at}'" if at else ""
                message = f'Invalid JSON payload received. Unknown name "{name}"{where}: '
                raise InvalidArgument(message + "Cannot find field.")
            kind = fields[name]
            output = isinstance(kind, list)
            if output and not answer:
                continue
            if each is None:
                if nulls:
                    read[name] = None
                continue
            kind = kind[0] if output else kind
            read[name] = self._read(kind, each, _below(at, name), answer=answer, nulls=nulls)
        return read


def _below(at: str, name: str) -> str:
    return f"{at}.{name}" if at else name


def _wrong(at: str, what: str) -> InvalidArgument:
    return InvalidArgument(f"Invalid value at '{at}': {what}")


def _scalar(kind: str, value: Any, at: str) -> Any:
    if kind in _BITS:
        return _number(kind, value, at)
    if kind in ("double", "float"):
        if isinstance(value, bool) or not isinstance(value, int | float | str):
            raise _wrong(at, f"{value!r:.80} is no number")
        try:
            return float(value)
        except ValueError:
            raise _wrong(at, f"{value!r:.80} is no number") from None
    if kind == "any":
        return value
    if kind == "boolean":
        if not isinstance(value, bool):
            raise _wrong(at, f"{value!r:.80} is no boolean")
        return value
    assert kind in _SCALARS, kind
    if not isinstance(value, str):
        raise _wrong(at, f"{value!r:.80} is no text")
    if kind == "byte":
        try:
            base64.b64decode(value, validate=True)
        except binascii.Error:
            raise _wrong(at, "it is not base64") from None
    return value


def _number(kind: str, value: Any, at: str) -> Any:
    bits, signed = _BITS[kind]
    whole = isinstance(value, float) and value.is_integer()
    text = str(int(value)) if whole else str(value)
    if isinstance(value, bool) or not _WHOLE.fullmatch(text):
        raise _wrong(at, f"{value!r:.80} is no whole number")
    least, most = (-(2 ** (bits - 1)), 2 ** (bits - 1) - 1) if signed else (0, 2**bits - 1)
    if not least <= int(text) <= most:
        raise _wrong(at, f"{text:.80} is out of range")
    return str(int(text)) if bits == 64 else int(text)
