"""The query cache: the same text over the same rows gives the rows that are kept already.

Source: https://cloud.google.com/bigquery/docs/cached-results.
"""

from __future__ import annotations

import json
import re
import threading
from collections import OrderedDict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from gcp_local.bigquery.catalog import Catalog
    from gcp_local.bigquery.references import TableRef
    from gcp_local.bigquery.sql.session import Outcome
    from gcp_local.bigquery.warehouse import Warehouse

_MOST = 1000
# What gives another answer another time, or reads what has no versions.
_UNSTEADY = re.compile(
    r"\b(CURRENT_\w+|RAND|GENERATE_UUID|SESSION_USER|NOW|INFORMATION_SCHEMA|ML|AI|EXTERNAL_QUERY"
    r"|SYSTEM_TIME|_PARTITION\w*|TABLESAMPLE|_TABLE_SUFFIX|__TABLES__|KEYS|AEAD)\b|@@|\*`",
    re.IGNORECASE,
)
_State = tuple[str, int, str]


@dataclass(frozen=True)
class Kept:
    """What an earlier query gave.

    Attributes:
        table: where its rows are.
        outcome: without the rows.
        states: of the tables that it read, when it did.

    """

    table: TableRef
    outcome: Outcome
    states: Mapping[TableRef, _State]


class QueryCache:
    """Remembers results for as long as the server runs and their tables live."""

    def __init__(self, catalog: Catalog, warehouse: Warehouse) -> None:
        self._catalog = catalog
        self._warehouse = warehouse
        self._lock = threading.Lock()
        self._kept: OrderedDict[str, Kept] = OrderedDict()

    @staticmethod
    def key(project: str, location: str, query: Mapping[str, Any]) -> str | None:
        """Give what a result is remembered by; None if the query must not be remembered."""
        if not query.get("useQueryCache", True) or _UNSTEADY.search(query["query"]):
            return None
        said = [query.get(name) for name in ("query", "queryParameters", "defaultDataset")]
        return json.dumps([project, location, *said], sort_keys=True)

    def states(self, tables: Sequence[TableRef]) -> Mapping[TableRef, _State] | None:
        """Tell what tables are like now; None if one is no table with versions."""
        found = {}
        for ref in tables:
            entry = self._catalog.find(ref)
            if entry is None or entry.kind != "TABLE":
                return None
            number = self._warehouse.current(entry.uid).number
            found[ref] = (entry.uid, number, entry.etag)
        return found

    def find(self, key: str) -> Kept | None:
        """Give what is remembered, if nothing that it was made from has changed."""
        with self._lock:
            kept = self._kept.get(key)
        if kept is None:
            return None
        there = self._catalog.find(kept.table) is not None
        if there and self.states(tuple(kept.states)) == kept.states:
            return kept
        with self._lock:
            self._kept.pop(key, None)
        return None

    def put(self, key: str, kept: Kept) -> None:
        """Remember a result, and forget the oldest if there are too many."""
        with self._lock:
            self._kept[key] = kept
            while len(self._kept) > _MOST:
                self._kept.popitem(last=False)
