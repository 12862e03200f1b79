"""Values for columns: which type may be put where, what it becomes there, what a column refuses.

Source: https://cloud.google.com/bigquery/docs/reference/standard-sql/conversion_rules and
https://cloud.google.com/bigquery/docs/reference/standard-sql/data-types#parameterized_data_types.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date, datetime
from decimal import ROUND_HALF_UP, Decimal
from typing import TYPE_CHECKING, Any

from gcp_local.bigquery.errors import BigQueryError

if TYPE_CHECKING:
    import pyarrow as pa

    from gcp_local.bigquery.schema import Field, Schema
    from gcp_local.bigquery.sql.cursor import Fragment

_WIDENS = {
    "INTEGER": {"FLOAT", "NUMERIC"},
    "NUMERIC": {"FLOAT"},
    "DATE": {"DATETIME"},
}
# What a literal becomes besides.
_LITERAL = {"STRING": {"DATE", "DATETIME", "TIME", "TIMESTAMP"}, "FLOAT": {"NUMERIC"}}
_SCALE = 9


def literal_kind(fragment: Fragment) -> str:
    """Tell what sort of literal an expression is: its type, NULL, `[]`, DEFAULT, or nothing."""
    tokens = fragment.tokens
    if len(tokens) > 1 and tokens[0].text in "+-":
        tokens = tokens[1:]
    if [token.text for token in tokens] == ["[", "]"]:
        return "[]"
    if len(tokens) != 1:
        return ""
    token = tokens[0]
    kinds = {"string": "STRING", "bytes": "BYTES", "integer": "INTEGER", "float": "FLOAT"}
    words = {"NULL": "NULL", "DEFAULT": "DEFAULT", "TRUE": "BOOLEAN", "FALSE": "BOOLEAN"}
    return kinds.get(token.kind) or words.get(token.upper, "")


def fits(source: Field, target: Field, *, literal: bool = False) -> bool:
    """Tell whether a value of one type may be put into a column of another."""
    if source.repeated != target.repeated:
        return False
    if source.type == "RECORD" and target.type == "RECORD":
        pairs = zip(source.fields, target.fields, strict=False)
        return len(source.fields) == len(target.fields) and all(
            fits(one, other, literal=literal) for one, other in pairs
        )
    return (
        source.type == target.type
        or target.type in _WIDENS.get(source.type, ())
        or (literal and target.type in _LITERAL.get(source.type, ()))
    )


def put(value: Any, source: Field, target: Field) -> Any:
    """Give a value, whose type fits, as the column has it."""
    if value is None or (source.type == target.type and target.type != "RECORD"):
        return value
    if target.repeated:
        return [put(each, source.element, target.element) for each in value]
    if target.type == "RECORD":
        # By position: the names are the column's.
        pairs = zip(value.values(), source.fields, target.fields, strict=True)
        return {other.name: put(each, one, other) for each, one, other in pairs}
    return _scalar(value, target)


def _scalar(value: Any, target: Field) -> Any:
    if target.type == "FLOAT":
        return float(value)
    if target.type == "NUMERIC":
        return Decimal(str(value)).quantize(Decimal(1).scaleb(-_SCALE), ROUND_HALF_UP)
    if target.type == "DATETIME" and isinstance(value, date):
        return datetime(value.year, value.month, value.day)  # noqa: DTZ001  (it has no zone)
    return value


def column_of(values: pa.ChunkedArray, source: Field, target: Field) -> pa.ChunkedArray:
    """Give a column of values, whose type fits, as the table's column has it."""
    if _same(source, target):
        return values.cast(target.arrow)
    if not target.repeated and target.type != "RECORD":
        return values.cast(target.arrow)
    return array_of([put(each, source, target) for each in values.to_pylist()], target)


def array_of(values: Sequence[Any], target: Field) -> pa.ChunkedArray:
    """Give Python's values as a column."""
    import pyarrow as pa

    return pa.chunked_array([pa.array(values, type=target.arrow)])


def held_to(column: pa.ChunkedArray, field: Field) -> pa.ChunkedArray:
    """Hold a column to what its field demands, and round what it rounds.

    Raises:
        BigQueryError: a null where none may be; too long a text; too large a number.

    """
    import pyarrow as pa
    import pyarrow.compute as pc

    if field.mode == "REQUIRED" and column.null_count:
        raise BigQueryError.query(f"Required field {field.name} cannot be null")
    if field.repeated:
        if column.null_count:
            column = pc.coalesce(column, pa.scalar([], type=column.type))
        inner = pc.list_flatten(column)
        if inner.null_count:
            raise BigQueryError.query(
                f"Array cannot have a null element; error in writing field {field.name}"
            )
        held_to(pa.chunked_array([inner]) if isinstance(inner, pa.Array) else inner, field.element)
        return column
    if field.type == "RECORD":
        present = column.filter(column.is_valid())
        for inner_field in field.fields:
            parts = [chunk.field(inner_field.name) for chunk in present.chunks]
            held_to(pa.chunked_array(parts, type=inner_field.arrow), inner_field)
        return column
    more = dict(field.more)
    if "maxLength" in more:
        _hold_length(column, field, int(more["maxLength"]))
    if "precision" in more and field.type == "NUMERIC":
        return _rounded(column, field, int(more["precision"]), int(more.get("scale", 0)))
    return column


def held_rows(rows: pa.Table, schema: Schema) -> pa.Table:
    """Hold rows to their schema; see `held_to`."""
    import pyarrow as pa

    columns = [held_to(column, field) for column, field in zip(rows.columns, schema, strict=True)]
    return pa.Table.from_arrays(columns, schema=rows.schema)


def _hold_length(column: pa.ChunkedArray, field: Field, limit: int) -> None:
    import pyarrow.compute as pc

    count = pc.utf8_length if field.type == "STRING" else pc.binary_length
    longest = pc.max(count(column)).as_py() or 0
    if longest > limit:
        raise BigQueryError.query(
            f"Field {field.name}: {field.type}({limit}) has maximum length {limit} but got a value"
            f" with length {longest}"
        )


def _rounded(column: pa.ChunkedArray, field: Field, precision: int, scale: int) -> pa.ChunkedArray:
    import pyarrow.compute as pc

    rounded = pc.round(column, ndigits=scale, round_mode="half_towards_infinity")
    bound = Decimal(10) ** (precision - scale)
    largest = pc.max(pc.abs(rounded)).as_py()
    if largest is not None and largest >= bound:
        most = bound - Decimal(1).scaleb(-scale)
        raise BigQueryError.query(
            f"Field {field.name}: NUMERIC({precision}, {scale}) has precision {precision} and scale"
            f" {scale} but got a value that is not in range of [-{most}, {most}]"
        )
    return rounded.cast(column.type)


def _same(source: Field, target: Field) -> bool:
    return (
        source.type == target.type
        and source.repeated == target.repeated
        and len(source.fields) == len(target.fields)
        and all(
            one.name == other.name and _same(one, other)
            for one, other in zip(source.fields, target.fields, strict=True)
        )
    )
