"""How a load job reads its files: a JobConfigurationLoad, held to the rules.

Source: https://cloud.google.com/bigquery/docs/reference/rest/v2/Job#JobConfigurationLoad.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from gcp_local.bigquery.errors import BigQueryError
from gcp_local.bigquery.schema import Schema, read_schema

CSV, JSON, PARQUET, ORC = "CSV", "NEWLINE_DELIMITED_JSON", "PARQUET", "ORC"
_MISSING = ("AVRO", "DATASTORE_BACKUP", "ICEBERG", "DELTA_LAKE")
_CODECS = {
    "UTF-8": "utf-8", "UTF8": "utf-8", "ISO-8859-1": "iso-8859-1", "UTF-16BE": "utf-16-be",
    "UTF-16LE": "utf-16-le", "UTF-32BE": "utf-32-be", "UTF-32LE": "utf-32-le",
}  # fmt: skip
_LACKING = {
    "hivePartitioningOptions": "hive partitioning",
    "referenceFileSchemaUri": "reference files of schemas",
    "projectionFields": "projection fields",
    "schemaInline": "inline schemas",
    "createSession": "sessions",
    "connectionProperties": "connection properties",
    "copyFilesOnly": "loads that only copy files",
    "timeZone": "time zones of loads",
    "dateFormat": "date formats of loads",
    "datetimeFormat": "datetime formats of loads",
    "timeFormat": "time formats of loads",
    "timestampFormat": "timestamp formats of loads",
    "timestampTargetPrecision": "timestamps of another precision",
}
_CSV_ONLY = (
    "skipLeadingRows", "fieldDelimiter", "quote", "nullMarker", "nullMarkers",
    "allowQuotedNewlines", "allowJaggedRows", "preserveAsciiControlCharacters",
    "sourceColumnMatch",
)  # fmt: skip
_NAMED_DELIMITERS = {"\\t": "\t", "tab": "\t"}


@dataclass(frozen=True)
class LoadOptions:
    """What a load job says of its files.

    Attributes:
        schema: None if it gives none.
        skip: how many rows come before the first; None if that is not said.
        nulls: what stands for null in a CSV file.
        names: the character map: STRICT, V1 or V2.
        infer_lists: a Parquet LIST is an array, not a record of records.

    """

    format: str = CSV
    schema: Schema | None = None
    autodetect: bool = False
    skip: int | None = None
    delimiter: str = ","
    quote: str = '"'
    nulls: tuple[str, ...] = ("",)
    quoted_newlines: bool = False
    jagged: bool = False
    control_characters: bool = False
    codec: str = "utf-8"
    ignore_unknown: bool = False
    most_bad: int = 0
    names: str = "V1"
    infer_lists: bool = False

    @classmethod
    def of(cls, said: Mapping[str, Any]) -> LoadOptions:
        """Read a configuration.

        Raises:
            BigQueryError: what BigQuery refuses at once, or the stand-in lacks.

        """
        form = said.get("sourceFormat") or CSV
        _check_possible(said, form)
        fields = said.get("schema", {}).get("fields")
        encoding = (said.get("encoding") or "UTF-8").upper()
        if encoding not in _CODECS:
            raise _invalid("encoding", encoding)
        skip, most_bad = said.get("skipLeadingRows"), said.get("maxBadRecords", 0)
        for name, number in (("skipLeadingRows", skip or 0), ("maxBadRecords", most_bad)):
            if number < 0:
                raise _invalid(name, number)
        names = said.get("columnNameCharacterMap", "V1")
        parquet = said.get("parquetOptions", {})
        return cls(
            format=form,
            schema=read_schema(fields) if fields else None,
            autodetect=bool(said.get("autodetect")),
            skip=skip,
            delimiter=_delimiter(said.get("fieldDelimiter") or ","),
            quote=_quote(said.get("quote", '"')),
            nulls=tuple(said.get("nullMarkers") or [said.get("nullMarker", "")]),
            quoted_newlines=bool(said.get("allowQuotedNewlines")),
            jagged=bool(said.get("allowJaggedRows")),
            control_characters=bool(said.get("preserveAsciiControlCharacters")),
            codec=_CODECS[encoding],
            ignore_unknown=bool(said.get("ignoreUnknownValues")),
            most_bad=most_bad,
            names="V1" if names == "COLUMN_NAME_CHARACTER_MAP_UNSPECIFIED" else names,
            infer_lists=bool(parquet.get("enableListInference")),
        )


def _check_possible(said: Mapping[str, Any], form: str) -> None:
    if form in _MISSING:
        raise BigQueryError.lacking(f"loads of {form} files")
    if form not in (CSV, JSON, PARQUET, ORC):
        raise _invalid("sourceFormat", form)
    for name, what in _LACKING.items():
        if said.get(name):
            raise BigQueryError.lacking(what)
    if said.get("jsonExtension") == "GEOJSON":
        raise BigQueryError.lacking("GeoJSON")
    if said.get("fileSetSpecType", "").endswith("MANIFEST"):
        raise BigQueryError.lacking("manifests of files")
    if said.get("sourceColumnMatch") in ("NAME", "POSITION"):
        raise BigQueryError.lacking("the matching of columns by sourceColumnMatch")
    if {"STRING", "BIGNUMERIC"} & set(said.get("decimalTargetTypes", ())):
        raise BigQueryError.lacking("decimal target types but NUMERIC")
    if said.get("nullMarkers") and said.get("nullMarker"):
        message = "nullMarker and nullMarkers cannot be set at the same time."
        raise BigQueryError("invalid", message)
    for name in _CSV_ONLY:
        if said.get(name) and form != CSV:
            message = f"{name} can only be set for CSV files, not for {form}."
            raise BigQueryError("invalid", message)


def _delimiter(said: str) -> str:
    delimiter = _NAMED_DELIMITERS.get(said, said)
    if len(delimiter) != 1 or delimiter in "\r\n":
        raise _invalid("fieldDelimiter", said)
    return delimiter


def _quote(said: str) -> str:
    if len(said) > 1:
        raise _invalid("quote", said)
    return said


def _invalid(name: str, value: object) -> BigQueryError:
    return BigQueryError("invalid", f"Invalid value for {name}: {value} is not a valid value")
