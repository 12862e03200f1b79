"""What is true at one moment of a script's run, and how its statements and expressions are run."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from gcp_local import clock
from gcp_local.bigquery.schema import Field
from gcp_local.bigquery.sql.asking import Asker, expression
from gcp_local.bigquery.sql.ddl.reading import read_ddl
from gcp_local.bigquery.sql.ddl.syntax import CreateRoutine
from gcp_local.bigquery.sql.dml.writing import value_of
from gcp_local.bigquery.sql.scripts.steps import Frame, Step
from gcp_local.bigquery.sql.scripts.variables import Scopes, fitted, text_variable
from gcp_local.bigquery.sql.session import Outcome, Parameter

if TYPE_CHECKING:
    from collections.abc import Callable

    from gcp_local.bigquery.errors import BigQueryError
    from gcp_local.bigquery.references import DatasetRef
    from gcp_local.bigquery.sql.cursor import Fragment
    from gcp_local.bigquery.sql.ddl.statements import Ddl
    from gcp_local.bigquery.sql.scripts.steps import Children
    from gcp_local.bigquery.sql.scripts.syntax import Node
    from gcp_local.bigquery.sql.session import Session
    from gcp_local.bigquery.sql.statements import Statements
    from gcp_local.bigquery.sql.tables import Tables, Transaction

_INTEGER = Field("", "INTEGER")


@dataclass(frozen=True)
class Tools:
    """What a script is run with."""

    statements: Statements
    asker: Asker
    tables: Tables
    ddl: Ddl


class State:
    """The state of a script.

    Attributes:
        base: what the script was begun in.
        home: the hidden dataset of its temporary tables.
        scopes: the variables that can be seen.
        transaction: the one that is under way.
        handled: the errors that handlers are busy with, and what they can see of each.
        callers: where the procedures that are running were called, the innermost first; and the
            name of the innermost.
        last: what the last query gave.
        bytes: that were processed so far.
        at: the statement that was begun last.

    """

    def __init__(
        self, tools: Tools, session: Session, children: Children, home: DatasetRef
    ) -> None:
        self.tools = tools
        self.base = session
        self.home = home
        self.scopes = Scopes()
        self.transaction: Transaction | None = None
        self.handled: list[tuple[BigQueryError, dict[str, Parameter]]] = []
        self.callers: tuple[tuple[Frame, ...], str] = ((), "")
        self.last: Outcome | None = None
        self.bytes = 0
        self.at: Node | None = None
        self._children = children
        self._functions = dict(session.functions)
        self._row_count: int | None = None

    def session(self) -> Session:
        """Give what the next statement runs in."""
        system = {"@@script.job_id": text_variable(self.base.job)}
        if self._row_count is not None:
            system["@@row_count"] = Parameter(_INTEGER, self._row_count)
        if self.handled:
            system |= self.handled[-1][1]
        relations = dict(self.base.relations)
        if self.transaction is not None:
            relations |= self.transaction.relations(self.tools.tables.warehouse)
        return replace(
            self.base,
            now=clock.now(),
            variables={**self.base.variables, **system, **self.scopes.seen()},
            functions=self._functions,
            temporary=self.home,
            transaction=self.transaction,
            relations=relations,
        )

    def define(self, node: Node) -> None:
        """Carry out CREATE TEMP FUNCTION."""
        said = read_ddl(node.source.padded)
        assert isinstance(said, CreateRoutine)
        if len(said.path) > 1:
            raise node.source.error("Temporary functions cannot have a qualified name")
        name = said.path[0].lower()
        if name in self._functions and not (said.replace or said.lenient):
            raise node.source.error(f"Already Exists: Function {said.path[0]}")
        self._functions[name] = self.tools.ddl.routines.body(said, self.session())

    def note(self, outcome: Outcome) -> None:
        """Remember what came of a statement, for those after it."""
        if outcome.rows is not None:
            self.last = outcome
        affected = outcome.statistics.get("numDmlAffectedRows")
        if affected is not None:
            self._row_count = int(affected)

    def step(
        self, source: Fragment, kind: str, do: Callable[[Session], Outcome], text: str = ""
    ) -> Outcome:
        """Do something as a child job.

        Args:
            source: where it stands.
            kind: STATEMENT or EXPRESSION.
            do: does it.
            text: what it is, if not what stands there.

        Raises:
            BigQueryError: as `do`.

        """
        callers, procedure = self.callers
        place = source.start
        frame = Frame(source.text, (place.line, place.column), source.last, procedure)
        step = Step(text or source.text, kind, (frame, *callers))
        outcome = self._children.run(step, self.session(), do)
        self.bytes += outcome.bytes
        return outcome

    def value(self, fragment: Fragment, field: Field | None = None) -> Parameter:
        """Evaluate an expression; one with a query in it is a child job."""
        wanted = expression(fragment) if field is None else value_of(fragment, field)
        found: list[Parameter] = []

        def evaluate(session: Session) -> Outcome:
            found.extend(self.tools.asker.values([wanted], session))
            return Outcome("SELECT")

        if any(token.upper == "SELECT" for token in fragment.tokens):
            self.step(fragment, "EXPRESSION", evaluate, f"SELECT {fragment.text}")
        else:
            evaluate(self.session())
        return found[0] if field is None else fitted(found[0], field, fragment)

    def truth(self, fragment: Fragment) -> bool:
        """Evaluate a condition; NULL is not true, and what is no BOOL is refused."""
        found = self.value(fragment)
        if found.field.type != "BOOLEAN" and found.value is not None:
            raise fragment.error(f"Expected a BOOL expression but got {found.field.sql}")
        return bool(found.value)

    def equal(self, one: Fragment, other: Fragment) -> bool:
        """Tell whether two expressions are equal."""
        from sqlglot import exp

        equal = exp.EQ(
            this=exp.Paren(this=expression(one)), expression=exp.Paren(this=expression(other))
        )
        (found,) = self.tools.asker.values([equal], self.session())
        return bool(found.value)
