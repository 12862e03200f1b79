"""Where a job writes, and what it may do there."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from gcp_local.bigquery.errors import BigQueryError
from gcp_local.bigquery.partitions import Partitioning
from gcp_local.bigquery.references import TableRef

_CREATE = ("CREATE_IF_NEEDED", "CREATE_NEVER")
_WRITE = ("WRITE_TRUNCATE", "WRITE_TRUNCATE_DATA", "WRITE_APPEND", "WRITE_EMPTY")
ADDITION, RELAXATION = "ALLOW_FIELD_ADDITION", "ALLOW_FIELD_RELAXATION"
_KINDS = ("HOUR", "DAY", "MONTH", "YEAR")


@dataclass(frozen=True)
class Destination:
    """A table that a job writes.

    Attributes:
        table: without a partition's mark.
        partition: the id of the partition that alone is written: of `table$20261122`.
        create: whether the table is made if there is none.
        write: one of the write dispositions.
        updates: the schema update options.
        description: of the table, if it is made (or replaced): `timePartitioning`,
            `rangePartitioning`, `clustering`, `labels`, `description`, …

    """

    table: TableRef
    partition: str = ""
    create: bool = True
    write: str = "WRITE_EMPTY"
    updates: frozenset[str] = frozenset()
    description: Mapping[str, Any] = field(default_factory=dict)

    @property
    def partitioning(self) -> Partitioning | None:
        """How the job wants the table partitioned."""
        return Partitioning.of(self.description)

    @property
    def replaces(self) -> bool:
        """Whether what was there before goes."""
        return self.write in ("WRITE_TRUNCATE", "WRITE_TRUNCATE_DATA")

    @classmethod
    def of(cls, said: Mapping[str, Any], project: str, *, write: str) -> Destination:
        """Read a job's configuration.

        Args:
            said: a JobConfigurationLoad, …Query or …TableCopy.
            project: whose the table is where that is not said.
            write: the write disposition where none is said.

        Raises:
            BigQueryError: what BigQuery refuses at once.

        """
        if "destinationEncryptionConfiguration" in said:
            raise BigQueryError.lacking("customer-managed encryption keys")
        reference = said.get("destinationTable", {})
        table, partition = _table(reference, project)
        create = _one_of(said, "createDisposition", _CREATE, "CREATE_IF_NEEDED")
        write = _one_of(said, "writeDisposition", _WRITE, write)
        updates = frozenset(said.get("schemaUpdateOptions", ()))
        for option in sorted(updates - {ADDITION, RELAXATION}):
            raise _invalid("schemaUpdateOptions", option)
        if updates and write != "WRITE_APPEND" and not (write == "WRITE_TRUNCATE" and partition):
            message = (
                "Schema update options should only be specified with WRITE_APPEND disposition, or"
                " with WRITE_TRUNCATE disposition on a table partition."
            )
            raise BigQueryError("invalid", message)
        return cls(table, partition, create == _CREATE[0], write, updates, _description(said))


def _table(reference: Mapping[str, Any], project: str) -> tuple[TableRef, str]:
    for part in ("datasetId", "tableId"):
        if not reference.get(part):
            raise BigQueryError("invalid", f"Required parameter is missing: {part}")
    name, mark, partition = reference["tableId"].partition("$")
    if mark and not partition:
        raise _invalid("tableId", reference["tableId"])
    home = reference.get("projectId") or project
    return TableRef(home, reference["datasetId"], name), partition


def _description(said: Mapping[str, Any]) -> dict[str, Any]:
    given = said.get("destinationTableProperties", {})
    kept = {key: value for key, value in given.items() if key != "expirationTime"}
    if "expirationTime" in given:
        raise BigQueryError.lacking("an expiration time among a load's table properties")
    time, ranges = said.get("timePartitioning"), said.get("rangePartitioning")
    if time is not None and ranges is not None:
        message = "Cannot specify both time partitioning and range partitioning."
        raise BigQueryError("invalid", message)
    if time is not None:
        if time.get("type") not in _KINDS:
            raise _invalid("timePartitioning.type", time.get("type", ""))
        kept["timePartitioning"] = dict(time)
    if ranges is not None:
        kept["rangePartitioning"] = _checked_ranges(ranges)
    if "clustering" in said:
        kept["clustering"] = {"fields": list(said["clustering"].get("fields", []))}
    return kept


def _checked_ranges(said: Mapping[str, Any]) -> dict[str, Any]:
    bounds = said.get("range", {})
    for part in ("start", "end", "interval"):
        if part not in bounds:
            raise BigQueryError("invalid", f"Required parameter is missing: range.{part}")
    if not said.get("field"):
        raise BigQueryError("invalid", "Required parameter is missing: rangePartitioning.field")
    if int(bounds["interval"]) <= 0 or int(bounds["end"]) <= int(bounds["start"]):
        message = "Range partitioning needs an interval above zero, and an end behind its start."
        raise BigQueryError("invalid", message)
    return dict(said)


def _one_of(said: Mapping[str, Any], name: str, known: tuple[str, ...], default: str) -> str:
    value = said.get(name) or default
    if value not in known:
        raise _invalid(name, value)
    return str(value)


def _invalid(name: str, value: object) -> BigQueryError:
    return BigQueryError("invalid", f"Invalid value for {name}: {value} is not a valid value")
