"""What datasets, tables, models and routines may be called."""

from __future__ import annotations

import re
import unicodedata

from gcp_local.bigquery.errors import BigQueryError
from gcp_local.bigquery.references import DatasetRef, TableRef

_LONGEST = 1024
_PLAIN = re.compile(r"[A-Za-z0-9_]+")
_ROUTINE = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")
_LONGEST_ROUTINE = 256
# https://cloud.google.com/bigquery/docs/tables#table_naming: letters, marks, numbers, connectors,
# dashes, spaces, of any script.
_CATEGORIES = ("L", "M", "N", "Pc", "Pd", "Zs")


def check_dataset_id(name: str) -> None:
    """Refuse what no dataset can be called; BigQueryError `invalid`, or `required` if empty."""
    if not name:
        raise BigQueryError("required", "Required parameter is missing: datasetId")
    if not _PLAIN.fullmatch(name) or len(name) > _LONGEST:
        message = (
            f'Invalid dataset ID "{name:.1100}". Dataset IDs must be alphanumeric (plus'
            " underscores) and must be at most 1024 characters long."
        )
        raise BigQueryError("invalid", message)


def check_id(name: str, noun: str = "table") -> None:
    """Refuse what no `table`, `model` or `routine` can be called; errors as `check_dataset_id`."""
    if not name:
        raise BigQueryError("required", f"Required parameter is missing: {noun}Id")
    if noun == "table":
        good = len(name.encode()) <= _LONGEST and all(
            unicodedata.category(letter).startswith(_CATEGORIES) for letter in name
        )
        rest = " Also, Table decorators cannot be used."
        length = _LONGEST
    elif noun == "model":
        good, rest, length = bool(_PLAIN.fullmatch(name)) and len(name) <= _LONGEST, "", _LONGEST
    else:
        length = _LONGEST_ROUTINE
        good, rest = bool(_ROUTINE.fullmatch(name)) and len(name) <= length, ""
    if not good:
        message = (
            f'Invalid {noun} ID "{name:.1100}". {noun.capitalize()} IDs must be alphanumeric (plus'
            f" underscores) and must be at most {length} characters long.{rest}"
        )
        raise BigQueryError("invalid", message)


def dataset_of(project: str, said: dict[str, str], given: str | None = None) -> DatasetRef:
    """Read the reference in a body, which may not differ from the URL's."""
    check_agreement(said.get("projectId", project), project)
    if given is not None:
        check_agreement(said.get("datasetId", given), given)
        return DatasetRef(project, given)
    name = said.get("datasetId", "")
    check_dataset_id(name)
    return DatasetRef(project, name)


def member_of(
    parent: DatasetRef, said: dict[str, str], given: str | None = None, noun: str = "table"
) -> TableRef:
    """Read the reference in a body to something in a dataset; it may not differ from the URL's."""
    check_agreement(said.get("projectId", parent.project), parent.project)
    check_agreement(said.get("datasetId", parent.dataset), parent.dataset)
    key = f"{noun}Id"
    if given is not None:
        check_agreement(said.get(key, given), given)
        return parent.table(given)
    name = said.get(key, "")
    check_id(name, noun)
    return parent.table(name)


def check_agreement(content: str, parameter: str) -> None:
    """Refuse a body that is about something else than its URL."""
    if content != parameter:
        message = (
            f"Value '{content}' in content does not agree with value '{parameter}'. This can happen"
            " when a value set through a parameter is inconsistent with a value set in the request."
        )
        raise BigQueryError("invalid", message)
