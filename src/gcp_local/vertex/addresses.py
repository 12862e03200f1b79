"""Where data are, as requests say it: objects of Cloud Storage, tables of BigQuery.

They are held against Google's forms; whether they are there is another question. Sources:
https://cloud.google.com/storage/docs/buckets#naming and the documentation of `BigQuerySource` and
of https://cloud.google.com/bigquery/docs/tables#table_naming.
"""

from __future__ import annotations

import re

from gcp_local.errors import InvalidArgument

_OBJECT = re.compile(r"gs://[a-z0-9][a-z0-9._-]{1,220}[a-z0-9]/[^/].*")
# A project of an organisation's domain has a colon; a dataset and a table are of letters, digits
# and "_", a table of "-" and of other scripts as well.
_TABLE = re.compile(
    r"bq://(([a-z][a-z0-9.-]*:)?[a-z][a-z0-9-]{4,28}[a-z0-9]|[0-9]+)"
    r"\.[A-Za-z0-9_]{1,1024}\.[\w-]{1,1024}"
)
_PLACE = re.compile(
    r"bq://(([a-z][a-z0-9.-]*:)?[a-z][a-z0-9-]{4,28}[a-z0-9]|[0-9]+)"
    r"(\.[A-Za-z0-9_]{1,1024}(\.[\w-]{1,1024})?)?"
)
_LONGEST_TABLE = 2000


def check_object(uri: object, field: str) -> None:
    """Refuse what is not the address of an object; it may hold wildcards."""
    if not isinstance(uri, str) or not _OBJECT.fullmatch(uri):
        raise _refusal(uri, field, "gs://BUCKET/OBJECT")


def check_table(uri: object, field: str) -> None:
    """Refuse what is not the address of a table or view."""
    if not isinstance(uri, str) or len(uri) > _LONGEST_TABLE or not _TABLE.fullmatch(uri):
        raise _refusal(uri, field, "bq://PROJECT.DATASET.TABLE")


def check_destination(uri: object, field: str) -> None:
    """Refuse what is not the address of a project, dataset or table to write to."""
    if not isinstance(uri, str) or len(uri) > _LONGEST_TABLE or not _PLACE.fullmatch(uri):
        raise _refusal(
            uri, field, "bq://PROJECT, bq://PROJECT.DATASET or bq://PROJECT.DATASET.TABLE"
        )


def _refusal(uri: object, field: str, form: str) -> InvalidArgument:
    name = field.rpartition(".")[2]
    return InvalidArgument.of_field(field, f"Invalid {name} {uri!r}: it must be {form}.")
