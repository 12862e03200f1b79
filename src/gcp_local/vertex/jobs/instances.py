"""The inputs of a batch prediction: read from files, turned into what the model is sent.

Sources: the documentation of `BatchPredictionJob.InstanceConfig` in google.cloud.aiplatform.v1, and
https://cloud.google.com/vertex-ai/docs/predictions/get-batch-predictions.
"""

from __future__ import annotations

import base64
import csv
import json
import struct
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, BinaryIO

import google_crc32c

from gcp_local.errors import InvalidArgument, Unimplemented

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence

    from gcp_local.rpc.protos import Message

RECORDS = ("tf-record", "tf-record-gzip")
FORMATS = ("jsonl", "csv", "bigquery", "file-list", *RECORDS)
_NOT_HERE = ("vertex-multimodal-dataset",)
_HEADER, _TAIL = struct.Struct("<QI"), struct.Struct("<I")
_MAX_RECORD = 256 * 1024 * 1024
_TYPES = ("", "object", "array")


class UnreadableError(ValueError):
    """An input that no instance can be made of."""


@dataclass(frozen=True)
class Conversion:
    """How an input becomes an instance.

    Attributes:
        kind: `object`, `array`, or empty: as the input is.
        key: the field that is told in the output instead of the instance; empty if none is.
        included: the fields to send, in this order; empty for all.
        excluded: the fields not to send.

    """

    kind: str = ""
    key: str = ""
    included: tuple[str, ...] = ()
    excluded: tuple[str, ...] = ()


@dataclass(frozen=True)
class Input:
    """One input.

    Attributes:
        shown: what the output tells of it: an instance, or a key.
        columns: the same by name, where the input has names; for outputs in CSV.
        sent: what the model gets. It is not sent anything if `error` is set.
        error: why no instance could be made.

    """

    shown: Any
    columns: Mapping[str, Any]
    sent: Any = None
    error: str = ""


def conversion_of(config: Message, form: str, *, at: str) -> Conversion:
    """Read an `InstanceConfig`, and check that it goes with the inputs' format.

    Raises:
        InvalidArgument: it does not; or the format is none.
        Unimplemented: the format is one of Vertex AI's that is not read here.

    """
    if form in _NOT_HERE:
        raise Unimplemented(f"Inputs in the format {form!r} are not read by the embedded cloud.")
    if form not in FORMATS:
        raise InvalidArgument.of_field(
            f"{at}.input_config.instances_format",
            f"Invalid instances_format {form!r}: one of {', '.join(FORMATS)}.",
        )
    at = f"{at}.instance_config"
    fields = (config.key_field, *config.included_fields, *config.excluded_fields)
    if form in RECORDS and any(fields):
        raise Unimplemented(f"{at}: the embedded cloud does not look into the records of {form}.")
    if config.instance_type not in _TYPES:
        message = f"Invalid instance_type {config.instance_type!r}: object or array."
        raise InvalidArgument.of_field(f"{at}.instance_type", message)
    if config.included_fields and config.excluded_fields:
        message = "included_fields and excluded_fields cannot both be set."
        raise InvalidArgument.of_field(f"{at}.excluded_fields", message)
    needs = {
        "instance_type": ("jsonl", "bigquery"),
        "included_fields": ("jsonl", "bigquery"),
        "excluded_fields": ("jsonl", "bigquery"),
        "key_field": ("jsonl", "csv", "bigquery"),
    }
    for name, formats in needs.items():
        if getattr(config, name) and form not in formats:
            message = f"{name} does not apply to inputs in the format {form}."
            raise InvalidArgument.of_field(f"{at}.{name}", message)
    return Conversion(
        config.instance_type,
        config.key_field,
        tuple(config.included_fields),
        tuple(config.excluded_fields),
    )


def read(
    form: str, lines: Iterable[str], conversion: Conversion, content: Callable[[str], bytes]
) -> Iterator[Input]:
    """Go through the inputs in a file.

    Args:
        form: one of `FORMATS` that is text; see `records`.
        lines: the file's lines.
        conversion: how an input becomes an instance.
        content: gives the bytes of a `gs://` URI, or raises UnreadableError.

    """
    whole = (line.rstrip("\r\n") for line in lines)
    wanted = (line for line in whole if line.strip())
    if form == "csv":
        yield from _rows(wanted, conversion)
        return
    for line in wanted:
        try:
            if form == "jsonl":
                yield _object(_json(line), conversion)
            else:
                encoded = {"b64": base64.b64encode(content(line.strip())).decode()}
                yield Input(encoded, {"instance": line.strip()}, encoded)
        except UnreadableError as error:
            yield Input(line, {"instance": line}, error=str(error))


def records(file: BinaryIO) -> Iterator[Input]:
    """Go through the records of a TFRecord file, each sent as it is, in base64.

    A record is its length, that number's checksum, the data and their checksum:
    https://www.tensorflow.org/tutorials/load_data/tfrecord.

    Raises:
        UnreadableError: it is not such a file, or was damaged.

    """
    while header := file.read(_HEADER.size):
        length, check = _HEADER.unpack(header) if len(header) == _HEADER.size else (0, None)
        if check != _masked(header[:8]):
            raise UnreadableError("It is not a TFRecord file, or was damaged.")
        if length > _MAX_RECORD:
            raise UnreadableError(f"A record has {length} bytes, at most {_MAX_RECORD} are read.")
        data, tail = file.read(length), file.read(_TAIL.size)
        if len(tail) < _TAIL.size or _TAIL.unpack(tail)[0] != _masked(data):
            raise UnreadableError("A record was damaged.")
        instance = {"b64": base64.b64encode(data).decode()}
        yield Input(instance, {"instance": instance}, instance)


def _masked(data: bytes) -> int:
    """Give the checksum by which TFRecord files are checked."""
    plain: int = google_crc32c.value(data)
    return ((plain >> 15 | plain << 17) + 0xA282EAD8) & 0xFFFFFFFF


def _json(line: str) -> Any:
    try:
        return json.loads(line)
    except (ValueError, RecursionError) as error:
        raise UnreadableError(f"The line is not JSON: {error}") from None


def _object(said: Any, conversion: Conversion) -> Input:
    """Make an instance of a line of JSON."""
    named = isinstance(said, dict)
    fields_asked = conversion.key or conversion.included or conversion.excluded
    if not named:
        if conversion.kind == "object" or fields_asked:
            raise UnreadableError("The line is not a JSON object, which instance_config asks for.")
        if conversion.kind == "array" and not isinstance(said, list):
            raise UnreadableError("The line is neither a JSON object nor an array.")
        return Input(said, {"instance": said}, said)
    for name in (conversion.key, *conversion.included):
        if name and name not in said:
            raise UnreadableError(f"The line has no field {name!r}.")
    names = conversion.included or tuple(said)
    left = [name for name in names if name not in (conversion.key, *conversion.excluded)]
    sent: Any = {name: said[name] for name in left}
    if conversion.kind == "array":
        if not conversion.included:
            raise UnreadableError(
                "An object becomes an array only in the order of included_fields, which is empty."
            )
        sent = [said[name] for name in left]
    if conversion.key:
        return Input(said[conversion.key], {"key": said[conversion.key]}, sent)
    return Input(said, said, sent)


def _rows(lines: Iterator[str], conversion: Conversion) -> Iterator[Input]:
    """Make instances of a table: what is in quotes is text, the rest are numbers.

    A model that takes objects knows its columns' types itself: it gets each value as it is written.
    """
    try:
        header = next(csv.reader([next(lines)], strict=True))
    except StopIteration:
        return
    except csv.Error as error:
        raise UnreadableError(f"The header line cannot be read: {error}") from None
    if conversion.key and conversion.key not in header:
        raise UnreadableError(f"There is no column {conversion.key!r}.")
    for line in lines:
        try:
            yield _row(line, header, conversion)
        except UnreadableError as error:
            yield Input(line, {"instance": line}, error=str(error))


def _row(line: str, header: Sequence[str], conversion: Conversion) -> Input:
    named_columns = conversion.kind == "object"
    try:
        if named_columns:
            row: list[Any] = next(csv.reader([line], strict=True))
        else:
            row = next(csv.reader([line], quoting=csv.QUOTE_NONNUMERIC, strict=True))
    except (csv.Error, ValueError) as error:
        raise UnreadableError(
            f"The line cannot be read: {error}. Text must be in double quotes."
        ) from None
    if len(row) != len(header):
        raise UnreadableError(f"The line has {len(row)} values, the header {len(header)}.")
    named = dict(zip(header, row, strict=True))
    sent = {name: value for name, value in named.items() if name != conversion.key}
    instance = sent if named_columns else list(sent.values())
    if conversion.key:
        return Input(named[conversion.key], {"key": named[conversion.key]}, instance)
    return Input(named if named_columns else row, named, instance)
