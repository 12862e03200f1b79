"""A table as the REST API answers it: its resource, with what can be computed."""

from __future__ import annotations

from collections.abc import Mapping
from functools import lru_cache
from typing import TYPE_CHECKING, Any

from gcp_local.bigquery.call import etag_of
from gcp_local.bigquery.partitions import OUTSIDE, Partitioning

if TYPE_CHECKING:
    from gcp_local.bigquery.call import Call
    from gcp_local.bigquery.catalog import Entry
    from gcp_local.bigquery.references import TableRef
    from gcp_local.bigquery.streaming import Buffer, Streaming
    from gcp_local.bigquery.warehouse import DataFile, Version, Warehouse

_LISTED = (
    "clustering", "expirationTime", "friendlyName", "labels", "rangePartitioning",
    "requirePartitionFilter", "timePartitioning",
)  # fmt: skip


class TableDescriber:
    """Describes tables."""

    def __init__(self, warehouse: Warehouse, streaming: Streaming) -> None:
        self._warehouse = warehouse
        self._streaming = streaming

    def etag(self, entry: Entry) -> str:
        """Make the mark of a table's state: its resource, and what is in it."""
        return etag_of([entry.etag, self._warehouse.current(entry.uid).number])

    def described(
        self, call: Call, ref: TableRef, entry: Entry, location: str, *, view: str = "FULL"
    ) -> dict[str, Any]:
        """Give the `Table`.

        Args:
            call: the request.
            ref: the table's name.
            entry: the table.
            location: its dataset's.
            view: BASIC leaves out what is in it.

        """
        version = self._warehouse.current(entry.uid)
        path = f"projects/{ref.project}/datasets/{ref.dataset}/tables/{ref.table}"
        modified = max(entry.modified, version.committed)
        answer: dict[str, Any] = {
            "kind": "bigquery#table",
            "id": str(ref),
            "etag": etag_of([entry.etag, version.number]),
            "selfLink": call.link(path),
            "tableReference": ref.as_json(),
            "creationTime": str(entry.created // 1000),
            "lastModifiedTime": str(modified // 1000),
            "location": location,
            "type": entry.kind,
            **entry.body,
        }
        if view != "BASIC":
            answer |= self._contents(entry, version)
        return answer

    def listed(self, ref: TableRef, entry: Entry) -> dict[str, Any]:
        """Give a table as a list has it."""
        item = {
            "kind": "bigquery#table",
            "id": str(ref),
            "tableReference": ref.as_json(),
            "type": entry.kind,
            "creationTime": str(entry.created // 1000),
            **{name: entry.body[name] for name in _LISTED if entry.body.get(name)},
        }
        if "view" in entry.body:
            item["view"] = {"useLegacySql": entry.body["view"].get("useLegacySql", False)}
        return item

    def partitions(self, entry: Entry, version: Version) -> Mapping[str, int]:
        """Count a partitioned table's rows by partition; the buffer's lie in none yet."""
        partitioning = Partitioning.of(entry.body)
        if partitioning is None:
            return {}
        buffered = self._streaming.files(entry.uid, version)
        counts: dict[str, int] = {}
        for file in version.files:
            if file.name in buffered and partitioning.ingested:
                counts[OUTSIDE] = counts.get(OUTSIDE, 0) + file.rows
                continue
            for name, rows in self._counted(partitioning, file):
                counts[name] = counts.get(name, 0) + rows
        return dict(sorted(counts.items()))

    def _counted(self, partitioning: Partitioning, file: DataFile) -> tuple[tuple[str, int], ...]:
        return _counts(partitioning, str(self._warehouse.folder / file.name))

    def _contents(self, entry: Entry, version: Version) -> dict[str, Any]:
        buffer = self._streaming.buffer(entry.uid, version)
        rows = version.rows - (buffer.rows if buffer else 0)
        size = str(version.bytes - (buffer.bytes if buffer else 0))
        said = {
            "numRows": str(rows),
            "numBytes": size,
            "numLongTermBytes": "0",
            "numTotalLogicalBytes": size,
            "numActiveLogicalBytes": size,
            "numLongTermLogicalBytes": "0",
        }
        if Partitioning.of(entry.body) is not None:
            said["numPartitions"] = str(len(self.partitions(entry, version)))
        return {**said, **_buffered(buffer)}


def _buffered(buffer: Buffer | None) -> dict[str, Any]:
    if buffer is None:
        return {}
    said = {
        "estimatedRows": str(buffer.rows),
        "estimatedBytes": str(buffer.bytes),
        "oldestEntryTime": str(buffer.oldest // 1000),
    }
    return {"streamingBuffer": said}


@lru_cache(maxsize=4096)
def _counts(partitioning: Partitioning, path: str) -> tuple[tuple[str, int], ...]:
    """Count the rows of a file, which never changes, by partition."""
    import pyarrow as pa
    import pyarrow.parquet as pq

    with pq.ParquetFile(path) as opened:
        there = opened.schema_arrow.names
        columns = [partitioning.column] if partitioning.column in there else []
        rows = opened.read(columns=columns)
        if not columns:
            rows = pa.table({"": pa.nulls(opened.metadata.num_rows)})
    counted = partitioning.ids(rows).value_counts().to_pylist()
    return tuple((str(each["values"]), int(each["counts"])) for each in counted)
