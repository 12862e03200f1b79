"""What a script is made of.

Source: https://cloud.google.com/bigquery/docs/reference/standard-sql/procedural-language.
"""

from __future__ import annotations

from dataclasses import dataclass

from gcp_local.bigquery.sql.cursor import Fragment


@dataclass(frozen=True)
class Node:
    """A statement; `source` is all of it, without its semicolon."""

    source: Fragment


@dataclass(frozen=True)
class Plain(Node):
    """A statement that is no procedural one: a query, DDL, DML."""


@dataclass(frozen=True)
class Declare(Node):
    """`DECLARE a, b type DEFAULT value`; type or value may be missing."""

    names: tuple[str, ...]
    type: Fragment | None
    value: Fragment | None


@dataclass(frozen=True)
class Assign(Node):
    """`SET a = value`, `SET (a, b) = value`."""

    names: tuple[str, ...]
    value: Fragment
    several: bool


Body = tuple[Node, ...]


@dataclass(frozen=True)
class Branches(Node):
    """`IF … ELSEIF … ELSE`, or `CASE WHEN …`; `operand` is that of `CASE operand WHEN value`."""

    operand: Fragment | None
    branches: tuple[tuple[Fragment, Body], ...]
    otherwise: Body


@dataclass(frozen=True)
class Loop(Node):
    """`LOOP`, `WHILE … DO`, `REPEAT … UNTIL`.

    Attributes:
        before: asked before each turn: go on?
        after: asked after each turn: was it the last?

    """

    body: Body
    label: str = ""
    before: Fragment | None = None
    after: Fragment | None = None


@dataclass(frozen=True)
class ForIn(Node):
    """`FOR row IN (query) DO`."""

    variable: str
    query: Fragment
    body: Body
    label: str = ""


@dataclass(frozen=True)
class Jump(Node):
    """`BREAK`/`LEAVE` (`onward` is false), `CONTINUE`/`ITERATE`, of the loop or block `label`."""

    onward: bool
    label: str = ""


@dataclass(frozen=True)
class Block(Node):
    """`BEGIN … EXCEPTION WHEN ERROR THEN … END`."""

    body: Body
    handler: Body | None
    label: str = ""


@dataclass(frozen=True)
class Raise(Node):
    """`RAISE`, which raises again what is handled, or `RAISE USING MESSAGE = …`."""

    message: Fragment | None


@dataclass(frozen=True)
class Return(Node):
    """`RETURN`."""


@dataclass(frozen=True)
class Transact(Node):
    """`BEGIN`, `COMMIT` or `ROLLBACK`, of a transaction."""

    action: str


@dataclass(frozen=True)
class Immediate(Node):
    """`EXECUTE IMMEDIATE text INTO a, b USING value AS name, …`."""

    sql: Fragment
    into: tuple[str, ...]
    using: tuple[tuple[Fragment, str], ...]


@dataclass(frozen=True)
class Call(Node):
    """`CALL procedure(value, …)`."""

    path: tuple[str, ...]
    arguments: tuple[Fragment, ...]
