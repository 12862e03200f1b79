"""The rows of INFORMATION_SCHEMA's views about datasets, tables and routines."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from datetime import datetime
from typing import TYPE_CHECKING, Any

from gcp_local import clock
from gcp_local.bigquery.partitions import PARTITION_TIME, Partitioning
from gcp_local.bigquery.sql.ddl.types import field_of
from gcp_local.bigquery.sql.information_schema import wording

if TYPE_CHECKING:
    from gcp_local.bigquery.catalog import Entry
    from gcp_local.bigquery.references import DatasetRef, TableRef
    from gcp_local.bigquery.schema import Field

Row = dict[str, Any]
_TYPES = {"TABLE": "BASE TABLE", "MATERIALIZED_VIEW": "MATERIALIZED VIEW"}


def named(ref: TableRef, prefix: str = "table") -> Row:
    """Give a table's name, in the three columns that most views begin with."""
    last = "name"
    return {
        f"{prefix}_catalog": ref.project,
        f"{prefix}_schema": ref.dataset,
        f"{prefix}_{last}": ref.table,
    }


def schemata(ref: DatasetRef, entry: Entry) -> Iterator[Row]:
    """Give what SCHEMATA has."""
    yield {
        "catalog_name": ref.project,
        "schema_name": ref.dataset,
        "creation_time": clock.from_micros(entry.created),
        "last_modified_time": clock.from_micros(entry.modified),
        "location": entry.body.get("location", "US"),
        "ddl": wording.schema_ddl(ref, entry.body),
    }


def schemata_options(ref: DatasetRef, entry: Entry) -> Iterator[Row]:
    """Give what SCHEMATA_OPTIONS has."""
    for option in wording.schema_options(entry.body):
        yield {
            "catalog_name": ref.project,
            "schema_name": ref.dataset,
            "option_name": option.name,
            "option_type": option.type,
            "option_value": option.value,
        }


def tables(ref: TableRef, entry: Entry) -> Iterator[Row]:
    """Give what TABLES has."""
    yield {
        **named(ref),
        "table_type": table_type(entry),
        "is_insertable_into": "YES" if entry.kind == "TABLE" else "NO",
        "is_fine_grained_mutations_enabled": "NO",
        "is_typed": "NO",
        "is_change_history_enabled": "NO",
        "creation_time": clock.from_micros(entry.created),
        **_base(entry, "snapshot_time_ms"),
        "ddl": wording.table_ddl(ref, entry),
    }


def table_type(entry: Entry) -> str:
    """Give what sort of table it is."""
    if "cloneDefinition" in entry.body:
        return "CLONE"
    return _TYPES.get(entry.kind, entry.kind)


def _base(entry: Entry, time: str) -> Row:
    said = entry.body.get("snapshotDefinition") or entry.body.get("cloneDefinition")
    if not said:
        return {}
    table = said["baseTableReference"]
    moment = said.get("snapshotTime") or said.get("cloneTime")
    return {
        "base_table_catalog": table["projectId"],
        "base_table_schema": table["datasetId"],
        "base_table_name": table["tableId"],
        time: datetime.fromisoformat(moment),
    }


def table_options(ref: TableRef, entry: Entry) -> Iterator[Row]:
    """Give what TABLE_OPTIONS has."""
    for option in wording.table_options(entry.body):
        yield {
            **named(ref),
            "option_name": option.name,
            "option_type": option.type,
            "option_value": option.value,
        }


def columns(ref: TableRef, entry: Entry) -> Iterator[Row]:
    """Give what COLUMNS has, the hidden ones among them."""
    partitioning = Partitioning.of(entry.body)
    by = partitioning.column.lower() if partitioning else ""
    clustering = [each.lower() for each in entry.body.get("clustering", {}).get("fields", [])]
    for at, field in enumerate(entry.schema, 1):
        name = field.name.lower()
        yield {
            **named(ref),
            "column_name": field.name,
            "ordinal_position": at,
            "is_nullable": "NO" if field.mode == "REQUIRED" else "YES",
            "data_type": wording.data_type(field),
            "is_partitioning_column": "YES" if name == by else "NO",
            "clustering_ordinal_position": clustering.index(name) + 1
            if name in clustering
            else None,
            "column_default": dict(field.more).get("defaultValueExpression", "NULL"),
            **_plain(hidden=False),
        }
    if partitioning is not None and partitioning.ingested:
        kinds = {PARTITION_TIME: "TIMESTAMP"}
        if partitioning.kind != "HOUR":
            kinds["_PARTITIONDATE"] = "DATE"
        for hidden, kind in kinds.items():
            yield {
                **named(ref),
                "column_name": hidden,
                "is_nullable": "YES",
                "data_type": kind,
                "is_partitioning_column": "YES" if hidden == PARTITION_TIME else "NO",
                "column_default": "NULL",
                **_plain(hidden=True),
            }


def _plain(*, hidden: bool) -> Row:
    return {
        "is_generated": "NEVER",
        "is_hidden": "YES" if hidden else "NO",
        "is_system_defined": "YES" if hidden else "NO",
        "collation_name": "NULL",
    }


def column_field_paths(ref: TableRef, entry: Entry) -> Iterator[Row]:
    """Give what COLUMN_FIELD_PATHS has: columns, and the fields in them."""
    for field in entry.schema:
        for path, inner in _paths(field, field.name):
            yield {
                **named(ref),
                "column_name": field.name,
                "field_path": path,
                "data_type": wording.data_type(inner),
                "description": dict(inner.more).get("description"),
                "collation_name": "NULL",
            }


def _paths(field: Field, path: str) -> Iterator[tuple[str, Field]]:
    yield path, field
    for inner in field.fields:
        yield from _paths(inner, f"{path}.{inner.name}")


def views(ref: TableRef, entry: Entry) -> Iterator[Row]:
    """Give what VIEWS has."""
    if entry.kind == "VIEW":
        yield {
            **named(ref),
            "view_definition": entry.body["view"]["query"],
            "use_standard_sql": "YES",
        }


def materialized_views(ref: TableRef, entry: Entry) -> Iterator[Row]:
    """Give what MATERIALIZED_VIEWS has."""
    if entry.kind == "MATERIALIZED_VIEW":
        yield named(ref)


def table_snapshots(ref: TableRef, entry: Entry) -> Iterator[Row]:
    """Give what TABLE_SNAPSHOTS has."""
    if entry.kind == "SNAPSHOT":
        yield {**named(ref), **_base(entry, "snapshot_time")}


def table_constraints(ref: TableRef, entry: Entry) -> Iterator[Row]:
    """Give what TABLE_CONSTRAINTS has."""
    for name, kind, _, _ in _constraints(ref, entry):
        yield {
            **named(ref.parent.table(name), "constraint"),
            **named(ref),
            "constraint_type": kind,
            "is_deferrable": "NO",
            "initially_deferred": "NO",
            "enforced": "NO",
        }


def key_column_usage(ref: TableRef, entry: Entry) -> Iterator[Row]:
    """Give what KEY_COLUMN_USAGE has."""
    for name, kind, own, others in _constraints(ref, entry):
        for at, column in enumerate(own, 1):
            yield {
                **named(ref.parent.table(name), "constraint"),
                **named(ref),
                "column_name": column,
                "ordinal_position": at,
                "position_in_unique_constraint": at if kind == "FOREIGN KEY" and others else None,
            }


def constraint_column_usage(ref: TableRef, entry: Entry) -> Iterator[Row]:
    """Give what CONSTRAINT_COLUMN_USAGE has: which columns constraints rest on."""
    for name, kind, own, others in _constraints(ref, entry):
        for table, column in others if kind == "FOREIGN KEY" else [(named(ref), c) for c in own]:
            yield {
                **table,
                "column_name": column,
                **named(ref.parent.table(name), "constraint"),
            }


def _constraints(
    ref: TableRef, entry: Entry
) -> Iterator[tuple[str, str, list[str], list[tuple[Row, str]]]]:
    said = entry.body.get("tableConstraints", {})
    key = said.get("primaryKey", {}).get("columns", [])
    if key:
        yield f"{ref.table}.pk$", "PRIMARY KEY", list(key), []
    for each in said.get("foreignKeys", []):
        table = each["referencedTable"]
        other = {
            "table_catalog": table["projectId"],
            "table_schema": table["datasetId"],
            "table_name": table["tableId"],
        }
        pairs = each["columnReferences"]
        own = [pair["referencingColumn"] for pair in pairs]
        referred = [(other, pair["referencedColumn"]) for pair in pairs]
        yield f"{ref.table}.{each.get('name', '')}", "FOREIGN KEY", own, referred


def routines(ref: TableRef, entry: Entry) -> Iterator[Row]:
    """Give what ROUTINES has."""
    body = entry.body
    kind = {"SCALAR_FUNCTION": "FUNCTION", "TABLE_VALUED_FUNCTION": "TABLE FUNCTION"}
    returned = body.get("returnType")
    yield {
        **named(ref, "specific"),
        **named(ref, "routine"),
        "routine_type": kind.get(body["routineType"], body["routineType"]),
        "data_type": field_of("", returned).sql if returned else None,
        "routine_body": "SQL",
        "routine_definition": body["definitionBody"],
        "created": clock.from_micros(entry.created),
        "last_altered": clock.from_micros(entry.modified),
        "ddl": wording.routine_ddl(ref, body),
    }


def routine_options(ref: TableRef, entry: Entry) -> Iterator[Row]:
    """Give what ROUTINE_OPTIONS has."""
    for option in wording.routine_options(entry.body):
        yield {
            **named(ref, "specific"),
            "option_name": option.name,
            "option_type": option.type,
            "option_value": option.value,
        }


def parameters(ref: TableRef, entry: Entry) -> Iterator[Row]:
    """Give what PARAMETERS has: what a routine returns, then its arguments."""
    procedure = entry.body["routineType"] == "PROCEDURE"
    returned: Mapping[str, Any] | None = entry.body.get("returnType")
    if returned:
        yield {
            **named(ref, "specific"),
            "ordinal_position": 0,
            "is_result": "YES",
            "data_type": field_of("", dict(returned)).sql,
        }
    for at, each in enumerate(entry.body.get("arguments", []), 1):
        yield {
            **named(ref, "specific"),
            "ordinal_position": at,
            "parameter_mode": each.get("mode", "IN") if procedure else None,
            "is_result": "NO",
            "parameter_name": each.get("name"),
            "data_type": wording.argument_type(each),
        }
