"""What BigQuery holds a table to, however it is made: by the REST API, by SQL, by a job."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from gcp_local import clock
from gcp_local.bigquery.errors import BigQueryError
from gcp_local.bigquery.merging import check_common, check_lacking
from gcp_local.bigquery.names import check_id
from gcp_local.bigquery.schema import Schema, read_schema
from gcp_local.bigquery.tables.columns import check_columns
from gcp_local.bigquery.tables.partitioning import checked_partitioning

if TYPE_CHECKING:
    from gcp_local.bigquery.references import TableRef

_LACKING = {
    "biglakeConfiguration": "BigLake tables",
    "defaultCollation": "collation",
    "encryptionConfiguration": "keys of the customer's",
    "externalCatalogTableOptions": "external catalogs",
    "externalDataConfiguration": "external tables",
    "maxStaleness": "staleness of tables",
    "model": "models as tables",
    "partitionDefinition": "partitions of external tables",
    "resourceTags": "tags",
    "tableReplicationInfo": "replicas",
}
_CLUSTERABLE = (
    "BIGNUMERIC", "BOOLEAN", "DATE", "DATETIME", "GEOGRAPHY", "INTEGER", "NUMERIC", "RANGE",
    "STRING", "TIMESTAMP",
)  # fmt: skip
_MOST_CLUSTERING = 4


def prepared(
    ref: TableRef,
    body: Mapping[str, Any],
    dataset: Mapping[str, Any],
    before: Mapping[str, Any] | None = None,
) -> dict[str, Any]:
    """Hold a table to BigQuery's rules, and give it with its dataset's defaults.

    Args:
        ref: its name.
        body: the table.
        dataset: its dataset's body, with the defaults; only a new table takes them.
        before: what the table was until now.

    Raises:
        ApiError: a rule is broken, or the stand-in lacks something.

    """
    check_id(ref.table)
    check_common(body)
    check_lacking(body, _LACKING)
    if body.get("defaultRoundingMode") == "ROUND_HALF_EVEN":
        raise BigQueryError.lacking("the rounding mode ROUND_HALF_EVEN")
    if body.get("managedTableType", "NATIVE") == "BIGLAKE":
        raise BigQueryError.lacking("BigLake tables (managedTableType)")
    schema = read_schema(body.get("schema", {}).get("fields", ()))
    if body.get("type", "TABLE") == "TABLE" and not ref.dataset.startswith("_"):
        check_columns(schema)
    after = _with_defaults(_with_filter(body), dataset) if before is None else _with_filter(body)
    after = checked_partitioning(after, schema)
    _check_clustering(after, schema)
    check_expiration(after, before or {})
    _check_constraints(after, schema)
    return after


def _with_filter(body: Mapping[str, Any]) -> dict[str, Any]:
    """Say in one place whether queries must filter by partition: an older field says it too."""
    after = dict(body)
    said = dict(after.get("timePartitioning", {}))
    if "requirePartitionFilter" in said:
        after["requirePartitionFilter"] = said.pop("requirePartitionFilter")
        after["timePartitioning"] = said
    return after


def _with_defaults(body: dict[str, Any], dataset: Mapping[str, Any]) -> dict[str, Any]:
    after = dict(body)
    partitions = dataset.get("defaultPartitionExpirationMs")
    partitioned = after.get("timePartitioning")
    if partitioned is not None and partitions is not None:
        after["timePartitioning"] = {"expirationMs": partitions, **partitioned}
    elif "expirationTime" not in after and "defaultTableExpirationMs" in dataset:
        now = clock.micros(clock.now()) // 1000
        after["expirationTime"] = str(now + int(dataset["defaultTableExpirationMs"]))
    return after


def _check_clustering(body: Mapping[str, Any], schema: Schema) -> None:
    if "clustering" not in body:
        return
    names = body["clustering"].get("fields", [])
    if not 1 <= len(names) <= _MOST_CLUSTERING:
        message = f"Clustering takes from 1 to {_MOST_CLUSTERING} fields, not {len(names)}."
        raise BigQueryError("invalid", message)
    if len({name.lower() for name in names}) < len(names):
        raise BigQueryError("invalid", "Clustering names a field twice.")
    known = {field.name.lower(): field for field in schema}
    for name in names:
        field = known.get(name.lower())
        if field is None:
            message = "The field specified for clustering cannot be found in the schema."
            raise BigQueryError("invalid", f"{message} Invalid field: {name}.")
        if field.type not in _CLUSTERABLE or field.repeated:
            message = f"Field {name} has type {field.sql}, which is not supported for clustering."
            raise BigQueryError("invalid", message)


def check_expiration(body: Mapping[str, Any], before: Mapping[str, Any]) -> None:
    """Refuse a new end that is past; BigQueryError `invalid`."""
    end = body.get("expirationTime")
    if end is None or end == before.get("expirationTime"):
        return
    if int(end) <= clock.micros(clock.now()) // 1000:
        raise BigQueryError("invalid", f"Invalid value for expirationTime: {end} is in the past.")


def _check_constraints(body: Mapping[str, Any], schema: Schema) -> None:
    said = body.get("tableConstraints", {})
    known = {field.name.lower(): field for field in schema}
    key = said.get("primaryKey", {}).get("columns", [])
    foreign = [
        pair.get("referencingColumn", "")
        for each in said.get("foreignKeys", [])
        for pair in each.get("columnReferences", [])
    ]
    for name in (*key, *foreign):
        if name.lower() not in known:
            raise BigQueryError("invalid", f"The column {name!r} of a constraint is not there.")
        if known[name.lower()].repeated or known[name.lower()].fields:
            message = f"The column {name!r} cannot be in a constraint: it must hold single values."
            raise BigQueryError("invalid", message)
    if len({name.lower() for name in key}) < len(key):
        raise BigQueryError("invalid", "The primary key names a column twice.")
    for each in said.get("foreignKeys", []):
        table = each.get("referencedTable", {})
        if not all(table.get(name) for name in ("projectId", "datasetId", "tableId")):
            message = "Required parameter is missing: tableConstraints.foreignKeys.referencedTable"
            raise BigQueryError("required", message)
