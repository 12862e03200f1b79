"""The options of files."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from gcp_local.bigquery.sql.asking import Asker
    from gcp_local.bigquery.sql.cursor import Fragment
    from gcp_local.bigquery.sql.session import Session


def evaluated(
    options: list[tuple[str, Fragment]],
    known: Mapping[str, type],
    asker: Asker,
    session: Session,
) -> dict[str, Any]:
    """Evaluate options.

    Raises:
        BigQueryError: one that there is not, or twice, or with a value of another type.

    """
    found: dict[str, Any] = {}
    for name, fragment in options:
        if name not in known:
            raise fragment.error(f"Unknown option: {name}")
        if name in found:
            raise fragment.error(f"Duplicate option: {name}")
        value = asker.value(fragment, session).value
        if type(value) is not known[name]:
            raise fragment.error(f"Option {name} has a value of a wrong type")
        found[name] = value
    return found
