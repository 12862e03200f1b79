"""What is said of a statement that made, changed or removed something."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from gcp_local.bigquery.references import DatasetRef, TableRef
from gcp_local.bigquery.sql.session import Outcome


@dataclass(frozen=True)
class Made:
    """What was done to what.

    Attributes:
        operation: CREATE, REPLACE, SKIP, ALTER, DROP.
        noun: Table, Routine; nothing else has a name in the statistics but a dataset.

    """

    operation: str
    ref: TableRef | DatasetRef
    noun: str = "Table"


def made(statement_type: str, what: Made) -> Outcome:
    """Give the outcome, with the statistics that name what it was done to."""
    said: dict[str, Any] = {"ddlOperationPerformed": what.operation}
    if isinstance(what.ref, DatasetRef):
        said["ddlTargetDataset"] = what.ref.as_json()
    elif what.noun in ("Table", "Routine"):
        said[f"ddlTarget{what.noun}"] = what.ref.as_json(what.noun.lower())
    return Outcome(statement_type, statistics=said)
