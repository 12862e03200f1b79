"""Where a bucket can be (https://cloud.google.com/storage/docs/locations).

Regions come and go, so any name that a region could have is taken.
"""

from __future__ import annotations

import re

_MULTI = ("ASIA", "EU", "US")
_DUAL = ("ASIA1", "EUR4", "EUR5", "EUR7", "EUR8", "NAM4")
_REGION = re.compile(
    r"(AFRICA|ASIA|AUSTRALIA|EUROPE|ME|NORTHAMERICA|SOUTHAMERICA|US)"
    r"-(CENTRAL|(NORTH|SOUTH)?(EAST|WEST)|NORTH|SOUTH)[1-9][0-9]?"
)


def kind_of(location: str) -> str | None:
    """Tell a location's kind as Cloud Storage does: `region`, `dual-region` or `multi-region`.

    Args:
        location: in upper case.

    Returns:
        The kind, or None where no bucket can be.

    """
    if location in _MULTI:
        return "multi-region"
    if location in _DUAL:
        return "dual-region"
    return "region" if _REGION.fullmatch(location) else None
