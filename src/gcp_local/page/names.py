"""The addresses of the pages: they mirror the names of resources, with the projects' ids."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from urllib.parse import quote, urlencode

from gcp_local.page.view import Cell, Link

ROOT = "/page"
_PROJECT = re.compile(r"projects/([^/]+)")


def path(*segments: str) -> str:
    """Write an address of these segments; a slash in one of them is one of its own."""
    return "/".join((ROOT, *(quote(segment, safe="@:") for segment in segments)))


def asked(address: str, **query: str | int | None) -> str:
    """Put a query behind an address; what is None or empty is left out."""
    said = {name: str(value) for name, value in query.items() if value not in (None, "")}
    return f"{address}?{urlencode(said)}" if said else address


def bucket_page(bucket: str, prefix: str = "") -> str:
    """Give the address of a bucket's page, or of one of its folders."""
    return asked(path("buckets", bucket), prefix=prefix)


def object_page(bucket: str, name: str, generation: int | None = None) -> str:
    """Give the address of an object's page."""
    return asked(path("buckets", bucket, "objects", name), generation=generation)


def raw_object(bucket: str, name: str, as_: str, generation: int | None = None) -> str:
    """Give the address of an object's bytes: `as_` a `text`, `html`, `image` or `download`."""
    return asked(path("raw", bucket, name), generation=generation, **{"as": as_})


def parts_of(uri: str) -> tuple[str, str] | None:
    """Take a `gs://` URI apart: the bucket and the object's name."""
    if not uri.startswith("gs://"):
        return None
    bucket, _, name = uri.removeprefix("gs://").partition("/")
    return (bucket, name) if bucket else None


def uri_cell(uri: str) -> Cell:
    """Write a URI, which leads to what is there if it is in Cloud Storage."""
    found = parts_of(uri)
    if found is None:
        return Cell(uri or "–", code=bool(uri))
    bucket, name = found
    return Cell(uri, object_page(bucket, name) if name else bucket_page(bucket), code=True)


@dataclass(frozen=True)
class Names:
    """Translates resource names, which have projects' numbers, for people, who know ids."""

    ids: Mapping[str, str]

    @classmethod
    def of(cls, projects: Sequence[tuple[str, str]]) -> Names:
        """Know these projects' numbers and ids."""
        return cls(dict(projects))

    def shown(self, name: str) -> str:
        """Write a resource's name with its project's id."""
        return _PROJECT.sub(
            lambda match: f"projects/{self.ids.get(match[1], match[1])}", name, count=1
        )

    def href(self, name: str) -> str:
        """Give the address of a resource's page."""
        return path(*self.shown(name).split("/"))

    def link(self, name: str, text: str = "") -> Link:
        """Lead to a resource's page."""
        return Link(text or name.rpartition("/")[2], self.href(name), self.shown(name))

    def cell(self, name: str, text: str = "") -> Cell:
        """Write a resource in a table: it leads to its page."""
        if not name:
            return Cell("–")
        return Cell(text or name.rpartition("/")[2], self.href(name), title=self.shown(name))
