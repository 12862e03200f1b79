"""Batch prediction from a table of BigQuery, and into tables of BigQuery.

Sources: the documentation of `BatchPredictionJob.InstanceConfig` and of
`BatchPredictionJob.OutputConfig.bigquery_destination` in google.cloud.aiplatform.v1.
"""

from __future__ import annotations

import base64
import json
import math
import re
from dataclasses import dataclass, replace
from datetime import date, datetime, time
from decimal import Decimal
from typing import TYPE_CHECKING, Any

from gcp_local.bigquery.references import TableRef
from gcp_local.bigquery.schema import Field, Schema, arrow_schema
from gcp_local.vertex.jobs.instances import Conversion, Input, UnreadableError

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    import pyarrow as pa

    from gcp_local.bigquery.engine import RowRelation
    from gcp_local.bigquery.exchange import Exchange
    from gcp_local.rpc.protos import Message

FORMAT = "bigquery"
_STATUS = Field("errors", "RECORD", fields=(Field("code", "INTEGER"), Field("message", "STRING")))
_CLASSES = (Field("classes", "STRING", "REPEATED"), Field("scores", "FLOAT", "REPEATED"))
_VALUE = tuple(Field(name, "FLOAT") for name in ("value", "lower_bound", "upper_bound"))


def inputs(table: RowRelation, conversion: Conversion) -> Iterator[Input]:
    """Go through a table's rows, each sent as an array of its columns or as an object.

    Raises:
        UnreadableError: a column that the conversion names is not there.

    """
    known = [field.name for field in table.schema]
    for name in (conversion.key, *conversion.included, *conversion.excluded):
        if name and name not in known:
            raise UnreadableError(f"The table has no column {name!r}.")
    names = conversion.included or known
    left = [name for name in names if name not in (conversion.key, *conversion.excluded)]
    for row in table.rows.to_pylist():
        values = {name: json_of(row[name]) for name in left}
        sent = values if conversion.kind == "object" else list(values.values())
        if conversion.key:
            yield Input(json_of(row[conversion.key]), {"key": row[conversion.key]}, sent)
        else:
            yield Input({name: json_of(row[name]) for name in known}, row, sent)


def columns(table: RowRelation, conversion: Conversion) -> Schema:
    """Tell which columns of the inputs the outputs have."""
    if not conversion.key:
        return table.schema
    (key,) = (field for field in table.schema if field.name == conversion.key)
    return (replace(key, name="key"),)


@dataclass(frozen=True)
class Destination:
    """The two tables that a job is to make."""

    predictions: TableRef
    errors: TableRef

    @property
    def dataset_uri(self) -> str:
        """The dataset as `output_info` tells it."""
        return f"bq://{self.predictions.project}.{self.predictions.dataset}"


def destination(exchange: Exchange, job: Message, model: str, location: str) -> Destination:
    """Find out which tables a job is to make; make the dataset, if only a project is given.

    Args:
        exchange: BigQuery's tables.
        job: its `output_config` says where.
        model: the model's display name.
        location: the job's region.

    Raises:
        BigQueryError: there is no such dataset, or there are such tables already.

    """
    uri = job.output_config.bigquery_destination.output_uri
    parts = uri.removeprefix("bq://").count(".")
    moment = job.create_time.ToDatetime().strftime("%Y_%m_%dT%H_%M_%S_%f")[:-3] + "Z"
    if parts == 0:
        home = exchange.dataset(f"{uri}.prediction_{_plain(model)}_{moment}")
        exchange.create_dataset(home, location)
        return Destination(home.table("predictions"), home.table("errors"))
    if parts == 1:
        home = exchange.dataset(uri)
        found = Destination(home.table(f"predictions_{moment}"), home.table(f"errors_{moment}"))
    else:
        table = exchange.table(uri)
        found = Destination(table, replace(table, table=f"{table.table}_errors"))
    exchange.check_free(found.predictions)
    exchange.check_free(found.errors)
    return found


class TableResults:
    """Gathers what becomes of the inputs, and makes the two tables of it.

    Attributes:
        predicted, failed: how many instances went either way.
        example: the error of the first that failed.

    """

    def __init__(self, schema: Schema, target: str) -> None:
        """Begin with nothing.

        Args:
            schema: the inputs' columns, as `columns` tells them.
            target: of AutoML's models, the target column; else empty.

        Raises:
            UnreadableError: an input's column has the name of one that the outputs get.

        """
        taken = {field.name.lower() for field in schema}
        added = f"predicted_{target}" if target else "prediction"
        for name in (added, _STATUS.name):
            if name.lower() in taken:
                raise UnreadableError(
                    f"The table has a column {name!r}, which is the name of a column of the"
                    " outputs: name a key_field, or leave it out by a view."
                )
        self.predicted = self.failed = 0
        self.example = ""
        self._schema = schema
        self._target = target
        self._good: list[Mapping[str, Any]] = []
        self._bad: list[Mapping[str, Any]] = []

    def predict(self, given: Input, prediction: Any) -> None:
        """Note what the model said of an input."""
        self.predicted += 1
        said = prediction if self._target else json.dumps(prediction)
        self._good.append({**given.columns, "": said})

    def fail(self, given: Input, code: int, message: str) -> None:
        """Note why there is no prediction for an input."""
        self.failed += 1
        self.example = self.example or message
        self._bad.append({**given.columns, "": {"code": code, "message": message}})

    def close(self) -> None:
        """Nothing to write out yet."""

    def publish(self, exchange: Exchange, target: Destination) -> None:
        """Make the tables; errors as `Exchange.create_tables`."""
        good = self._rows(self._prediction(), self._good)
        bad = self._rows(_STATUS, self._bad)
        exchange.create_tables([(target.predictions, *good), (target.errors, *bad)])

    def _rows(self, last: Field, rows: Sequence[Mapping[str, Any]]) -> tuple[Schema, pa.Table]:
        import pyarrow as pa

        schema = (*(replace(field, mode=_loose(field)) for field in self._schema), last)
        named = [{**row, last.name: row[""]} for row in rows]
        return schema, pa.Table.from_pylist(named, schema=arrow_schema(schema))

    def _prediction(self) -> Field:
        if not self._target:
            return Field("prediction", "STRING")
        classified = not self._good or "classes" in self._good[0][""]
        fields = _CLASSES if classified else _VALUE
        return Field(f"predicted_{self._target}", "RECORD", fields=fields)


def json_of(value: Any) -> Any:
    """Write a value of a table as JSON for a model."""
    match value:
        case Decimal() | date() | time():  # a datetime is a date
            return _text(value)
        case bytes():
            return base64.b64encode(value).decode()
        case float() if not math.isfinite(value):
            return None
        case list():
            return [json_of(each) for each in value]
        case dict():
            return {name: json_of(each) for name, each in value.items()}
        case _:
            return value


def _text(value: Decimal | date | time) -> str | float:
    if isinstance(value, Decimal):
        return float(value)
    if isinstance(value, datetime):
        return value.isoformat(sep=" ").replace("+00:00", " UTC")
    return value.isoformat()


def _loose(field: Field) -> str:
    return "REPEATED" if field.repeated else "NULLABLE"


def _plain(name: str) -> str:
    """Make a name that a dataset can have."""
    return re.sub(r"[^A-Za-z0-9_]", "_", name) or "unmanaged"
