"""Runs a script's statements one after the other."""

from __future__ import annotations

from contextlib import suppress
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from gcp_local import clock
from gcp_local.bigquery.errors import BigQueryError
from gcp_local.bigquery.schema import Field
from gcp_local.bigquery.sql.cursor import Cursor
from gcp_local.bigquery.sql.ddl.types import read_type, typed
from gcp_local.bigquery.sql.scripts.calls import call, immediate
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
from gcp_local.bigquery.sql.scripts.variables import text_variable, unnamed
from gcp_local.bigquery.sql.session import Outcome, Parameter
from gcp_local.bigquery.sql.tables import Transaction

if TYPE_CHECKING:
    from collections.abc import Callable

    from gcp_local.bigquery.sql.scripts.state import State


class _Jumped(Exception):
    """BREAK or CONTINUE, on its way to its loop."""

    def __init__(self, jump: Jump) -> None:
        super().__init__()
        self.jump = jump


class _Returned(Exception):
    """RETURN, on its way out."""


class Run:
    """Runs one script."""

    def __init__(self, state: State) -> None:
        self._state = state

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
            raise _placed(error, self._state.at) from None
        last = self._state.last or Outcome("SCRIPT")
        return replace(last, statement_type="SCRIPT", bytes=self._state.bytes, statistics={})

    # Statements

    def _body(self, body: Body) -> None:
        for node in body:
            self._state.base.cancellation.check()
            self._state.at = node
            self._node(node)

    def _procedure(self, body: Body) -> None:
        with suppress(_Returned):
            self._body(body)

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
            Immediate: lambda node: immediate(self._state, node),
            Call: lambda node: call(self._state, node, self._procedure),
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
            self._state.define(node)
            return
        outcome = self._state.step(
            node.source,
            "STATEMENT",
            lambda session: self._state.tools.statements.run(node.source, session),
        )
        self._state.note(outcome)

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
            value = self._state.value(node.value)
            value = Parameter(unnamed(value.field), value.value)
        else:
            value = self._state.value(node.value, field)
        for name in node.names:
            self._state.scopes.declare(name, value, node.source)

    def _assign(self, node: Assign) -> None:
        targets = [self._state.scopes.get(name, node.source) for name in node.names]
        if not node.several:
            value = self._state.value(node.value, targets[0].field)
            self._state.scopes.assign(node.names[0], value, node.value)
            return
        found = self._state.value(node.value)
        fields = found.field.fields
        if found.field.type != "RECORD" or found.field.repeated or len(fields) != len(node.names):
            raise node.value.error(
                f"SET with {len(node.names)} variables needs a STRUCT of as many fields, but got"
                f" {found.field.sql}"
            )
        given = list((found.value or dict.fromkeys(range(len(fields)))).values())
        for name, field, each in zip(node.names, fields, given, strict=True):
            self._state.scopes.assign(name, Parameter(unnamed(field), each), node.value)

    # Branches and loops

    def _branch(self, node: Branches) -> None:
        for condition, body in node.branches:
            if node.operand is None:
                chosen = self._state.truth(condition)
            else:
                chosen = self._state.equal(node.operand, condition)
            if chosen:
                self._body(body)
                return
        self._body(node.otherwise)

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
        while node.before is None or self._state.truth(node.before):
            if not self._turn(node.body, node.label):
                return
            self._state.at = node
            if node.after is not None and self._state.truth(node.after):
                return
            self._state.base.cancellation.check()

    def _for(self, node: ForIn) -> None:
        outcome = self._state.step(
            node.query,
            "STATEMENT",
            lambda session: self._state.tools.statements.run(node.query, session),
        )
        assert outcome.rows is not None
        field = Field("", "RECORD", fields=outcome.schema)
        for row in outcome.rows.to_pylist():
            self._state.scopes.enter()
            try:
                self._state.scopes.declare(node.variable, Parameter(field, row), node.source)
                if not self._turn(node.body, node.label):
                    return
            finally:
                self._state.scopes.leave()
            self._state.base.cancellation.check()

    # Blocks and errors

    def _block(self, node: Block) -> None:
        self._state.scopes.enter()
        try:
            self._body(node.body)
        except _Jumped as jumped:
            if not node.label or jumped.jump.label != node.label:
                raise
        except BigQueryError as error:
            if node.handler is None or error.reason == "stopped":
                raise
            self._state.scopes.leave()
            self._state.scopes.enter()
            self._handle(node.handler, error)
        finally:
            self._state.scopes.leave()

    def _handle(self, handler: Body, error: BigQueryError) -> None:
        failed = self._state.at.source if self._state.at is not None else None
        text = failed.text if failed else ""
        place = failed.start if failed else None
        trace = f"At [{place.line}:{place.column}]" if place else ""
        known = {
            "@@error.message": text_variable(error.message),
            "@@error.statement_text": text_variable(text),
            "@@error.formatted_stack_trace": text_variable(trace),
        }
        self._state.handled.append((error, known))
        try:
            self._body(handler)
        finally:
            self._state.handled.pop()

    def _raise(self, node: Raise) -> None:
        if node.message is not None:
            found = self._state.value(node.message, Field("", "STRING"))
            raise node.source.error(str(found.value))
        if not self._state.handled:
            raise node.source.error(
                "Cannot re-raise an existing exception outside of an exception handler"
            )
        raise self._state.handled[-1][0]

    # Transactions

    def _transact(self, node: Transact) -> None:
        if node.action == "BEGIN":
            if self._state.transaction is not None:
                raise node.source.error("Transaction is already in progress")
            self._state.transaction = Transaction(clock.now())
            return
        transaction, self._state.transaction = self._state.transaction, None
        if transaction is None:
            raise node.source.error(f"{node.action} failed: there is no active transaction")
        if node.action == "COMMIT":
            self._state.tools.tables.commit(transaction)


def _placed(error: BigQueryError, node: Node | None) -> BigQueryError:
    """Say an error as the job of a script does: with its place, if it has none."""
    message = error.message
    if not message.endswith("]") and node is not None:
        place = node.source.start
        message = f"{message} at [{place.line}:{place.column}]"
    if not message.startswith("Query error: "):
        message = f"Query error: {message}"
    return BigQueryError(error.reason, message, location=error.location or "query")
