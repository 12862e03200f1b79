"""CREATE FUNCTION, CREATE TABLE FUNCTION, CREATE PROCEDURE."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from gcp_local.bigquery.errors import BigQueryError
from gcp_local.bigquery.sql.asking import expression, query
from gcp_local.bigquery.sql.ddl import options
from gcp_local.bigquery.sql.ddl.outcomes import Made, made
from gcp_local.bigquery.sql.ddl.types import standard_type, typed

if TYPE_CHECKING:
    from gcp_local.bigquery.sql.asking import Asker
    from gcp_local.bigquery.sql.ddl.syntax import CreateRoutine
    from gcp_local.bigquery.sql.session import Outcome, Session
    from gcp_local.bigquery.sql.tables import Tables

_STATEMENTS = {
    "SCALAR_FUNCTION": "CREATE_FUNCTION",
    "TABLE_VALUED_FUNCTION": "CREATE_TABLE_FUNCTION",
    "PROCEDURE": "CREATE_PROCEDURE",
}


class RoutineMaker:
    """Makes routines."""

    def __init__(self, tables: Tables, asker: Asker) -> None:
        self._tables = tables
        self._asker = asker

    def make(self, said: CreateRoutine, session: Session, *, dry: bool) -> Outcome:
        """Keep a routine, or with `dry` only check the statement."""
        kind = _STATEMENTS[said.kind]
        ref = self._tables.ref(said.path, session)
        there = self._tables.catalog.find(ref, "routine")
        if there is not None and said.lenient:
            return made(kind, Made("SKIP", ref, "Routine"))
        if there is not None and not said.replace:
            raise BigQueryError.duplicate("Routine", ref)
        self._tables.catalog.dataset(ref.parent)
        body = self.body(said, session)
        operation = "CREATE" if there is None else "REPLACE"
        done = made(kind, Made(operation, ref, "Routine"))
        if not dry:
            with self._tables.catalog.transaction():
                if said.replace and self._tables.catalog.find(ref, "routine"):
                    self._tables.catalog.delete(ref, "routine")
                self._tables.catalog.add(ref, body, "routine")
                session.settle(done)
        return done

    def body(self, said: CreateRoutine, session: Session) -> dict[str, Any]:
        """Give the `Routine`.

        Raises:
            BigQueryError: a syntax error in its body; an argument twice.

        """
        names = [each.name.lower() for each in said.arguments]
        for at, name in enumerate(names):
            if name in names[:at]:
                raise said.body.error(f"Duplicate argument name {said.arguments[at].name}")
        if said.kind == "SCALAR_FUNCTION":
            expression(said.body)
        elif said.kind == "TABLE_VALUED_FUNCTION":
            query(said.body)
        body: dict[str, Any] = {
            "routineType": said.kind,
            "language": "SQL",
            "arguments": [_argument(each.name, each.type, each.mode) for each in said.arguments],
            "definitionBody": said.body.text,
        }
        if said.returns is not None:
            returned = typed(said.returns)
            if said.kind == "TABLE_VALUED_FUNCTION":
                columns = [
                    {"name": field.name, "type": standard_type(field)} for field in returned.fields
                ]
                body["returnTableType"] = {"columns": columns}
            else:
                body["returnType"] = standard_type(returned)
        return options.changed(body, said.options, options.ROUTINE, self._asker, session)


def _argument(name: str, said: dict[str, Any], mode: str) -> dict[str, Any]:
    argument = {"name": name}
    if mode:
        argument["mode"] = mode
    if not said:
        return {**argument, "argumentKind": "ANY_TYPE"}
    return {**argument, "dataType": standard_type(typed(said))}
