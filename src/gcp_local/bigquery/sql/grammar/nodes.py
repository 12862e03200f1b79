"""The nodes that sqlglot has not, or not as GoogleSQL needs them; and where a node stands."""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar, TypeVar

from sqlglot import exp

from gcp_local.bigquery.errors import BigQueryError

if TYPE_CHECKING:
    from gcp_local.bigquery.sql.grammar.lexer import Place, Token
    from gcp_local.bigquery.sql.types import Type

Node = TypeVar("Node", bound=exp.Expr)


class Call(exp.Anonymous):
    """A call of a function, as it was written: `this` is its name, with dots."""

    arg_types: ClassVar[dict[str, bool]] = {
        **exp.Anonymous.arg_types,
        "distinct": False,
        "nulls": False,  # IGNORE or RESPECT
        "having": False,  # a tuple: MAX or MIN, and of what
        "order": False,
        "limit": False,
        "over": False,
    }


class Over(exp.Expression):
    """A window: `this` is the name of another that it begins with."""

    arg_types: ClassVar[dict[str, bool]] = {
        "this": False,
        "partition_by": False,
        "order": False,
        "spec": False,
    }


class Named(exp.Expression):
    """A named window: WINDOW `this` AS `expression`."""

    arg_types: ClassVar[dict[str, bool]] = {"this": True, "expression": True}


class NamedArgument(exp.Expression):
    """An argument with a name: `this` => `expression`."""

    arg_types: ClassVar[dict[str, bool]] = {"this": True, "expression": True}


class ModelName(exp.Expression):
    """An argument MODEL `a.b.c` of a table function; its `meta["path"]` has the parts."""

    arg_types: ClassVar[dict[str, bool]] = {}


def placed(node: Node, place: Place) -> Node:
    """Note where a node stands."""
    node.meta["line"], node.meta["column"] = place.line, place.column
    return node


def place_of(node: exp.Expr) -> tuple[int, int] | None:
    """Tell where a node stands: line and column; nothing for one that no text has."""
    found = _own(node)
    if found:
        return found
    inner = [place for each in node.iter_expressions() if (place := place_of(each))]
    return min(inner, default=None)


def _own(node: exp.Expr) -> tuple[int, int] | None:
    if not node._meta:
        return None
    meta = node.meta
    return (meta["line"], meta["column"]) if "column" in meta else None


def refusal(message: str, node: exp.Expr) -> BigQueryError:
    """Refuse a query for what a node says."""
    return BigQueryError.query(message, *(place_of(node) or ()))


def identifier(token: Token) -> exp.Identifier:
    """Make a node of a name."""
    return placed(exp.Identifier(this=str(token.value), quoted=token.kind == "quoted"), token.place)


def cast(value: exp.Expr, kind: Type, *, safe: bool = False) -> exp.Expr:
    """Make a node that makes a value another type's."""
    wanted = exp.DataType.build(str(kind), dialect="bigquery", udt=True)
    wanted.meta["type"] = kind
    return (exp.TryCast if safe else exp.Cast)(this=value, to=wanted)
