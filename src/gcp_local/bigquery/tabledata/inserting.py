"""Streaming by `insertAll`: all the rows of a request, or those of them that are good.

Source: https://cloud.google.com/bigquery/docs/streaming-data-into-bigquery.
"""

from __future__ import annotations

import base64
from collections.abc import Mapping, Sequence
from datetime import UTC, date, datetime, time, timedelta
from decimal import Decimal
from typing import TYPE_CHECKING, Any

from gcp_local import clock
from gcp_local.bigquery import locations
from gcp_local.bigquery.errors import BigQueryError
from gcp_local.bigquery.loading.json_rows import arrow_rows
from gcp_local.bigquery.partitions import Partitioning
from gcp_local.bigquery.references import TableRef

if TYPE_CHECKING:
    import pyarrow as pa

    from gcp_local.bigquery.catalog import Catalog, Entry
    from gcp_local.bigquery.streaming import Streaming
    from gcp_local.bigquery.tables.queries import TableQueries
    from gcp_local.bigquery.warehouse import Warehouse

_MOST_ROWS = 50_000
_LONGEST_ID = 128
# Days that a row may lie in the past and in the future: by a partition's name, by its column.
_NAMED, _BY_COLUMN = (31, 16), (3650, 366)


class Inserter:
    """Streams rows into tables."""

    def __init__(
        self,
        catalog: Catalog,
        warehouse: Warehouse,
        streaming: Streaming,
        queries: TableQueries,
    ) -> None:
        self._catalog = catalog
        self._warehouse = warehouse
        self._streaming = streaming
        self._queries = queries

    def insert(self, ref: TableRef, said: Mapping[str, Any]) -> list[dict[str, Any]]:
        """Carry out a request, and give its `insertErrors`.

        Args:
            ref: the table, maybe with a partition's decorator.
            said: the `TableDataInsertAllRequest`.

        Raises:
            BigQueryError: the request as a whole is refused.

        """
        given: list[dict[str, Any]] = said.get("rows", [])
        _check_request(said, given)
        name, _, partition = ref.table.partition("$")
        whole = ref.parent.table(name)
        entry = self._catalog.get(whole)
        partitioning = Partitioning.of(entry.body)
        _check_table(whole, entry, partitioning, partition)
        rows = self._fresh(entry, given)
        values = self._with_defaults(whole, entry, [row["json"] for _, row in rows])
        ignore = bool(said.get("ignoreUnknownValues"))
        found, problems = arrow_rows(values, entry.schema, ignore_unknown=ignore)
        errors = {rows[at][0]: [_error(each.field, each.streaming) for each in problems[at]]
                  for at in problems}  # fmt: skip
        good = [row for at, row in enumerate(rows) if at not in problems]
        found, outside = _inside(whole, found, partitioning)
        errors |= {good[at][0]: [error] for at, error in outside.items()}
        good = [row for at, row in enumerate(good) if at not in outside]
        if errors and not said.get("skipInvalidRows"):
            stopped = {at: [_error("", "", reason="stopped")] for at, _ in good}
            return _as_json({**errors, **stopped})
        if good:
            ids = [row["insertId"] for _, row in good if row.get("insertId")]
            self._commit(whole, entry, _stamped(found, partitioning, partition), ids)
        return _as_json(errors)

    def _fresh(self, entry: Entry, rows: Sequence[dict[str, Any]]) -> list[tuple[int, Any]]:
        """Leave out rows that came a moment ago under the same id; give each with its place."""
        seen = self._streaming.known(entry.uid, (row.get("insertId", "") for row in rows))
        fresh = []
        for at, row in enumerate(rows):
            name = row.get("insertId", "")
            if name not in seen:
                fresh.append((at, row))
                seen |= {name} - {""}
        return fresh

    def _with_defaults(
        self, ref: TableRef, entry: Entry, rows: Sequence[Mapping[str, Any]]
    ) -> Sequence[Mapping[str, Any]]:
        """Give rows the default values of the columns that they do not say."""
        if not any("defaultValueExpression" in dict(field.more) for field in entry.schema):
            return rows
        place = self._catalog.dataset(ref.parent).body.get("location", locations.DEFAULT)
        values = self._queries.defaults(ref, entry.schema, place, len(rows))
        completed = []
        for row, defaults in zip(rows, values.to_pylist(), strict=True):
            names = {name.lower() for name in row}
            missing = {
                name: _json_of(value)
                for name, value in defaults.items()
                if name.lower() not in names
            }
            completed.append({**row, **missing})
        return completed

    def _commit(self, ref: TableRef, entry: Entry, rows: pa.Table, ids: Sequence[str]) -> None:
        file = self._warehouse.write(rows)
        with self._catalog.transaction():
            now = self._catalog.get(ref)
            if now.uid != entry.uid:
                raise BigQueryError.not_found("Table", ref)
            self._warehouse.commit(entry.uid, [file], append=True)
            self._streaming.note(entry.uid, file, ids)


def _check_request(said: Mapping[str, Any], rows: Sequence[Mapping[str, Any]]) -> None:
    if said.get("templateSuffix"):
        raise BigQueryError.lacking("template tables (templateSuffix)")
    if not rows:
        raise BigQueryError("invalid", "No rows present in the request.")
    if len(rows) > _MOST_ROWS:
        message = f"Too many rows present in the request, limit: {_MOST_ROWS} row count: "
        raise BigQueryError("invalid", f"{message}{len(rows)}.")
    for at, row in enumerate(rows):
        if "json" not in row:
            raise BigQueryError("required", f"Required parameter is missing: rows[{at}].json")
        if len(row.get("insertId", "")) > _LONGEST_ID:
            message = f"rows[{at}].insertId is longer than {_LONGEST_ID} characters."
            raise BigQueryError("invalid", message)


def _check_table(
    ref: TableRef, entry: Entry, partitioning: Partitioning | None, partition: str
) -> None:
    if entry.kind != "TABLE":
        raise BigQueryError("invalid", f"Cannot add rows to a table of type {entry.kind}.")
    if not entry.schema:
        raise BigQueryError("invalid", "The destination table has no schema.")
    if not partition:
        return
    if partitioning is None:
        message = f"The table {ref} is not partitioned: there is no partition {partition:.100}."
        raise BigQueryError("invalid", message)
    if not partitioning.ingested:
        message = (
            "Streaming to metadata partition of column based partitioning table"
            f" {ref}${partition:.100} is disallowed."
        )
        raise BigQueryError("invalid", message)
    partitioning.check_id(partition)
    begins, (back, ahead) = partitioning.time_of(partition), _NAMED
    now = clock.now()
    if not now - timedelta(days=back) <= begins <= now + timedelta(days=ahead):
        message = (
            f"The destination table's partition {ref.table}${partition} is outside the allowed"
            f" bounds. You can only stream to partitions within {back} days in the past and"
            f" {ahead} days in the future relative to the current date."
        )
        raise BigQueryError("invalid", message)


def _inside(
    ref: TableRef, rows: pa.Table, partitioning: Partitioning | None
) -> tuple[pa.Table, dict[int, dict[str, str]]]:
    """Take out rows that lie too long ago or ahead to be streamed, and tell their errors."""
    if partitioning is None or partitioning.ingested or partitioning.kind == "RANGE":
        return rows, {}
    back, ahead = _BY_COLUMN
    first, last = (clock.now() + timedelta(days=days) for days in (-back, ahead))
    errors = {}
    for at, value in enumerate(rows.column(partitioning.column).to_pylist()):
        if value is not None and not first <= _instant(value) <= last:
            message = (
                f"Value {value} for field {partitioning.column} of the destination table {ref} is"
                f" outside the allowed bounds. You can only stream to date range within {back} days"
                f" in the past and {ahead} days in the future relative to the current date."
            )
            errors[at] = _error(partitioning.column, message)
    if not errors:
        return rows, {}
    return rows.take([at for at in range(rows.num_rows) if at not in errors]), errors


def _instant(value: date | datetime) -> datetime:
    moment = value if isinstance(value, datetime) else datetime.combine(value, time())
    return moment if moment.tzinfo else moment.replace(tzinfo=UTC)


def _stamped(rows: pa.Table, partitioning: Partitioning | None, partition: str) -> pa.Table:
    if partitioning is None:
        return rows
    return partitioning.stamped(rows, clock.now(), partition or None)


def _error(location: str, message: str, *, reason: str = "invalid") -> dict[str, str]:
    return {"reason": reason, "location": location, "debugInfo": "", "message": message}


def _as_json(errors: Mapping[int, list[dict[str, str]]]) -> list[dict[str, Any]]:
    return [{"index": at, "errors": errors[at]} for at in sorted(errors)]


def _json_of(value: Any) -> Any:
    """Write a value as rows of JSON have it."""
    match value:
        case list():
            return [_json_of(each) for each in value]
        case dict():
            return {name: _json_of(each) for name, each in value.items()}
        case bytes():
            return base64.b64encode(value).decode()
        case Decimal():
            return format(value, "f")
        case date() | time():  # a datetime is a date
            return value.isoformat()
    return value
