"""Tables, datasets and routines as the statements that would make them."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from gcp_local import clock
from gcp_local.bigquery.partitions import PARTITION_TIME, Partitioning
from gcp_local.bigquery.sql.ddl.types import field_of

if TYPE_CHECKING:
    from gcp_local.bigquery.catalog import Entry
    from gcp_local.bigquery.references import DatasetRef, TableRef
    from gcp_local.bigquery.schema import Field

_DAY = 86_400_000


@dataclass(frozen=True)
class Option:
    """An option of OPTIONS(…): its value as it is written there."""

    name: str
    type: str
    value: str


def literal(text: str) -> str:
    """Write a text as a literal."""
    escaped = text.replace("\\", "\\\\").replace('"', '\\"').replace("\n", "\\n")
    return f'"{escaped}"'


def _days(millis: str) -> str:
    days = int(millis) / _DAY
    return str(int(days)) if days == int(days) else repr(days)


def _moment(millis: str) -> str:
    when = clock.from_micros(int(millis) * 1000)
    return f'TIMESTAMP "{when:%Y-%m-%dT%H:%M:%S}.{when.microsecond // 1000:03d}Z"'


def _labels(labels: Mapping[str, str]) -> str:
    pairs = (f"({literal(key)}, {literal(value)})" for key, value in labels.items())
    return f"[{', '.join(pairs)}]"


def table_options(body: Mapping[str, Any]) -> list[Option]:
    """Give the options that a table or view has."""
    time = body.get("timePartitioning", {})
    found = _common(body)
    if "expirationTime" in body:
        found.append(Option("expiration_timestamp", "TIMESTAMP", _moment(body["expirationTime"])))
    if "expirationMs" in time:
        days = _days(time["expirationMs"])
        found.append(Option("partition_expiration_days", "FLOAT64", days))
    if body.get("requirePartitionFilter"):
        found.append(Option("require_partition_filter", "BOOL", "true"))
    return sorted(found, key=lambda option: option.name)


def schema_options(body: Mapping[str, Any]) -> list[Option]:
    """Give the options that a dataset has."""
    found = _common(body)
    for field, name in (
        ("defaultTableExpirationMs", "default_table_expiration_days"),
        ("defaultPartitionExpirationMs", "default_partition_expiration_days"),
    ):
        if field in body:
            found.append(Option(name, "FLOAT64", _days(body[field])))
    if "maxTimeTravelHours" in body:
        found.append(Option("max_time_travel_hours", "INT64", body["maxTimeTravelHours"]))
    if "storageBillingModel" in body:
        model = literal(body["storageBillingModel"])
        found.append(Option("storage_billing_model", "STRING", model))
    found.append(Option("location", "STRING", literal(str(body.get("location", "US")))))
    return sorted(found, key=lambda option: option.name)


def routine_options(body: Mapping[str, Any]) -> list[Option]:
    """Give the options that a routine has."""
    if "description" not in body:
        return []
    return [Option("description", "STRING", literal(body["description"]))]


def _common(body: Mapping[str, Any]) -> list[Option]:
    found = []
    if body.get("description"):
        found.append(Option("description", "STRING", literal(body["description"])))
    if body.get("friendlyName"):
        found.append(Option("friendly_name", "STRING", literal(body["friendlyName"])))
    if body.get("labels"):
        kind = "ARRAY<STRUCT<STRING, STRING>>"
        found.append(Option("labels", kind, _labels(body["labels"])))
    return found


def data_type(field: Field) -> str:
    """Give a column's type with its parameters: `STRUCT<a NUMERIC(10, 2)>`."""
    if field.type == "RECORD":
        name = f"STRUCT<{', '.join(f'{each.name} {data_type(each)}' for each in field.fields)}>"
    else:
        name = field.element.sql
        more = dict(field.more)
        if "maxLength" in more:
            name += f"({more['maxLength']})"
        elif "precision" in more:
            digits = [more["precision"], *([more["scale"]] if "scale" in more else [])]
            name += f"({', '.join(digits)})"
    return f"ARRAY<{name}>" if field.repeated else name


def table_ddl(ref: TableRef, entry: Entry) -> str:
    """Write the statement that would make a table, view or snapshot."""
    body, options = entry.body, _options(table_options(entry.body))
    if entry.kind == "VIEW":
        return _joined(f"CREATE VIEW `{ref.dotted}`", options, f"AS {body['view']['query']}")
    if entry.kind == "MATERIALIZED_VIEW":
        query = body["materializedView"]["query"]
        return _joined(f"CREATE MATERIALIZED VIEW `{ref.dotted}`", options, f"AS {query}")
    if entry.kind == "SNAPSHOT":
        base = body["snapshotDefinition"]["baseTableReference"]
        name = f"{base['projectId']}.{base['datasetId']}.{base['tableId']}"
        return _joined(f"CREATE SNAPSHOT TABLE `{ref.dotted}`", f"CLONE `{name}`", options)
    lines = [_column(field) for field in entry.schema] + list(_constraints(body))
    columns = "(\n" + ",\n".join(f"  {line}" for line in lines) + "\n)"
    clustering = body.get("clustering", {}).get("fields", [])
    return _joined(
        f"CREATE TABLE `{ref.dotted}`",
        columns,
        _partitions(entry),
        f"CLUSTER BY {', '.join(clustering)}" if clustering else "",
        options,
    )


def schema_ddl(ref: DatasetRef, body: Mapping[str, Any]) -> str:
    """Write the statement that would make a dataset."""
    head = f"CREATE SCHEMA `{ref.project}.{ref.dataset}`"
    return _joined(head, _options(schema_options(body)))


def routine_ddl(ref: TableRef, body: Mapping[str, Any]) -> str:
    """Write the statement that would make a routine."""
    arguments = ", ".join(
        " ".join(filter(None, [each.get("mode", ""), each.get("name", ""), argument_type(each)]))
        for each in body.get("arguments", [])
    )
    kind = {"TABLE_VALUED_FUNCTION": "TABLE FUNCTION", "PROCEDURE": "PROCEDURE"}.get(
        body["routineType"], "FUNCTION"
    )
    head = f"CREATE {kind} `{ref.dotted}`({arguments})"
    if "returnType" in body:
        head += f" RETURNS {field_of('', body['returnType']).sql}"
    definition = body["definitionBody"]
    if kind == "PROCEDURE":
        return _joined(head, definition)
    return _joined(head, f"AS ({definition})" if kind == "FUNCTION" else f"AS {definition}")


def argument_type(argument: Mapping[str, Any]) -> str:
    """Give the type of a routine's argument."""
    said = argument.get("dataType")
    return field_of("", said).sql if said else "ANY TYPE"


def _joined(*parts: str) -> str:
    return "\n".join(part for part in parts if part) + ";"


def _options(options: Sequence[Option]) -> str:
    lines = ",\n".join(f"  {option.name}={option.value}" for option in options)
    return f"OPTIONS(\n{lines}\n)" if options else ""


def _column(field: Field) -> str:
    more = dict(field.more)
    words = [field.name, data_type(field)]
    if "defaultValueExpression" in more:
        words.append(f"DEFAULT {more['defaultValueExpression']}")
    if field.mode == "REQUIRED":
        words.append("NOT NULL")
    if more.get("description"):
        words.append(f"OPTIONS(description={literal(more['description'])})")
    return " ".join(words)


def _constraints(body: Mapping[str, Any]) -> Iterable[str]:
    said = body.get("tableConstraints", {})
    key = said.get("primaryKey", {}).get("columns", [])
    if key:
        yield f"PRIMARY KEY ({', '.join(key)}) NOT ENFORCED"
    for each in said.get("foreignKeys", []):
        pairs = each["columnReferences"]
        table = each["referencedTable"]
        name = f"{table['projectId']}.{table['datasetId']}.{table['tableId']}"
        own = ", ".join(pair["referencingColumn"] for pair in pairs)
        other = ", ".join(pair["referencedColumn"] for pair in pairs)
        yield (
            f"CONSTRAINT `{each.get('name', '')}` FOREIGN KEY ({own}) REFERENCES `{name}`({other})"
            " NOT ENFORCED"
        )


def _partitions(entry: Entry) -> str:
    partitioning = Partitioning.of(entry.body)
    if partitioning is None:
        return ""
    column, kind = partitioning.column, partitioning.kind
    if kind == "RANGE":
        bounds = f"{partitioning.start}, {partitioning.end}, {partitioning.interval}"
        return f"PARTITION BY RANGE_BUCKET({column}, GENERATE_ARRAY({bounds}))"
    if column == PARTITION_TIME:
        by = "DATE(_PARTITIONTIME)" if kind == "DAY" else f"TIMESTAMP_TRUNC(_PARTITIONTIME, {kind})"
        return f"PARTITION BY {by}"
    types = {field.name.lower(): field.type for field in entry.schema}
    typed = types.get(column.lower(), "DATE")
    if kind == "DAY":
        return f"PARTITION BY {column if typed == 'DATE' else f'DATE({column})'}"
    return f"PARTITION BY {typed}_TRUNC({column}, {kind})"
