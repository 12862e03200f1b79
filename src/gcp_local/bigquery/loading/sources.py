"""The files of a load job: objects of Cloud Storage, or what was uploaded."""

from __future__ import annotations

import gzip
import re
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, BinaryIO

from gcp_local.bigquery.errors import BigQueryError
from gcp_local.errors import NotFound

if TYPE_CHECKING:
    from pathlib import Path

    from gcp_local.storage.objects import ObjectStore

_URI = re.compile(r"gs://(?P<bucket>[^/*]+)/(?P<name>.+)")
_GZIP = b"\x1f\x8b"


@dataclass(frozen=True)
class Source:
    """A file to read.

    Attributes:
        name: its URI, for messages.
        content: its bytes, open.
        size: how many there are.

    """

    name: str
    content: BinaryIO
    size: int

    def text_bytes(self) -> bytes:
        """Read all of it; what is compressed by gzip as what it was."""
        data = self.content.read()
        if not data.startswith(_GZIP):
            return data
        try:
            return gzip.decompress(data)
        except (OSError, EOFError) as error:
            message = f"Error while reading data, error message: {error} File: {self.name}"
            raise BigQueryError("invalid", message, location=self.name) from None


def check_uris(uris: Iterable[str]) -> None:
    """Refuse what is no URI of files.

    Raises:
        BigQueryError: `invalid`.

    """
    for uri in uris:
        if _URI.fullmatch(uri) is None:
            message = f"Source URI must be a Google Cloud Storage location: {uri}"
            raise BigQueryError("invalid", message)
        if uri.count("*") > 1:
            message = f"Invalid source URI {uri}: at most one wildcard is allowed."
            raise BigQueryError("invalid", message)


@contextmanager
def opened(uris: Iterable[str], objects: ObjectStore) -> Iterator[list[Source]]:
    """Open the objects that URIs name.

    Raises:
        BigQueryError: `notFound`; there is none.

    """
    sources: list[Source] = []
    try:
        for uri in uris:
            sources.extend(_open(uri, objects))
        yield sources
    finally:
        for source in sources:
            source.content.close()


@contextmanager
def uploaded(path: Path) -> Iterator[list[Source]]:
    """Open what was uploaded."""
    with path.open("rb") as file:
        yield [Source("file-00000000", file, path.stat().st_size)]


def _open(uri: str, objects: ObjectStore) -> Iterator[Source]:
    found = _URI.fullmatch(uri)
    assert found is not None
    bucket, name = found["bucket"], found["name"]
    try:
        if "*" in name:
            head, _, tail = name.partition("*")
            names = [
                each.name
                for each in objects.list(bucket, head)
                if each.name.endswith(tail) and len(each.name) >= len(head) + len(tail)
            ]
        else:
            names = [name]
        if not names:
            raise BigQueryError.not_found("Uris", uri)
        for each in names:
            described, content = objects.open(bucket, each)
            yield Source(f"gs://{bucket}/{each}", content, described.size)
    except NotFound:
        raise BigQueryError.not_found("URI", uri) from None
