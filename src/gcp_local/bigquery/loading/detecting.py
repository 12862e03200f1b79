"""Which columns files have that nobody described: pure.

Source: https://cloud.google.com/bigquery/docs/schema-detect.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from typing import Any

from gcp_local.bigquery.errors import BigQueryError
from gcp_local.bigquery.loading.values import UnreadableError, civil, clock_time, day, instant
from gcp_local.bigquery.schema import Field, Schema

SAMPLE = 500
_WHOLE = re.compile(r"[+-]?[0-9]{1,19}")
_NUMBER = re.compile(r"[+-]?([0-9]+\.?[0-9]*|\.[0-9]+)([eE][+-]?[0-9]+)?")
_BAD = re.compile(r"[^A-Za-z0-9_]")
_CALLED = {
    "INTEGER": "int64", "FLOAT": "double", "BOOLEAN": "bool", "STRING": "string", "DATE": "date",
    "TIME": "time", "DATETIME": "datetime", "TIMESTAMP": "timestamp",
}  # fmt: skip
_WIDER = {
    frozenset({"INTEGER", "FLOAT"}): "FLOAT",
    frozenset({"DATE", "DATETIME"}): "DATETIME",
    frozenset({"DATE", "TIMESTAMP"}): "TIMESTAMP",
    frozenset({"DATETIME", "TIMESTAMP"}): "TIMESTAMP",
}


def detect_csv(
    rows: Sequence[Sequence[str | None]], *, skip: int | None, names: str
) -> tuple[Schema, int]:
    """Tell the columns of CSV, and how many of the rows come before the data.

    Args:
        rows: the first ones.
        skip: how many rows the job says to skip; None if it does not.
        names: the character map of their names.

    """
    first = 0 if skip is None else max(0, skip - 1)
    head = rows[first] if first < len(rows) else []
    data = rows[first + 1 : first + 1 + SAMPLE]
    if skip == 0:
        data, head = rows[:SAMPLE], []
    width = max((len(row) for row in (head, *data)), default=0)
    kinds = [_column([row[at] if at < len(row) else None for row in data]) for at in range(width)]
    headed = skip != 0 and _is_head(head, kinds)
    if not headed and skip in (None, 0):
        rest = [*([head] if head else []), *data]
        kinds = [
            _column([row[at] if at < len(row) else None for row in rest]) for at in range(width)
        ]
    called = [cell or "" for cell in head] if headed else []
    schema = _named(kinds, called, names)
    return schema, (first + 1 if headed else (skip or 0))


def _is_head(head: Sequence[str | None], kinds: Sequence[str]) -> bool:
    """Tell whether a row is names: text all over, where a column below is not."""
    texts = all(cell and _kind(cell) == "STRING" for cell in head)
    return bool(head) and texts and any(kind != "STRING" for kind in kinds)


def _column(cells: Sequence[str | None]) -> str:
    found = ""
    for cell in cells:
        if cell is None or cell == "":
            continue
        kind = _kind(cell)
        found = kind if not found else _wider(found, kind)
    return found or "STRING"


def _wider(one: str, other: str) -> str:
    return one if one == other else _WIDER.get(frozenset({one, other}), "STRING")


def _kind(text: str) -> str:
    bare = text.strip()
    if _WHOLE.fullmatch(bare):
        return "INTEGER" if -(2**63) <= int(bare) < 2**63 else "FLOAT"
    if _NUMBER.fullmatch(bare) or bare.lower() in ("nan", "inf", "-inf"):
        return "FLOAT"
    if bare.lower() in ("true", "false"):
        return "BOOLEAN"
    for kind, read in _TIMES:
        try:
            read(bare)
        except UnreadableError:
            continue
        return kind
    return "STRING"


_TIMES: Sequence[tuple[str, Callable[[Any], Any]]] = (
    ("DATE", day), ("TIME", clock_time), ("DATETIME", civil), ("TIMESTAMP", instant),
)  # fmt: skip


def _named(kinds: Sequence[str], called: Sequence[str], names: str) -> Schema:
    fields: list[Field] = []
    taken: set[str] = set()
    for at, kind in enumerate(kinds):
        given = called[at] if at < len(called) else ""
        name = _name(given, names) if given else f"{_CALLED[kind]}_field_{at}"
        bare, number = name, 1
        while name.lower() in taken:
            name, number = f"{bare}_{number}", number + 1
        taken.add(name.lower())
        fields.append(Field(name, kind))
    return tuple(fields)


def _name(given: str, names: str) -> str:
    if names == "V2":
        return given.strip()
    name = _BAD.sub("_", given.strip())
    if name[:1].isdigit():
        name = f"_{name}"
    if names == "STRICT" and name != given:
        message = f'Invalid field name "{given}".'
        raise BigQueryError("invalid", message)
    return name


def detect_json(rows: Sequence[Any]) -> Schema:
    """Tell the columns of JSON objects, in the order in which they appear."""
    fields: dict[str, Field] = {}
    for row in rows[:SAMPLE]:
        if isinstance(row, Mapping):
            _add(fields, row)
    return tuple(_settled(field) for field in fields.values() if field.type or field.fields)


def _add(fields: dict[str, Field], row: Mapping[str, Any]) -> None:
    for name, value in row.items():
        field = _described(name, value)
        if field is None:
            continue
        before = fields.get(name.lower())
        fields[name.lower()] = field if before is None else _joined(before, field)


def _described(name: str, value: Any) -> Field | None:
    if value is None:
        return None
    if isinstance(value, list):
        parts = [part for part in (_described(name, each) for each in value) if part]
        if not parts:
            return None
        whole = parts[0]
        for part in parts[1:]:
            whole = _joined(whole, part)
        return replace(whole, mode="REPEATED")
    if isinstance(value, Mapping):
        inner: dict[str, Field] = {}
        _add(inner, value)
        return Field(name, "RECORD", fields=tuple(inner.values())) if inner else None
    return Field(name, _json_kind(value))


def _json_kind(value: Any) -> str:
    if isinstance(value, bool):
        return "BOOLEAN"
    if isinstance(value, int):
        return "INTEGER" if -(2**63) <= value < 2**63 else "FLOAT"
    if isinstance(value, float):
        return "FLOAT"
    kind = _kind(value)
    return kind if kind in ("DATE", "TIME", "DATETIME", "TIMESTAMP") else "STRING"


def _joined(one: Field, other: Field) -> Field:
    if one.mode != other.mode or (one.type == "RECORD") != (other.type == "RECORD"):
        message = (
            f"Schema auto-detection failed: the field {one.name} has values of different kinds"
            " (arrays, records and single values do not mix)."
        )
        raise BigQueryError("invalid", message)
    if one.type == "RECORD":
        inner = {field.name.lower(): field for field in one.fields}
        for field in other.fields:
            before = inner.get(field.name.lower())
            inner[field.name.lower()] = field if before is None else _joined(before, field)
        return replace(one, fields=tuple(inner.values()))
    return replace(one, type=_wider(one.type, other.type))


def _settled(field: Field) -> Field:
    return replace(field, fields=tuple(_settled(each) for each in field.fields))
