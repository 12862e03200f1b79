"""One run of a script: its state, and what each statement does to it."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

from gcp_local import clock
from gcp_local.bigquery.errors import BigQueryError
from gcp_local.bigquery.schema import Field
from gcp_local.bigquery.sql.asking import Asker, expression
from gcp_local.bigquery.sql.cursor import Cursor, Fragment
from gcp_local.bigquery.sql.ddl.reading import read_ddl
from gcp_local.bigquery.sql.ddl.syntax import CreateRoutine
from gcp_local.bigquery.sql.ddl.types import field_of, read_type, typed
from gcp_local.bigquery.sql.dml.writing import value_of
from gcp_local.bigquery.sql.scripts.reading import read_script
from gcp_local.bigquery.sql.scripts.steps import Frame, Step
from gcp_local.bigquery.sql.scripts.syntax import (
    Assign,
    Block,
    Body,
    Branches,
    Call,
    Declare,
    ForIn,
    Immediate,
    Jump,
    Loop,
    Node,
    Plain,
    Raise,
    Return,
    Transact,
)
from gcp_local.bigquery.sql.scripts.variables import Scopes, fitted, text_variable, unnamed
from gcp_local.bigquery.sql.session import Outcome, Parameter
from gcp_local.bigquery.sql.tables import Transaction

if TYPE_CHECKING:
    from collections.abc import Callable

    from gcp_local.bigquery.references import DatasetRef
    from gcp_local.bigquery.sql.ddl.statements import Ddl
    from gcp_local.bigquery.sql.scripts.steps import Children
    from gcp_local.bigquery.sql.session import Session
    from gcp_local.bigquery.sql.statements import Statements
    from gcp_local.bigquery.sql.tables import Tables

_DEEPEST = 50  # https://cloud.google.com/bigquery/quotas#multi_statement_query_limits
_INTEGER = Field("", "INTEGER")


@dataclass(frozen=True)
class Tools:
    """What a script is run with."""

    statements: Statements
    asker: Asker
    tables: Tables
    ddl: Ddl


class _Jumped(Exception):
    """BREAK or CONTINUE, on its way to its loop."""

    def __init__(self, jump: Jump) -> None:
        super().__init__()
        self.jump = jump


class _Returned(Exception):
    """RETURN, on its way out."""


class Run:
    """A script while it runs."""

    def __init__(
        self, tools: Tools, session: Session, children: Children, home: DatasetRef
    ) -> None:
        self._tools = tools
        self._base = session
        self._children = children
        self._home = home
        self._scopes = Scopes()
        self._functions = dict(session.functions)
        self._transaction: Transaction | None = None
        self._handled: list[tuple[BigQueryError, dict[str, Parameter]]] = []
        self._callers: tuple[tuple[Frame, ...], str] = ((), "")
        self._row_count: int | None = None
        self._last: Outcome | None = None
        self._bytes = 0
        self._at: Node | None = None

    def whole(self, body: Body) -> Outcome:
        """Run a script, and give its last query's rows.

        Raises:
            BigQueryError: an error that nothing handles, with its place in the script.

        """
        try:
            self._body(body)
        except _Returned:
            pass
        except BigQueryError as error:
            if error.reason == "stopped":
                raise
            raise _placed(error, self._at) from None
        last = self._last or Outcome("SCRIPT")
        return replace(last, statement_type="SCRIPT", bytes=self._bytes, statistics={})

    def session(self) -> Session:
        """Give what the next statement runs in."""
        system = {"@@script.job_id": text_variable(self._base.job)}
        if self._row_count is not None:
            system["@@row_count"] = Parameter(_INTEGER, self._row_count)
        if self._handled:
            system |= self._handled[-1][1]
        relations = dict(self._base.relations)
        if self._transaction is not None:
            relations |= self._transaction.relations(self._tools.tables.warehouse)
        return replace(
            self._base,
            now=clock.now(),
            variables={**self._base.variables, **system, **self._scopes.seen()},
            functions=self._functions,
            temporary=self._home,
            transaction=self._transaction,
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
        self._functions[name] = self._tools.ddl.routines.body(said, self.session())

    # Statements

    def _body(self, body: Body) -> None:
        for node in body:
            self._base.cancellation.check()
            self._at = node
            self._node(node)

    def _node(self, node: Node) -> None:
        doing: dict[type[Node], Callable[[Any], None]] = {
            Plain: self._plain,
            Declare: self._declare,
            Assign: self._assign,
            Branches: self._branch,
            Loop: self._loop,
            ForIn: self._for,
            Jump: self._jump,
            Block: self._block,
            Raise: self._raise,
            Return: self._return,
            Transact: self._transact,
            Immediate: self._immediate,
            Call: self._call,
        }
        doing[type(node)](node)

    @staticmethod
    def _jump(node: Jump) -> None:
        raise _Jumped(node)

    @staticmethod
    def _return(_: Return) -> None:
        raise _Returned

    def _plain(self, node: Plain) -> None:
        words = [token.upper for token in node.source.tokens[:5]]
        if words[0] == "CREATE" and "FUNCTION" in words and {"TEMP", "TEMPORARY"} & set(words):
            self.define(node)
            return
        outcome = self._step(
            node.source,
            "STATEMENT",
            lambda session: self._tools.statements.run(node.source, session),
        )
        self._note(outcome)

    def _note(self, outcome: Outcome) -> None:
        if outcome.rows is not None:
            self._last = outcome
        affected = outcome.statistics.get("numDmlAffectedRows")
        if affected is not None:
            self._row_count = int(affected)

    def _step(
        self, source: Fragment, kind: str, do: Callable[[Session], Outcome], text: str = ""
    ) -> Outcome:
        callers, procedure = self._callers
        place = source.start
        frame = Frame(source.text, (place.line, place.column), source.last, procedure)
        step = Step(text or source.text, kind, (frame, *callers))
        outcome = self._children.run(step, self.session(), do)
        self._bytes += outcome.bytes
        return outcome

    def _declare(self, node: Declare) -> None:
        field = None
        if node.type is not None:
            cursor = Cursor(node.type.padded)
            field = unnamed(typed(read_type(cursor)))
            cursor.expect_end()
        if node.value is None:
            assert field is not None
            value = Parameter(field, None)
        elif field is None:
            value = self._value(node.value)
            value = Parameter(unnamed(value.field), value.value)
        else:
            value = self._value(node.value, field)
        for name in node.names:
            self._scopes.declare(name, value, node.source)

    def _assign(self, node: Assign) -> None:
        targets = [self._scopes.get(name, node.source) for name in node.names]
        if not node.several:
            value = self._value(node.value, targets[0].field)
            self._scopes.assign(node.names[0], value, node.value)
            return
        found = self._value(node.value)
        fields = found.field.fields
        if found.field.type != "RECORD" or found.field.repeated or len(fields) != len(node.names):
            raise node.value.error(
                f"SET with {len(node.names)} variables needs a STRUCT of as many fields, but got"
                f" {found.field.sql}"
            )
        given = list((found.value or dict.fromkeys(range(len(fields)))).values())
        for name, field, each in zip(node.names, fields, given, strict=True):
            self._scopes.assign(name, Parameter(unnamed(field), each), node.value)

    def _value(self, fragment: Fragment, field: Field | None = None) -> Parameter:
        """Evaluate an expression; one with a query in it is a child job."""
        wanted = expression(fragment) if field is None else value_of(fragment, field)
        found: list[Parameter] = []

        def evaluate(session: Session) -> Outcome:
            found.extend(self._tools.asker.values([wanted], session))
            return Outcome("SELECT")

        if any(token.upper == "SELECT" for token in fragment.tokens):
            self._step(fragment, "EXPRESSION", evaluate, f"SELECT {fragment.text}")
        else:
            evaluate(self.session())
        return found[0] if field is None else fitted(found[0], field, fragment)

    def _truth(self, fragment: Fragment) -> bool:
        found = self._value(fragment)
        if found.field.type != "BOOLEAN" and found.value is not None:
            raise fragment.error(f"Expected a BOOL expression but got {found.field.sql}")
        return bool(found.value)

    # Branches and loops

    def _branch(self, node: Branches) -> None:
        for condition, body in node.branches:
            if node.operand is None:
                chosen = self._truth(condition)
            else:
                chosen = self._equal(node.operand, condition)
            if chosen:
                self._body(body)
                return
        self._body(node.otherwise)

    def _equal(self, one: Fragment, other: Fragment) -> bool:
        from sqlglot import exp

        equal = exp.EQ(
            this=exp.Paren(this=expression(one)), expression=exp.Paren(this=expression(other))
        )
        (found,) = self._tools.asker.values([equal], self.session())
        return bool(found.value)

    def _turn(self, body: Body, label: str) -> bool:
        """Run a loop's body once, and tell whether the loop goes on."""
        try:
            self._body(body)
        except _Jumped as jumped:
            if jumped.jump.label not in ("", label):
                raise
            return jumped.jump.onward
        return True

    def _loop(self, node: Loop) -> None:
        while node.before is None or self._truth(node.before):
            if not self._turn(node.body, node.label):
                return
            self._at = node
            if node.after is not None and self._truth(node.after):
                return
            self._base.cancellation.check()

    def _for(self, node: ForIn) -> None:
        outcome = self._step(
            node.query,
            "STATEMENT",
            lambda session: self._tools.statements.run(node.query, session),
        )
        assert outcome.rows is not None
        field = Field("", "RECORD", fields=outcome.schema)
        for row in outcome.rows.to_pylist():
            self._scopes.enter()
            try:
                self._scopes.declare(node.variable, Parameter(field, row), node.source)
                if not self._turn(node.body, node.label):
                    return
            finally:
                self._scopes.leave()
            self._base.cancellation.check()

    # Blocks and errors

    def _block(self, node: Block) -> None:
        self._scopes.enter()
        try:
            self._body(node.body)
        except _Jumped as jumped:
            if not node.label or jumped.jump.label != node.label:
                raise
        except BigQueryError as error:
            if node.handler is None or error.reason == "stopped":
                raise
            self._scopes.leave()
            self._scopes.enter()
            self._handle(node.handler, error)
        finally:
            self._scopes.leave()

    def _handle(self, handler: Body, error: BigQueryError) -> None:
        failed = self._at.source if self._at is not None else None
        text = failed.text if failed else ""
        place = failed.start if failed else None
        trace = f"At [{place.line}:{place.column}]" if place else ""
        known = {
            "@@error.message": text_variable(error.message),
            "@@error.statement_text": text_variable(text),
            "@@error.formatted_stack_trace": text_variable(trace),
        }
        self._handled.append((error, known))
        try:
            self._body(handler)
        finally:
            self._handled.pop()

    def _raise(self, node: Raise) -> None:
        if node.message is not None:
            found = self._value(node.message, Field("", "STRING"))
            raise node.source.error(str(found.value))
        if not self._handled:
            raise node.source.error(
                "Cannot re-raise an existing exception outside of an exception handler"
            )
        raise self._handled[-1][0]

    # Transactions

    def _transact(self, node: Transact) -> None:
        if node.action == "BEGIN":
            if self._transaction is not None:
                raise node.source.error("Transaction is already in progress")
            self._transaction = Transaction()
            return
        transaction, self._transaction = self._transaction, None
        if transaction is None:
            raise node.source.error(f"{node.action} failed: there is no active transaction")
        if node.action == "COMMIT":
            self._tools.tables.commit(transaction)

    # Text and procedures

    def _immediate(self, node: Immediate) -> None:
        said = self._value(node.sql, Field("", "STRING"))
        if said.value is None:
            raise node.sql.error("SQL string of EXECUTE IMMEDIATE cannot be NULL")
        body = read_script(said.value)
        if len(body) != 1 or not isinstance(body[0], Plain):
            raise node.sql.error("EXECUTE IMMEDIATE can only execute a single SQL statement")
        (inner,) = body
        given = []
        for fragment, name in node.using:
            value = self._value(fragment)
            given.append(Parameter(replace(value.field, name=name), value.value))
        outcome = self._step(
            node.source,
            "STATEMENT",
            lambda session: self._tools.statements.run(
                inner.source, replace(session, parameters=tuple(given))
            ),
            said.value,
        )
        if not node.into:
            self._note(outcome)
            return
        rows = outcome.rows.to_pylist() if outcome.rows is not None else []
        if len(rows) > 1:
            raise node.source.error("EXECUTE IMMEDIATE INTO expects at most one row")
        if len(outcome.schema) != len(node.into):
            raise node.source.error(
                f"EXECUTE IMMEDIATE INTO has {len(node.into)} variables, but the query gives"
                f" {len(outcome.schema)} columns"
            )
        values = list(rows[0].values()) if rows else [None] * len(node.into)
        for name, field, each in zip(node.into, outcome.schema, values, strict=True):
            self._scopes.assign(name, Parameter(unnamed(field), each), node.source)

    def _call(self, node: Call) -> None:
        ref = self._tools.tables.ref(node.path, self.session())
        entry = self._tools.tables.catalog.find(ref, "routine")
        if entry is None or entry.body.get("routineType") != "PROCEDURE":
            raise node.source.error(f"Procedure not found: {'.'.join(node.path)}")
        arguments = entry.body.get("arguments", [])
        if len(arguments) != len(node.arguments):
            raise node.source.error(
                f"Number of arguments does not match for procedure {'.'.join(node.path)}: expected"
                f" {len(arguments)}, got {len(node.arguments)}"
            )
        inner = Scopes()
        back: list[tuple[str, str, Fragment]] = []
        for argument, fragment in zip(arguments, node.arguments, strict=True):
            self._pass(argument, fragment, inner, back)
        (frames, procedure) = self._callers
        if len(frames) >= _DEEPEST:
            raise node.source.error(f"Procedure calls are nested deeper than {_DEEPEST} levels")
        start = node.source.start
        frame = Frame(node.source.text, (start.line, start.column), node.source.last, procedure)
        outer, self._scopes = self._scopes, inner
        self._callers = ((frame, *frames), str(ref.dotted))
        try:
            self._body(read_script(entry.body["definitionBody"]))
        except _Returned:
            pass
        except BigQueryError:
            self._at = node  # the place in the script is that of the call
            raise
        finally:
            self._scopes, self._callers = outer, (frames, procedure)
        for name, variable, fragment in back:
            self._scopes.assign(variable, inner.get(name, fragment), fragment)

    def _pass(
        self,
        argument: dict[str, Any],
        fragment: Fragment,
        inner: Scopes,
        back: list[tuple[str, str, Fragment]],
    ) -> None:
        """Give a procedure one of its arguments."""
        name, mode = argument["name"], argument.get("mode", "IN")
        said = argument.get("dataType")
        field = unnamed(field_of("", said)) if said else None
        if mode in ("OUT", "INOUT"):
            tokens = fragment.tokens
            if len(tokens) != 1 or tokens[0].kind not in ("word", "quoted"):
                raise fragment.error(f"The argument {name} is {mode} and must be a variable")
            variable = str(tokens[0].value)
            held = self._scopes.get(variable, fragment)
            back.append((name, variable, fragment))
            kept = field or held.field
            value = fitted(held, kept, fragment) if mode == "INOUT" else Parameter(kept, None)
        else:
            value = self._value(fragment, field)
        inner.bind(name, value)


def _placed(error: BigQueryError, node: Node | None) -> BigQueryError:
    """Say an error as the job of a script does: with its place, if it has none."""
    message = error.message
    if not message.endswith("]") and node is not None:
        place = node.source.start
        message = f"{message} at [{place.line}:{place.column}]"
    if not message.startswith("Query error: "):
        message = f"Query error: {message}"
    return BigQueryError(error.reason, message, location=error.location or "query")
