"""Load jobs: files become rows of a table."""

from __future__ import annotations

from contextlib import AbstractContextManager
from typing import TYPE_CHECKING, Any

from gcp_local.bigquery.errors import BigQueryError
from gcp_local.bigquery.jobs.kinds import Checked, Job, Result
from gcp_local.bigquery.loading.arrow_files import read_arrow_files
from gcp_local.bigquery.loading.options import CSV, JSON, LoadOptions
from gcp_local.bigquery.loading.outcome import Read, warnings
from gcp_local.bigquery.loading.sources import Source, check_uris, opened, uploaded
from gcp_local.bigquery.loading.text_files import read_csv, read_json
from gcp_local.bigquery.locations import DEFAULT
from gcp_local.bigquery.writing.destination import Destination

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from gcp_local.bigquery.catalog import Catalog, Entry
    from gcp_local.bigquery.schema import Schema
    from gcp_local.bigquery.writing.writer import Writer
    from gcp_local.storage.objects import ObjectStore


class LoadJobs:
    """The kind of jobs that load."""

    def __init__(self, catalog: Catalog, writer: Writer, objects: ObjectStore) -> None:
        self._catalog = catalog
        self._writer = writer
        self._objects = objects

    def check(self, project: str, configuration: dict[str, Any]) -> Checked:
        """Hold a configuration to the rules; see `Kind.check`."""
        load = dict(configuration["load"])
        LoadOptions.of(load)
        destination = Destination.of(load, project, write="WRITE_APPEND")
        check_uris(load.get("sourceUris", ()))
        load["destinationTable"] = {"projectId": project, **load["destinationTable"]}
        load.setdefault("sourceFormat", CSV)
        load.setdefault("createDisposition", "CREATE_IF_NEEDED")
        load.setdefault("writeDisposition", "WRITE_APPEND")
        home = self._catalog.dataset(destination.table.parent)
        return Checked({**configuration, "load": load}, home.body.get("location", DEFAULT))

    def dry(self, job: Job) -> Mapping[str, Any]:
        """Check the destination; see `Kind.dry`."""
        self._writer.check(self._destination(job))
        return {}

    def run(self, job: Job) -> Result:
        """Load the files; see `Kind.run`."""
        load = job.configuration["load"]
        destination = self._destination(job)
        home = self._catalog.dataset(destination.table.parent)
        if home.body.get("location", DEFAULT) != job.ref.location:
            message = (
                f"Not found: Dataset {destination.table.parent} was not found in location"
                f" {job.ref.location}"
            )
            raise BigQueryError("notFound", message)
        entry = self._writer.check(destination)
        options = LoadOptions.of(load)
        with self._sources(job) as sources:
            read = _read(sources, options, _schema(options, destination, entry))
        job.cancellation.check()
        written = self._writer.write(destination, read.rows, read.schema)
        statistics = {
            "inputFiles": str(len(sources)),
            "inputFileBytes": str(sum(source.size for source in sources)),
            "outputRows": str(written.rows),
            "outputBytes": str(written.bytes),
            "badRecords": str(len(read.bad)),
        }
        return Result({"load": statistics}, written.commit, warnings(read.bad))

    @staticmethod
    def _destination(job: Job) -> Destination:
        return Destination.of(job.configuration["load"], job.ref.project, write="WRITE_APPEND")

    def _sources(self, job: Job) -> AbstractContextManager[list[Source]]:
        if job.file is not None:
            return uploaded(job.file)
        uris = job.configuration["load"].get("sourceUris", ())
        if not uris:
            raise BigQueryError("invalid", "Required parameter is missing: sourceUris")
        return opened(uris, self._objects)


def _schema(options: LoadOptions, destination: Destination, entry: Entry | None) -> Schema | None:
    """Tell the columns to read; None if the files are to tell them."""
    if options.schema is not None:
        return options.schema
    described = options.format in (CSV, JSON) and not options.autodetect
    known = entry is not None and entry.schema and destination.write != "WRITE_TRUNCATE"
    if entry is not None and known and options.format in (CSV, JSON):
        if not (options.autodetect and destination.updates):
            return entry.schema
    elif described and entry is not None and entry.schema:
        return entry.schema
    elif described:
        raise BigQueryError("invalid", "No schema specified on job or table.")
    return None


def _read(sources: Sequence[Source], options: LoadOptions, schema: Schema | None) -> Read:
    if options.format == CSV:
        return read_csv(sources, options, schema)
    if options.format == JSON:
        return read_json(sources, options, schema)
    return read_arrow_files(sources, options, schema)
