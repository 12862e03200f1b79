"""Where a dataset can be (https://cloud.google.com/bigquery/docs/locations)."""

from __future__ import annotations

import re

from gcp_local.bigquery.errors import BigQueryError
from gcp_local.storage.locations import kind_of

DEFAULT = "US"
_MULTI = ("US", "EU")
_OMNI = re.compile(r"(aws|azure)-[a-z0-9-]+")


def canonical(said: str) -> str:
    """Give a location as BigQuery writes it: `EU`, `europe-west1`.

    Regions come and go, so any name that a region could have is one.

    Raises:
        BigQueryError: `invalid`; it is none.

    """
    if said.upper() in _MULTI:
        return said.upper()
    name = said.lower()
    if _OMNI.fullmatch(name):
        raise BigQueryError.lacking(f"BigQuery Omni (the location {name})")
    if kind_of(name.upper()) != "region":
        raise BigQueryError("invalid", f"Invalid value for location: {said!r:.100}")
    return name
