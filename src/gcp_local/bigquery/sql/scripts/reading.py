"""From a script's text to its statements."""

from __future__ import annotations

from typing import TYPE_CHECKING

from gcp_local.bigquery.errors import BigQueryError
from gcp_local.bigquery.sql.cursor import Cursor, Fragment
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

if TYPE_CHECKING:
    from gcp_local.bigquery.sql.grammar.lexer import Token

_JUMPS = {"BREAK": False, "LEAVE": False, "CONTINUE": True, "ITERATE": True}
_DEEPEST = 50


def read_script(text: str) -> Body:
    """Read a script.

    Raises:
        BigQueryError: a syntax error of the procedural language. What is in its other statements is
            looked at when they are run.

    """
    reader = _Reader(Cursor(text))
    body = reader.statements()
    if not reader.cursor.ended:
        raise reader.cursor.unexpected()
    if not body:
        raise reader.cursor.unexpected()
    return body


class _Reader:
    def __init__(self, cursor: Cursor) -> None:
        self.cursor = cursor
        self._labels: list[tuple[str, bool]] = []  # with whether it is a loop's
        self._depth = 0

    def statements(self, *ends: str) -> Body:
        """Read statements, each with its semicolon, up to a keyword that is in `ends`."""
        found: list[Node] = []
        self._depth += 1
        if self._depth > _DEEPEST:
            raise BigQueryError.query(f"Script exceeds the maximum nesting depth {_DEEPEST}")
        while not self.cursor.ended and not self.cursor.at_any(*ends):
            if self.cursor.skip(";"):  # an empty statement
                continue
            node = self._statement()
            if isinstance(node, Declare) and not all(isinstance(each, Declare) for each in found):
                raise node.source.error(
                    "Variable declarations are allowed only at the start of a block or script"
                )
            found.append(node)
            if self.cursor.skip(";"):
                continue
            if ends or self.cursor.token.kind != "end":
                raise self.cursor.unexpected('";"' if ends else "end of input")
        self._depth -= 1
        return tuple(found)

    def _statement(self) -> Node:
        cursor, first = self.cursor, self.cursor.token
        if cursor.token.kind == "word" and cursor.peek().text == ":":
            label = cursor.name()
            cursor.expect(":")
            return self._labelled(first, label)
        if first.upper in _JUMPS and (cursor.peek().kind == "end" or cursor.peek().text == ";"):
            cursor.next()
            return self._jump(first, "")
        if first.upper in _JUMPS and cursor.peek(2).text in ("", ";"):
            cursor.next()
            return self._jump(first, cursor.name())
        readers = {
            "DECLARE": self._declare, "SET": self._set, "IF": self._if, "CASE": self._case,
            "RAISE": self._raise, "RETURN": self._return, "BEGIN": self._begin,
            "COMMIT": self._commit, "ROLLBACK": self._commit, "EXECUTE": self._immediate,
            "CALL": self._call, "LOOP": self._loop, "WHILE": self._loop, "REPEAT": self._loop,
            "FOR": self._loop,
        }  # fmt: skip
        reader = readers.get(first.upper)
        if reader is not None:
            return reader(first)
        if cursor.at("CREATE"):
            return self._create(first)
        return Plain(cursor.query())

    def _create(self, first: Token) -> Plain:
        """Take CREATE PROCEDURE with the semicolons of its body; anything else to its semicolon."""
        cursor, ahead = self.cursor, 1
        while cursor.peek(ahead).upper in ("OR", "REPLACE"):
            ahead += 1
        if cursor.peek(ahead).upper != "PROCEDURE":
            return Plain(cursor.query())
        while not cursor.ended and not cursor.at("BEGIN") and not cursor.at(";"):
            cursor.next()
        if cursor.at("BEGIN"):
            self._begin(cursor.token)
        return Plain(cursor.since(first))

    # Simple statements

    def _declare(self, first: Token) -> Node:
        cursor = self.cursor
        cursor.next()
        names = tuple(cursor.listed(cursor.name))
        kind = value = None
        if not cursor.at("DEFAULT"):
            kind = cursor.fragment("DEFAULT")
        if cursor.skip("DEFAULT"):
            value = cursor.query()
        return Declare(cursor.since(first), names, kind, value)

    def _set(self, first: Token) -> Node:
        cursor = self.cursor
        cursor.next()
        if cursor.at("@@"):
            raise BigQueryError.lacking("assignments to system variables", location="query")
        several = cursor.at("(")
        names = cursor.parenthesised(cursor.name) if several else [cursor.name()]
        cursor.expect("=")
        value = cursor.query()
        return Assign(cursor.since(first), tuple(names), value, several)

    def _raise(self, first: Token) -> Node:
        cursor = self.cursor
        cursor.next()
        message = None
        if cursor.skip("USING"):
            cursor.expect("MESSAGE", "=")
            message = cursor.query()
        return Raise(cursor.since(first), message)

    def _return(self, first: Token) -> Node:
        self.cursor.next()
        return Return(self.cursor.since(first))

    def _jump(self, first: Token, label: str) -> Node:
        if label:
            loops = dict(self._labels)
            known = label.lower() in loops
            onward = _JUMPS[first.upper]
            if not known or (onward and not loops[label.lower()]):
                raise BigQueryError.query(
                    f"Label {label} does not exist" if not known else f"{label} labels no loop",
                    first.place.line,
                    first.place.column,
                )
        elif not any(loop for _, loop in self._labels):
            raise BigQueryError.query(
                f"{first.upper} is only allowed inside of a loop body",
                first.place.line,
                first.place.column,
            )
        return Jump(self.cursor.since(first), _JUMPS[first.upper], label.lower())

    def _commit(self, first: Token) -> Node:
        self.cursor.next()
        self.cursor.skip("TRANSACTION")
        return Transact(self.cursor.since(first), first.upper)

    def _immediate(self, first: Token) -> Node:
        cursor = self.cursor
        cursor.expect("EXECUTE", "IMMEDIATE")
        sql = cursor.query("INTO", "USING")
        into: list[str] = []
        using: list[tuple[Fragment, str]] = []
        if cursor.skip("INTO"):
            into = cursor.listed(cursor.name)
        if cursor.skip("USING"):
            using = cursor.listed(self._argument)
        if len({bool(name) for _, name in using}) > 1:
            raise BigQueryError.query(
                "EXECUTE IMMEDIATE USING cannot mix named and positional parameters",
                first.place.line,
                first.place.column,
            )
        return Immediate(cursor.since(first), sql, tuple(into), tuple(using))

    def _argument(self) -> tuple[Fragment, str]:
        value = self.cursor.fragment("AS")
        return value, self.cursor.name() if self.cursor.skip("AS") else ""

    def _call(self, first: Token) -> Node:
        self.cursor.next()
        path = self.cursor.path()
        arguments = self.cursor.parenthesised(self.cursor.fragment)
        return Call(self.cursor.since(first), path, tuple(arguments))

    # Statements with statements in them

    def _labelled(self, first: Token, label: str) -> Node:
        cursor = self.cursor
        if label.lower() in dict(self._labels):
            raise BigQueryError.query(
                f"Label {label} is already used", first.place.line, first.place.column
            )
        if cursor.at_any("LOOP", "WHILE", "REPEAT", "FOR"):
            return self._loop(first, label)
        if cursor.at("BEGIN"):
            return self._begin(first, label)
        raise cursor.unexpected()

    def _after(self, label: str) -> None:
        """Take the label again that may stand behind END."""
        if label and self.cursor.token.value == label:
            self.cursor.next()

    def _loop(self, first: Token, label: str = "") -> Node:
        cursor = self.cursor
        kind = cursor.next().upper
        self._labels.append((label.lower(), True))
        before = after = None
        if kind == "FOR":
            variable = cursor.name()
            cursor.expect("IN", "(")
            query = cursor.query()
            cursor.expect(")", "DO")
        elif kind == "WHILE":
            before = cursor.query("DO")
            cursor.expect("DO")
        body = self.statements("UNTIL" if kind == "REPEAT" else "END")
        if kind == "REPEAT":
            cursor.expect("UNTIL")
            after = cursor.query("END")
        cursor.expect("END", kind)
        self._labels.pop()
        self._after(label)
        source = cursor.since(first)
        if kind == "FOR":
            return ForIn(source, variable, query, body, label.lower())
        return Loop(source, body, label.lower(), before, after)

    def _if(self, first: Token) -> Node:
        cursor = self.cursor
        branches: list[tuple[Fragment, Body]] = []
        while not branches or cursor.at("ELSEIF"):
            cursor.next()
            condition = cursor.query("THEN")
            cursor.expect("THEN")
            branches.append((condition, self.statements("ELSEIF", "ELSE", "END")))
        otherwise = self.statements("END") if cursor.skip("ELSE") else ()
        cursor.expect("END", "IF")
        return Branches(cursor.since(first), None, tuple(branches), otherwise)

    def _case(self, first: Token) -> Node:
        cursor = self.cursor
        cursor.next()
        operand = None if cursor.at("WHEN") else cursor.query("WHEN")
        branches: list[tuple[Fragment, Body]] = []
        while cursor.skip("WHEN"):
            value = cursor.query("THEN")
            cursor.expect("THEN")
            branches.append((value, self.statements("WHEN", "ELSE", "END")))
        if not branches:
            raise cursor.unexpected("keyword WHEN")
        otherwise = self.statements("END") if cursor.skip("ELSE") else ()
        cursor.expect("END", "CASE")
        return Branches(cursor.since(first), operand, tuple(branches), otherwise)

    def _begin(self, first: Token, label: str = "") -> Node:
        cursor = self.cursor
        cursor.expect("BEGIN")
        if not label and (cursor.skip("TRANSACTION") or cursor.ended or cursor.at(";")):
            return Transact(cursor.since(first), "BEGIN")
        self._labels.append((label.lower(), False))
        body = self.statements("EXCEPTION", "END")
        handler = None
        if cursor.skip("EXCEPTION"):
            cursor.expect("WHEN", "ERROR", "THEN")
            handler = self.statements("END")
        cursor.expect("END")
        self._labels.pop()
        self._after(label)
        return Block(cursor.since(first), body, handler, label.lower())
