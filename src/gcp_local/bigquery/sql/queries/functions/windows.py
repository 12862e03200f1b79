"""OVER, and ORDER BY."""

from __future__ import annotations

from typing import TYPE_CHECKING

from sqlglot import exp

from gcp_local.bigquery.sql.grammar.nodes import Over, refusal
from gcp_local.bigquery.sql.queries.typed import Typed, converted, fits
from gcp_local.bigquery.sql.types import INT64

if TYPE_CHECKING:
    from gcp_local.bigquery.sql.queries.functions.reading import Reading
    from gcp_local.bigquery.sql.queries.functions.signatures import Function

_ORDERED = ("RANK", "DENSE_RANK", "PERCENT_RANK", "CUME_DIST", "NTILE", "LEAD", "LAG")
_FRAMED = ("FIRST_VALUE", "LAST_VALUE", "NTH_VALUE")


def order_sql(order: exp.Expr, keys: list[Typed]) -> str:
    """Write ORDER BY of keys that are understood."""
    items = []
    for each, key in zip(order.expressions, keys, strict=True):
        if key.type.kind in ("ARRAY", "STRUCT", "JSON"):
            message = f"ORDER BY does not support expressions of type {key.type}"
            raise key.refuse(message)
        # A literal would be a position for DuckDB.
        sql = f"({key.sql})" if not key.literal else "(SELECT NULL)"
        desc = "DESC" if each.args.get("desc") else "ASC"
        first = each.args.get("nulls_first")
        first = not each.args.get("desc") if first is None else first
        items.append(f"{sql} {desc} NULLS {'FIRST' if first else 'LAST'}")
    return f"ORDER BY {', '.join(items)}"


def window_sql(over: exp.Expr, reading: Reading, found: Function) -> tuple[str, list[Typed]]:
    """Write what stands in OVER's parentheses."""
    over = _resolved(over, reading)
    pieces: list[str] = []
    keys: list[Typed] = []
    partition = [reading.read(each) for each in over.args.get("partition_by") or []]
    if partition:
        for key in partition:
            if key.type.kind in ("ARRAY", "STRUCT", "JSON", "FLOAT64"):
                raise key.refuse(f"Partitioning by expressions of type {key.type} is not allowed")
        pieces.append("PARTITION BY " + ", ".join(key.sql for key in partition))
    order = over.args.get("order")
    if order is not None:
        keys = [reading.read(each.this) for each in order.expressions]
        pieces.append(order_sql(order, keys))
    elif found.name in _ORDERED:
        raise refusal(f"Window ORDER BY is required for analytic function {found.name}", over)
    spec = over.args.get("spec")
    if spec is not None:
        if found.kind == "analytic" and found.name not in _FRAMED:
            what = f"Window framing clause is not allowed for analytic function {found.name}"
            raise refusal(what, over)
        _check_frame(spec, over)
        start = _bound(spec, "start", reading)
        end = _bound(spec, "end", reading)
        pieces.append(f"{spec.args['kind']} BETWEEN {start} AND {end}")
    return " ".join(pieces), [*partition, *keys]


def _resolved(over: exp.Expr, reading: Reading) -> exp.Expr:
    name = over.args.get("this")
    if name is None:
        return over
    windows = getattr(reading.scope, "windows", {})
    base = windows.get(name.name.lower())
    if base is None:
        raise refusal(f"Unrecognized window alias {name.name}", name)
    base = _resolved(base, reading)
    merged = Over(**{key: value for key, value in base.args.items() if key != "this"})
    for key in ("partition_by", "order", "spec"):
        if over.args.get(key):
            merged.set(key, over.args[key])
    return merged


def _check_frame(spec: exp.Expr, over: exp.Expr) -> None:
    """Hold a frame's borders to their order.

    Raises:
        BigQueryError: it ends before it begins.

    """
    start, end = (_border(spec, which) for which in ("start", "end"))
    what = "window framing expression cannot be"
    if start == "UNBOUNDED FOLLOWING":
        raise refusal(f"Starting {what} {start}", over)
    if end == "UNBOUNDED PRECEDING":
        raise refusal(f"Ending {what} {end}", over)
    if (start, end) == ("CURRENT ROW", "OFFSET PRECEDING"):
        when = "when the ending window framing expression is"
        raise refusal(f"Starting {what} {start} {when} {end}", over)
    if start == "OFFSET FOLLOWING" and end in ("OFFSET PRECEDING", "CURRENT ROW"):
        when = "when the starting window framing expression is"
        raise refusal(f"Ending {what} {end} {when} {start}", over)


def _border(spec: exp.Expr, which: str) -> str:
    value, side = spec.args[which], spec.args.get(f"{which}_side")
    if value == "CURRENT ROW":
        return "CURRENT ROW"
    return f"{'UNBOUNDED' if value == 'UNBOUNDED' else 'OFFSET'} {side}"


def _bound(spec: exp.Expr, which: str, reading: Reading) -> str:
    value = spec.args.get(which)
    side = spec.args.get(f"{which}_side")
    if isinstance(value, str):
        return value if side is None else f"{value} {side}"
    assert isinstance(value, exp.Expr)
    number = reading.read(value)
    if spec.args["kind"] == "ROWS":
        if not fits(number, INT64):
            raise number.refuse("Window framing expression must be an integer")
        return f"{converted(number, INT64).sql} {side}"
    return f"{number.sql} {side}"
