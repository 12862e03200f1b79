"""A request to a method of BigQuery's, read and held to its shape."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any


@dataclass(frozen=True)
class Call:
    """What a method is called with.

    Attributes:
        variables: the path's: `projectId`, `datasetId`, …
        query: the query parameters, by the types that the method says.
        body: the request's resource, in canonical form; empty if the method takes none.
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
