"""The columns of a bank-churners file: their types, ranges and categories.

The one source of truth about the data. The file is the public credit-card customers data set
("BankChurners", CC0): one row a customer, 23 columns.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Final, Literal

Kind = Literal["integer", "real", "category"]

UNKNOWN: Final = "Unknown"
"""The category that stands for a missing one."""


@dataclass(frozen=True, slots=True)
class Column:
    """One column of the file.

    `least` and `most` bound numbers (inclusive) and are set by what is possible, not by what was
    once seen. `categories` lists a category column's legal values; a
    column with `Unknown` among them takes a missing value as `Unknown`.
    """

    name: str
    kind: Kind
    least: float = -math.inf
    most: float = math.inf
    categories: tuple[str, ...] = ()

    @property
    def takes_missing(self) -> bool:
        """Whether a row may lack this value: numbers may (within a limit), categories by list."""
        return self.kind != "category" or UNKNOWN in self.categories


ID: Final = Column("CLIENTNUM", "integer", 1, 2**63 - 1)
TARGET: Final = Column(
    "Attrition_Flag", "category", categories=("Existing Customer", "Attrited Customer")
)

CLASS_NAMES: Final = TARGET.categories
"""Index 0 is the negative class, index 1 the positive one: the customer who left."""
POSITIVE: Final = CLASS_NAMES[1]

NUMBERS: Final = (
    Column("Customer_Age", "integer", 18, 110),
    Column("Dependent_count", "integer", 0, 20),
    Column("Months_on_book", "integer", 0, 720),
    Column("Total_Relationship_Count", "integer", 0, 20),
    Column("Months_Inactive_12_mon", "integer", 0, 12),
    Column("Contacts_Count_12_mon", "integer", 0, 100),
    Column("Credit_Limit", "real", 0, 1_000_000),
    Column("Total_Revolving_Bal", "integer", 0, 1_000_000),
    Column("Avg_Open_To_Buy", "real", 0, 1_000_000),
    Column("Total_Amt_Chng_Q4_Q1", "real", 0, 1_000),
    Column("Total_Trans_Amt", "integer", 0, 10_000_000),
    Column("Total_Trans_Ct", "integer", 0, 100_000),
    Column("Total_Ct_Chng_Q4_Q1", "real", 0, 1_000),
    Column("Avg_Utilization_Ratio", "real", 0, 1),
)
"""The numbers that describe a customer. Amounts are US dollars, ratios are Q4 over Q1."""

CATEGORIES: Final = (
    Column("Gender", "category", categories=("F", "M", UNKNOWN)),
    Column(
        "Education_Level",
        "category",
        categories=(
            "Uneducated",
            "High School",
            "College",
            "Graduate",
            "Post-Graduate",
            "Doctorate",
            UNKNOWN,
        ),
    ),
    Column("Marital_Status", "category", categories=("Single", "Married", "Divorced", UNKNOWN)),
    Column(
        "Income_Category",
        "category",
        categories=(
            "Less than $40K",
            "$40K - $60K",
            "$60K - $80K",
            "$80K - $120K",
            "$120K +",
            UNKNOWN,
        ),
    ),
    Column("Card_Category", "category", categories=("Blue", "Silver", "Gold", "Platinum", UNKNOWN)),
)
"""The categories that describe a customer."""

_NAIVE_BAYES = (
    "Naive_Bayes_Classifier_Attrition_Flag_Card_Category_Contacts_Count_12_mon"
    "_Dependent_count_Education_Level_Months_Inactive_12_mon_"
)
LEAKING: Final = (f"{_NAIVE_BAYES}1", f"{_NAIVE_BAYES}2")
"""Predictions of somebody's classifier that was fitted on the label: they give the answer away."""

ANSWERS: Final = frozenset({TARGET.name, *LEAKING})
"""What tells whether a customer left: known only afterwards."""

FORBIDDEN: Final = ANSWERS | {ID.name}
"""What no feature may be made from."""

REQUIRED: Final = {column.name: column for column in (ID, TARGET, *NUMBERS, *CATEGORIES)}
"""The columns a file must have, by name."""

FILE_ORDER: Final = (
    *("CLIENTNUM", "Attrition_Flag", "Customer_Age", "Gender", "Dependent_count"),
    *("Education_Level", "Marital_Status", "Income_Category", "Card_Category"),
    *("Months_on_book", "Total_Relationship_Count", "Months_Inactive_12_mon"),
    *("Contacts_Count_12_mon", "Credit_Limit", "Total_Revolving_Bal", "Avg_Open_To_Buy"),
    *("Total_Amt_Chng_Q4_Q1", "Total_Trans_Amt", "Total_Trans_Ct", "Total_Ct_Chng_Q4_Q1"),
    *("Avg_Utilization_Ratio", *LEAKING),
)
"""All 23 columns, in the public file's order."""
