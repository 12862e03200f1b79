"""Rows of JSON become rows of Arrow, by BigQuery's coercions: for streaming and for JSON loads."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from gcp_local.bigquery.loading.values import READERS, UnreadableError
from gcp_local.bigquery.schema import Field, Schema, arrow_schema

if TYPE_CHECKING:
    import pyarrow as pa

# Streaming's own words for what is no value of a type.
_STREAMED = {
    "INTEGER": "Cannot convert value to integer (bad value): ",
    "FLOAT": "Cannot convert value to floating point (bad value): ",
    "BOOLEAN": "Cannot convert value to boolean (bad value): ",
}


@dataclass(frozen=True)
class Problem:
    """What is wrong with a row.

    Attributes:
        field: where, `address.city`.
        what: BigQuery's words of a load job, without field and value.
        value: what stands there, if the value is at fault.
        type: of the field.

    """

    field: str
    what: str
    value: Any = None
    type: str = ""

    @property
    def loading(self) -> str:
        """The message of a load job."""
        if not self.type:
            return f"{self.what}: {self.field}."
        return f"{self.what}. Field: {self.field}; Value: {_shown(self.value)}"

    @property
    def streaming(self) -> str:
        """The message of `tabledata.insertAll`."""
        if not self.type:
            return f"{self.what.replace('No such', 'no such')}: {self.field}."
        if self.value is not None and self.type in _STREAMED:
            return _STREAMED[self.type] + _shown(self.value)
        return f"{self.what}: {_shown(self.value)}"


def arrow_rows(
    rows: Sequence[Any], schema: Schema, *, ignore_unknown: bool = False
) -> tuple[pa.Table, dict[int, list[Problem]]]:
    """Read rows.

    Args:
        rows: JSON objects; names of fields in any case.
        schema: the table's.
        ignore_unknown: whether fields that it has not are passed over.

    Returns:
        The rows without fault, in their order and in the schema's Arrow types; and what is wrong
        with the others, by their place in `rows`.

    """
    import pyarrow as pa

    read = _record(schema, "", ignore_unknown)
    good: list[dict[str, Any]] = []
    problems: dict[int, list[Problem]] = {}
    for at, row in enumerate(rows):
        found: list[Problem] = []
        value = read(row, found)
        if found:
            problems[at] = found
        else:
            good.append(value)
    shape = arrow_schema(schema)
    columns = [pa.array([row[field.name] for row in good], field.type) for field in shape]
    return pa.Table.from_arrays(columns, schema=shape), problems


_Reader = Callable[[Any, list[Problem]], Any]
_MISSING = object()


def _record(schema: Schema, path: str, ignore_unknown: bool) -> _Reader:
    """Make what reads objects of these fields."""
    named = {
        field.name.lower(): (field.name, _field(field, path, ignore_unknown)) for field in schema
    }
    kept = [(field.name.lower(), field.name, named[field.name.lower()][1]) for field in schema]

    def read(value: Any, problems: list[Problem]) -> Any:
        if not isinstance(value, Mapping):
            problems.append(
                Problem(path.rstrip("."), "This field is not a record", value, "RECORD")
            )
            return None
        given = {name.lower(): each for name, each in value.items()}
        if not ignore_unknown and not given.keys() <= named.keys():
            problems.extend(
                Problem(path + name, "No such field") for name in value if name.lower() not in named
            )
        return {name: reader(given.get(key, _MISSING), problems) for key, name, reader in kept}

    return read


def _field(field: Field, path: str, ignore_unknown: bool) -> _Reader:
    """Make what reads a field's value, which may be missing or null."""
    name = path + field.name
    single = _single(field, path, ignore_unknown)

    def read_array(value: Any, problems: list[Problem]) -> Any:
        if value is _MISSING or value is None:
            return []
        if not isinstance(value, list):
            what = "Repeated value added outside of an array, for field"
            problems.append(Problem(name, what))
            return None
        if any(each is None for each in value):
            what = "Only optional fields can be set to NULL"
            problems.append(Problem(name, what, None, field.type))
            return None
        return [single(each, problems) for each in value]

    def read_one(value: Any, problems: list[Problem]) -> Any:
        if value is _MISSING or value is None:
            if field.mode == "REQUIRED":
                if value is None:
                    what = "Only optional fields can be set to NULL"
                    problems.append(Problem(name, what, None, field.type))
                else:
                    problems.append(Problem(name, "Missing required field"))
            return None
        if isinstance(value, list) and field.type != "JSON":
            problems.append(Problem(name, "Array specified for non-repeated field"))
            return None
        return single(value, problems)

    return read_array if field.repeated else read_one


def _single(field: Field, path: str, ignore_unknown: bool) -> _Reader:
    name = path + field.name
    if field.type == "RECORD":
        return _record(field.fields, f"{name}.", ignore_unknown)
    convert = READERS[field.type]

    def read(value: Any, problems: list[Problem]) -> Any:
        try:
            return convert(value)
        except UnreadableError as error:
            problems.append(Problem(name, str(error), value, field.type))
            return None

    return read


def _shown(value: Any) -> str:
    return "NULL" if value is None else str(value)
