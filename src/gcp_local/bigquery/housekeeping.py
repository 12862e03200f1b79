"""Clears away, hour by hour, what has expired and what nothing names any more."""

from __future__ import annotations

import logging
import threading
from datetime import timedelta
from typing import TYPE_CHECKING

from gcp_local import clock

if TYPE_CHECKING:
    from gcp_local.bigquery.catalog import Catalog
    from gcp_local.bigquery.warehouse import Warehouse

log = logging.getLogger(__name__)

_EVERY = timedelta(hours=1)
# Longer than a job may take (https://cloud.google.com/bigquery/quotas#query_jobs: six hours), whose
# files are named by a version only in the end.
_YOUNG = timedelta(days=1)


class Housekeeper:
    """A server that runs for weeks keeps no more than one that was started today."""

    def __init__(self, catalog: Catalog, warehouse: Warehouse) -> None:
        self._catalog = catalog
        self._warehouse = warehouse
        self._closed = threading.Event()
        self._thread = threading.Thread(target=self._run, name="bigquery-housekeeping", daemon=True)

    def tidy(self, *, young: timedelta = _YOUNG) -> None:
        """Clear away once.

        Args:
            young: files that are not named, but were written less than this ago, stay.

        """
        self._catalog.remove_expired()
        self._catalog.deleted.forget()
        self._warehouse.forget_old()
        self._warehouse.remove_unnamed(young)

    def _run(self) -> None:
        while not self._closed.is_set():
            seen = clock.wakings()
            until = clock.now() + _EVERY
            while clock.now() < until and not self._closed.is_set():
                clock.wait(until, seen)
                seen = clock.wakings()
            if not self._closed.is_set():
                try:
                    self.tidy()
                except Exception:
                    log.exception("a fault in BigQuery's housekeeping")

    # For the server

    def recover(self) -> None:
        """Begin."""
        self._thread.start()

    def busy(self) -> bool:
        """Tell whether anything is under way."""
        return False

    def close(self) -> None:
        """End."""
        self._closed.set()
        clock.wake()
        if self._thread.is_alive():
            self._thread.join()
