"""FORMAT.

Source: https://cloud.google.com/bigquery/docs/reference/standard-sql/string_functions#format_string.
"""

from __future__ import annotations

import json
import math
import re
from collections.abc import Callable
from decimal import Decimal
from typing import Any

from gcp_local.bigquery.sql.runtime import timetexts
from gcp_local.bigquery.sql.runtime.numbers import QueryError, float_text, numeric_text

_SPECIFIER = re.compile(
    r"%(?P<flags>[-+ #0']*)(?P<width>\d+|\*)?(?:\.(?P<precision>\d+|\*))?(?P<kind>.)", re.DOTALL
)


def formatted(pattern: str | None, kinds: str, *values: Any) -> str | None:
    """Write values by a pattern.

    Args:
        pattern: as C's printf has it.
        kinds: the values' types in GoogleSQL, a line each.
        values: the values.

    """
    if pattern is None:
        return None
    left = list(zip(values, kinds.split("\n") if kinds else [], strict=True))
    missing = False

    def take() -> tuple[Any, str]:
        if not left:
            raise QueryError("Error in format string: too few arguments to FORMAT")
        return left.pop(0)

    def one(match: re.Match[str]) -> str:
        nonlocal missing
        kind = match["kind"]
        if kind == "%":
            return "%"
        width, precision = (
            int(take()[0]) if text == "*" else int(text) if text is not None else None
            for text in (match["width"], match["precision"])
        )
        value, given = take()
        if value is None and kind not in "tT":
            missing = True
            return ""
        return _written(kind, match["flags"], width, precision, value, given)

    text = _SPECIFIER.sub(one, pattern)
    if left:
        raise QueryError("Error in format string: too many arguments to FORMAT")
    return None if missing else text


def _written(
    kind: str, flags: str, width: int | None, precision: int | None, value: Any, given: str
) -> str:
    if kind in "tT":
        text = shown(value, given, literal=kind == "T")
    elif kind == "s" and given in ("STRING", "JSON"):
        text = value if precision is None else value[:precision]
    elif kind in "dixXo" and given == "INT64":
        return _whole(kind, flags, width, value)
    elif kind in "fFeEgG" and given in ("FLOAT64", "NUMERIC"):
        return _decimal(kind, flags, width, precision, value)
    elif kind in "pP" and given in ("JSON", "STRING"):
        pretty = kind == "P"
        text = json.dumps(
            json.loads(value),
            indent=2 if pretty else None,
            separators=(",", ": " if pretty else ":"),
            ensure_ascii=False,
        )
    else:
        raise QueryError(f"Error in format string: %{kind} expects another type than {given}")
    return _aligned(text, "", re.sub("[0+ ]", "", flags), width)


def _whole(kind: str, flags: str, width: int | None, value: int) -> str:
    sign = "-" if value < 0 else ""
    if kind in "di":
        grouped = f"{abs(value):,}" if "'" in flags else str(abs(value))
        return _aligned(grouped, sign, flags, width)
    prefix = {"x": "0x", "X": "0X", "o": "0"}[kind] if "#" in flags else ""
    return _aligned(format(abs(value), kind), sign + prefix, flags, width)


def _decimal(kind: str, flags: str, width: int | None, precision: int | None, value: Any) -> str:
    number = float(value) if isinstance(value, float) or kind in "eEgG" else value
    negative = math.copysign(1, number) < 0
    if isinstance(number, float) and not math.isfinite(number):
        plain = flags.replace("0", "")
        return _aligned(float_text(abs(number)), "-" if negative else "", plain, width)
    form = ("#" if "#" in flags else "") + ("," if "'" in flags else "")
    text = format(abs(number), f"{form}.{6 if precision is None else precision}{kind}")
    return _aligned(text, "-" if negative else "", flags, width)


def _aligned(text: str, sign: str, flags: str, width: int | None) -> str:
    if not sign.startswith("-") and "+" in flags:
        sign = f"+{sign}"
    elif not sign.startswith("-") and " " in flags:
        sign = f" {sign}"
    missing = (width or 0) - len(sign) - len(text)
    if missing <= 0:
        return sign + text
    if "-" in flags:
        return sign + text + " " * missing
    return sign + "0" * missing + text if "0" in flags else " " * missing + sign + text


def shown(value: Any, kind: str, *, literal: bool) -> str:
    """Write a value as `%t` does, or as `%T`: as a literal."""
    if value is None:
        return "NULL"
    if kind.startswith("ARRAY<"):
        return f"[{', '.join(shown(each, kind[6:-1], literal=literal) for each in value)}]"
    writer = _PLAIN.get(kind, str)
    if not literal:
        return writer(value)
    if kind == "STRING":
        return json.dumps(value, ensure_ascii=False)
    if kind == "FLOAT64" and not math.isfinite(value):
        return f'CAST("{float_text(value)}" AS FLOAT64)'
    return _LITERAL.get(kind, "{}").format(writer(value))


def _bytes(value: bytes) -> str:
    return "".join(
        chr(each) if 32 <= each < 127 and chr(each) not in '"\\' else f"\\x{each:02x}"
        for each in value
    )


def _float(value: float) -> str:
    text = float_text(value)
    return text if re.search(r"[.en]", text) else f"{text}.0"


_PLAIN: dict[str, Callable[[Any], str]] = {
    "BYTES": _bytes,
    "BOOL": lambda value: "true" if value else "false",
    "FLOAT64": _float,
    "NUMERIC": lambda value: numeric_text(Decimal(value)),
    "TIMESTAMP": timetexts.timestamp_text,
    "DATETIME": timetexts.datetime_text,
    "TIME": timetexts.time_text,
}
_LITERAL = {
    "BYTES": 'b"{}"', "NUMERIC": 'NUMERIC "{}"', "TIMESTAMP": 'TIMESTAMP "{}"',
    "DATETIME": 'DATETIME "{}"', "TIME": 'TIME "{}"', "DATE": 'DATE "{}"',
}  # fmt: skip
