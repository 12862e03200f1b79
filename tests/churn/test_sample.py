"""The generated sample beside constants that were measured on the public file."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pandas as pd
import pytest

from churn import sample, schema

if TYPE_CHECKING:
    from pathlib import Path

ATTRITED = 0.1607
# mean, standard deviation
NUMBERS = {
    "Customer_Age": (46.326, 8.017),
    "Dependent_count": (2.346, 1.299),
    "Months_on_book": (35.928, 7.986),
    "Total_Relationship_Count": (3.813, 1.554),
    "Months_Inactive_12_mon": (2.341, 1.011),
    "Contacts_Count_12_mon": (2.455, 1.106),
    "Credit_Limit": (8631.95, 9088.78),
    "Total_Revolving_Bal": (1162.81, 814.99),
    "Avg_Open_To_Buy": (7469.14, 9090.69),
    "Total_Amt_Chng_Q4_Q1": (0.760, 0.219),
    "Total_Trans_Amt": (4404.09, 3397.13),
    "Total_Trans_Ct": (64.859, 23.473),
    "Total_Ct_Chng_Q4_Q1": (0.712, 0.238),
    "Avg_Utilization_Ratio": (0.275, 0.276),
}
CATEGORIES = {
    ("Gender", "F"): 0.529,
    ("Education_Level", "Graduate"): 0.309,
    ("Education_Level", "Unknown"): 0.150,
    ("Marital_Status", "Married"): 0.463,
    ("Marital_Status", "Unknown"): 0.074,
    ("Income_Category", "Less than $40K"): 0.352,
    ("Income_Category", "$120K +"): 0.072,
    ("Income_Category", "Unknown"): 0.110,
    ("Card_Category", "Blue"): 0.932,
    ("Card_Category", "Silver"): 0.055,
}
CORRELATIONS = {
    ("Total_Trans_Amt", "Total_Trans_Ct"): 0.81,
    ("Customer_Age", "Months_on_book"): 0.79,
    ("Credit_Limit", "Avg_Open_To_Buy"): 1.00,
    ("Total_Revolving_Bal", "Avg_Utilization_Ratio"): 0.62,
    ("Credit_Limit", "Avg_Utilization_Ratio"): -0.48,
    ("Total_Amt_Chng_Q4_Q1", "Total_Ct_Chng_Q4_Q1"): 0.38,
    ("Total_Relationship_Count", "Total_Trans_Amt"): -0.35,
    ("Total_Relationship_Count", "Total_Trans_Ct"): -0.24,
    ("Credit_Limit", "Total_Trans_Amt"): 0.17,
    ("Customer_Age", "Dependent_count"): -0.12,
    ("Attrited", "Total_Trans_Ct"): -0.37,
    ("Attrited", "Total_Ct_Chng_Q4_Q1"): -0.29,
    ("Attrited", "Total_Revolving_Bal"): -0.26,
    ("Attrited", "Contacts_Count_12_mon"): 0.20,
    ("Attrited", "Total_Trans_Amt"): -0.17,
    ("Attrited", "Total_Relationship_Count"): -0.15,
    ("Attrited", "Months_Inactive_12_mon"): 0.15,
    ("Attrited", "Credit_Limit"): -0.02,
}


def correlation(frame: pd.DataFrame, first: str, second: str) -> float:
    attrited = (frame["Attrition_Flag"] == "Attrited Customer").astype(float)
    columns = frame.assign(Attrited=attrited)
    return float(columns[first].corr(columns[second]))


def test_the_sample_has_the_public_files_columns(generated: pd.DataFrame) -> None:
    assert list(generated.columns) == list(schema.FILE_ORDER)
    assert len(schema.FILE_ORDER) == 23


def test_ids_are_unique_and_in_the_public_files_range(generated: pd.DataFrame) -> None:
    assert generated["CLIENTNUM"].is_unique
    assert generated["CLIENTNUM"].between(sample.FIRST_ID, sample.LAST_ID).all()


def test_about_16_percent_are_attrited(generated: pd.DataFrame) -> None:
    share = (generated["Attrition_Flag"] == "Attrited Customer").mean()
    assert share == pytest.approx(ATTRITED, abs=0.012)


@pytest.mark.parametrize("column", NUMBERS)
def test_means_and_deviations_are_the_public_files(generated: pd.DataFrame, column: str) -> None:
    mean, deviation = NUMBERS[column]
    assert generated[column].mean() == pytest.approx(mean, abs=0.1 * deviation)
    assert generated[column].std() == pytest.approx(deviation, rel=0.12)


@pytest.mark.parametrize(("column", "category"), CATEGORIES)
def test_categories_are_as_frequent_as_in_the_public_file(
    generated: pd.DataFrame, column: str, category: str
) -> None:
    share = (generated[column] == category).mean()
    assert share == pytest.approx(CATEGORIES[column, category], abs=0.02)


@pytest.mark.parametrize(("first", "second"), CORRELATIONS)
def test_correlations_are_the_public_files(
    generated: pd.DataFrame, first: str, second: str
) -> None:
    expected = CORRELATIONS[first, second]
    assert correlation(generated, first, second) == pytest.approx(expected, abs=0.09)


def test_the_constants_are_the_public_files(public_file: Path) -> None:
    public = pd.read_csv(public_file)
    for column, (mean, deviation) in NUMBERS.items():
        assert public[column].mean() == pytest.approx(mean, rel=0.002)
        assert public[column].std() == pytest.approx(deviation, rel=0.002)
    for (column, category), share in CATEGORIES.items():
        assert (public[column] == category).mean() == pytest.approx(share, abs=0.001)
    for pair, expected in CORRELATIONS.items():
        assert correlation(public, *pair) == pytest.approx(expected, abs=0.006)


def test_amounts_add_up_as_in_the_public_file(generated: pd.DataFrame) -> None:
    available = generated["Credit_Limit"] - generated["Total_Revolving_Bal"]
    assert (generated["Avg_Open_To_Buy"] - available).abs().max() < 0.051
    used = generated["Total_Revolving_Bal"] / generated["Credit_Limit"]
    assert (generated["Avg_Utilization_Ratio"] - used).abs().max() < 0.00051


def test_the_leaking_columns_leak(generated: pd.DataFrame) -> None:
    attrited = generated["Attrition_Flag"] == "Attrited Customer"
    assert generated.loc[attrited, schema.LEAKING[0]].min() > 0.5
    assert generated.loc[~attrited, schema.LEAKING[0]].max() < 0.5


def test_the_same_seed_gives_the_same_customers() -> None:
    pd.testing.assert_frame_equal(sample.generate(500, 3), sample.generate(500, 3))
    assert not sample.generate(500, 3).equals(sample.generate(500, 4))


@pytest.mark.parametrize("rows", [1, 2, 37])
def test_a_small_sample_is_as_long_as_asked(rows: int) -> None:
    assert len(sample.generate(rows, 0)) == rows


def test_no_rows_cannot_be_generated() -> None:
    with pytest.raises(ValueError, match="rows must be at least 1"):
        sample.generate(0, 0)
