"""Tables as statements change them: found by the names that stand there, read and written."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING

from gcp_local import clock
from gcp_local.bigquery.engine import FileRelation
from gcp_local.bigquery.errors import BigQueryError
from gcp_local.bigquery.partitions import PARTITION_TIME, Partitioning
from gcp_local.bigquery.references import DatasetRef, TableRef
from gcp_local.bigquery.schema import Field, Schema, arrow_schema
from gcp_local.bigquery.warehouse import StaleError, Version

if TYPE_CHECKING:
    from collections.abc import Iterable
    from datetime import datetime

    import pyarrow as pa

    from gcp_local.bigquery.catalog import Catalog, Entry
    from gcp_local.bigquery.sql.session import Outcome, Session
    from gcp_local.bigquery.streaming import Streaming
    from gcp_local.bigquery.warehouse import DataFile, Warehouse
    from gcp_local.resources.database import Database

_HIDDEN = Field(PARTITION_TIME, "TIMESTAMP")


@dataclass(frozen=True)
class Held:
    """A table in the version that a statement begins with.

    Attributes:
        buffered: which of its rows, by their numbers, are in the streaming buffer still.

    """

    ref: TableRef
    entry: Entry
    version: Version
    buffered: tuple[range, ...] = ()

    def check_settled(self, numbers: Iterable[int]) -> None:
        """Refuse to change or delete rows that are in the streaming buffer still.

        Raises:
            BigQueryError: `invalidQuery`.

        """
        if any(number in part for part in self.buffered for number in numbers):
            message = (
                f"UPDATE or DELETE statement over table {self.ref.dotted} would affect rows in the"
                " streaming buffer, which is not supported"
            )
            raise BigQueryError.query(message)

    @property
    def partitioning(self) -> Partitioning | None:
        """How it is partitioned."""
        return Partitioning.of(self.entry.body)

    @property
    def schema(self) -> Schema:
        """Its columns, the hidden one among them if it has it."""
        partitioning = self.partitioning
        hidden = (_HIDDEN,) if partitioning and partitioning.ingested else ()
        return (*self.entry.schema, *hidden)


@dataclass(frozen=True)
class Change:
    """What a transaction has done to a table.

    Attributes:
        held: the table as it will be.
        base: the number of the version that it had.
        added: the files that were added, if rows were only added; else None.

    """

    held: Held
    base: int
    added: tuple[DataFile, ...] | None


@dataclass
class Transaction:
    """What a transaction has changed and not yet committed, seen by itself alone.

    Attributes:
        began: as of when it reads what it has not changed.

    """

    began: datetime
    changes: dict[TableRef, Change] = field(default_factory=dict)
    _read: dict[str, Version] = field(default_factory=dict)

    def version(self, entry: Entry, warehouse: Warehouse) -> Version:
        """Give the version of a table that it reads: always the same."""
        if entry.uid not in self._read:
            found = warehouse.at(entry.uid, self.began)
            if found is None:  # it was empty then, or was made since, as temporary tables are
                made = clock.from_micros(entry.created)
                current = warehouse.current(entry.uid)
                found = current if made > self.began else Version(0, 0)
            self._read[entry.uid] = found
        return self._read[entry.uid]

    def forget(self, ref: TableRef) -> None:
        """Forget what was done to a temporary table that goes, or is replaced."""
        self.changes.pop(ref, None)

    def relations(self, warehouse: Warehouse) -> dict[TableRef, FileRelation]:
        """Give what its own queries read instead of what is committed."""
        return {
            ref: FileRelation(change.held.schema, tuple(warehouse.paths(change.held.version)))
            for ref, change in self.changes.items()
        }

    def note(self, held: Held, files: tuple[DataFile, ...], *, append: bool) -> None:
        """Remember what a statement does to a table."""
        before = self.changes.get(held.ref) or Change(held, held.version.number, ())
        added = (*before.added, *files) if append and before.added is not None else None
        everything = (*held.version.files, *files) if append else files
        version = replace(held.version, files=everything)
        self.changes[held.ref] = Change(replace(held, version=version), before.base, added)


class Tables:
    """Reads and writes the tables that statements name."""

    def __init__(
        self, catalog: Catalog, warehouse: Warehouse, streaming: Streaming, database: Database
    ) -> None:
        self.catalog = catalog
        self._streaming = streaming
        self.database = database
        self.warehouse = warehouse

    def ref(self, path: tuple[str, ...], session: Session) -> TableRef:
        """Tell which table a name means, whether there is one or not.

        Raises:
            BigQueryError: it names no dataset, and there is no default.

        """
        if len(path) == 1:
            if session.temporary is not None:
                temporary = session.temporary.table(path[0])
                if self.catalog.find(temporary):
                    return temporary
            if session.default_dataset is None:
                raise BigQueryError.query(
                    f'Table "{path[0]}" must be qualified with a dataset (e.g. dataset.table).'
                )
            return session.default_dataset.table(path[0])
        if path[0].upper() == "_SESSION" and session.temporary is not None:
            return session.temporary.table(path[1])
        if len(path) == 2:
            return TableRef(session.project, *path)
        if len(path) == 3:
            return TableRef(*path)
        raise BigQueryError.query(f'Invalid table name: "{".".join(path)}"')

    def dataset(self, path: tuple[str, ...], session: Session) -> DatasetRef:
        """Tell which dataset a name means, whether there is one or not."""
        if len(path) > 2:
            raise BigQueryError.query(f'Invalid dataset name: "{".".join(path)}"')
        return DatasetRef(session.project, path[0]) if len(path) == 1 else DatasetRef(*path)

    def entry(self, ref: TableRef, session: Session) -> Entry:
        """Give a table; one that is not there as queries say it."""
        found = self.catalog.find(ref)
        if found is None:
            self.catalog.dataset(ref.parent)
            raise BigQueryError(
                "notFound",
                f"Not found: Table {ref} was not found in location {session.location}",
            )
        return found

    def held(self, path: tuple[str, ...], session: Session) -> Held:
        """Give a table that rows can be written to, as the session sees it.

        Raises:
            BigQueryError: there is none; it is a view or snapshot.

        """
        held = self._held(self.ref(path, session), session)
        return replace(held, buffered=self._streaming.rows(held.entry.uid, held.version))

    def _held(self, ref: TableRef, session: Session) -> Held:
        if session.transaction is not None and ref in session.transaction.changes:
            return session.transaction.changes[ref].held
        entry = self.entry(ref, session)
        if entry.kind != "TABLE":
            raise BigQueryError(
                "invalidQuery",
                f"{ref} is not allowed for this operation because it is currently a {entry.kind}.",
                location="query",
            )
        return Held(ref, entry, self.version(entry, session))

    def version(self, entry: Entry, session: Session) -> Version:
        """Give the version of a table that a session reads."""
        if session.transaction is not None:
            return session.transaction.version(entry, self.warehouse)
        return self.warehouse.current(entry.uid)

    def rows(self, held: Held) -> pa.Table:
        """Read all rows."""
        return self.warehouse.read(held.version, arrow_schema(held.schema))

    def write(
        self, held: Held, rows: pa.Table, session: Session, outcome: Outcome, *, append: bool
    ) -> None:
        """Make rows the table's, or with `append` add them: what comes of it is `outcome`.

        Raises:
            StaleError: somebody else has changed the table meanwhile, and rows are not only added;
                or there is no such table any more.

        """
        files = (self.warehouse.write(rows),) if rows.num_rows else ()
        if session.transaction is not None:
            session.transaction.note(held, files, append=append)
            return
        base = None if append else held.version.number
        with self.database.transaction():
            self._check_there(held)
            self.warehouse.commit(held.entry.uid, files, append=append, base=base)
            session.settle(outcome)

    def _check_there(self, held: Held) -> None:
        """Refuse to write to a table that was dropped, replaced or renamed since it was found."""
        there = self.catalog.find(held.ref)
        if there is None or there.uid != held.entry.uid:
            raise StaleError

    def commit(self, transaction: Transaction) -> None:
        """Make all of a transaction's changes at once.

        Raises:
            BigQueryError: one of its tables was changed by somebody else meanwhile.

        """
        with self.database.transaction():
            for ref, change in transaction.changes.items():
                uid, added = change.held.entry.uid, change.added
                try:
                    self._check_there(change.held)
                    if added is None:
                        files = change.held.version.files
                        self.warehouse.commit(uid, files, base=change.base)
                    else:
                        self.warehouse.commit(uid, added, append=True)
                except StaleError:
                    raise BigQueryError.query(
                        f"Transaction is aborted due to concurrent update against table {ref}."
                    ) from None


def stamped(held: Held, rows: pa.Table, session: Session) -> pa.Table:
    """Give rows that are added their hidden column, if they have it not and the table has it."""
    partitioning = held.partitioning
    if partitioning is None or not partitioning.ingested or PARTITION_TIME in rows.column_names:
        return rows
    return partitioning.stamped(rows, session.now)
