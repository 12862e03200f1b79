"""A tabular dataset's rows: fetched from Cloud Storage, split, and written back for a container."""

from __future__ import annotations

import csv
import re
import shutil
from pathlib import Path
from typing import TYPE_CHECKING

from gcp_local.errors import ApiError, FailedPrecondition, InvalidArgument, NotFound
from gcp_local.vertex.training.splits import assign
from gcp_local.vertex.training.table import TableError, read_table

if TYPE_CHECKING:
    from collections.abc import Sequence

    from gcp_local.storage.objects import ObjectStore
    from gcp_local.vertex.datasets import Source
    from gcp_local.vertex.training.splits import Split

FORMAT = "csv"


def lay_out(objects: ObjectStore, source: Source, folder: Path) -> list[tuple[str, str]]:
    """Copy a dataset's files out of Cloud Storage: their URIs, sorted, and their paths.

    Raises:
        ApiError: there is no such bucket or object, or a wildcard matches none.

    """
    folder.mkdir(parents=True)
    found: list[tuple[str, str]] = []
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
    objects: ObjectStore, source: Source, split: Split, target: str, folder: Path
) -> dict[str, str]:
    """Write each set of a dataset's rows into a file of its own, with the header.

    Args:
        objects: where the rows are, and where the files go.
        source: which files hold the rows.
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
        table = read_table([(name, Path(path)) for name, path in lay_out(objects, source, folder)])
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
