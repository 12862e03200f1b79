"""The journal: through which the holder of a lease writes the ledger, from several threads."""

import threading
from collections.abc import Mapping
from concurrent.futures import Future
from dataclasses import dataclass, field

from ecluse.ledger.lease import Lease
from ecluse.ledger.records import Entry, Head, Ledger


@dataclass
class _Page:
    """What one thread wants to write, and the head that it was written with."""

    entries: Mapping[str, Entry]
    written: Future[Head] = field(default_factory=Future)


class Journal:
    """Writes what threads bring at the same time in one compare-and-swap.

    The head may be written about once a second in Cloud Storage. While one write is under way,
    what comes meanwhile gathers, and goes out together with the next.
    """

    def __init__(self, ledger: Ledger, lease: Lease) -> None:
        self._ledger = ledger
        self._lease = lease
        self._head = ledger.fence(lease.token)
        self._in_doubt = False
        self._pages: list[_Page] = []
        self._gathering = threading.Lock()
        self._writing = threading.Lock()

    @property
    def head(self) -> Head:
        """The present, as this journal last read or wrote it."""
        return self._head

    def check(self) -> None:
        """Make sure that what the ledger says may still be made true in the cloud by us.

        Raises:
            LeaseLost: the lease may be another's by now.

        """
        self._lease.check()

    def add(self, entries: Mapping[str, Entry]) -> Head:
        """Make entries the present of their pipelines, together.

        Returns:
            The head that they were written with.

        Raises:
            LeaseLost: the lease is another's by now.
            LedgerMoved: the head was changed past the lease; nothing was written.
            CloudError: it could not be written, or nobody can tell whether it was.

        """
        page = _Page(entries)
        with self._gathering:
            self._pages.append(page)
        while not page.written.done():
            with self._writing:
                if not page.written.done():
                    self._write()
        return page.written.result()

    def _write(self) -> None:
        pages = self._gathered()
        entries = {name: entry for page in pages for name, entry in page.entries.items()}
        try:
            self._lease.check()
            if self._in_doubt:
                self._head = self._ledger.fence(self._lease.token)
                self._in_doubt = False
            self._head = self._ledger.commit(self._head, entries, token=self._lease.token)
        except BaseException as failure:  # noqa: BLE001  whoever waits for it raises it
            self._in_doubt = True
            for page in pages:
                page.written.set_exception(failure)
        else:
            for page in pages:
                page.written.set_result(self._head)

    def _gathered(self) -> list[_Page]:
        """Take the pages that go out now: in order, and of each pipeline one entry at a time."""
        taken: list[_Page] = []
        named: set[str] = set()
        with self._gathering:
            for page in self._pages:
                if named & page.entries.keys():
                    break
                named |= page.entries.keys()
                taken.append(page)
            del self._pages[: len(taken)]
        return taken
