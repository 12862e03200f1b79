from __future__ import annotations

from typing import TYPE_CHECKING, TypeAlias

import pandas as pd
import pytest

from churn import schema, validation
from churn.errors import DataError

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

Change: TypeAlias = "Callable[[pd.DataFrame], pd.DataFrame]"


@pytest.fixture
def raw(generated: pd.DataFrame) -> pd.DataFrame:
    return generated.head(400).astype(str)


def put(column: str, value: str | None, rows: int = 1) -> Change:
    def change(frame: pd.DataFrame) -> pd.DataFrame:
        frame.loc[: rows - 1, column] = value
        return frame

    return change


def test_the_generated_sample_has_neither_errors_nor_warnings(raw: pd.DataFrame) -> None:
    report = validation.validate(raw)
    assert report.valid
    assert report.errors == report.warnings == ()
    assert (report.rows, report.customers) == (400, 400)


def test_the_public_file_has_neither_errors_nor_warnings(public_file: Path) -> None:
    report = validation.inspect(public_file)
    assert report.errors == report.warnings == ()
    assert (report.rows, report.customers) == (10_127, 10_127)
    assert report.attrited_share == pytest.approx(1627 / 10_127)


@pytest.mark.parametrize(
    ("change", "error"),
    [
        (put("Customer_Age", "old"), "Customer_Age: 1 value not a whole number: 'old'"),
        (put("Customer_Age", "41.5"), "Customer_Age: 1 value not a whole number: '41.5'"),
        (put("Credit_Limit", "much"), "Credit_Limit: 1 value not a number: 'much'"),
        (put("Customer_Age", "7"), "Customer_Age: 1 value outside 18 to 110: '7'"),
        (put("Avg_Utilization_Ratio", "1.2", 2), "Avg_Utilization_Ratio: 2 values outside 0 to 1"),
        (put("Credit_Limit", "inf"), "Credit_Limit: 1 value outside 0 to 1e+06: 'inf'"),
        (put("Gender", "X"), "Gender: 1 value of no known category: 'X'"),
        (put("Attrition_Flag", "Unknown"), "Attrition_Flag: 1 value of no known category"),
        (put("Attrition_Flag", None), "Attrition_Flag: 1 missing value"),
        (put("CLIENTNUM", None), "CLIENTNUM: 1 missing value, more than 0%"),
        (put("CLIENTNUM", "768805383", 2), "CLIENTNUM: customers with more than one row: '7688"),
        (put("CLIENTNUM", "9" * 23), "CLIENTNUM: 1 value outside 1 to 9.22337e+18: '999999"),
        (put("CLIENTNUM", str(2**63)), "CLIENTNUM: 1 value outside 1 to 9.22337e+18: '9223"),
        (
            put("Attrition_Flag", "Existing Customer", 400),
            "Attrition_Flag: every customer is 'Existing Customer': nothing to tell apart",
        ),
        (put("Credit_Limit", None, 21), "Credit_Limit: 21 missing values, more than 5%"),
        (lambda frame: frame.head(0), "no rows"),
        (lambda frame: frame.drop(columns=["Gender"]), "missing column: Gender"),
        (
            lambda frame: frame[["CLIENTNUM", *schema.LEAKING]],
            "missing columns: Attrition_Flag, Customer_Age",
        ),
    ],
)
def test_bad_data_is_named_in_one_line(raw: pd.DataFrame, change: Change, error: str) -> None:
    report = validation.validate(change(raw))
    assert not report.valid
    assert report.errors[0].startswith(error)
    assert "\n" not in report.summary


def test_a_missing_category_becomes_unknown_and_is_reported(raw: pd.DataFrame) -> None:
    raw.loc[:2, "Education_Level"] = None
    report = validation.validate(raw)
    assert report.valid
    assert report.warnings == ("Education_Level: 3 missing values, taken as Unknown",)
    assert set(validation.clean(raw).loc[:2, "Education_Level"]) == {"Unknown"}


def test_a_few_missing_numbers_stay_missing_and_are_reported(raw: pd.DataFrame) -> None:
    raw.loc[0, "Total_Trans_Ct"] = None
    assert validation.validate(raw).warnings == ("Total_Trans_Ct: 1 missing value",)
    assert validation.clean(raw)["Total_Trans_Ct"].isna().tolist()[:2] == [True, False]


def test_the_summary_counts_in_plain_english(raw: pd.DataFrame) -> None:
    assert validation.validate(raw).summary.startswith("400 rows, 400 customers, ")
    raw.loc[0, "Total_Trans_Ct"] = None
    assert validation.validate(raw).summary.endswith("% attrited, 1 warning")
    raw.loc[0, "Gender"] = None
    assert validation.validate(raw).summary.endswith("% attrited, 2 warnings")


def test_repeated_rows_are_dropped_and_reported(raw: pd.DataFrame) -> None:
    twice = pd.concat([raw, raw.head(5)], ignore_index=True)
    assert validation.validate(twice).warnings == ("CLIENTNUM: 5 repeated rows, dropped",)
    pd.testing.assert_frame_equal(validation.clean(twice), validation.clean(raw))


def test_rows_that_say_the_same_in_other_words_are_one_row(raw: pd.DataFrame) -> None:
    again = raw.head(1).assign(CLIENTNUM=raw["CLIENTNUM"] + ".0", Customer_Age="051.")
    raw.loc[0, "Customer_Age"] = "51"
    twice = pd.concat([raw, again], ignore_index=True)
    report = validation.validate(twice)
    assert report.valid
    assert report.customers == 400
    assert report.warnings == ("CLIENTNUM: 1 repeated row, dropped",)
    pd.testing.assert_frame_equal(validation.clean(twice), validation.clean(raw))


def test_an_id_written_in_two_ways_is_one_customer(raw: pd.DataFrame) -> None:
    raw.loc[:1, "CLIENTNUM"] = ["7", "7.0"]
    report = validation.validate(raw)
    assert report.errors == ("CLIENTNUM: customers with more than one row: '7.0'",)
    assert report.customers == 399


def test_the_longest_ids_keep_every_digit(raw: pd.DataFrame) -> None:
    ids = [str(2**63 - 1), f"{2**63 - 2}.0"]
    raw.loc[:1, "CLIENTNUM"] = ids
    assert validation.clean(raw)["CLIENTNUM"].tolist()[:2] == [2**63 - 1, 2**63 - 2]


def test_clean_rows_are_typed_and_without_the_leaking_columns(raw: pd.DataFrame) -> None:
    frame = validation.clean(raw)
    assert list(frame.columns) == list(schema.REQUIRED)
    assert frame["Customer_Age"].dtype == "int64"
    assert frame["Credit_Limit"].dtype == "float64"


def test_unusable_data_cannot_be_cleaned(raw: pd.DataFrame) -> None:
    with pytest.raises(DataError, match="Gender: 1 value of no known category: 'X'"):
        validation.clean(put("Gender", "X")(raw))


@pytest.mark.parametrize(
    ("content", "error"),
    [
        (None, "no such file"),
        (b"", "the file is empty"),
        (b"\xff\xfe\x00\x01", "not a CSV file"),
        (b"PK\x03\x04\x00\x00\x00\x00", "not a CSV file: binary content"),
        (b"a,b\n1,2\n1,2,3\n", "not a CSV file"),
        (b'a,b\n"1,2\n', "not a CSV file"),
    ],
)
def test_what_is_no_csv_is_refused_in_one_line(
    tmp_path: Path, content: bytes | None, error: str
) -> None:
    path = tmp_path / "data.csv"
    if content is not None:
        path.write_bytes(content)
    with pytest.raises(DataError, match=error) as caught:
        validation.read(path)
    assert "\n" not in str(caught.value)
    assert validation.inspect(path).errors == (str(caught.value),)


def test_the_report_is_json_and_markdown(raw: pd.DataFrame) -> None:
    report = validation.validate(put("Gender", "X")(raw))
    assert report.to_json()["errors"] == list(report.errors)
    assert f"- {report.errors[0]}" in report.to_markdown()
    assert report.counts()["errors"] == 1
