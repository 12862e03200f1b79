"""What feature groups and features share: ids, columns, times, page sizes."""

from __future__ import annotations

import re

from gcp_local import clock
from gcp_local.errors import InvalidArgument
from gcp_local.resources.etags import etag_of
from gcp_local.rpc.protos import Message, copy_of, timestamp

_ID = re.compile(r"[a-z_][a-z0-9_]{0,127}")
_COLUMN = re.compile(r"[A-Za-z_][A-Za-z0-9_]{0,299}")


def check_id(field: str, given: str) -> None:
    """Refuse an id that is not of up to 128 of `[a-z0-9_]`, the first no digit."""
    if not _ID.fullmatch(given):
        message = (
            f"Invalid {field} {given!r}: 1 to 128 characters of [a-z0-9_], the first no digit."
        )
        raise InvalidArgument.of_field(field, message)


def check_column(field: str, name: str) -> None:
    """Refuse what is no name of a column (https://cloud.google.com/bigquery/docs/schemas)."""
    if not _COLUMN.fullmatch(name):
        message = f"Invalid {field} {name!r}: it is not the name of a BigQuery column."
        raise InvalidArgument.of_field(field, message)


def stamp(resource: Message) -> None:
    """Set the times and the etag of a resource that has changed."""
    now = timestamp(clock.now())
    resource.update_time.CopyFrom(now)
    if not resource.HasField("create_time"):
        resource.create_time.CopyFrom(now)
    resource.etag = etag_of(resource)


def with_page_size(request: Message, most: int) -> Message:
    """Give a List request with the page size that the service makes of it."""
    sized: Message = copy_of(request)
    if request.page_size >= 0:
        sized.page_size = min(request.page_size or most, most)
    return sized
