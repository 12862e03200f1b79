"""UPDATE, DELETE, TRUNCATE TABLE."""

from __future__ import annotations

from typing import TYPE_CHECKING

from gcp_local.bigquery.sql.asking import expression, sources
from gcp_local.bigquery.sql.dml.assigning import held_rows
from gcp_local.bigquery.sql.dml.numbering import Numbered
from gcp_local.bigquery.sql.dml.writing import (
    Result,
    asked,
    check_settings,
    check_value,
    refuse_repeats,
    replaced,
    resolved,
    value_of,
)

if TYPE_CHECKING:
    from collections.abc import Iterable

    import pyarrow as pa

    from gcp_local.bigquery.sql.asking import Asker
    from gcp_local.bigquery.sql.dml.syntax import Delete, Update
    from gcp_local.bigquery.sql.session import Session
    from gcp_local.bigquery.sql.tables import Held


def update(
    statement: Update, held: Held, rows: pa.Table, asker: Asker, session: Session, *, dry: bool
) -> Result:
    """Compute a table's rows with some of them changed."""
    from sqlglot import exp

    check_settings(statement.settings)
    target = Numbered.of(held.ref, "rows", statement.target.alias, held.schema, rows)
    select = target.select()
    for step, setting in enumerate(statement.settings):
        value = value_of(setting.value, resolved(held.schema, setting)[1])
        select = select.select(exp.alias_(value, f"__value{step}", quoted=True))
    if statement.sources is not None:
        other = sources(statement.sources)
        first = other.args["from_"].this
        joins = [exp.Join(this=first, kind="CROSS"), *(other.args.get("joins") or ())]
        select.set("joins", joins)
    select = select.where(expression(statement.where))
    numbers, outcome = asked(asker, select, target.seen(session), dry=dry)
    for setting, source in zip(statement.settings, outcome.schema, strict=True):
        check_value(setting.value, source, resolved(held.schema, setting)[1], inserted=False)
    refuse_repeats(numbers)
    held.check_settled(numbers)
    size = outcome.bytes + held.version.bytes
    referenced = tuple(ref for ref in outcome.referenced if ref != target.ref)
    if not numbers:
        return Result(None, bytes=size, referenced=referenced)
    changed = replaced(rows, numbers, held.schema, statement.settings, outcome)
    return Result(
        held_rows(changed, held.schema), updated=len(numbers), bytes=size, referenced=referenced
    )


def delete(
    statement: Delete, held: Held, rows: pa.Table, asker: Asker, session: Session, *, dry: bool
) -> Result:
    """Compute a table's rows without some of them."""
    target = Numbered.of(held.ref, "rows", statement.target.alias, held.schema, rows)
    select = target.select().where(expression(statement.where))
    numbers, outcome = asked(asker, select, target.seen(session), dry=dry)
    held.check_settled(numbers)
    size = outcome.bytes + held.version.bytes
    referenced = tuple(ref for ref in outcome.referenced if ref != target.ref)
    if not numbers:
        return Result(None, bytes=size, referenced=referenced)
    left = without(rows, numbers)
    return Result(left, deleted=len(numbers), bytes=size, referenced=referenced)


def truncate(rows: pa.Table) -> Result:
    """Leave no row."""
    return Result(rows.slice(0, 0), deleted=rows.num_rows)


def without(rows: pa.Table, numbers: Iterable[int]) -> pa.Table:
    """Give rows without some of them."""
    import pyarrow as pa

    gone = set(numbers)
    return rows.filter(
        pa.array([number not in gone for number in range(rows.num_rows)], pa.bool_())
    )
