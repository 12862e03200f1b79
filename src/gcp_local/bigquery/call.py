"""A request to a method of BigQuery's, read and held to its shape; its preconditions, its pages."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, TypeVar

from gcp_local.errors import ConditionNotMet, NotModified
from gcp_local.resources.listing import make_token, read_token

T = TypeVar("T")
_PAGE, _LARGEST_PAGE = 50, 1000


@dataclass(frozen=True)
class Call:
    """What a method is called with.

    Attributes:
        variables: the path's: `projectId`, `datasetId`, …
        query: the query parameters, by the types that the method says.
        body: the request's resource, in canonical form; empty if the method takes none. With a
            PATCH a null means that the field is to be cleared.
        headers: by lower-case names.
        endpoint: how the client reached the server, `http://127.0.0.1:PORT`.

    """

    variables: Mapping[str, str]
    query: Mapping[str, Any]
    body: dict[str, Any] = field(default_factory=dict)
    headers: Mapping[str, str] = field(default_factory=dict)
    endpoint: str = ""

    @property
    def project(self) -> str:
        """The project that is called."""
        return self.variables["projectId"]

    @property
    def format_options(self) -> dict[str, Any]:
        """The `DataFormatOptions` among the query parameters."""
        prefix = "formatOptions."
        return {
            name.removeprefix(prefix): value
            for name, value in self.query.items()
            if name.startswith(prefix)
        }

    def link(self, path: str) -> str:
        """Give the `selfLink` of a resource: its path below `/bigquery/v2/`."""
        return f"{self.endpoint}/bigquery/v2/{path}"

    def check_match(self, etag: str) -> None:
        """Hold the state that is to be changed to the request's If-Match.

        Raises:
            ConditionNotMet: the resource is not as the client has read it.

        """
        wanted = _marks(self.headers.get("if-match", "*"))
        if "*" not in wanted and etag not in wanted:
            raise ConditionNotMet("Precondition check failed.")

    def check_changed(self, etag: str) -> None:
        """Hold an answer to the request's If-None-Match.

        Raises:
            NotModified: the client has that very state.

        """
        known = _marks(self.headers.get("if-none-match", ""))
        if etag in known or "*" in known:
            raise NotModified("Not Modified")

    def page(self, found: Sequence[T], size: str = "maxResults") -> tuple[Sequence[T], str]:
        """Cut the page out of a list that the call asks for; give the next one's token, or "".

        Args:
            found: the whole list.
            size: the name of the parameter that tells how much a page may hold.

        Raises:
            InvalidArgument: a token of another list.

        """
        rest = {name: value for name, value in self.query.items() if name != "pageToken"}
        rest.pop(size, None)
        query = json.dumps([dict(self.variables), rest], sort_keys=True)
        wanted = self.query.get(size) or _PAGE
        start = read_token(self.query.get("pageToken", ""), query)
        end = start + min(wanted, _LARGEST_PAGE)
        return found[start:end], make_token(end, query) if end < len(found) else ""


def listed(kind: str, name: str, items: Sequence[Any], token: str, **more: Any) -> dict[str, Any]:
    """Give the answer of a list.

    Args:
        kind: `bigquery#tableList`.
        name: the field that holds the items, which is left out where there are none.
        items: the page.
        token: the next page's, or "".
        more: further fields.

    """
    answer: dict[str, Any] = {"kind": kind, "etag": etag_of(items), **more}
    if items:
        answer[name] = list(items)
    if token:
        answer["nextPageToken"] = token
    return answer


def etag_of(content: Any) -> str:
    """Make a mark of JSON content."""
    return hashlib.sha256(json.dumps(content, sort_keys=True).encode()).hexdigest()[:22]


def _marks(header: str) -> set[str]:
    return {part.strip().removeprefix("W/").strip('"') for part in header.split(",")} - {""}
