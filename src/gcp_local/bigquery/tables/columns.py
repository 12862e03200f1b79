"""What a table's columns may be, and how they may change.

Sources: https://cloud.google.com/bigquery/docs/schemas and
https://cloud.google.com/bigquery/docs/managing-table-schemas.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from gcp_local.bigquery.errors import BigQueryError
from gcp_local.bigquery.schema import Field, Schema

_RESERVED = (
    "_PARTITION", "_TABLE_", "_FILE_", "_ROW_TIMESTAMP", "__ROOT__", "_COLIDENTIFIER",
)  # fmt: skip
_MOST = 10_000
_LONGEST_DESCRIPTION = 1024
_LACKING = {
    "categories": "categories of columns",
    "collation": "collation",
    "dataGovernanceTagsInfo": "data governance tags",
    "dataPolicies": "data policies",
    "dataPolicyList": "data policies",
    "foreignTypeDefinition": "foreign types",
    "generatedColumn": "generated columns",
    "policyTags": "policy tags",
    "rangeElementType": "ranges",
    "timestampPrecision": "timestamps of another precision",
}
# How many digits a NUMERIC may have before its point.
_WHOLE_DIGITS, _MOST_SCALE = 29, 9


def check_columns(schema: Schema) -> None:
    """Hold columns to the rules, which say more than `read_schema`.

    Raises:
        BigQueryError: one is broken, or the stand-in lacks something.

    """
    if _count(schema) > _MOST:
        raise BigQueryError("invalid", f"Too many columns: a table has at most {_MOST}.")
    for field in schema:
        if field.name.upper().startswith(_RESERVED):
            message = (
                f'Invalid field name "{field.name}". Field names are not allowed to start with the'
                f" (case-insensitive) prefixes {', '.join(_RESERVED)}"
            )
            raise BigQueryError("invalid", message)
        _check(field, field.name)


def _count(fields: Sequence[Field]) -> int:
    return sum(1 + _count(field.fields) for field in fields)


def _check(field: Field, at: str) -> None:
    more = dict(field.more)
    for name, what in _LACKING.items():
        if more.get(name):
            raise BigQueryError.lacking(f"{what} ({name} of the column {at})")
    if len(more.get("description", "")) > _LONGEST_DESCRIPTION:
        message = f"The description of {at} is longer than {_LONGEST_DESCRIPTION} characters."
        raise BigQueryError("invalid", message)
    _check_length(field, more, at)
    _check_digits(field, more, at)
    if more.get("roundingMode") == "ROUND_HALF_EVEN":
        raise BigQueryError.lacking(f"the rounding mode ROUND_HALF_EVEN (of the column {at})")
    if "defaultValueExpression" in more and "." in at:
        message = f"A default value cannot be set on the nested field {at}."
        raise BigQueryError("invalid", message)
    for inner in field.fields:
        _check(inner, f"{at}.{inner.name}")


def _check_length(field: Field, more: Mapping[str, Any], at: str) -> None:
    if "maxLength" not in more:
        return
    if field.type not in ("STRING", "BYTES"):
        message = f"Field {at} is of type {field.type}: only STRING and BYTES have a maxLength."
        raise BigQueryError("invalid", message)
    if int(more["maxLength"]) <= 0:
        raise BigQueryError("invalid", f"Field {at} has a maxLength that is not above 0.")


def _check_digits(field: Field, more: Mapping[str, Any], at: str) -> None:
    if "precision" not in more and "scale" not in more:
        return
    if field.type != "NUMERIC":
        message = f"Field {at} is of type {field.type}: only numerics have a precision and scale."
        raise BigQueryError("invalid", message)
    if "precision" not in more:
        raise BigQueryError("invalid", f"Field {at} has a scale without a precision.")
    precision, scale = int(more["precision"]), int(more.get("scale", 0))
    if not 0 <= scale <= _MOST_SCALE or not max(1, scale) <= precision <= _WHOLE_DIGITS + scale:
        message = (
            f"Field {at}: NUMERIC has a scale from 0 to {_MOST_SCALE}, and a precision from"
            f" {max(1, scale)} to {_WHOLE_DIGITS + scale} with a scale of {scale}."
        )
        raise BigQueryError("invalid", message)


def changed_schema(table: object, before: Schema, after: Schema) -> Schema:
    """Give a table's columns when a client has said which it wants.

    Columns may be added that are NULLABLE or REPEATED, and REQUIRED ones become NULLABLE; their
    order stays, and new ones come last. Nothing may go or change its type.

    Args:
        table: its name, for messages.
        before: its columns now.
        after: its columns as the client says.

    Raises:
        BigQueryError: `invalid`, in BigQuery's words.

    """
    if not before:
        return after
    return _changed(f"Provided Schema does not match Table {table}.", before, after, "")


def _changed(complaint: str, before: Schema, after: Schema, at: str) -> Schema:
    wanted = {field.name.lower(): field for field in after}
    known = {field.name.lower() for field in before}
    kept = []
    for field in before:
        new = wanted.get(field.name.lower())
        if new is None:
            message = f"{complaint} Field {at}{field.name} is missing in new schema"
            raise BigQueryError("invalid", message)
        kept.append(_changed_field(complaint, field, new, at))
    added = [field for field in after if field.name.lower() not in known]
    for field in added:
        if field.mode == "REQUIRED":
            message = (
                f"{complaint} Cannot add required fields to an existing schema. (field:"
                f" {at}{field.name})"
            )
            raise BigQueryError("invalid", message)
    return (*kept, *added)


def _changed_field(complaint: str, before: Field, after: Field, at: str) -> Field:
    name = f"{at}{before.name}"
    if before.type != after.type:
        message = f"{complaint} Field {name} has changed type from {before.type} to {after.type}"
        raise BigQueryError("invalid", message)
    relaxed = (before.mode, after.mode) == ("REQUIRED", "NULLABLE")
    if before.mode != after.mode and not relaxed:
        message = f"{complaint} Field {name} has changed mode from {before.mode} to {after.mode}"
        raise BigQueryError("invalid", message)
    _check_wider(complaint, name, before, after)
    inner = _changed(complaint, before.fields, after.fields, f"{name}.") if before.fields else ()
    return Field(before.name, before.type, after.mode, inner, after.more)


def _check_wider(complaint: str, name: str, before: Field, after: Field) -> None:
    """Refuse to take room away from values that may be there."""
    old, new = dict(before.more), dict(after.more)
    for limit in ("maxLength", "precision"):
        narrower = limit in new and (limit not in old or int(new[limit]) < int(old[limit]))
        if narrower:
            message = f"{complaint} Field {name} has changed {limit}, which can only be relaxed"
            raise BigQueryError("invalid", message)
