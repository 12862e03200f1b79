"""Which columns are read: `selectedFields=name,address.city`."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from gcp_local.bigquery.errors import BigQueryError
from gcp_local.bigquery.schema import Field, Schema


def selected_columns(schema: Schema, said: str | None) -> tuple[Schema, Schema]:
    """Give the columns that are read, and what of them is shown: records lose fields there.

    Raises:
        BigQueryError: `invalid`; there is no such field.

    """
    if not said:
        return schema, schema
    paths = [tuple(path.strip().lower().split(".")) for path in said.split(",") if path.strip()]
    if not paths:
        raise BigQueryError("invalid", f"Invalid value for selectedFields: {said!r:.100}")
    shown = _pruned(schema, paths, "")
    names = {field.name for field in shown}
    return tuple(field for field in schema if field.name in names), shown


def _pruned(fields: Schema, paths: Sequence[tuple[str, ...]], at: str) -> Schema:
    known = {field.name.lower() for field in fields}
    for path in paths:
        if path[0] not in known:
            raise BigQueryError("invalid", f"No such field: {at}{path[0]}.")
    found = []
    for field in fields:
        rest = [path[1:] for path in paths if path[0] == field.name.lower()]
        if rest:
            found.append(field if () in rest else _inner(field, rest, f"{at}{field.name}."))
    return tuple(found)


def _inner(field: Field, rest: Sequence[tuple[str, ...]], at: str) -> Field:
    return replace(field, fields=_pruned(field.fields, rest, at))
