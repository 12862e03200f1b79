"""MERGE."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from gcp_local.bigquery.sql.asking import expression, sources
from gcp_local.bigquery.sql.dml.assigning import array_of, column_of, fits, held_rows
from gcp_local.bigquery.sql.dml.inserting import columns_of, completed
from gcp_local.bigquery.sql.dml.numbering import NUMBER, Numbered
from gcp_local.bigquery.sql.dml.updating import without
from gcp_local.bigquery.sql.dml.writing import (
    Result,
    asked,
    check_settings,
    check_value,
    is_empty,
    refuse_repeats,
    replaced,
    resolved,
    value_of,
)

if TYPE_CHECKING:
    from collections.abc import Sequence

    import pyarrow as pa
    from sqlglot import exp

    from gcp_local.bigquery.references import TableRef
    from gcp_local.bigquery.sql.asking import Asker
    from gcp_local.bigquery.sql.dml.syntax import Merge, When
    from gcp_local.bigquery.sql.session import Session
    from gcp_local.bigquery.sql.tables import Held

_SOURCE = "__source"


@dataclass(frozen=True)
class _Pairs:
    """Which rows meet: numbers of the target's and the source's, and each pair's clause."""

    target: list[int]
    source: list[int]
    clause: list[int | None]


class Merging:
    """One MERGE, worked out clause by clause.

    Each row (or pair of rows that meet) goes to the first clause that is for it.
    """

    def __init__(
        self, statement: Merge, held: Held, rows: pa.Table, asker: Asker, session: Session
    ) -> None:
        self._statement = statement
        self._held = held
        self._rows = rows
        self._asker = asker
        self._target = Numbered.of(held.ref, "rows", statement.target.alias, held.schema, rows)
        self._session = self._target.seen(session)
        self._bytes = held.version.bytes

    def result(self) -> Result:
        """Compute the table's rows."""
        select = sources(self._statement.source)
        first = select.args["from_"].this
        alias = first.alias_or_name or _SOURCE
        found = self._asker.rows(select, self._session)
        assert found.rows is not None
        self._bytes += found.bytes
        referenced = found.referenced
        source_rows = found.rows
        source = Numbered.of(self._held.ref, "source", alias, found.schema, source_rows)
        self._source = source
        self._session = source.seen(self._session)
        pairs = self._met()
        lone_source = _others(source_rows.num_rows, pairs.source)
        lone_target = _others(self._rows.num_rows, pairs.target)
        deleted: list[int] = []
        updated: list[int] = []
        inserted: list[pa.Table] = []
        rows = self._rows
        taken = {
            "TARGET": self._chosen("TARGET", source, lone_source),
            "SOURCE": self._chosen("SOURCE", self._target, lone_target),
        }
        for number, clause in enumerate(self._statement.clauses):
            if clause.kind == "MATCHED":
                mine = [at for at, each in enumerate(pairs.clause) if each == number]
                targets = [pairs.target[at] for at in mine]
                sourced = [pairs.source[at] for at in mine]
            else:
                targets = sourced = [
                    row for row, each in taken[clause.kind].items() if each == number
                ]
            if clause.kind == "TARGET":
                inserted.append(self._inserted(clause, sourced))
                continue
            if clause.delete:
                deleted += targets
                continue
            updated += targets
            refuse_repeats([*updated, *deleted])
            rows = self._updated(clause, rows, targets, sourced)
        refuse_repeats([*updated, *deleted])
        self._held.check_settled([*updated, *deleted])
        return self._put_together(rows, updated, deleted, inserted, referenced)

    def _put_together(
        self,
        rows: pa.Table,
        updated: Sequence[int],
        deleted: Sequence[int],
        inserted: Sequence[pa.Table],
        referenced: tuple[TableRef, ...],
    ) -> Result:
        import pyarrow as pa

        count = sum(each.num_rows for each in inserted)
        if not updated and not deleted and not count:
            return Result(None, bytes=self._bytes, referenced=referenced)
        rows = held_rows(without(rows, deleted), self._held.schema)
        return Result(
            pa.concat_tables([rows, *inserted]),
            inserted=count,
            updated=len(updated),
            deleted=len(deleted),
            bytes=self._bytes,
            referenced=referenced,
        )

    # Who goes to which clause

    def _met(self) -> _Pairs:
        """Find the pairs that meet, and the clause that each goes to."""
        from sqlglot import exp

        select = self._target.select()
        other = self._source.select()
        select = select.select(exp.alias_(other.expressions[0].this, "__other", quoted=True))
        join = exp.Join(
            this=other.args["from_"].this, on=expression(self._statement.on), kind="INNER"
        )
        select.set("joins", [join])
        select = select.select(exp.alias_(self._choice("MATCHED"), "__clause", quoted=True))
        numbers, outcome = asked(self._asker, select, self._session, dry=False)
        assert outcome.rows is not None
        return _Pairs(
            numbers, outcome.rows.column(0).to_pylist(), outcome.rows.column(1).to_pylist()
        )

    def _choice(self, kind: str) -> exp.Expression:
        """Build the expression that gives the number of the clause that a row goes to."""
        from sqlglot import exp

        case = exp.Case(ifs=[])
        for number, clause in enumerate(self._statement.clauses):
            if clause.kind == kind:
                condition = (
                    expression(clause.condition) if clause.condition else exp.Boolean(this=True)
                )
                case.append("ifs", exp.If(this=condition, true=exp.Literal.number(number)))
        return case if case.args["ifs"] else exp.Literal.number(-1)

    def _chosen(self, kind: str, rows: Numbered, lone: list[int]) -> dict[int, int | None]:
        """Find the clause that each row goes to that meets none."""
        import pyarrow as pa
        from sqlglot import exp

        if not any(clause.kind == kind for clause in self._statement.clauses):
            return {}
        some = rows.only(pa.array(lone, pa.int64()))
        select = some.select().select(exp.alias_(self._choice(kind), "__clause", quoted=True))
        numbers, outcome = asked(self._asker, select, some.seen(self._session), dry=False)
        assert outcome.rows is not None
        return dict(zip(numbers, outcome.rows.column(0).to_pylist(), strict=True))

    # What becomes of them

    def _inserted(self, clause: When, numbers: list[int]) -> pa.Table:
        import pyarrow as pa
        from sqlglot import exp

        assert clause.insert is not None
        held, place = self._held, self._statement.target.place
        at = columns_of(clause.insert.columns, held, place)
        some = self._source.only(pa.array(numbers, pa.int64()))
        if not clause.insert.rows:
            sources_ = self._source.schema
            if len(at) != len(sources_):
                raise place.error(
                    f"Inserted row has wrong column count; Has {len(sources_)}, expected {len(at)}"
                )
            given = []
            for number, (column, source) in enumerate(zip(at, sources_, strict=True)):
                target = held.schema[column]
                if not fits(source, target):
                    raise place.error(
                        f"Value has type {source.sql} which cannot be inserted into column"
                        f" {target.name}, which has type {target.sql}"
                    )
                given.append(column_of(some.rows.column(number), source, target))
            return completed(dict(zip(at, given, strict=True)), held, self._asker, self._session)
        (values,) = clause.insert.rows
        if len(values) != len(at):
            raise values[0].error(
                f"Inserted row has wrong column count; Has {len(values)}, expected {len(at)}"
            )
        select = some.select()
        for step, (column, value) in enumerate(zip(at, values, strict=True)):
            select = select.select(
                exp.alias_(value_of(value, held.schema[column]), f"__value{step}", quoted=True)
            )
        _, outcome = asked(self._asker, select, some.seen(self._session), dry=False)
        assert outcome.rows is not None
        given = []
        for column, value, source, said in zip(
            at, values, outcome.schema, outcome.rows.columns, strict=True
        ):
            target = held.schema[column]
            check_value(value, source, target, inserted=True)
            if is_empty(value) and not fits(source, target):
                given.append(array_of([[] if target.repeated else None] * len(said), target))
            else:
                given.append(column_of(said, source, target))
        return completed(dict(zip(at, given, strict=True)), held, self._asker, self._session)

    def _updated(
        self,
        clause: When,
        rows: pa.Table,
        targets: Sequence[int],
        sourced: Sequence[int],
    ) -> pa.Table:
        """Give all rows, those of the clause updated."""
        import pyarrow as pa
        from sqlglot import exp

        check_settings(clause.settings)
        # Both sides of a pair get its number, so that they meet again without the condition.
        steps = pa.array(range(len(targets)), pa.int64())
        left = self._renumbered(self._target, targets, steps)
        select = left.select()
        session = left.seen(self._session)
        if clause.kind == "MATCHED":
            right = self._renumbered(self._source, sourced, steps)
            session = right.seen(session)
            other = right.select()
            on = exp.EQ(
                this=select.expressions[0].this.copy(), expression=other.expressions[0].this
            )
            join = exp.Join(this=other.args["from_"].this, on=on, kind="INNER")
            select.set("joins", [join])
        for step, setting in enumerate(clause.settings):
            value = value_of(setting.value, resolved(self._held.schema, setting)[1])
            select = select.select(exp.alias_(value, f"__value{step}", quoted=True))
        numbers, outcome = asked(self._asker, select, session, dry=False)
        for setting, source in zip(clause.settings, outcome.schema, strict=True):
            check_value(
                setting.value, source, resolved(self._held.schema, setting)[1], inserted=False
            )
        if not numbers:
            return rows
        return replaced(
            rows,
            [targets[number] for number in numbers],
            self._held.schema,
            clause.settings,
            outcome,
        )

    @staticmethod
    def _renumbered(side: Numbered, numbers: Sequence[int], steps: pa.Array) -> Numbered:
        import pyarrow as pa

        rows = side.rows.take(pa.array(numbers, pa.int64()))
        at = rows.column_names.index(NUMBER)
        return replace(side, rows=rows.set_column(at, NUMBER, steps))


def _others(count: int, met: Sequence[int]) -> list[int]:
    known = set(met)
    return [number for number in range(count) if number not in known]
