"""Copy jobs. Copies share their files with what they were made from: files never change.

Source: https://cloud.google.com/bigquery/docs/managing-tables#copy-table and
https://cloud.google.com/bigquery/docs/table-snapshots-intro.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from gcp_local import clock
from gcp_local.bigquery.errors import BigQueryError
from gcp_local.bigquery.jobs.kinds import Checked, Job, Result
from gcp_local.bigquery.locations import DEFAULT
from gcp_local.bigquery.partitions import Partitioning
from gcp_local.bigquery.references import TableRef
from gcp_local.bigquery.schema import schema_json
from gcp_local.bigquery.writing.destination import Destination

if TYPE_CHECKING:
    from gcp_local.bigquery.catalog import Catalog
    from gcp_local.bigquery.copying.sources import TableSource, TableSources
    from gcp_local.bigquery.warehouse import DataFile, Warehouse
    from gcp_local.bigquery.writing.writer import Writer

_LAYOUT = ("timePartitioning", "rangePartitioning", "clustering")
# What each operation is made from.
_FROM = {"COPY": "TABLE", "CLONE": "TABLE", "SNAPSHOT": "TABLE", "RESTORE": "SNAPSHOT"}


class CopyJobs:
    """The kind of jobs that copy."""

    def __init__(
        self, catalog: Catalog, warehouse: Warehouse, sources: TableSources, writer: Writer
    ) -> None:
        self._catalog = catalog
        self._warehouse = warehouse
        self._sources = sources
        self._writer = writer

    def check(self, project: str, configuration: dict[str, Any]) -> Checked:
        """Hold a configuration to the rules; see `Kind.check`."""
        copy = dict(configuration["copy"])
        single = copy.pop("sourceTable", None)
        given = copy.get("sourceTables") or ([single] if single else [])
        if not given:
            raise BigQueryError("invalid", "Required parameter is missing: sourceTable")
        for each in given:
            for part in ("datasetId", "tableId"):
                if not each.get(part):
                    raise BigQueryError("invalid", f"Required parameter is missing: {part}")
        copy["sourceTables"] = [{"projectId": project, **each} for each in given]
        destination = Destination.of(copy, project, write="WRITE_EMPTY")
        copy["destinationTable"] = {"projectId": project, **copy["destinationTable"]}
        operation = _operation(copy)
        copy["operationType"] = operation
        copy.setdefault("createDisposition", "CREATE_IF_NEEDED")
        copy.setdefault("writeDisposition", "WRITE_EMPTY")
        _check_operation(operation, copy, destination)
        home = self._catalog.dataset(destination.table.parent)
        return Checked({**configuration, "copy": copy}, home.body.get("location", DEFAULT))

    def dry(self, job: Job) -> Mapping[str, Any]:
        """Look whether the sources are there; see `Kind.dry`."""
        self._found(job)
        return {}

    def run(self, job: Job) -> Result:
        """Copy; see `Kind.run`."""
        copy = job.configuration["copy"]
        operation = copy["operationType"]
        destination = Destination.of(copy, job.ref.project, write="WRITE_EMPTY")
        found = self._found(job)
        first = found[0]
        if not destination.partition:
            layout = {name: first.entry.body[name] for name in _LAYOUT if name in first.entry.body}
            destination = replace(destination, description=layout)
        if operation == "SNAPSHOT":
            commit = self._snapshot(destination, first, copy)
            files: list[DataFile] = list(first.version.files)
        else:
            if operation == "CLONE":
                marked = {**destination.description, "cloneDefinition": _made(first, "clone")}
                destination = replace(destination, description=marked)
            files = [file for source in found for file in self._files(source, destination)]
            commit = self._writer.entering(destination, files, first.entry.schema)
        said = {
            "copiedRows": str(sum(file.rows for file in files)),
            "copiedLogicalBytes": str(sum(file.bytes for file in files)),
        }
        return Result({"copy": said}, commit)

    def _found(self, job: Job) -> Sequence[TableSource]:
        copy = job.configuration["copy"]
        kind = _FROM[copy["operationType"]]
        found = [self._sources.find(TableRef.from_json(each)) for each in copy["sourceTables"]]
        for source in found:
            if source.entry.kind != kind:
                message = (
                    f"Copy jobs of the operation type {copy['operationType']} take a {kind};"
                    f" {source.ref} is a {source.entry.kind}."
                )
                raise BigQueryError("invalid", message)
            if source.entry.schema != found[0].entry.schema:
                message = f"Cannot copy tables of different schemas: {found[0].ref}, {source.ref}."
                raise BigQueryError("invalid", message)
            if source.partitioning != found[0].partitioning:
                message = (
                    f"Cannot copy tables of different partitions: {found[0].ref}, {source.ref}."
                )
                raise BigQueryError("invalid", message)
            place = self._catalog.dataset(source.ref.parent).body.get("location", DEFAULT)
            if place != job.ref.location:
                message = (
                    f"Cannot read and write in different locations: source: {place}, destination:"
                    f" {job.ref.location}"
                )
                raise BigQueryError("invalid", message)
        return found

    def _files(self, source: TableSource, destination: Destination) -> Sequence[DataFile]:
        """Give files with the rows to copy: the source's own, where that is possible."""
        if not source.partition and not destination.partition:
            return source.version.files
        if not source.partition and source.partitioning is not None:
            message = "A whole partitioned table cannot be copied to one partition."
            raise BigQueryError("invalid", message)
        rows = self._sources.rows(source)
        target = self._catalog.find(destination.table)
        partitioning = Partitioning.of(target.body if target else destination.description)
        if partitioning is not None:
            partition = destination.partition or source.partition
            rows = partitioning.stamped(rows, clock.now(), partition)
        return [self._warehouse.write(rows)] if rows.num_rows else []

    def _snapshot(
        self, destination: Destination, source: TableSource, copy: Mapping[str, Any]
    ) -> Callable[[], None]:
        body = {
            "type": "SNAPSHOT",
            "schema": schema_json(source.entry.schema),
            **destination.description,
            "snapshotDefinition": _made(source, "snapshot"),
        }
        until = copy.get("destinationExpirationTime")
        if until:
            body["expirationTime"] = str(clock.micros(_expiration(until)) // 1000)

        def commit() -> None:
            entry = self._catalog.add(destination.table, body)
            self._warehouse.commit(entry.uid, source.version.files)

        return commit


def _operation(copy: Mapping[str, Any]) -> str:
    said = copy.get("operationType", "COPY")
    return "COPY" if said == "OPERATION_TYPE_UNSPECIFIED" else str(said)


def _check_operation(operation: str, copy: Mapping[str, Any], destination: Destination) -> None:
    if operation != "COPY":
        if len(copy["sourceTables"]) != 1:
            message = f"A copy job of the operation type {operation} takes one source table."
            raise BigQueryError("invalid", message)
        if destination.partition or "$" in copy["sourceTables"][0]["tableId"]:
            message = f"A copy job of the operation type {operation} takes no partitions."
            raise BigQueryError("invalid", message)
    if operation == "SNAPSHOT" and destination.write != "WRITE_EMPTY":
        raise BigQueryError("invalid", "A snapshot can only be written with WRITE_EMPTY.")
    if operation == "CLONE" and destination.write == "WRITE_APPEND":
        raise BigQueryError("invalid", "A clone cannot be appended to a table.")
    until = copy.get("destinationExpirationTime")
    if until and operation != "SNAPSHOT":
        raise BigQueryError.lacking("an expiration time of a copy that is no snapshot")
    if until and _expiration(until) <= clock.now():
        raise BigQueryError("invalid", f"The expiration time {until} is in the past.")


def _made(source: TableSource, how: str) -> dict[str, Any]:
    time = source.moment.astimezone(UTC).isoformat(timespec="milliseconds")
    return {
        "baseTableReference": source.ref.as_json(),
        f"{how}Time": time.replace("+00:00", "Z"),
    }


def _expiration(said: str) -> datetime:
    try:
        moment = datetime.fromisoformat(said)
    except ValueError:
        message = f"Invalid value for destinationExpirationTime: {said} is not a valid value"
        raise BigQueryError("invalid", message) from None
    return moment if moment.tzinfo else moment.replace(tzinfo=UTC)
