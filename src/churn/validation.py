"""Reading a bank-churners file, and saying what is wrong with it.

`read` takes any CSV as text; `validate` looks at it and reports; `clean` turns it into typed
columns. Errors make the data unusable, warnings are mended by `clean`.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

import pandas as pd

from churn.errors import DataError
from churn.schema import (
    CATEGORIES,
    ID,
    LEAKING,
    NUMBERS,
    POSITIVE,
    REQUIRED,
    TARGET,
    UNKNOWN,
    Column,
)

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

MISSING_LIMIT: Final = 0.05
"""The share of a number's rows that may be missing: XGBoost copes with gaps, not with a hole."""

_WHOLE: Final = r"^\s*([+-]?[0-9]+)(?:\.0*)?\s*$"
"""A whole number, which may be written `7.0`; its digits are the group."""

_SHOWN: Final = 3
"""How many offending values a message quotes."""


@dataclass(frozen=True, slots=True)
class ValidationReport:
    """What a look at the data found. One line a problem."""

    rows: int
    customers: int
    attrited_share: float | None
    errors: tuple[str, ...]
    warnings: tuple[str, ...]

    @property
    def valid(self) -> bool:
        """Whether the data can be used."""
        return not self.errors

    @property
    def summary(self) -> str:
        """The report in one line."""
        if self.errors:
            more = f" (and {len(self.errors) - 1} more)" if len(self.errors) > 1 else ""
            return f"{self.errors[0]}{more}"
        share = 0.0 if self.attrited_share is None else self.attrited_share
        found = [_count(self.rows, "row"), _count(self.customers, "customer")]
        warnings = [_count(len(self.warnings), "warning")] if self.warnings else []
        return ", ".join([*found, f"{share:.1%} attrited", *warnings])

    def to_json(self) -> dict[str, Any]:
        """Return the report as JSON values."""
        return {
            "valid": self.valid,
            "rows": self.rows,
            "customers": self.customers,
            "attrited_share": self.attrited_share,
            "errors": list(self.errors),
            "warnings": list(self.warnings),
        }

    def counts(self) -> dict[str, float]:
        """Return how many of everything there are, for a metrics artifact."""
        return {
            "rows": self.rows,
            "customers": self.customers,
            "attrited_share": self.attrited_share or 0.0,
            "errors": len(self.errors),
            "warnings": len(self.warnings),
        }

    def to_markdown(self) -> str:
        """Return the report for people."""
        lines = ["# Validation of the data", "", self.summary, ""]
        for title, problems in (("Errors", self.errors), ("Warnings", self.warnings)):
            if problems:
                lines += [f"## {title}", "", *(f"- {problem}" for problem in problems), ""]
        return "\n".join(lines)


def read(path: Path) -> pd.DataFrame:
    """Read every cell of a CSV file as text; empty cells, `NA`, `NaN` and the like as missing.

    Raises DataError for a file that is not there or is not a CSV.
    """
    if not path.is_file():
        raise DataError(f"{path}: no such file")
    try:
        frame = pd.read_csv(path, dtype=str, encoding="utf-8-sig", skipinitialspace=True)
    except UnicodeDecodeError as error:
        raise DataError(f"{path}: not a CSV file: not UTF-8 text") from error
    except pd.errors.EmptyDataError as error:
        raise DataError(f"{path}: the file is empty") from error
    except (pd.errors.ParserError, ValueError) as error:
        reason = str(error).strip().splitlines()[-1]
        raise DataError(f"{path}: not a CSV file: {reason}") from error
    if "\x00" in "".join(map(str, frame.columns)):
        raise DataError(f"{path}: not a CSV file: binary content")
    return frame


def validate(raw: pd.DataFrame) -> ValidationReport:
    """Look at raw text columns: types, ranges, categories, duplicates, gaps, rows and classes.

    Customers are compared as `clean` returns them: `7` and `7.0` are one id.
    """
    missing = [name for name in REQUIRED if name not in raw.columns]
    if missing:
        plural = "s" if len(missing) > 1 else ""
        error = f"missing column{plural}: {', '.join(missing)}"
        return ValidationReport(len(raw), 0, None, (error,), ())
    if raw.empty:
        return ValidationReport(0, 0, None, ("no rows",), ())
    typed = _typed(raw)
    errors: list[str] = []
    warnings: list[str] = []
    for column in (ID, *NUMBERS):
        errors += _number_errors(raw[column.name], typed[column.name], column)
        share = float(raw[column.name].isna().mean())
        if column is not ID and 0 < share <= MISSING_LIMIT:
            warnings.append(f"{column.name}: {_gaps(raw[column.name])}")
    for column in (TARGET, *CATEGORIES):
        errors += _category_errors(raw[column.name], column)
        if column.takes_missing and raw[column.name].isna().any():
            warnings.append(f"{column.name}: {_gaps(raw[column.name])}, taken as {UNKNOWN}")
    repeated = typed.duplicated()
    if repeated.any():
        warnings.append(f"{ID.name}: {_count(int(repeated.sum()), 'repeated row')}, dropped")
    customers = typed[~repeated]
    conflicting = customers[ID.name].dropna().duplicated()
    if conflicting.any():
        ids = raw.loc[conflicting[conflicting].index, ID.name]
        errors.append(f"{ID.name}: customers with more than one row: {_examples(ids)}")
    classes = customers[TARGET.name].dropna().unique()
    if len(classes) == 1:
        errors.append(f"{TARGET.name}: every customer is {classes[0]!r}: nothing to tell apart")
    extra = [str(name) for name in raw.columns if name not in REQUIRED and name not in LEAKING]
    if extra:
        warnings.append(f"columns that nothing uses: {', '.join(extra)}")
    return ValidationReport(
        rows=len(raw),
        customers=int(customers[ID.name].nunique()),
        attrited_share=float((customers[TARGET.name] == POSITIVE).mean()),
        errors=tuple(errors),
        warnings=tuple(warnings),
    )


def inspect(path: Path) -> ValidationReport:
    """Return the report on a file; one that cannot be read is a report with that as its error."""
    try:
        raw = read(path)
    except DataError as error:
        return ValidationReport(0, 0, None, (str(error),), ())
    return validate(raw)


def check(path: Path) -> ValidationReport:
    """Return the report on a usable file; raise DataError, naming the file, for any other."""
    report = validate(read(path))
    if not report.valid:
        raise DataError(f"{path}: {report.summary}")
    return report


def clean(raw: pd.DataFrame) -> pd.DataFrame:
    """Return typed rows, one a customer, without the columns that leak.

    Numbers become int64 or float64 (integers with gaps become float64), missing categories
    `Unknown`, repeated rows are dropped. Raises DataError, with the first problem, for data that
    `validate` finds unusable.
    """
    report = validate(raw)
    if not report.valid:
        raise DataError(report.summary)
    return _typed(raw).drop_duplicates(ignore_index=True)


def _typed(raw: pd.DataFrame) -> pd.DataFrame:
    """Return the required columns, numbers as numbers; what is no number becomes NaN."""
    numbers = {column.name: _numbers(raw[column.name], column) for column in (ID, *NUMBERS)}
    categories = {column.name: raw[column.name].fillna(UNKNOWN) for column in CATEGORIES}
    return raw[list(REQUIRED)].assign(**numbers, **categories)


def _numbers(text: pd.Series, column: Column) -> pd.Series:
    """Return a column's numbers; NaN for a gap and for what is no number of the column's kind.

    Whole numbers are read by their digits, so that an id of 19 of them keeps the last one.
    """
    if column.kind == "integer":
        return pd.to_numeric(text.str.extract(_WHOLE, expand=False), errors="coerce")
    return pd.to_numeric(text, errors="coerce").astype("float64")


def _number_errors(text: pd.Series, values: pd.Series, column: Column) -> Iterator[str]:
    noun = "a whole number" if column.kind == "integer" else "a number"
    yield from _offences(text, text.notna() & values.isna(), f"not {noun}")
    outside = values.notna() & ~values.between(column.least, column.most)
    yield from _offences(text, outside, f"outside {column.least:g} to {column.most:g}")
    limit = 0.0 if column is ID else MISSING_LIMIT
    if text.isna().mean() > limit:
        yield f"{column.name}: {_gaps(text)}, more than {limit:.0%}"


def _category_errors(text: pd.Series, column: Column) -> Iterator[str]:
    strange = text.notna() & ~text.isin(column.categories)
    yield from _offences(text, strange, "of no known category")
    if text.isna().any() and not column.takes_missing:
        yield f"{column.name}: {_gaps(text)}"


def _offences(text: pd.Series, wrong: pd.Series, what: str) -> Iterator[str]:
    if wrong.any():
        found = _count(int(wrong.sum()), "value")
        yield f"{text.name}: {found} {what}: {_examples(text[wrong])}"


def _gaps(text: pd.Series) -> str:
    return _count(int(text.isna().sum()), "missing value")


def _count(number: int, noun: str) -> str:
    return f"{number:,} {noun}{'' if number == 1 else 's'}"


def _examples(values: pd.Series) -> str:
    distinct = [repr(value) for value in pd.unique(values)]
    return ", ".join(distinct[:_SHOWN]) + (", …" if len(distinct) > _SHOWN else "")
