"""Where a batch prediction's outputs go: files of Cloud Storage, or tables of BigQuery."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from gcp_local.containers.mount import UnwritableError, write
from gcp_local.vertex.jobs.lifecycle import JobFailedError
from gcp_local.vertex.jobs.results import Results
from gcp_local.vertex.jobs.tables import TableResults

if TYPE_CHECKING:
    from gcp_local.bigquery.exchange import Exchange
    from gcp_local.rpc.protos import Message
    from gcp_local.storage.objects import ObjectStore
    from gcp_local.vertex.jobs.tables import Destination

Gathered = Results | TableResults


@dataclass(frozen=True)
class FileOutputs:
    """Files.

    Attributes:
        results: gathers them.
        folder: `gs://BUCKET/FOLDER`, where they go.
        form: `jsonl` or `csv`.

    """

    results: Results
    folder: str
    form: str
    objects: ObjectStore

    def publish(self) -> None:
        """Write the files into the bucket; JobFailedError if it takes them not."""
        kind = "text/csv" if self.form == "csv" else "application/json"
        for path in self.results.paths:
            try:
                write(self.objects, f"{self.folder}/{path.name}", path, content_type=kind)
            except UnwritableError as error:
                raise JobFailedError(str(error), "NOT_FOUND") from error

    def tell(self, output_info: Message) -> None:
        """Say in the job where they are."""
        output_info.gcs_output_directory = self.folder


@dataclass(frozen=True)
class TableOutputs:
    """Tables.

    Attributes:
        results: gathers their rows.
        place: which tables they are.

    """

    results: TableResults
    place: Destination
    tables: Exchange

    def publish(self) -> None:
        """Make the tables; errors as `Exchange.create_table`."""
        self.results.publish(self.tables, self.place)

    def tell(self, output_info: Message) -> None:
        """Say in the job where they are."""
        output_info.bigquery_output_dataset = self.place.dataset_uri
        output_info.bigquery_output_table = self.place.predictions.table
