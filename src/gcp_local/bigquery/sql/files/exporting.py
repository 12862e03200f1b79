"""EXPORT DATA: a query's rows to files in Cloud Storage.

Source: https://cloud.google.com/bigquery/docs/reference/standard-sql/export-statements.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from gcp_local.bigquery.errors import BigQueryError
from gcp_local.bigquery.extracting.export import check_uris, export
from gcp_local.bigquery.extracting.formats import ExportOptions
from gcp_local.bigquery.sql.asking import query
from gcp_local.bigquery.sql.cursor import Cursor
from gcp_local.bigquery.sql.ddl.types import read_options
from gcp_local.bigquery.sql.files.options import evaluated
from gcp_local.bigquery.sql.session import Outcome
from gcp_local.errors import NotFound

if TYPE_CHECKING:
    from gcp_local.bigquery.sql.asking import Asker
    from gcp_local.bigquery.sql.session import Session
    from gcp_local.storage.objects import ObjectStore

_FORMATS = {"CSV": "CSV", "JSON": "NEWLINE_DELIMITED_JSON", "PARQUET": "PARQUET", "AVRO": "AVRO"}
_KNOWN = {
    "uri": str, "format": str, "compression": str, "field_delimiter": str, "header": bool,
    "overwrite": bool, "use_avro_logical_types": bool,
}  # fmt: skip
# The statement's names, and an extract job's.
_JOB = {"compression": "compression", "field_delimiter": "fieldDelimiter", "header": "printHeader"}


class Exporting:
    """Runs EXPORT DATA."""

    words = ("EXPORT",)

    def __init__(self, asker: Asker, objects: ObjectStore) -> None:
        self._asker = asker
        self._objects = objects

    def run(self, text: str, session: Session, *, dry: bool) -> Outcome:
        """Run a statement.

        Raises:
            BigQueryError: it is refused; there are such files, and they are not to be overwritten.

        """
        cursor = Cursor(text)
        cursor.expect("EXPORT", "DATA")
        if cursor.at("WITH", "CONNECTION"):
            raise BigQueryError.lacking("exports by a connection", location="query")
        said = evaluated(read_options(cursor), _KNOWN, self._asker, session)
        cursor.expect("AS")
        wanted = query(cursor.query())
        cursor.expect_end()
        uri, options = self._checked(said)
        outcome = self._asker.rows(wanted, session, dry=dry)
        options.check(outcome.schema)
        if outcome.rows is None:
            return Outcome("EXPORT_DATA", bytes=outcome.bytes, referenced=outcome.referenced)
        if not said.get("overwrite"):
            self._refuse_there(uri)
        args = (outcome.rows, outcome.schema, [uri], options, self._objects)
        (count,) = export(*args, session.cancellation)
        rows = str(outcome.rows.num_rows)
        return Outcome(
            "EXPORT_DATA",
            bytes=outcome.bytes,
            referenced=outcome.referenced,
            statistics={"exportDataStatistics": {"fileCount": str(count), "rowCount": rows}},
        )

    @staticmethod
    def _checked(said: Mapping[str, Any]) -> tuple[str, ExportOptions]:
        for name in ("uri", "format"):
            if name not in said:
                raise BigQueryError.query(f"EXPORT DATA needs the option {name}")
        uri = str(said["uri"])
        check_uris([uri])
        if "*" not in uri.rpartition("/")[2]:
            raise BigQueryError.query("Option 'uri' value must be a wildcard URI")
        form = str(said["format"]).upper()
        if form not in _FORMATS:
            raise BigQueryError.query(f"EXPORT DATA has no format {said['format']}")
        job = {_JOB[name]: value for name, value in said.items() if name in _JOB}
        if form == "CSV":
            job.setdefault("printHeader", False)
        if "compression" in job:
            job["compression"] = job["compression"].upper()
        return uri, ExportOptions.of({"destinationFormat": _FORMATS[form], **job})

    def _refuse_there(self, uri: str) -> None:
        bucket, _, name = uri.removeprefix("gs://").partition("/")
        head, _, tail = name.partition("*")
        try:
            there = self._objects.list(bucket, head)
        except NotFound:
            raise BigQueryError.not_found("URI", uri) from None
        if any(each.name.endswith(tail) for each in there):
            raise BigQueryError.query(
                f"Invalid destination URI {uri}: there are such files. Set the option overwrite to"
                " replace them"
            )
