"""`jobs.query` with a request id: a repeated request is the same query, not another."""

from __future__ import annotations

import json
import threading
from collections import OrderedDict
from collections.abc import Callable, Mapping
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any

from gcp_local import clock
from gcp_local.bigquery.errors import BigQueryError

if TYPE_CHECKING:
    from gcp_local.bigquery.jobs.store import JobRef

_LIFETIME = timedelta(minutes=15)
_Begun = tuple["JobRef", dict[str, Any]]


class RecentRequests:
    """Remembers which request began which job, for a quarter of an hour.

    Source: https://cloud.google.com/bigquery/docs/reference/rest/v2/jobs/query (requestId).
    """

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._begun: OrderedDict[tuple[str, str], tuple[datetime, str, _Begun]] = OrderedDict()

    def once(
        self,
        mark: tuple[str, str] | None,
        said: Mapping[str, Any],
        begin: Callable[[], _Begun],
    ) -> _Begun:
        """Begin a job, or give that which an equal request with this mark began.

        Args:
            mark: the project and the request's id; None if it has none.
            said: the request, without which two marks may not be the same.
            begin: starts the job.

        Raises:
            BigQueryError: the mark was another request's.

        """
        if mark is None:
            return begin()
        text = json.dumps({**said, "timeoutMs": 0, "maxResults": 0}, sort_keys=True)
        with self._lock:
            self._forget()
            known = self._begun.get(mark)
            if known is not None:
                _, before, begun = known
                if before != text:
                    message = f"The request ID {mark[1]} was used by another request."
                    raise BigQueryError("invalid", message)
                return begun
            begun = begin()
            self._begun[mark] = clock.now(), text, begun
        return begun

    def _forget(self) -> None:
        oldest = clock.now() - _LIFETIME
        while self._begun and next(iter(self._begun.values()))[0] < oldest:
            self._begun.popitem(last=False)
