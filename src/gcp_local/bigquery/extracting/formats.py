"""Rows as CSV, JSON and Parquet files.

Source: https://cloud.google.com/bigquery/docs/exporting-data.
"""

from __future__ import annotations

import csv
import gzip
import io
import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from gcp_local.bigquery.errors import BigQueryError
from gcp_local.bigquery.rows import INT64, writer_of

if TYPE_CHECKING:
    import pyarrow as pa

    from gcp_local.bigquery.schema import Field, Schema

CSV, JSON, PARQUET = "CSV", "NEWLINE_DELIMITED_JSON", "PARQUET"
_COMPRESSIONS = {
    CSV: ("NONE", "GZIP"), JSON: ("NONE", "GZIP"), PARQUET: ("NONE", "SNAPPY", "GZIP", "ZSTD"),
}  # fmt: skip
_DELIMITERS = {"\\t": "\t", "tab": "\t"}


@dataclass(frozen=True)
class ExportOptions:
    """How rows are written to files.

    Attributes:
        header: whether a CSV file begins with the columns' names.

    """

    format: str = CSV
    compression: str = "NONE"
    header: bool = True
    delimiter: str = ","

    @classmethod
    def of(cls, said: Mapping[str, Any]) -> ExportOptions:
        """Read a JobConfigurationExtract.

        Raises:
            BigQueryError: what BigQuery refuses at once, or the stand-in lacks.

        """
        form = said.get("destinationFormat") or CSV
        if form == "AVRO":
            raise BigQueryError.lacking("extracts to AVRO files")
        if form not in _COMPRESSIONS:
            raise _invalid("destinationFormat", form)
        compression = said.get("compression") or "NONE"
        if compression not in _COMPRESSIONS[form]:
            raise _invalid("compression", f"{compression} (for {form} files)")
        for name in ("fieldDelimiter", "printHeader"):
            if name in said and form != CSV:
                message = f"{name} can only be set for CSV files, not for {form}."
                raise BigQueryError("invalid", message)
        delimiter = said.get("fieldDelimiter") or ","
        delimiter = _DELIMITERS.get(delimiter, delimiter)
        if len(delimiter) != 1 or delimiter in "\r\n":
            raise _invalid("fieldDelimiter", delimiter)
        return cls(form, compression, said.get("printHeader", True), delimiter)

    def check(self, schema: Schema) -> None:
        """Refuse columns that the format has not.

        Raises:
            BigQueryError: records or arrays in CSV.

        """
        for field in schema:
            if self.format == CSV and (field.repeated or field.type == "RECORD"):
                message = f"Operation cannot be performed on a nested schema. Field: {field.name}"
                raise BigQueryError("invalid", message)


def file_of(rows: pa.Table, schema: Schema, options: ExportOptions) -> bytes:
    """Write rows to a file."""
    if options.format == PARQUET:
        return _parquet(rows, options.compression)
    text = _csv(rows, schema, options) if options.format == CSV else _json(rows, schema)
    content = text.encode()
    return gzip.compress(content, mtime=0) if options.compression == "GZIP" else content


def _parquet(rows: pa.Table, compression: str) -> bytes:
    import pyarrow.parquet as pq

    file = io.BytesIO()
    pq.write_table(rows, file, compression=compression)
    return file.getvalue()


def _csv(rows: pa.Table, schema: Schema, options: ExportOptions) -> str:
    """Write CSV: null is nothing at all, an empty text is `""`."""
    mark = "\0\0"  # stands for an empty text until its quotes are written
    columns = []
    for column, field in zip(rows.columns, schema, strict=True):
        write = _text_writer(field)
        columns.append(["" if each is None else write(each) or mark for each in column.to_pylist()])
    out = io.StringIO()
    writer = csv.writer(out, delimiter=options.delimiter, lineterminator="\n")
    if options.header:
        writer.writerow([field.name for field in schema])
    # One column that is null would be written as `""`, too.
    if len(columns) == 1:
        for value in columns[0]:
            writer.writerow([value]) if value else out.write("\n")
    else:
        writer.writerows(zip(*columns, strict=True))
    return out.getvalue().replace(mark, '""')


def _text_writer(field: Field) -> Callable[[Any], str]:
    if field.type == "TIMESTAMP":
        return _instant
    write = writer_of(field, INT64)
    return lambda value: str(write(value))


def _json(rows: pa.Table, schema: Schema) -> str:
    """Write JSON: 64-bit numbers are text, nulls are left out."""
    writers = [(field.name, _json_writer(field)) for field in schema]
    lines = []
    for values in zip(*(column.to_pylist() for column in rows.columns), strict=True):
        line = {
            name: write(value)
            for (name, write), value in zip(writers, values, strict=True)
            if value is not None
        }
        lines.append(json.dumps(line, ensure_ascii=False, separators=(",", ":")) + "\n")
    return "".join(lines)


def _json_writer(field: Field) -> Callable[[Any], Any]:
    if field.repeated:
        write = _json_writer(field.element)
        return lambda value: [write(each) for each in value]
    if field.type == "RECORD":
        parts = [(each.name, _json_writer(each)) for each in field.fields]
        return lambda value: {
            name: write(value[name]) for name, write in parts if value[name] is not None
        }
    if field.type in ("FLOAT", "BOOLEAN", "STRING"):
        return lambda value: value
    if field.type == "JSON":
        return json.loads
    return _text_writer(field)


def _instant(value: datetime) -> str:
    naive = value.astimezone(UTC).replace(tzinfo=None)
    text = naive.isoformat(" ")
    return f"{text.rstrip('0') if '.' in text else text} UTC"


def _invalid(name: str, value: object) -> BigQueryError:
    return BigQueryError("invalid", f"Invalid value for {name}: {value} is not a valid value")
