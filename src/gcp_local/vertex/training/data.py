"""A tabular dataset's rows: fetched from where they are, split, and written out for a container."""

from __future__ import annotations

import csv
import json
import re
import shutil
from pathlib import Path
from typing import TYPE_CHECKING, Any

from gcp_local.bigquery.exchange import SCHEME
from gcp_local.errors import ApiError, FailedPrecondition, InvalidArgument, NotFound
from gcp_local.vertex.jobs.tables import json_of
from gcp_local.vertex.training.splits import assign
from gcp_local.vertex.training.table import TableError, read_table

if TYPE_CHECKING:
    from collections.abc import Sequence

    import pyarrow as pa

    from gcp_local.bigquery.exchange import Exchange
    from gcp_local.bigquery.references import DatasetRef
    from gcp_local.storage.objects import ObjectStore
    from gcp_local.vertex.datasets import Source
from gcp_local.vertex.training.splits import Split

FORMAT = "csv"


def lay_out(
    objects: ObjectStore, tables: Exchange, source: Source, folder: Path
) -> list[tuple[str, str]]:
    """Copy a dataset's files out of Cloud Storage: their URIs, sorted, and their paths.

    A table of BigQuery becomes one such file.

    Raises:
        ApiError: there is no such bucket, object or table, or a wildcard matches none.

    """
    folder.mkdir(parents=True)
    found: list[tuple[str, str]] = []
    if source.table:
        path = folder / "0.csv"
        _write_rows(tables.read(source.table).rows, path)
        return [(source.table, str(path))]
    for uri in sorted(set(_listed(objects, source.files))):
        bucket, _, name = uri.removeprefix("gs://").partition("/")
        path = folder / f"{len(found)}.csv"
        try:
            _, file = objects.open(bucket, name)
        except ApiError as error:
            raise type(error)(f"The dataset's file {uri!r} cannot be read: {error}") from error
        with file, path.open("wb") as copy:
            shutil.copyfileobj(file, copy)
        found.append((uri, str(path)))
    return found


def write_out(
    objects: ObjectStore,
    tables: Exchange,
    source: Source,
    split: Split,
    target: str,
    folder: Path,
) -> dict[str, str]:
    """Write each set of a dataset's rows into a file of its own, with the header.

    Args:
        objects: where the rows are, and where the files go.
        tables: or where the rows are.
        source: which files or table hold the rows.
        split: which row is in which set.
        target: `gs://BUCKET/FOLDER` for the files.
        folder: a folder to work in, which is not there yet.

    Returns:
        The wildcard URI of each set.

    Raises:
        InvalidArgument: the files are no table, or lack the column that decides the split.
        ApiError: they cannot be read, or the target cannot be written.

    """
    try:
        laid = lay_out(objects, tables, source, folder)
        table = read_table([(name, Path(path)) for name, path in laid])
        key = table.column(split.key) if split.key else None
    except TableError as error:
        raise InvalidArgument(str(error)) from error
    bucket, _, prefix = target.removeprefix("gs://").partition("/")
    columns = list(table.columns.values())
    uris = {}
    for name, rows in assign(split, table.rows, key).items():
        path = folder / f"{name}.csv"
        with path.open("w", encoding="utf-8", newline="") as file:
            writer = csv.writer(file)
            writer.writerow(table.columns)
            writer.writerows([column[row] for column in columns] for row in rows)
        try:
            objects.write(
                bucket,
                f"{prefix}/{name}-00000-of-00001.{FORMAT}",
                path,
                content_type="text/csv",
                move=True,
            )
        except NotFound as error:
            raise FailedPrecondition(f"The data cannot be written to {target}: {error}") from error
        uris[name] = f"{target}/{name}-*.{FORMAT}"
    return uris


def copy_out(tables: Exchange, source: Source, split: Split, target: DatasetRef) -> dict[str, str]:
    """Write each set of a table's rows into a table of its own.

    Args:
        tables: those of BigQuery.
        source: which table holds the rows.
        split: which row is in which set.
        target: the dataset for them, which is there.

    Returns:
        The URI of each set's table.

    Raises:
        InvalidArgument: the table lacks the column that decides the split.
        ApiError: it cannot be read, or the target cannot be written.

    """
    import pyarrow as pa

    table = tables.read(source.table)
    key = None
    if split.key:
        if split.key not in table.rows.column_names:
            raise InvalidArgument(f"There is no column {split.key!r} in {source.table}.")
        key = [_text(value) for value in table.rows.column(split.key).to_pylist()]
    uris = {}
    for name, rows in assign(split, table.rows.num_rows, key).items():
        ref = target.table(name)
        tables.create_table(ref, table.schema, table.rows.take(pa.array(rows, pa.int64())))
        uris[name] = f"{SCHEME}{ref.dotted}"
    return uris


def _write_rows(rows: pa.Table, path: Path) -> None:
    with path.open("w", encoding="utf-8", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(rows.column_names)
        for batch in rows.to_batches():
            columns = [column.to_pylist() for column in batch.columns]
            writer.writerows([_text(value) for value in row] for row in zip(*columns, strict=True))


def _text(value: Any) -> str:
    """Write a value as a CSV file of Vertex AI's has it; null is empty."""
    value = json_of(value)
    if value is None:
        return ""
    return value if isinstance(value, str) else json.dumps(value)


def _listed(objects: ObjectStore, uris: Sequence[str]) -> list[str]:
    """Resolve wildcards."""
    found = []
    for uri in uris:
        if "*" not in uri:
            found.append(uri)
            continue
        bucket, _, pattern = uri.removeprefix("gs://").partition("/")
        named = [item.name for item in objects.list(bucket, pattern.partition("*")[0])]
        form = re.compile(re.escape(pattern).replace(r"\*", ".*"), re.DOTALL)
        matching = [name for name in named if form.fullmatch(name)]
        if not matching:
            raise NotFound(f"No object matches the dataset's {uri!r}.")
        found += [f"gs://{bucket}/{name}" for name in matching]
    return found
