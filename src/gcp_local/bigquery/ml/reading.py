"""What statements and functions about models have in common: names, literals, settings, columns."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from gcp_local.bigquery.errors import BigQueryError
from gcp_local.bigquery.references import TableRef
from gcp_local.bigquery.schema import Field, Schema

if TYPE_CHECKING:
    from sqlglot.expressions import Expr

    from gcp_local.bigquery.sql.session import Session
    from gcp_local.bigquery.sql.table_functions import RunQuery

_WIDER = {"INTEGER": ("NUMERIC", "FLOAT"), "NUMERIC": ("FLOAT",)}


def reference(node: Expr, session: Session) -> TableRef:
    """Tell what the path of a node names.

    Raises:
        BigQueryError: no dataset is in it, and there is no default one.

    """
    from gcp_local.bigquery.sql.grammar.nodes import refusal

    parts = [part for name in node.meta["path"] for part in name.split(".")]
    if len(parts) == 1 and session.default_dataset is not None:
        default = session.default_dataset
        return TableRef(default.project, default.dataset, parts[0])
    if len(parts) == 2:
        return TableRef(session.project, *parts)
    if len(parts) == 3:
        return TableRef(*parts)
    raise refusal(f'Model "{".".join(parts)}" must be qualified with a dataset.', node)


def literal(node: Expr) -> Any:
    """Read a literal: numbers, texts, booleans; arrays and structs as tuples.

    Raises:
        BigQueryError: it is something else.

    """
    from sqlglot import exp

    from gcp_local.bigquery.sql.grammar.nodes import Call, refusal

    value: Any
    match node:
        case exp.Literal():
            value = str(node.this) if node.is_string else _number(str(node.this))
        case exp.Boolean():
            value = bool(node.this)
        case exp.Null():
            value = None
        case exp.Neg(this=exp.Literal(is_string=False)):
            value = -_number(str(node.this.this))
        case exp.Array() | exp.Struct() | exp.Tuple():
            value = tuple(
                literal(each.this if isinstance(each, exp.Alias) else each)
                for each in node.expressions
            )
        case Call() if node.name.upper() in ("HPARAM_RANGE", "HPARAM_CANDIDATES"):
            raise BigQueryError.lacking("hyperparameter tuning", location="query")
        case _:
            raise refusal("Expected a literal", node)
    return value


def _number(text: str) -> int | float:
    if text[:2].lower() == "0x":
        return int(text, 16)
    return int(text) if text.isdecimal() else float(text)


def options(nodes: Iterable[Expr] | None) -> dict[str, Any]:
    """Read the options of a statement; errors as `literal`, and for one that is given twice."""
    from gcp_local.bigquery.sql.grammar.nodes import refusal

    found: dict[str, Any] = {}
    for pair in nodes or ():
        name = pair.expressions[0].name
        if name.lower() in map(str.lower, found):
            raise refusal(f"Duplicate option specified for '{name}'", pair)
        found[name] = literal(pair.expressions[1])
    return found


def settings(
    node: Expr | None, known: Mapping[str, type], query: RunQuery, function: str
) -> dict[str, Any]:
    """Read the STRUCT of settings of a function.

    Args:
        node: the argument, if there is one.
        known: which settings there are, and as what.
        query: runs what is no literal.
        function: for messages.

    Raises:
        BigQueryError: an unknown setting, or one of the wrong type.

    """
    from sqlglot import exp

    from gcp_local.bigquery.sql.grammar.nodes import refusal

    if node is None:
        return {}
    if not isinstance(node, exp.Struct):
        raise refusal(f"{function} expects its settings as a STRUCT", node)
    found: dict[str, Any] = {}
    for each in node.expressions:
        name = each.alias.lower() if isinstance(each, exp.Alias) else ""
        if name == "trial_id":
            raise BigQueryError.lacking("hyperparameter tuning", location="query")
        if name not in known:
            raise refusal(f"Unknown setting '{name}' of {function}", each)
        value = value_of(each.this, query)
        if known[name] is float and isinstance(value, int) and not isinstance(value, bool):
            value = float(value)
        if type(value) is not known[name]:
            raise refusal(f"The setting '{name}' of {function} has the wrong type", each)
        found[name] = value
    return found


def value_of(node: Expr, query: RunQuery) -> Any:
    """Give the value of an expression without columns; arrays as tuples. Errors as its query."""
    from sqlglot import exp

    try:
        return literal(node)
    except BigQueryError:
        alias = exp.Alias(this=node.copy(), alias=exp.to_identifier("value"))
        outcome = query(exp.Select(expressions=[alias]))
    if outcome.rows is None:
        return None
    value = outcome.rows.column(0)[0].as_py()
    return tuple(value) if isinstance(value, list) else value


def column(schema: Schema, name: str) -> Field | None:
    """Find a column by its name in any case."""
    return next((field for field in schema if field.name.lower() == name.lower()), None)


def check_columns(wanted: Schema, given: Schema, function: str) -> None:
    """Refuse an input that lacks a column of the model, or has one of another type."""
    for field in wanted:
        found = column(given, field.name)
        if found is None:
            what = f"Column {field.name} is not found in the input data to the {function} function."
            raise BigQueryError(
                "invalidQuery", f"Invalid table-valued function ML.{function}: {what}",
                location="query",
            )  # fmt: skip
        same = found.type == field.type or field.type in _WIDER.get(found.type, ())
        if not same or found.mode.replace("REQUIRED", "NULLABLE") != field.mode.replace(
            "REQUIRED", "NULLABLE"
        ):
            what = f"Column {field.name} has type {found.sql}, but the model expects {field.sql}."
            raise BigQueryError(
                "invalidQuery", f"Invalid table-valued function ML.{function}: {what}",
                location="query",
            )  # fmt: skip


def fitted(rows: Any, schema: Schema, wanted: Schema) -> Any:
    """Give those columns of rows that are wanted, by the names that they are wanted by."""
    import pyarrow as pa

    names = [field.name.lower() for field in schema]
    arrays = [rows.column(names.index(field.name.lower())) for field in wanted]
    return pa.table(arrays, names=[field.name for field in wanted])


def without(schema: Schema, names: Sequence[str]) -> Schema:
    """Give the columns but for some, whose names may be in any case."""
    gone = {name.lower() for name in names}
    return tuple(field for field in schema if field.name.lower() not in gone)
