"""Writes rows to the files that a URI names: one, or with a `*` as many as it takes."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import TYPE_CHECKING

from gcp_local.bigquery.errors import BigQueryError
from gcp_local.bigquery.extracting.formats import file_of
from gcp_local.errors import NotFound

if TYPE_CHECKING:
    import pyarrow as pa

    from gcp_local.bigquery.engine import Cancellation
    from gcp_local.bigquery.extracting.formats import ExportOptions
    from gcp_local.bigquery.schema import Schema
    from gcp_local.storage.objects import ObjectStore

_URI = re.compile(r"gs://(?P<bucket>[^/*]+)/(?P<name>.+)")
# BigQuery cuts by size; by rows, small tables show what large ones do.
SHARD_ROWS = 100_000


def check_uris(uris: Sequence[str]) -> None:
    """Refuse what is no URI of files to write.

    Raises:
        BigQueryError: `invalid`.

    """
    if not uris:
        raise BigQueryError("invalid", "Required parameter is missing: destinationUris")
    for uri in uris:
        found = _URI.fullmatch(uri)
        if found is None or found["name"].count("*") > 1:
            message = (
                f"Invalid extract destination URI {uri}: gs://BUCKET/NAME, with one * at most."
            )
            raise BigQueryError("invalid", message)
    if len(uris) > 1 and not all("*" in uri for uri in uris):
        message = "Each of several extract destination URIs needs a wildcard."
        raise BigQueryError("invalid", message)


def export(
    rows: pa.Table,
    schema: Schema,
    uris: Sequence[str],
    options: ExportOptions,
    objects: ObjectStore,
    cancellation: Cancellation,
) -> list[int]:
    """Write rows to files, and count the files of each URI.

    Args:
        rows: in the Arrow types of the schema.
        schema: their columns.
        uris: as `check_uris` wants them.
        options: how; `ExportOptions.check` has held the schema to them.
        objects: where to.
        cancellation: asked for, no more files are written.

    Raises:
        BigQueryError: there is no such bucket; the rows are too many for one file; `stopped`.

    """
    shards = -(-rows.num_rows // SHARD_ROWS) or 1
    if not any("*" in uri for uri in uris):
        shards = 1
    counts = [0] * len(uris)
    size = -(-rows.num_rows // shards)
    for number in range(shards):
        cancellation.check()
        place = number % len(uris)
        part = rows.slice(number * size, size)
        _write(uris[place], counts[place], file_of(part, schema, options), objects)
        counts[place] += 1
    return counts


def _write(uri: str, number: int, content: bytes, objects: ObjectStore) -> None:
    found = _URI.fullmatch(uri)
    assert found is not None
    name = found["name"].replace("*", f"{number:012}")
    try:
        objects.write(found["bucket"], name, content, content_type="application/octet-stream")
    except NotFound:
        raise BigQueryError("notFound", f"Not found: Bucket {found['bucket']}") from None
