"""What a table's columns are once rows of other columns are written to it: pure."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import replace
from typing import TYPE_CHECKING

from gcp_local.bigquery.errors import BigQueryError
from gcp_local.bigquery.writing.destination import ADDITION, RELAXATION

if TYPE_CHECKING:
    from gcp_local.bigquery.references import TableRef
    from gcp_local.bigquery.schema import Field, Schema


def merged(table: TableRef, present: Schema, offered: Schema, updates: Collection[str]) -> Schema:
    """Add the offered columns to a table's.

    Args:
        table: for the messages.
        present: the table's columns.
        offered: those of the rows.
        updates: the schema update options.

    Raises:
        BigQueryError: they do not fit together, or only with an option that is not given.

    """
    return _merged(table, present, offered, updates, "")


def _merged(
    table: TableRef, present: Schema, offered: Schema, updates: Collection[str], path: str
) -> Schema:
    given = {field.name.lower(): field for field in offered}
    fields = []
    for field in present:
        other = given.pop(field.name.lower(), None)
        if other is not None:
            fields.append(_one(table, field, other, updates, path))
        elif field.mode != "REQUIRED":
            fields.append(field)
        elif RELAXATION in updates:
            fields.append(replace(field, mode="NULLABLE"))
        else:
            raise _mismatch(table, f"Field {path}{field.name} is missing in new schema")
    for field in given.values():
        name = path + field.name
        if ADDITION not in updates:
            raise _mismatch(table, f"Cannot add fields (field: {name})")
        if field.mode == "REQUIRED":
            what = f"Cannot add required fields to an existing schema. (field: {name})"
            raise _mismatch(table, what)
        fields.append(field)
    return tuple(fields)


def _one(
    table: TableRef, present: Field, offered: Field, updates: Collection[str], path: str
) -> Field:
    name = path + present.name
    if present.type != offered.type:
        what = f"Field {name} has changed type from {present.type} to {offered.type}"
        raise _mismatch(table, what)
    mode = present.mode
    if present.repeated != offered.repeated or (
        present.mode == "REQUIRED" and offered.mode == "NULLABLE" and RELAXATION not in updates
    ):
        what = f"Field {name} has changed mode from {present.mode} to {offered.mode}"
        raise _mismatch(table, what)
    if present.mode == "REQUIRED" and offered.mode == "NULLABLE":
        mode = "NULLABLE"
    inner = _merged(table, present.fields, offered.fields, updates, f"{name}.")
    return replace(present, mode=mode, fields=inner)


def _mismatch(table: TableRef, what: str) -> BigQueryError:
    return BigQueryError("invalid", f"Provided Schema does not match Table {table}. {what}")
