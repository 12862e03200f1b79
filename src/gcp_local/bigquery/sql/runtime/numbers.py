"""Arithmetic."""

from __future__ import annotations

import math
import random
from decimal import ROUND_HALF_UP, Context, Decimal, InvalidOperation

_EXACT = Context(prec=76, rounding=ROUND_HALF_UP)
_NINTH = Decimal("1e-9")
_LONGEST = 1_048_575
_LEAST, _GREATEST = -(2**63), 2**63 - 1
_NUMERIC_LIMIT = Decimal(10) ** 29


class QueryError(RuntimeError):
    """A value that BigQuery refuses while a query runs."""


def float_text(value: float) -> str:
    """Write a FLOAT64 as CAST does: the shortest that reads back, whole numbers without a point."""
    if math.isnan(value):
        return "nan"
    if math.isinf(value):
        return "inf" if value > 0 else "-inf"
    if value == 0:
        return "0"
    text = f"{value:.15g}"
    return text if float(text) == value else f"{value:.17g}"


def numeric_text(value: Decimal) -> str:
    """Write a NUMERIC: without needless zeros."""
    text = f"{value:f}"
    return (text.rstrip("0").rstrip(".") if "." in text else text) or "0"


def divide(one: float, other: float) -> float:
    """Divide FLOAT64s."""
    if other == 0:
        raise QueryError(f"division by zero: {float_text(one)} / {float_text(other)}")
    return one / other


def divide_safely(one: float, other: float) -> float | None:
    """Divide FLOAT64s; nothing by zero."""
    return None if other == 0 else one / other


def divide_ieee(one: float, other: float) -> float:
    """Divide FLOAT64s as IEEE 754 says."""
    if other == 0:
        if one == 0 or math.isnan(one):
            return math.nan
        return math.copysign(math.inf, one) * math.copysign(1, other)
    return one / other


def divide_numeric(one: Decimal, other: Decimal) -> Decimal:
    """Divide NUMERICs."""
    if other == 0:
        raise QueryError(f"division by zero: {numeric_text(one)} / {numeric_text(other)}")
    return numeric(_EXACT.divide(one, other))


def multiply_numeric(one: Decimal, other: Decimal) -> Decimal:
    """Multiply NUMERICs."""
    return numeric(_EXACT.multiply(one, other))


def numeric(value: Decimal) -> Decimal:
    """Round to a NUMERIC's nine digits."""
    try:
        rounded = value.quantize(_NINTH, rounding=ROUND_HALF_UP, context=_EXACT)
    except InvalidOperation:
        raise QueryError(f"Invalid NUMERIC value: {value}") from None
    if abs(rounded) >= _NUMERIC_LIMIT:
        raise QueryError(f"numeric overflow: {value}")
    return rounded


def float_numeric(value: float) -> Decimal:
    """Make a FLOAT64 a NUMERIC."""
    if math.isnan(value) or math.isinf(value):
        what = "Illegal conversion of non-finite floating point number to numeric"
        raise QueryError(f"{what}: {float_text(value)}")
    return numeric(Decimal(repr(value)))


def whole(value: float) -> int:
    """Make a FLOAT64 an INT64: half away from zero."""
    if math.isnan(value) or math.isinf(value) or not -(2.0**63) <= value < 2.0**63:
        raise QueryError(f"Illegal conversion to int64: {float_text(value)}")
    return int(value + math.copysign(0.5, value)) if abs(value) < 2**52 else int(value)


def quotient(one: int, other: int) -> int:
    """Divide INT64s without a rest, as DIV: towards zero."""
    if other == 0:
        raise QueryError(f"division by zero: DIV({one}, {other})")
    result = abs(one) // abs(other)
    return int64(result if (one < 0) == (other < 0) else -result, f"DIV({one}, {other})")


def remainder(one: int, other: int) -> int:
    """Give the rest of a division of INT64s; its sign is the dividend's."""
    if other == 0:
        raise QueryError(f"division by zero: MOD({one}, {other})")
    return int(math.copysign(1, one)) * (abs(one) % abs(other))


def remainder_numeric(one: Decimal, other: Decimal) -> Decimal:
    """Give the rest of a division of NUMERICs."""
    if other == 0:
        raise QueryError(f"division by zero: MOD({numeric_text(one)}, {numeric_text(other)})")
    return _EXACT.remainder(one, other)


def int64(value: int, told: str = "") -> int:
    """Hold a number to INT64."""
    if not _LEAST <= value <= _GREATEST:
        raise QueryError(f"int64 overflow: {told or value}")
    return value


def negate(value: int) -> int:
    """Change an INT64's sign."""
    return int64(-value, f"-({value})")


def absolute(value: int) -> int:
    """Drop an INT64's sign."""
    return int64(abs(value), f"ABS({value})")


def rounded(value: float, digits: int) -> float:
    """Round a FLOAT64 half away from zero, as a person would who sees it written."""
    if math.isnan(value) or math.isinf(value) or abs(digits) > 300:
        return value if digits > 0 or math.isnan(value) or math.isinf(value) else 0.0
    return float(Decimal(repr(value)).quantize(Decimal(1).scaleb(-digits), ROUND_HALF_UP, _WIDE))


_WIDE = Context(prec=700, rounding=ROUND_HALF_UP)


def rounded_numeric(value: Decimal, digits: int) -> Decimal:
    """Round a NUMERIC half away from zero."""
    if digits >= 9:
        return value
    return numeric(value.quantize(Decimal(1).scaleb(-digits), ROUND_HALF_UP, _WIDE))


def truncated(value: float, digits: int) -> float:
    """Cut a FLOAT64's digits off."""
    if math.isnan(value) or math.isinf(value):
        return value
    return float(Decimal(repr(value)).quantize(Decimal(1).scaleb(-digits), "ROUND_DOWN", _WIDE))


def _guarded(name: str, act: object, *values: float) -> float:
    try:
        result = act(*values)  # type: ignore[operator]
    except (ValueError, OverflowError, ZeroDivisionError):
        told = ", ".join(map(float_text, values))
        raise QueryError(f"Floating point error in function: {name}({told})") from None
    if math.isinf(result) and not any(map(math.isinf, values)):
        told = ", ".join(map(float_text, values))
        raise QueryError(f"Floating point overflow in function: {name}({told})")
    return float(result)


def power(one: float, other: float) -> float:
    """Raise to a power."""
    return _guarded("POW", math.pow, one, other)


def root(value: float) -> float:
    """Give the square root."""
    if value < 0:
        raise QueryError(f"Argument to SQRT cannot be negative: {float_text(value)}")
    return math.sqrt(value)


def cube_root(value: float) -> float:
    """Give the cube root; that of a cube is whole."""
    found = math.cbrt(value)
    near = float(round(found)) if math.isfinite(found) else found
    return near if near**3 == value else found


def exponential(value: float) -> float:
    """Raise e to a power."""
    return math.inf if value == math.inf else _guarded("EXP", math.exp, value)


def logarithm(value: float) -> float:
    """Give the natural logarithm."""
    return _guarded("LN", math.log, value)


def logarithm_10(value: float) -> float:
    """Give the logarithm to base 10."""
    return _guarded("LOG10", math.log10, value)


def logarithm_of(value: float, base: float) -> float:
    """Give the logarithm to a base."""
    return _guarded("LOG", math.log, value, base)


def uniform() -> float:
    """Give a number in [0, 1)."""
    return random.random()  # noqa: S311  (RAND is no secret)


def held(numbers: range) -> range:
    """Hold an array that is made to the longest that there may be."""
    # Python's len() has a limit of its own.
    if numbers and abs(numbers[-1] - numbers.start) // abs(numbers.step) >= _LONGEST:
        raise QueryError(f"Cannot generate arrays with more than {_LONGEST} elements")
    return numbers


def sequence(start: int, end: int, step: int = 1) -> list[int]:
    """Give the numbers from one to another."""
    if step == 0:
        raise QueryError("Sequence step cannot be 0.")
    return list(held(range(start, end + (1 if step > 0 else -1), step)))


def sequence_float(start: float, end: float, step: float = 1.0) -> list[float]:
    """Give the numbers from one to another."""
    if step == 0:
        raise QueryError("Sequence step cannot be 0.")
    count = math.floor((end - start) / step + 1e-9) + 1
    return [start + at * step for at in held(range(max(count, 0)))]


def sequence_numeric(start: Decimal, end: Decimal, step: Decimal = Decimal(1)) -> list[Decimal]:
    """Give the numbers from one to another."""
    if step == 0:
        raise QueryError("Sequence step cannot be 0.")
    count = math.floor((end - start) / step) + 1
    return [start + at * step for at in held(range(max(count, 0)))]


def bucket(point: float, boundaries: list[float]) -> int:
    """Give how many boundaries are not above a point, as RANGE_BUCKET."""
    import bisect

    return bisect.bisect_right(boundaries, point)
