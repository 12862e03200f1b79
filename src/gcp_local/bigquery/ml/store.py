"""Where trained models are kept: one file each beside the warehouse, and the catalog's entry."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from functools import lru_cache
from typing import TYPE_CHECKING, Any

from gcp_local.bigquery.errors import BigQueryError
from gcp_local.bigquery.ml.order import HOLDOUT_FILE, MODEL_FILE

if TYPE_CHECKING:
    from pathlib import Path

    import pyarrow as pa

    from gcp_local.bigquery.catalog import Catalog, Entry
    from gcp_local.bigquery.ml.model import TrainedModel
    from gcp_local.bigquery.references import TableRef
    from gcp_local.resources.database import Database

_LATELY_USED = 8


class ModelStore:
    """The source of truth for what has been trained.

    A model's folder is named by its entry's `uid`: it is put in its place in the very transaction
    that enters it into the catalog, and a folder without an entry goes with the next start.

    Args:
        catalog: which models there are, and how they are described.
        database: what the catalog is kept in.
        folder: where the models are.

    """

    def __init__(self, catalog: Catalog, database: Database, folder: Path) -> None:
        self._catalog = catalog
        self._database = database
        self._folder = folder
        self._read = lru_cache(_LATELY_USED)(self._loaded)

    def recover(self) -> None:
        """Remove what no entry names. Only at the start."""
        if not self._folder.is_dir():
            return
        rows = self._database.rows("SELECT uid FROM bigquery_entries WHERE noun = 'model'")
        known = {row["uid"] for row in rows}
        for path in self._folder.iterdir():
            if path.name not in known:
                shutil.rmtree(path)

    def find(self, ref: TableRef) -> Entry | None:
        """Give a model's entry, if there is one."""
        return self._catalog.find(ref, "model")

    def get(self, ref: TableRef) -> tuple[Entry, TrainedModel]:
        """Give a model.

        Raises:
            BigQueryError: `notFound`.

        """
        entry = self._catalog.get(ref, "model")
        try:
            return entry, self._read(entry.uid)
        except FileNotFoundError:
            name = f"{ref}; it is listed, but its file is gone from the state folder."
            raise BigQueryError.not_found("Model", name) from None

    def content(self, entry: Entry) -> bytes:
        """Give a model's file."""
        return (self._folder / entry.uid / MODEL_FILE).read_bytes()

    def holdout(self, entry: Entry) -> pa.Table:
        """Give the labels and scores of the rows that the model was judged by."""
        import pyarrow.parquet as pq

        return pq.read_table(self._folder / entry.uid / HOLDOUT_FILE)

    def all(self, project: str) -> Iterator[tuple[TableRef, Entry]]:
        """Go through a project's models."""
        for dataset, _ in self._catalog.datasets(project):
            yield from self._catalog.entries(dataset, "model")

    def keep(self, ref: TableRef, body: dict[str, Any], trained: Path) -> Entry:
        """Keep a new model, whose files are moved from where they were made.

        Raises:
            BigQueryError: `duplicate`; `notFound` of the dataset.

        """
        self._folder.mkdir(parents=True, exist_ok=True)
        with self._database.transaction():
            entry = self._catalog.add(ref, body, "model")
            place = self._folder / entry.uid
            place.mkdir()
            for name in (MODEL_FILE, HOLDOUT_FILE):
                (trained / name).replace(place / name)
        return entry

    def replace(self, ref: TableRef, body: dict[str, Any]) -> Entry:
        """Describe a model anew; errors as `get`."""
        return self._catalog.replace(ref, body, "model")

    def drop(self, ref: TableRef) -> Entry:
        """Forget a model, and give what it was; errors as `get`."""
        with self._database.transaction():
            entry = self._catalog.delete(ref, "model")
            place = self._folder / entry.uid
            self._database.afterwards(lambda: shutil.rmtree(place, ignore_errors=True))
        return entry

    def _loaded(self, uid: str) -> TrainedModel:
        from gcp_local.bigquery.ml.model import TrainedModel

        return TrainedModel.load((self._folder / uid / MODEL_FILE).read_bytes())
