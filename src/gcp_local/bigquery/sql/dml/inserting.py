"""INSERT: from values or a query to rows of the table."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from gcp_local.bigquery.schema import arrow_schema
from gcp_local.bigquery.sql.asking import query, select_of
from gcp_local.bigquery.sql.dml.assigning import (
    array_of,
    column_of,
    fits,
    held_rows,
    literal_kind,
    put,
)
from gcp_local.bigquery.sql.dml.writing import (
    Result,
    check_value,
    default_of,
    is_empty,
    position,
    value_of,
)
from gcp_local.bigquery.sql.tables import stamped

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    import pyarrow as pa
    from sqlglot.expressions import Expr

    from gcp_local.bigquery.schema import Field, Schema
    from gcp_local.bigquery.sql.asking import Asker
    from gcp_local.bigquery.sql.cursor import Fragment
    from gcp_local.bigquery.sql.dml.syntax import Insert
    from gcp_local.bigquery.sql.session import Session
    from gcp_local.bigquery.sql.tables import Held


def insert(statement: Insert, held: Held, asker: Asker, session: Session, *, dry: bool) -> Result:
    """Compute the rows that a statement adds."""
    at = columns_of(statement.values.columns, held, statement.target.place)
    if statement.query is None:
        given = _values(statement.values.rows, [held.schema[each] for each in at], asker, session)
        size, referenced = 0, ()
    else:
        given, size, referenced = _queried(statement.query, held, at, asker, session, dry=dry)
    if dry:
        return Result(None, bytes=size, referenced=referenced)
    rows = completed(dict(zip(at, given, strict=True)), held, asker, session)
    return Result(rows, append=True, inserted=rows.num_rows, bytes=size, referenced=referenced)


def columns_of(names: Sequence[str], held: Held, place: Fragment) -> list[int]:
    """Tell which columns a list of names means; an empty one all that the table shows.

    Raises:
        BigQueryError: there is none of that name; one is named twice.

    """
    if not names:
        return list(range(len(held.entry.schema)))
    found: list[int] = []
    for name in names:
        at = position(held.schema, name)
        if at is None:
            raise place.error(f"Column {name} is not present in table {held.ref.dotted}")
        if at in found:
            raise place.error(f"INSERT has columns with duplicate name: {name}")
        found.append(at)
    return found


def completed(
    given: Mapping[int, pa.ChunkedArray], held: Held, asker: Asker, session: Session
) -> pa.Table:
    """Give whole rows: columns that are not given get their defaults; then hold them to the schema.

    Args:
        given: columns by their place in the schema.
        held: the table.
        asker: evaluates the defaults, for each row anew.
        session: in this session.

    """
    import pyarrow as pa

    count = len(next(iter(given.values())))
    missing = [(at, column) for at, column in enumerate(held.entry.schema) if at not in given]
    columns = dict(given)
    defaulted = [
        (at, column) for at, column in missing if "defaultValueExpression" in dict(column.more)
    ]
    if defaulted and count:
        rows = f"UNNEST(GENERATE_ARRAY(1, {count}))"
        select = select_of(f"SELECT 1 AS `d` FROM {rows}")  # noqa: S608  (a number)
        for at, column in defaulted:
            select = select.select(_aliased(default_of(column), f"d{at}"))
        outcome = asker.rows(select, session)
        assert outcome.rows is not None
        for step, (at, column) in enumerate(defaulted, 1):
            columns[at] = column_of(outcome.rows.column(step), outcome.schema[step], column)
    for at, column in missing:
        if at not in columns:
            columns[at] = array_of([[] if column.repeated else None] * count, column)
    places = [at for at in range(len(held.schema)) if at in columns]
    schema = tuple(held.schema[at] for at in places)
    rows = pa.Table.from_arrays([columns[at] for at in places], schema=arrow_schema(schema))
    return stamped(held, held_rows(rows, schema), session)


def _aliased(value: Expr, name: str) -> Expr:
    from sqlglot import exp

    return exp.alias_(value, name, quoted=True)


def _values(
    rows: Sequence[Sequence[Fragment]], columns: Sequence[Field], asker: Asker, session: Session
) -> list[pa.ChunkedArray]:
    """Evaluate rows of expressions; plain literals need no query."""
    cells: list[list[Any]] = []
    asked: list[tuple[int, int, Fragment]] = []
    expressions: list[Expr] = []
    for number, row in enumerate(rows):
        if len(row) != len(columns):
            raise row[0].error(
                f"Inserted row has wrong column count; Has {len(row)}, expected {len(columns)}"
            )
        cells.append([None] * len(row))
        for at, (fragment, column) in enumerate(zip(row, columns, strict=True)):
            known, value = _literal(fragment, column)
            if known:
                cells[number][at] = value
            else:
                asked.append((number, at, fragment))
                expressions.append(value_of(fragment, column))
    for (number, at, fragment), found in zip(
        asked, asker.values(expressions, session), strict=True
    ):
        target = columns[at]
        cast = target.type == found.field.type
        if not cast or literal_kind(fragment) != "STRING":
            check_value(fragment, found.field, target, inserted=True)
        empty = is_empty(fragment) and not fits(found.field, target)
        value = found.value if not empty else None
        cells[number][at] = put(value, found.field, target)
        if cells[number][at] is None and target.repeated:
            cells[number][at] = []
    return [array_of([row[at] for row in cells], column) for at, column in enumerate(columns)]


def _literal(fragment: Fragment, target: Field) -> tuple[bool, Any]:
    """Read a literal of the column's own type, and tell whether it is one."""
    kind = literal_kind(fragment)
    if kind == "NULL":
        return True, [] if target.repeated else None
    if target.repeated or kind != target.type:
        return False, None
    tokens = fragment.tokens
    negative = tokens[0].text == "-"
    value: Any = tokens[0].value
    if kind == "INTEGER":
        value = int(tokens[-1].text, 0) * (-1 if negative else 1)
        return -(2**63) <= value < 2**63, value
    if kind == "FLOAT":
        value = float(tokens[-1].text) * (-1 if negative else 1)
    elif kind == "BOOLEAN":
        value = tokens[0].upper == "TRUE"
    return kind in ("STRING", "FLOAT", "BOOLEAN"), value


def _queried(
    fragment: Fragment,
    held: Held,
    at: Sequence[int],
    asker: Asker,
    session: Session,
    *,
    dry: bool,
) -> tuple[list[pa.ChunkedArray], int, tuple[Any, ...]]:
    schema: Schema = held.schema
    statement = query(fragment)
    literals = _literals(statement, [schema[each] for each in at])
    outcome = asker.rows(statement, session, dry=dry)
    if len(outcome.schema) != len(at):
        raise fragment.error(
            f"Inserted row has wrong column count; Has {len(outcome.schema)}, expected {len(at)}"
        )
    found: list[pa.ChunkedArray] = []
    for number, (source, place) in enumerate(zip(outcome.schema, at, strict=True)):
        target = schema[place]
        null = literals.get(number) == "NULL"
        if not null and not fits(source, target, literal=number in literals):
            raise fragment.error(
                f"Query column {number + 1} has type {source.sql} which cannot be inserted into"
                f" column {target.name}, which has type {target.sql}"
            )
        if outcome.rows is not None:
            column = outcome.rows.column(number)
            found.append(
                array_of([None] * len(column), target)
                if null
                else column_of(column, source, target)
            )
    return found, outcome.bytes, outcome.referenced


def _literals(statement: Expr, targets: Sequence[Field]) -> dict[int, str]:
    """Tell which columns of a query are literals, and cast those that stand for times."""
    from sqlglot import exp

    found: dict[int, str] = {}
    if not isinstance(statement, exp.Select) or len(statement.expressions) != len(targets):
        return found
    for number, (said, target) in enumerate(zip(statement.expressions, targets, strict=True)):
        value = said.this if isinstance(said, exp.Alias) else said
        if isinstance(value, exp.Null):
            found[number] = "NULL"
        elif isinstance(value, exp.Literal):
            found[number] = "STRING" if value.is_string else "FLOAT"
            if value.is_string and target.type in ("DATE", "DATETIME", "TIME", "TIMESTAMP"):
                cast = select_of(f"SELECT CAST(NULL AS {target.type})").find(exp.Cast)
                assert cast is not None
                value.replace(cast)
                cast.set("this", value)
    return found
