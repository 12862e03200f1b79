"""Which tables a query's names mean, and what of them it reads."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import timedelta
from fnmatch import fnmatchcase
from functools import lru_cache
from typing import TYPE_CHECKING, Any

from gcp_local import clock
from gcp_local.bigquery.engine import FileRelation, Relation, RowRelation
from gcp_local.bigquery.errors import BigQueryError
from gcp_local.bigquery.partitions import PARTITION_TIME, Partitioning
from gcp_local.bigquery.references import DatasetRef, TableRef
from gcp_local.bigquery.schema import Field, Schema
from gcp_local.bigquery.sql.grammar.nodes import refusal
from gcp_local.bigquery.warehouse import logical_bytes

if TYPE_CHECKING:
    from datetime import datetime
    from pathlib import Path

    from sqlglot import exp

    from gcp_local.bigquery.catalog import Catalog, Entry
    from gcp_local.bigquery.sql.session import Session
    from gcp_local.bigquery.sql.system_tables import SystemTables
    from gcp_local.bigquery.warehouse import Version, Warehouse

_WINDOW = timedelta(days=7)


@dataclass(frozen=True)
class Scanned:
    """A table that a query reads, or several by a wildcard.

    Attributes:
        name: what DuckDB calls it.
        schema: its columns, without those that `*` does not give.
        hidden: those.
        suffixes: what the wildcard stood for, and the relation that has those rows.
        ref: which table it is, unless it has no name of its own.
        partitioning: how it is partitioned.
        filtered: a query must say which partitions it reads.

    """

    name: str
    schema: Schema
    hidden: Schema = ()
    suffixes: tuple[tuple[str, str], ...] = ()
    ref: TableRef | None = None
    partitioning: Partitioning | None = None
    filtered: bool = False


@dataclass(frozen=True)
class View:
    """A view: its name and its query."""

    ref: TableRef
    query: str


class Tables:
    """Finds tables for one statement.

    Attributes:
        relations: what DuckDB is to be given, by its names.
        referenced: the tables that were found.

    """

    def __init__(
        self,
        catalog: Catalog,
        warehouse: Warehouse,
        session: Session,
        system: SystemTables | None = None,
    ) -> None:
        self._catalog = catalog
        self._warehouse = warehouse
        self._session = session
        self._system = system
        self.relations: dict[str, Relation] = {}
        self.referenced: list[TableRef] = []
        self._versions: dict[str, Version] = {}

    def find(
        self, path: Sequence[str], node: exp.Expr, moment: datetime | None, session: Session
    ) -> Scanned | View:
        """Find what a path in FROM means.

        Args:
            path: its parts, as they were written.
            node: where.
            moment: as of when; None is now.
            session: where names without a project or dataset are looked for.

        Raises:
            BigQueryError: `notFound`, `invalidQuery`.

        """
        parts = _split(path)
        upper = [each.upper() for each in parts]
        if "INFORMATION_SCHEMA" in upper[:-1]:
            return self._system_table(parts, upper.index("INFORMATION_SCHEMA"), node, session)
        if parts[-1] == "__TABLES__" and len(parts) > 1:
            return self._summary(parts, session)
        ref = self._reference(parts, node, session)
        if ref in session.relations:
            relation = session.relations[ref]
            return self._given(ref, relation)
        if ref.table.endswith("*"):
            return self._wildcard(ref, node, moment)
        entry = self._catalog.find(ref)
        if entry is None:
            raise self._missing(ref)
        if entry.kind in ("VIEW", "MATERIALIZED_VIEW"):
            body = entry.body.get("view") or entry.body.get("materializedView") or {}
            if moment is not None and entry.kind == "VIEW":
                message = "FOR SYSTEM_TIME AS OF is not supported on views"
                raise refusal(message, node)
            if body.get("useLegacySql"):
                raise BigQueryError.lacking("views in legacy SQL", location="query")
            return View(ref, body["query"])
        if entry.kind == "EXTERNAL":
            raise BigQueryError.lacking("queries of external tables", location="query")
        return self._table(ref, entry, moment)

    def add(self, relation: Relation) -> str:
        """Have DuckDB given a relation; tells its name there."""
        name = f"t{len(self.relations)}"
        self.relations[name] = relation
        return name

    def routine(self, path: Sequence[str]) -> tuple[str, Mapping[str, Any]] | None:
        """Find a lasting function of a user's by the name that a call has."""
        parts = _split(path)
        if not 2 <= len(parts) <= 3 or parts[0].upper() in ("SAFE", "ML", "NET", "AI"):
            return None
        project = parts[0] if len(parts) > 2 else self._session.project
        ref = TableRef(project, parts[-2], parts[-1])
        entry = self._catalog.find(ref, "routine")
        return (f"{project}.{parts[-2]}.{parts[-1]}", entry.body) if entry is not None else None

    def size(self, used: set[tuple[str, str]]) -> int:
        """Count the bytes of columns that are read: BigQuery's bill."""
        total = 0
        for name, column in used:
            relation = self.relations.get(name)
            if isinstance(relation, FileRelation):
                total += sum(_column_size(path, column) for path in relation.paths)
        return total

    # One table

    def _reference(self, parts: list[str], node: exp.Expr, session: Session) -> TableRef:
        if len(parts) == 1:
            if session.temporary is not None:
                ref = session.temporary.table(parts[0])
                if ref in session.relations or self._catalog.find(ref) is not None:
                    return ref
            if session.default_dataset is None:
                message = (
                    f'Table "{parts[0]}" must be qualified with a dataset (e.g. dataset.table).'
                )
                raise refusal(message, node)
            return session.default_dataset.table(parts[0])
        if len(parts) == 2:
            if parts[0].upper() == "_SESSION" and session.temporary is not None:
                return session.temporary.table(parts[1])
            return TableRef(session.project, parts[0], parts[1])
        if len(parts) == 3:
            return TableRef(parts[0], parts[1], parts[2])
        name = ".".join(parts)
        raise refusal(f'Invalid table name "{name}": it has more than three parts.', node)

    def _missing(self, ref: TableRef) -> BigQueryError:
        place = self._session.location
        try:
            self._catalog.dataset(ref.parent)
        except BigQueryError:
            return BigQueryError(
                "notFound", f"Not found: Dataset {ref.parent} was not found in location {place}"
            )
        message = f"Not found: Table {ref} was not found in location {place}"
        return BigQueryError("notFound", message)

    def _given(self, ref: TableRef, relation: Relation) -> Scanned:
        hidden = tuple(each for each in relation.schema if each.name == PARTITION_TIME)
        shown = tuple(each for each in relation.schema if each.name != PARTITION_TIME)
        if ref not in self.referenced:
            self.referenced.append(ref)
        return Scanned(self.add(relation), shown, hidden, ref=ref)

    def _table(self, ref: TableRef, entry: Entry, moment: datetime | None) -> Scanned:
        version = self._version(ref, entry, moment)
        partitioning = Partitioning.of(entry.body)
        hidden: Schema = ()
        if partitioning is not None and partitioning.ingested:
            hidden = (Field(PARTITION_TIME, "TIMESTAMP"),)
        paths = tuple(self._warehouse.paths(version))
        relation = FileRelation((*entry.schema, *hidden), paths)
        if ref not in self.referenced:
            self.referenced.append(ref)
        time = entry.body.get("timePartitioning", {})
        filtered = entry.body.get("requirePartitionFilter") or time.get("requirePartitionFilter")
        return Scanned(
            self.add(relation), entry.schema, hidden, ref=ref, partitioning=partitioning,
            filtered=bool(filtered),
        )  # fmt: skip

    def _version(self, ref: TableRef, entry: Entry, moment: datetime | None) -> Version:
        if moment is None:
            # A statement reads one version of a table, however often it names it.
            if entry.uid not in self._versions:
                transaction = self._session.transaction
                self._versions[entry.uid] = (
                    self._warehouse.current(entry.uid)
                    if transaction is None
                    else transaction.version(entry, self._warehouse)
                )
            return self._versions[entry.uid]
        now = self._session.now
        millis = clock.micros(moment) // 1000
        if moment > clock.now():
            message = f"Invalid snapshot time {millis} for Table {ref}: it is in the future"
            raise BigQueryError("invalid", message)
        earliest = max(clock.from_micros(entry.created), now - _WINDOW)
        if moment < earliest:
            message = (
                f"Invalid time travel timestamp {millis} for table {ref}@{millis}."
                f" Cannot read before {clock.micros(earliest) // 1000}"
            )
            raise BigQueryError("invalidQuery", message, location="query")
        found = self._warehouse.at(entry.uid, moment)
        return found if found is not None else replace(self._warehouse.current(""), files=())

    # Several, and such as BigQuery makes up

    def _summary(self, parts: list[str], session: Session) -> Scanned:
        """Find a dataset's `__TABLES__`."""
        project = parts[-3] if len(parts) > 2 else session.project
        found = self._system.find(project, parts[-2], parts[-1], session) if self._system else None
        if found is None:
            raise BigQueryError.lacking(f"the table {parts[-1]}", location="query")
        return Scanned(self.add(found), found.schema)

    def _wildcard(self, ref: TableRef, node: exp.Expr, moment: datetime | None) -> Scanned:
        prefix = ref.table[:-1]
        self._catalog.dataset(ref.parent)
        found = [
            (each, entry)
            for each, entry in self._catalog.entries(ref.parent)
            if fnmatchcase(each.table, _escaped(prefix) + "*") and entry.kind == "TABLE"
        ]
        if not found:
            raise refusal(f"{ref} does not match any table.", node)
        newest = max(found, key=lambda each: each[1].created)[1]
        suffixes = []
        for each, entry in found:
            version = self._version(each, entry, moment)
            relation = FileRelation(newest.schema, tuple(self._warehouse.paths(version)))
            suffixes.append((each.table.removeprefix(prefix), self.add(relation)))
        self.referenced.append(ref)
        hidden = (Field("_TABLE_SUFFIX", "STRING"),)
        return Scanned("", newest.schema, hidden, tuple(suffixes), ref)

    def _system_table(self, parts: list[str], at: int, node: exp.Expr, session: Session) -> Scanned:
        if at != len(parts) - 2 or at > 2:
            raise refusal(f'Invalid table name "{".".join(parts)}"', node)
        project = parts[0] if at == 2 else session.project
        place = parts[at - 1] if at > 0 else None
        view = parts[-1].upper()
        if place is not None and not place.lower().startswith("region-"):
            self._catalog.dataset(DatasetRef(project, place))
        found: RowRelation | None = None
        if self._system is not None:
            found = self._system.find(project, place, view, session)
        if found is None:
            named = ".".join(each for each in (place, f"INFORMATION_SCHEMA.{view}") if each)
            raise BigQueryError.lacking(f"the view {named}", location="query")
        return Scanned(self.add(found), found.schema)


def _split(path: Sequence[str]) -> list[str]:
    """Take a name in backquotes apart: `a.b.c` is three names; a project may have dots."""
    parts = [part for each in path for part in each.split(".")]
    if len(parts) > 3 and ":" in ".".join(parts[:-2]):
        return [".".join(parts[:-2]), *parts[-2:]]
    return parts


def _escaped(prefix: str) -> str:
    return "".join(f"[{each}]" if each in "*?[" else each for each in prefix)


@lru_cache(4096)
def _column_size(path: Path, column: str) -> int:
    """Count the bytes of a column in a file, which never changes."""
    import pyarrow.parquet as pq

    with pq.ParquetFile(path) as opened:
        names = {each.lower(): each for each in opened.schema_arrow.names}
        if column.lower() not in names:
            return 0
        return logical_bytes(opened.read(columns=[names[column.lower()]]))
