"""What the statements that change rows have in common: settings of columns, defaults, counts."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any

from gcp_local.bigquery.errors import BigQueryError
from gcp_local.bigquery.sql.asking import expression, select_of
from gcp_local.bigquery.sql.cursor import Cursor
from gcp_local.bigquery.sql.dml.assigning import array_of, column_of, fits, literal_kind, put

if TYPE_CHECKING:
    import pyarrow as pa
    from sqlglot import exp
    from sqlglot.expressions import Expr

    from gcp_local.bigquery.references import TableRef
    from gcp_local.bigquery.schema import Field, Schema
    from gcp_local.bigquery.sql.asking import Asker
    from gcp_local.bigquery.sql.cursor import Fragment
    from gcp_local.bigquery.sql.dml.syntax import Setting
    from gcp_local.bigquery.sql.session import Outcome, Session


@dataclass(frozen=True)
class Result:
    """What a statement would make of a table.

    Attributes:
        rows: all that it has from now on, or with `append` what is added; None if nothing changes.
        bytes: what was read, besides the table itself.

    """

    rows: pa.Table | None
    append: bool = False
    inserted: int = 0
    updated: int = 0
    deleted: int = 0
    bytes: int = 0
    referenced: tuple[TableRef, ...] = field(default=())


def position(schema: Schema, name: str) -> int | None:
    """Tell which column has a name, in whatever letters."""
    lowered = name.lower()
    return next((at for at, each in enumerate(schema) if each.name.lower() == lowered), None)


def default_of(column: Field) -> Expr:
    """Give the expression that a column has by default."""
    from sqlglot import exp

    text = dict(column.more).get("defaultValueExpression")
    if text is None:
        return exp.null()
    return expression(Cursor(text).fragment())


def value_of(fragment: Fragment, target: Field) -> Expr:
    """Give the expression that puts a value into a column: a literal becomes what it can."""
    from sqlglot import exp

    kind = literal_kind(fragment)
    if kind == "DEFAULT":
        return default_of(target)
    value = expression(fragment)
    if kind == "STRING" and not target.repeated and target.type in _TEMPORAL:
        cast = select_of(f"SELECT CAST(NULL AS {target.type})").find(exp.Cast)
        assert cast is not None
        cast.set("this", value)
        return cast
    return value


_TEMPORAL = ("DATE", "DATETIME", "TIME", "TIMESTAMP")


def is_empty(fragment: Fragment) -> bool:
    """Tell whether an expression is NULL, `[]` or DEFAULT, which say no type."""
    return literal_kind(fragment) in ("NULL", "[]", "DEFAULT")


def check_value(fragment: Fragment, source: Field, target: Field, *, inserted: bool) -> None:
    """Refuse a value whose type does not fit the column.

    Raises:
        BigQueryError: it does not.

    """
    if is_empty(fragment) or fits(source, target, literal=bool(literal_kind(fragment))):
        return
    into = "inserted into column" if inserted else "assigned to"
    had = f"Value has type {source.sql} which" if inserted else f"Value of type {source.sql}"
    raise fragment.error(f"{had} cannot be {into} {target.name}, which has type {target.sql}")


def resolved(schema: Schema, setting: Setting) -> tuple[int, Field]:
    """Tell which column a setting sets, and give the field of it that it sets.

    Raises:
        BigQueryError: there is none.

    """
    at = position(schema, setting.path[0])
    if at is None:
        raise setting.place.error(f"Unrecognized name: {setting.path[0]}")
    found = schema[at]
    for name in setting.path[1:]:
        if found.repeated or found.type != "RECORD":
            raise setting.place.error(
                f"Cannot access field {name} on a value with type {found.sql}"
            )
        inner = position(found.fields, name)
        if inner is None:
            raise setting.place.error(f"Field name {name} does not exist in {found.sql}")
        found = found.fields[inner]
    return at, found


def check_settings(settings: Sequence[Setting]) -> None:
    """Refuse two settings of one column, or of a column and a field of it."""
    seen: list[tuple[str, ...]] = []
    for setting in settings:
        path = tuple(name.lower() for name in setting.path)
        for other in seen:
            if path == other:
                raise setting.place.error(
                    "Update item " + ".".join(setting.path) + " assigned more than once"
                )
            if path[: len(other)] == other or other[: len(path)] == path:
                raise setting.place.error(
                    "Update item " + ".".join(setting.path) + " overlaps with " + ".".join(other)
                )
        seen.append(path)


def replaced(
    rows: pa.Table,
    numbers: Sequence[int],
    schema: Schema,
    settings: Sequence[Setting],
    values: Outcome,
) -> pa.Table:
    """Put values into some rows.

    Args:
        rows: all of a table's.
        numbers: of the rows that are changed, each once.
        schema: the table's.
        settings: which columns get the values.
        values: a column a setting, a row a number.

    """
    import pyarrow as pa

    assert values.rows is not None
    columns = list(rows.columns)
    by_column: dict[int, list[tuple[Setting, Field, pa.ChunkedArray, Field]]] = {}
    for setting, column, source in zip(settings, values.rows.columns, values.schema, strict=True):
        at, target = resolved(schema, setting)
        by_column.setdefault(at, []).append((setting, target, column, source))
    order = list(range(rows.num_rows))
    for step, number in enumerate(numbers):
        order[number] = rows.num_rows + step
    indices = pa.array(order, type=pa.int64())
    for at, given in by_column.items():
        setting, target, column, source = given[0]
        if len(setting.path) == 1:
            new = _column(setting.value, column, source, target)
        else:
            new = _nested(columns[at].take(pa.array(numbers, pa.int64())), schema[at], given)
        both = pa.chunked_array([*columns[at].chunks, *new.chunks], type=schema[at].arrow)
        columns[at] = both.take(indices)
    return pa.Table.from_arrays(columns, schema=rows.schema)


def _column(
    fragment: Fragment, column: pa.ChunkedArray, source: Field, target: Field
) -> pa.ChunkedArray:
    if is_empty(fragment) and not fits(source, target):
        empty: Any = [] if target.repeated else None
        return array_of([empty] * len(column), target)
    return column_of(column, source, target)


def _nested(
    old: pa.ChunkedArray,
    root: Field,
    given: Sequence[tuple[Setting, Field, pa.ChunkedArray, Field]],
) -> pa.ChunkedArray:
    values = old.to_pylist()
    for setting, target, column, source in given:
        for at, value in enumerate(column.to_pylist()):
            new = put(value, source, target) if fits(source, target, literal=True) else None
            values[at] = _set(values[at], root, setting.path[1:], new)
    return array_of(values, root)


def _set(record: dict[str, Any] | None, field: Field, path: Sequence[str], value: Any) -> Any:
    """Give a record with one of its fields set; a null record gets the others null."""
    at = position(field.fields, path[0])
    assert at is not None
    inner = field.fields[at]
    held = dict(record or {each.name: None for each in field.fields})
    held[inner.name] = value if len(path) == 1 else _set(held[inner.name], inner, path[1:], value)
    return held


def refuse_repeats(numbers: Sequence[int]) -> None:
    """Refuse that a row of the target is changed twice.

    Raises:
        BigQueryError: it is.

    """
    if len(set(numbers)) != len(numbers):
        raise BigQueryError.query(
            "UPDATE/MERGE must match at most one source row for each target row"
        )


def asked(
    asker: Asker, select: exp.Select, session: Session, *, dry: bool
) -> tuple[list[int], Outcome]:
    """Run a query whose first column is the rows' numbers; give these, and the other columns."""
    outcome = asker.rows(select, session, dry=dry)
    if outcome.rows is None:
        return [], replace(outcome, schema=outcome.schema[1:])
    numbers = outcome.rows.column(0).to_pylist()
    rest = outcome.rows.select(list(range(1, outcome.rows.num_columns)))
    return numbers, replace(outcome, schema=outcome.schema[1:], rows=rest)
