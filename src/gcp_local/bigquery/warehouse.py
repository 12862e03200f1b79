"""The rows of tables: immutable Parquet files, and each table's versions, which name them.

A change writes new files first and then, in one transaction of the database, a row that names them:
whatever is killed between leaves files that no version names, which are removed in time. A
version is never changed, so a query reads the one that it began with; time travel reads an older
one; a snapshot or copy names the same files.
"""

from __future__ import annotations

import json
import time
import uuid
from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import timedelta
from typing import TYPE_CHECKING

from gcp_local import clock
from gcp_local.bigquery.errors import BigQueryError

if TYPE_CHECKING:
    from datetime import datetime
    from pathlib import Path

    import pyarrow as pa

    from gcp_local.resources.database import Database

# How long what was can be read, at most: a dataset's own window may be shorter.
WINDOW = timedelta(days=7)
_GROUP = 10_000
_MOST_FILES, _KEPT_APART = 256, 64


@dataclass(frozen=True)
class DataFile:
    """One Parquet file of a table.

    Attributes:
        name: in the warehouse's folder.
        rows: how many.
        bytes: by BigQuery's account of its types, not by the file's size.

    """

    name: str
    rows: int
    bytes: int


@dataclass(frozen=True)
class Version:
    """What a table consisted of from a time on.

    Attributes:
        number: counts up from 1; 0 is the empty table before any change.
        committed: microseconds since the epoch.

    """

    number: int
    committed: int
    files: tuple[DataFile, ...] = ()

    @property
    def rows(self) -> int:
        """How many rows."""
        return sum(file.rows for file in self.files)

    @property
    def bytes(self) -> int:
        """How many bytes, by BigQuery's account."""
        return sum(file.bytes for file in self.files)


class Warehouse:
    """The source of truth for what is in which table.

    A table is known here by its `uid`, which the catalog gave it when it was made: one that is
    dropped and made again is another table.
    """

    def __init__(self, database: Database, folder: Path) -> None:
        self._database = database
        self.folder = folder

    def remove_unnamed(self, young: timedelta) -> None:
        """Remove files that no version names.

        Args:
            young: those that were written less than this ago stay: whoever writes may be about to
                commit them.

        """
        if not self.folder.is_dir():
            return
        # Before the versions: what is written and committed meanwhile is not looked at.
        before = time.time() - young.total_seconds()
        there = [path for path in self.folder.iterdir() if path.stat().st_mtime <= before]
        rows = self._database.rows("SELECT files FROM bigquery_versions")
        known = {each[0] for row in rows for each in json.loads(row["files"])}
        for path in there:
            if path.name not in known:
                path.unlink()

    def forget_old(self) -> None:
        """Forget versions that nobody can ask for: of tables that are gone, and too old ones."""
        self._database.run(
            "DELETE FROM bigquery_versions WHERE uid NOT IN"
            " (SELECT uid FROM bigquery_entries UNION SELECT uid FROM bigquery_deleted)"
            " OR number < (SELECT max(number) FROM bigquery_versions AS later"
            "   WHERE later.uid = bigquery_versions.uid AND later.committed <= ?)",
            clock.micros(clock.now() - WINDOW),
        )

    def current(self, uid: str) -> Version:
        """Give the newest version of a table."""
        row = self._database.row(
            "SELECT * FROM bigquery_versions WHERE uid = ? ORDER BY number DESC LIMIT 1", uid
        )
        return _version(row) if row else Version(0, 0)

    def numbered(self, uid: str, number: int) -> Version | None:
        """Give a version by its number, if it is still known."""
        row = self._database.row(
            "SELECT * FROM bigquery_versions WHERE uid = ? AND number = ?", uid, number
        )
        return _version(row) if row else None

    def at(self, uid: str, moment: datetime) -> Version | None:
        """Give the version that was the newest at a time; None if the table had none then."""
        row = self._database.row(
            "SELECT * FROM bigquery_versions WHERE uid = ? AND committed <= ?"
            " ORDER BY number DESC LIMIT 1",
            uid,
            clock.micros(moment),
        )
        return _version(row) if row else None

    def write(self, rows: pa.Table) -> DataFile:
        """Write rows to a file, which belongs to no table until it is committed.

        Raises:
            BigQueryError: they have a type that Parquet lacks.

        """
        import pyarrow as pa
        import pyarrow.parquet as pq

        self.folder.mkdir(parents=True, exist_ok=True)
        name = f"{uuid.uuid4().hex}.parquet"
        # Small groups: a page of rows reads no more than those that it lies in.
        try:
            pq.write_table(rows, self.folder / name, row_group_size=_GROUP)
        except pa.ArrowNotImplementedError:
            (self.folder / name).unlink(missing_ok=True)
            what = "values of the type INTERVAL in results and tables; CAST them to STRING"
            raise BigQueryError.lacking(what, location="query") from None
        return DataFile(name, rows.num_rows, logical_bytes(rows))

    def commit(
        self, uid: str, files: Sequence[DataFile], *, append: bool = False, base: int | None = None
    ) -> Version:
        """Make a table's next version.

        Args:
            uid: the table.
            files: what it consists of from now on, or with `append` what is added.
            append: keep what is there.
            base: the number of the version that the files were computed from.

        Raises:
            StaleError: the table has a newer version than `base`.

        """
        with self._database.transaction():
            before = self.current(uid)
            if base is not None and base != before.number:
                raise StaleError
            everything = (*before.files, *files) if append else tuple(files)
            if append and len(everything) > _MOST_FILES:
                everything = self._compacted(everything)
            version = Version(before.number + 1, clock.micros(clock.now()), everything)
            self._database.run(
                "INSERT INTO bigquery_versions VALUES (?, ?, ?, ?)",
                uid,
                version.number,
                version.committed,
                json.dumps([[file.name, file.rows, file.bytes] for file in everything]),
            )
        return version

    def _compacted(self, files: tuple[DataFile, ...]) -> tuple[DataFile, ...]:
        """Join small files, as streaming makes many, but for the newest."""
        import pyarrow as pa
        import pyarrow.parquet as pq

        old, new = files[:-_KEPT_APART], files[-_KEPT_APART:]
        small = [file for file in old if file.rows < _GROUP]
        parts = [pq.read_table(self.folder / file.name, partitioning=None) for file in small]
        try:
            rows = pa.concat_tables(parts, promote_options="default")
        except pa.ArrowException:  # a column has had another type before
            return files
        joined = replace(self.write(rows), bytes=sum(file.bytes for file in small))
        return (*(file for file in old if file.rows >= _GROUP), joined, *new)

    def paths(self, version: Version) -> list[Path]:
        """Tell where the files of a version are."""
        return [self.folder / file.name for file in version.files]

    def read(self, version: Version, schema: pa.Schema) -> pa.Table:
        """Read a version's rows; a column that a file has not, as it was added later, is null."""
        import pyarrow as pa
        import pyarrow.parquet as pq

        parts = [
            _fitted(pq.read_table(path, partitioning=None), schema) for path in self.paths(version)
        ]
        return pa.concat_tables(parts) if parts else schema.empty_table()

    def page(self, version: Version, schema: pa.Schema, start: int, count: int) -> pa.Table:
        """Read some of a version's rows, in their order; `read` says how."""
        import pyarrow as pa
        import pyarrow.parquet as pq

        parts, names = [], set(schema.names)
        for file in version.files:
            if start >= file.rows or count <= 0:
                start = max(0, start - file.rows)
                continue
            wanted = min(count, file.rows - start)
            with pq.ParquetFile(self.folder / file.name) as opened:
                first, last = start // _GROUP, (start + wanted - 1) // _GROUP
                groups = range(first, min(last + 1, opened.num_row_groups))
                columns = [name for name in opened.schema_arrow.names if name in names]
                rows = opened.read_row_groups(list(groups), columns=columns)
            if not columns:
                rows = pa.table({"": pa.nulls(file.rows - first * _GROUP)})
            parts.append(_fitted(rows.slice(start - first * _GROUP, wanted), schema))
            start, count = 0, count - wanted
        return pa.concat_tables(parts) if parts else schema.empty_table()


class StaleError(Exception):
    """A table was changed meanwhile by somebody else."""


def logical_bytes(rows: pa.Table) -> int:
    """Count bytes as BigQuery does (https://cloud.google.com/bigquery/pricing#data)."""
    return sum(_column_bytes(column) for column in rows.columns)


def _column_bytes(column: pa.ChunkedArray) -> int:
    import pyarrow as pa
    import pyarrow.compute as pc

    kind, present = column.type, len(column) - column.null_count
    if pa.types.is_list(kind):
        return _column_bytes(_chunked(pc.list_flatten(column)))
    if pa.types.is_struct(kind):
        names = [kind.field(at).name for at in range(kind.num_fields)]
        return sum(_column_bytes(_chunked(pc.struct_field(column, name))) for name in names)
    if pa.types.is_string(kind) or pa.types.is_binary(kind):
        return 2 * int(present) + int(pc.sum(pc.binary_length(column)).as_py() or 0)
    return int(present) * (
        1 if pa.types.is_boolean(kind) else 16 if pa.types.is_decimal(kind) else 8
    )


def _chunked(column: pa.ChunkedArray | pa.Array) -> pa.ChunkedArray:
    import pyarrow as pa

    return column if isinstance(column, pa.ChunkedArray) else pa.chunked_array([column])


def _fitted(rows: pa.Table, schema: pa.Schema) -> pa.Table:
    import pyarrow as pa

    columns = [
        rows.column(field.name).cast(field.type)
        if field.name in rows.column_names
        else pa.nulls(rows.num_rows, field.type)
        for field in schema
    ]
    return pa.Table.from_arrays(columns, schema=schema)


def _version(row: object) -> Version:
    files = tuple(DataFile(*each) for each in json.loads(row["files"]))  # type: ignore[index]
    return Version(row["number"], row["committed"], files)  # type: ignore[index]
