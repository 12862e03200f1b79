"""A model's server asks BigQuery to transform instances, as only SQL can."""

from __future__ import annotations

import datetime as dt
import json
import urllib.error
import urllib.request
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal
from typing import TYPE_CHECKING, Any

from gcp_local.bigquery.ml.preprocessing.literals import text
from gcp_local.bigquery.schema import Field, Schema
from gcp_local.vertex.serving.prebuilt import InstancesError

if TYPE_CHECKING:
    import pyarrow as pa

    from gcp_local.bigquery.ml.model import TrainedModel

_SECONDS = 60
_READERS: Mapping[str, Callable[[str], Any]] = {
    "INTEGER": int,
    "FLOAT": float,
    "NUMERIC": Decimal,
    "BOOLEAN": "true".__eq__,
    "TIMESTAMP": lambda value: dt.datetime.fromtimestamp(int(value) / 1e6, dt.UTC),
    "DATE": dt.date.fromisoformat,
    "DATETIME": dt.datetime.fromisoformat,
    "TIME": dt.time.fromisoformat,
}


@dataclass(frozen=True)
class Asker:
    """Knows where BigQuery is, and for whom it is asked."""

    endpoint: str
    project: str

    def transformed(self, model: TrainedModel, instances: Sequence[Mapping[str, Any]]) -> pa.Table:
        """Give the features of instances, which have all inputs of the model.

        Raises:
            InstancesError: a value that its column cannot have.

        """
        types = ", ".join(f"`{field.name}` {field.sql}" for field in model.inputs)
        rows = ", ".join(
            f"({', '.join(_literal(field, each[field.name]) for field in model.inputs)})"
            for each in instances
        )
        # The place is called as no column is. What is put in are types and literals.
        query = (
            f"SELECT {model.transform} FROM UNNEST(ARRAY<STRUCT<{types}>>[{rows}])"  # noqa: S608
            " WITH OFFSET AS gcp_local_place ORDER BY gcp_local_place"
        )
        return _table(self._ask(query), model.features)

    def _ask(self, query: str) -> Mapping[str, Any]:
        body = {
            "query": query,
            "useLegacySql": False,
            "useQueryCache": False,
            "timeoutMs": _SECONDS * 1000,
            "formatOptions": {"useInt64Timestamp": True},
        }
        request = urllib.request.Request(  # noqa: S310  (the server that started this process)
            f"{self.endpoint}/bigquery/v2/projects/{self.project}/queries",
            json.dumps(body).encode(),
            {"content-type": "application/json"},
        )
        opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
        try:
            with opener.open(request, timeout=2 * _SECONDS) as answer:
                said: Mapping[str, Any] = json.load(answer)
        except urllib.error.HTTPError as error:
            message = json.load(error)["error"]["message"]
            raise InstancesError(f"the instances cannot be transformed: {message}") from error
        if not said["jobComplete"] or "pageToken" in said:
            raise InstancesError("too many instances to be transformed at a time")
        return said


def _literal(field: Field, value: Any) -> str:
    """Write a value of an instance as GoogleSQL."""
    if field.repeated or field.type == "RECORD":
        raise InstancesError(
            f"the feature {field.name!r} of type {field.sql} cannot be transformed here"
        )
    if value is None:
        return "NULL"
    if isinstance(value, bool):
        return str(value).upper() if field.type == "BOOLEAN" else _wrong(field, value)
    if isinstance(value, int | float) and field.type in ("INTEGER", "FLOAT", "NUMERIC"):
        # JSON has but one kind of numbers: 3 comes as 3.0.
        whole = field.type == "INTEGER" and float(value).is_integer()
        return f"CAST({text(str(int(value)) if whole else repr(value))} AS {field.sql})"
    if isinstance(value, str) and field.type != "BOOLEAN":
        return text(value) if field.type == "STRING" else f"CAST({text(value)} AS {field.sql})"
    return _wrong(field, value)


def _wrong(field: Field, value: Any) -> str:
    raise InstancesError(f"the feature {field.name!r} of type {field.sql} cannot be {value!r}")


def _table(answer: Mapping[str, Any], features: Schema) -> pa.Table:
    import pyarrow as pa

    from gcp_local.bigquery.schema import arrow_schema

    names = [field["name"].lower() for field in answer["schema"]["fields"]]
    columns = []
    for field in features:
        at = names.index(field.name.lower())
        values = [_read(field, row["f"][at]["v"]) for row in answer.get("rows", ())]
        columns.append(pa.array(values, type=field.arrow))
    return pa.table(columns, schema=arrow_schema(features))


def _read(field: Field, value: Any) -> Any:
    """Read a cell of BigQuery's answer."""
    if field.repeated:
        return [_read(field.element, each["v"]) for each in value or ()]
    if value is None:
        return None
    if field.type == "RECORD":
        cells = zip(field.fields, value["f"], strict=True)
        return {inner.name: _read(inner, cell["v"]) for inner, cell in cells}
    reader = _READERS.get(field.type)
    return value if reader is None else reader(value)
