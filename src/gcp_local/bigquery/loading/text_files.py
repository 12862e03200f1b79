"""CSV and JSON files become rows."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from gcp_local.bigquery.errors import BigQueryError
from gcp_local.bigquery.loading.csv_text import Record, records
from gcp_local.bigquery.loading.detecting import SAMPLE, detect_csv, detect_json
from gcp_local.bigquery.loading.json_rows import arrow_rows
from gcp_local.bigquery.loading.outcome import BadRow, Read, check_bad
from gcp_local.bigquery.loading.values import READERS, UnreadableError
from gcp_local.bigquery.schema import Field, Schema, arrow_schema

if TYPE_CHECKING:
    import pyarrow as pa

    from gcp_local.bigquery.loading.options import LoadOptions
    from gcp_local.bigquery.loading.sources import Source


def read_csv(sources: Sequence[Source], options: LoadOptions, schema: Schema | None) -> Read:
    """Read CSV files.

    Args:
        sources: the files.
        options: how they are read.
        schema: the columns, in the files' order; None to detect them.

    Raises:
        BigQueryError: too many bad rows; columns that no CSV file has.

    """
    import pyarrow as pa

    skip = options.skip or 0
    parts, bad = [], []
    for source in sources:
        text = _text(source, options)
        found = list(records(text, options))
        if schema is None:
            sample = [record.cells for record in found[: skip + SAMPLE + 1]]
            schema, skip = detect_csv(sample, skip=options.skip, names=options.names)
        _check_flat(schema)
        rows, problems = _rows(found[skip:], schema, options)
        bad += [BadRow(_placed(text, record, what), source.name) for record, what in problems]
        parts.append(rows)
    schema = schema or ()
    rows = pa.concat_tables(parts) if parts else arrow_schema(schema).empty_table()
    check_bad("CSV", bad, options.most_bad, rows.num_rows)
    return Read(rows, schema, bad)


def _check_flat(schema: Schema) -> None:
    for field in schema:
        if field.repeated or field.type == "RECORD":
            what = "array" if field.repeated else "record"
            message = f"Failed to read CSV: the field {field.name} is {what}, which CSV has not."
            raise BigQueryError("invalid", message)


def _rows(
    found: Sequence[Record], schema: Schema, options: LoadOptions
) -> tuple[pa.Table, list[tuple[Record, str]]]:
    import pyarrow as pa

    problems: list[tuple[Record, str]] = []
    good = []
    for record in found:
        what = record.problem or _misshapen(record, schema, options)
        if what:
            problems.append((record, what))
        else:
            good.append(record)
    values = [_column(good, at, field, problems) for at, field in enumerate(schema)]
    failed = {id(record) for record, _ in problems}
    kept = [at for at, record in enumerate(good) if id(record) not in failed]
    shape = arrow_schema(schema)
    columns = []
    for cells, field in zip(values, shape, strict=True):
        staying = cells if len(kept) == len(good) else [cells[at] for at in kept]
        columns.append(pa.array(staying, field.type))
    return pa.Table.from_arrays(columns, schema=shape), problems


def _misshapen(record: Record, schema: Schema, options: LoadOptions) -> str:
    count = len(record.cells)
    if count > len(schema) and not options.ignore_unknown:
        return f"Too many values in line. Found {count} column(s) while expected {len(schema)}."
    if count < len(schema) and not options.jagged:
        return (
            f"CSV table references column position {count}, but line contains only {count} columns."
        )
    return ""


def _column(
    found: Sequence[Record], at: int, field: Field, problems: list[tuple[Record, str]]
) -> list[Any]:
    read = READERS[field.type]
    values: list[Any] = []
    for record in found:
        cell = record.cells[at] if at < len(record.cells) else None
        value = None
        if cell is not None:
            try:
                value = read(cell)
            except UnreadableError:
                what = (
                    f'Unable to parse; column_index: {at} column_name: "{field.name}"'
                    f' column_type: {field.sql} value: "{cell}"'
                )
                problems.append((record, what))
        elif field.mode == "REQUIRED":
            what = (
                f'Required column value is missing; column_index: {at} column_name: "{field.name}"'
            )
            problems.append((record, what))
        values.append(value)
    return values


def _placed(text: str, record: Record, what: str) -> str:
    """Say also where in the file: behind the first part of what is wrong."""
    offset = len(text[: record.start].encode())
    place = f"line_number: {record.line} byte_offset_to_start_of_line: {offset}"
    first, _, rest = what.partition("; ")
    return f"{first}; {place} {rest}".rstrip()


def read_json(sources: Sequence[Source], options: LoadOptions, schema: Schema | None) -> Read:
    """Read files of JSON objects, one a line; arguments and errors as for `read_csv`."""
    import pyarrow as pa

    parts, bad = [], []
    found = [_objects(source, options) for source in sources]
    if schema is None:
        schema = detect_json([value for objects, _ in found for _, value in objects])
    for source, (objects, broken) in zip(sources, found, strict=True):
        bad += [BadRow(what, source.name) for what in broken]
        rows, problems = arrow_rows(
            [value for _, value in objects], schema, ignore_unknown=options.ignore_unknown
        )
        for at, several in problems.items():
            what = f"JSON parsing error in row starting at position {objects[at][0]}:"
            bad.append(BadRow(f"{what} {several[0].loading}", source.name))
        parts.append(rows)
    rows = pa.concat_tables(parts) if parts else arrow_schema(schema).empty_table()
    check_bad("JSON", bad, options.most_bad, rows.num_rows)
    return Read(rows, schema, bad)


def _objects(source: Source, options: LoadOptions) -> tuple[list[tuple[int, Any]], list[str]]:
    """Read objects, each with the byte at which its line begins; and what is wrong with others."""
    objects: list[tuple[int, Any]] = []
    broken = []
    position = 0
    for line in _text(source, options).split("\n"):
        if line.strip():
            try:
                objects.append((position, json.loads(line)))
            except (ValueError, RecursionError):
                what = "Parser terminated before end of string"
                broken.append(f"JSON parsing error in row starting at position {position}: {what}")
        position += len(line.encode()) + 1
    return objects, broken


def _text(source: Source, options: LoadOptions) -> str:
    return source.text_bytes().decode(options.codec, "replace").removeprefix("\ufeff")
