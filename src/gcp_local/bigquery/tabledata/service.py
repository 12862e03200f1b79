"""The methods of `tabledata`."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from gcp_local.bigquery.call import etag_of
from gcp_local.bigquery.errors import BigQueryError
from gcp_local.bigquery.references import TableRef
from gcp_local.bigquery.rows import rows_json, timestamp_form
from gcp_local.bigquery.schema import Schema, arrow_schema
from gcp_local.bigquery.tabledata.selection import selected_columns
from gcp_local.errors import PayloadTooLarge
from gcp_local.resources.listing import make_token, read_text_token

if TYPE_CHECKING:
    import pyarrow as pa

    from gcp_local.bigquery.call import Call
    from gcp_local.bigquery.catalog import Catalog
    from gcp_local.bigquery.tabledata.inserting import Inserter
    from gcp_local.bigquery.tables.partition import Partitions
    from gcp_local.bigquery.warehouse import Version, Warehouse

_MOST_ROWS = 100_000
# By BigQuery's account of the types; as JSON it is more.
_MOST_BYTES = 8 * 1024 * 1024


# https://cloud.google.com/bigquery/quotas#streaming_inserts
_MOST_STREAMED = 10 * 1024 * 1024


class TableDataService:
    """`bigquery.tabledata`."""

    def __init__(
        self, catalog: Catalog, warehouse: Warehouse, partitions: Partitions, inserter: Inserter
    ) -> None:
        self._catalog = catalog
        self._warehouse = warehouse
        self._partitions = partitions
        self._inserter = inserter

    def tabledata_list(self, call: Call) -> dict[str, Any]:
        """Answer a page of a table's rows, or of one partition's."""
        ref = _ref(call)
        form = timestamp_form(call.format_options)
        if "$" in ref.table:
            return self._listed_partition(call, ref, form=form)
        if "@" in ref.table:
            raise BigQueryError.lacking("decorators of time here")
        entry = self._catalog.get(ref)
        if entry.kind in ("VIEW", "MATERIALIZED_VIEW", "EXTERNAL"):
            raise BigQueryError("invalid", f"Cannot list a table of type {entry.kind}.")
        query = f"{entry.uid}\n{call.query.get('selectedFields', '')}"
        version, start = self._place(call, entry.uid, query)
        columns, shown = selected_columns(entry.schema, call.query.get("selectedFields"))
        count = _count(call, version)
        rows = self._warehouse.page(version, arrow_schema(columns), start, count)
        end = start + rows.num_rows
        token = make_token(f"{version.number}:{end}", query)
        return _page(rows, shown, version.rows, token if end < version.rows else "", form=form)

    def tabledata_insert_all(self, call: Call) -> dict[str, Any]:
        """Stream rows in."""
        if int(call.headers.get("content-length", 0)) > _MOST_STREAMED:
            message = f"Request payload size exceeds the limit: {_MOST_STREAMED} bytes."
            raise PayloadTooLarge(message)
        errors = self._inserter.insert(_ref(call), call.body)
        answer: dict[str, Any] = {"kind": "bigquery#tableDataInsertAllResponse"}
        return {**answer, "insertErrors": errors} if errors else answer

    def _place(self, call: Call, uid: str, query: str) -> tuple[Version, int]:
        """Tell which version is read, and from which row on: a token goes on with the same one."""
        token = call.query.get("pageToken")
        if not token:
            return self._warehouse.current(uid), int(call.query.get("startIndex", 0))
        number, _, start = read_text_token(token, query).partition(":")
        version = self._warehouse.numbered(uid, int(number)) or self._warehouse.current(uid)
        return version, int(start)

    def _listed_partition(self, call: Call, ref: TableRef, *, form: str) -> dict[str, Any]:
        schema, rows = self._partitions.rows(ref)
        columns, shown = selected_columns(schema, call.query.get("selectedFields"))
        query = f"{ref}\n{call.query.get('selectedFields', '')}"
        token = call.query.get("pageToken")
        start = int(read_text_token(token, query) if token else call.query.get("startIndex", 0))
        page = rows.select([field.name for field in columns])
        page = page.slice(start, min(call.query.get("maxResults", _MOST_ROWS), _MOST_ROWS))
        end = start + page.num_rows
        following = make_token(end, query) if end < rows.num_rows else ""
        return _page(page, shown, rows.num_rows, following, form=form)


def _ref(call: Call) -> TableRef:
    return TableRef(call.project, call.variables["datasetId"], call.variables["tableId"])


def _count(call: Call, version: Version) -> int:
    """Tell how many rows a page has: as many as asked for, and as an answer may hold."""
    most = _MOST_ROWS
    if version.rows and version.bytes:
        most = min(most, max(1, _MOST_BYTES * version.rows // version.bytes))
    return min(int(call.query.get("maxResults", most)), most)


def _page(rows: pa.Table, schema: Schema, total: int, token: str, *, form: str) -> dict[str, Any]:
    written = rows_json(rows, schema, timestamps=form)
    answer: dict[str, Any] = {
        "kind": "bigquery#tableDataList",
        "etag": etag_of(written),
        "totalRows": str(total),
    }
    if written:
        answer["rows"] = written
    if token:
        answer["pageToken"] = token
    return answer
