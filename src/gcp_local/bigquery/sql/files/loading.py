"""LOAD DATA: files in Cloud Storage to rows of a table.

Source: https://cloud.google.com/bigquery/docs/reference/standard-sql/load-statements.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from gcp_local.bigquery.errors import BigQueryError
from gcp_local.bigquery.jobs.kinds import Job
from gcp_local.bigquery.jobs.store import JobRef
from gcp_local.bigquery.sql.cursor import Cursor
from gcp_local.bigquery.sql.ddl import options as table_options
from gcp_local.bigquery.sql.ddl.partitions import read_partitions
from gcp_local.bigquery.sql.ddl.types import Column, read_column, read_options
from gcp_local.bigquery.sql.files.options import evaluated
from gcp_local.bigquery.sql.session import Outcome

if TYPE_CHECKING:
    from gcp_local.bigquery.loading.jobs import LoadJobs
    from gcp_local.bigquery.sql.asking import Asker
    from gcp_local.bigquery.sql.cursor import Fragment
    from gcp_local.bigquery.sql.session import Session
    from gcp_local.bigquery.sql.tables import Tables

_FORMATS = {"JSON": "NEWLINE_DELIMITED_JSON"}
# The statement's names, and a load job's.
_JOB = {
    "format": "sourceFormat", "uris": "sourceUris", "skip_leading_rows": "skipLeadingRows",
    "field_delimiter": "fieldDelimiter", "quote": "quote", "null_marker": "nullMarker",
    "null_markers": "nullMarkers", "allow_quoted_newlines": "allowQuotedNewlines",
    "allow_jagged_rows": "allowJaggedRows", "encoding": "encoding",
    "max_bad_records": "maxBadRecords", "ignore_unknown_values": "ignoreUnknownValues",
    "preserve_ascii_control_characters": "preserveAsciiControlCharacters",
    "column_name_character_map": "columnNameCharacterMap",
}  # fmt: skip
_WHOLE = ("skip_leading_rows", "max_bad_records")
_FLAGS = (
    "allow_quoted_newlines", "allow_jagged_rows", "ignore_unknown_values",
    "preserve_ascii_control_characters",
)  # fmt: skip
_LISTS = ("uris", "null_markers")
_KNOWN: dict[str, type] = {
    **dict.fromkeys(_JOB, str),
    **dict.fromkeys(_WHOLE, int),
    **dict.fromkeys(_FLAGS, bool),
    **dict.fromkeys(_LISTS, list),
}


@dataclass
class _Load:
    """A statement that was read."""

    path: tuple[str, ...]
    overwrite: bool
    columns: list[Column] = field(default_factory=list)
    partitions: dict[str, Any] = field(default_factory=dict)
    clustering: list[str] = field(default_factory=list)
    options: list[tuple[str, Fragment]] = field(default_factory=list)
    files: list[tuple[str, Fragment]] = field(default_factory=list)


class Loading:
    """Runs LOAD DATA."""

    words = ("LOAD",)

    def __init__(self, tables: Tables, asker: Asker, jobs: LoadJobs) -> None:
        self._tables = tables
        self._asker = asker
        self._jobs = jobs

    def run(self, text: str, session: Session, *, dry: bool) -> Outcome:
        """Run a statement.

        Raises:
            ApiError: it is refused, or a file cannot be read.

        """
        said = _read(Cursor(text))
        if session.transaction is not None:
            raise BigQueryError.query("LOAD DATA is not supported in a transaction")
        configuration = {"load": self._job(said, session)}
        checked = self._jobs.check(session.project, configuration)
        ref = JobRef(session.project, session.location, session.job)
        job = Job(ref, checked.configuration, session.cancellation)
        done = Outcome("LOAD_DATA")
        if dry:
            self._jobs.dry(job)
            return done
        result = self._jobs.run(job)
        with self._tables.database.transaction():
            result.commit()
            session.settle(done)
        return done

    def _job(self, said: _Load, session: Session) -> dict[str, Any]:
        """Give the configuration of the load job that does the same."""
        given = evaluated(said.files, _KNOWN, self._asker, session)
        for name in ("format", "uris"):
            if name not in given:
                raise BigQueryError.query(f"LOAD DATA needs the option {name}")
        ref = self._tables.ref(said.path, session)
        job: dict[str, Any] = {_JOB[name]: value for name, value in given.items()}
        form = str(job["sourceFormat"]).upper()
        job["sourceFormat"] = _FORMATS.get(form, form)
        job |= {
            "destinationTable": ref.as_json(),
            "writeDisposition": "WRITE_TRUNCATE" if said.overwrite else "WRITE_APPEND",
            **said.partitions,
        }
        if said.clustering:
            job["clustering"] = {"fields": said.clustering}
        if said.columns:
            fields = [
                table_options.changed(
                    each.schema, each.options, table_options.COLUMN, self._asker, session
                )
                for each in said.columns
            ]
            job["schema"] = {"fields": fields}
        elif said.overwrite or self._tables.catalog.find(ref) is None:
            job["autodetect"] = True
        properties = table_options.changed(
            {}, said.options, table_options.TABLE, self._asker, session
        )
        if properties.keys() - {"description", "friendlyName", "labels"}:
            raise BigQueryError.lacking("such options of a table in LOAD DATA", location="query")
        if properties:
            job["destinationTableProperties"] = properties
        return job


def _read(cursor: Cursor) -> _Load:
    cursor.expect("LOAD", "DATA")
    overwrite = cursor.skip("OVERWRITE")
    if not overwrite:
        cursor.expect("INTO")
    if cursor.at("TEMP", "TABLE") or cursor.at("TEMPORARY", "TABLE"):
        raise BigQueryError.lacking("LOAD DATA into temporary tables", location="query")
    said = _Load(cursor.path(), overwrite)
    if cursor.at("PARTITIONS"):
        raise BigQueryError.lacking("LOAD DATA into partitions", location="query")
    if cursor.at("("):
        said.columns = cursor.parenthesised(lambda: read_column(cursor))
    if cursor.skip("PARTITION", "BY"):
        said.partitions, _ = read_partitions(cursor)
    if cursor.skip("CLUSTER", "BY"):
        said.clustering = cursor.listed(cursor.name)
    if cursor.at("OPTIONS"):
        said.options = read_options(cursor)
    cursor.expect("FROM")
    said.files = read_options(cursor, "FILES")
    if cursor.at("WITH"):
        raise BigQueryError.lacking("partition columns and connections of files", location="query")
    cursor.expect_end()
    return said
