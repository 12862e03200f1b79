"""Tables that BigQuery makes up: INFORMATION_SCHEMA's views."""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from gcp_local.bigquery.engine import RowRelation
    from gcp_local.bigquery.sql.session import Session


class SystemTables(Protocol):
    """Gives such tables."""

    def find(
        self, project: str, place: str | None, view: str, session: Session
    ) -> RowRelation | None:
        """Give a view's rows; None if there is no such view.

        Args:
            project: whose.
            place: a dataset, or a region with its prefix: `region-us`; None is the job's location.
            view: its name without INFORMATION_SCHEMA, in capitals: `TABLES`, `JOBS_BY_PROJECT`.
            session: what the query runs in.

        Raises:
            BigQueryError: it cannot be asked there; there is no such dataset.

        """
        ...
