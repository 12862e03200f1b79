"""Parquet and ORC files, which describe themselves, become rows.

Sources: https://cloud.google.com/bigquery/docs/loading-data-cloud-storage-parquet and
https://cloud.google.com/bigquery/docs/loading-data-cloud-storage-orc.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import TYPE_CHECKING

from gcp_local.bigquery.errors import BigQueryError
from gcp_local.bigquery.loading.outcome import LoadError, Read
from gcp_local.bigquery.schema import Field, Schema, arrow_schema

if TYPE_CHECKING:
    import pyarrow as pa

    from gcp_local.bigquery.loading.options import LoadOptions
    from gcp_local.bigquery.loading.sources import Source

_MOST_SCALE = 9
# What a column of the one type may be read as, where a schema asks for it.
_READABLE_AS = {
    "STRING": ("BYTES", "JSON"),
    "BYTES": ("STRING",),
    "TIMESTAMP": ("DATETIME",),
    "DATETIME": ("TIMESTAMP",),
    "INTEGER": ("NUMERIC",),
}


def read_arrow_files(
    sources: Sequence[Source], options: LoadOptions, schema: Schema | None
) -> Read:
    """Read files.

    Args:
        sources: the files.
        options: how they are read.
        schema: the columns that are asked for; None for those that the files have.

    Raises:
        BigQueryError: a file is no such file; a column is of another type than asked for, or of
            one that BigQuery has not.

    """
    import pyarrow as pa

    parts = [(source, _opened(source, options.format)) for source in sources]
    if schema is None:
        schema = _common([(source, _described(rows, options)) for source, rows in parts])
    shape = arrow_schema(schema)
    tables = [_fitted(source, rows, schema, options) for source, rows in parts]
    return Read(pa.concat_tables(tables) if tables else shape.empty_table(), schema)


def _opened(source: Source, form: str) -> pa.Table:
    import pyarrow as pa
    import pyarrow.parquet as pq
    from pyarrow import orc

    try:
        if form == "ORC":
            return orc.ORCFile(source.content).read()
        with pq.ParquetFile(source.content) as file:
            return file.read()
    except (pa.ArrowException, OSError) as error:
        message = f"Input file is not in {form.capitalize()} format: {error} File: {source.name}"
        raise LoadError(message, source.name) from None


def _described(rows: pa.Table, options: LoadOptions) -> Schema:
    return tuple(_field(field, options) for field in rows.schema)


def _common(described: Sequence[tuple[Source, Schema]]) -> Schema:
    """Give the columns of all files, which must not contradict each other."""
    fields: dict[str, Field] = {}
    for source, schema in described:
        for field in schema:
            before = fields.setdefault(field.name.lower(), field)
            if (before.type, before.mode) != (field.type, field.mode):
                message = (
                    f"The column '{field.name}' has type {field.sql}, and in another file"
                    f" {before.sql}. File: {source.name}"
                )
                raise LoadError(message, source.name)
    return tuple(fields.values())


def _field(field: pa.Field, options: LoadOptions) -> Field:
    from pyarrow import types

    kind = field.type
    if types.is_dictionary(kind):
        return _field(field.with_type(kind.value_type), options)
    if types.is_list(kind) or types.is_large_list(kind):
        element = _field(field.with_type(kind.value_type), options)
        if element.repeated:
            raise BigQueryError.lacking(f"arrays of arrays (the column {field.name})")
        if options.infer_lists:
            return replace(element, mode="REPEATED")
        # What Parquet really holds: a group with a repeated group in it.
        inner = replace(element, name=kind.value_field.name)
        group = Field("list", "RECORD", mode="REPEATED", fields=(inner,))
        return Field(field.name, "RECORD", fields=(group,))
    if types.is_map(kind):
        parts = tuple(_field(each, options) for each in (kind.key_field, kind.item_field))
        group = Field("key_value", "RECORD", mode="REPEATED", fields=parts)
        return Field(field.name, "RECORD", fields=(group,))
    if types.is_struct(kind):
        fields = tuple(_field(kind.field(at), options) for at in range(kind.num_fields))
        return Field(field.name, "RECORD", fields=fields)
    return Field(field.name, _scalar(field.name, kind))


def _scalar(name: str, kind: pa.DataType) -> str:
    from pyarrow import types

    if types.is_timestamp(kind):
        return "TIMESTAMP" if kind.tz else "DATETIME"
    if types.is_decimal(kind):
        if kind.scale > _MOST_SCALE or kind.precision - kind.scale > 38 - _MOST_SCALE:
            raise BigQueryError.lacking(f"BIGNUMERIC (the column {name} is {kind})")
        return "NUMERIC"
    known = (
        ("BOOLEAN", types.is_boolean), ("INTEGER", types.is_integer), ("FLOAT", types.is_floating),
        ("DATE", types.is_date), ("TIME", types.is_time), ("STRING", types.is_string),
        ("STRING", types.is_large_string), ("BYTES", types.is_binary),
        ("BYTES", types.is_large_binary), ("BYTES", types.is_fixed_size_binary),
        ("STRING", types.is_null),
    )  # fmt: skip
    for found, holds in known:
        if holds(kind):
            return found
    raise BigQueryError("invalid", f"The column '{name}' has the unsupported type {kind}.")


def _fitted(source: Source, rows: pa.Table, schema: Schema, options: LoadOptions) -> pa.Table:
    import pyarrow as pa

    there = {name.lower(): at for at, name in enumerate(rows.column_names)}
    known = {field.name.lower() for field in schema}
    unknown = [name for name in rows.column_names if name.lower() not in known]
    if unknown and not options.ignore_unknown:
        message = f"The column '{unknown[0]}' is not in the schema. File: {source.name}"
        raise LoadError(message, source.name)
    columns = []
    for field in schema:
        at = there.get(field.name.lower())
        if at is None:
            columns.append(pa.chunked_array([pa.nulls(rows.num_rows, field.arrow)]))
            continue
        said = rows.schema.field(at)
        own = _field(said, replace(options, infer_lists=options.infer_lists or field.repeated))
        if not pa.types.is_null(said.type):
            _check_type(source, own, field)
        columns.append(_cast(source, rows.column(at), own, field))
    return pa.Table.from_arrays(columns, schema=arrow_schema(schema))


def _check_type(source: Source, own: Field, wanted: Field) -> None:
    fits = own.type == wanted.type or wanted.type in _READABLE_AS.get(own.type, ())
    if fits and own.repeated == wanted.repeated:
        return
    message = (
        f"Parquet column '{wanted.name}' has type {own.sql} which does not match the target"
        f" cpp_type {wanted.sql}. File: {source.name}"
    )
    raise LoadError(message, source.name)


def _cast(source: Source, column: pa.ChunkedArray, own: Field, field: Field) -> pa.ChunkedArray:
    import pyarrow as pa

    try:
        if own.type == "RECORD" and own.fields[0].name in ("list", "key_value"):
            return pa.chunked_array([_regrouped(column, own, field)])
        return _to_micros(column).cast(field.arrow)
    except pa.ArrowException as error:
        message = f"The column '{field.name}' cannot be read: {error} File: {source.name}"
        raise LoadError(message, source.name) from None


def _to_micros(column: pa.ChunkedArray) -> pa.ChunkedArray:
    """Cut nanoseconds off, which BigQuery's times have not."""
    import pyarrow as pa

    kind = column.type
    if pa.types.is_timestamp(kind) and kind.unit == "ns":
        return column.cast(pa.timestamp("us", tz=kind.tz), safe=False)
    if pa.types.is_time64(kind) and kind.unit == "ns":
        return column.cast(pa.time64("us"), safe=False)
    return column


def _regrouped(column: pa.ChunkedArray, own: Field, field: Field) -> pa.Array:
    """Lay lists and maps out as the groups that Parquet has of them."""
    import pyarrow as pa

    group = own.fields[0]
    names = [each.name for each in group.fields]
    values: list[object] = []
    for value in column.to_pylist():
        if value is None:
            values.append(None)
        elif group.name == "list":
            values.append({"list": [{names[0]: each} for each in value]})
        else:
            values.append({"key_value": [dict(zip(names, pair, strict=True)) for pair in value]})
    return pa.array(values, field.arrow)
