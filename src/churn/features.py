"""What the model looks at, defined once.

`FEATURES` is a table: one line a feature, either a column of the file or the ratio of two. It is
data, not code, so that it can be evaluated here, checked for leaks, and rendered in another
language (SQL) without a second definition. Training, evaluation and serving all go through
`matrix`, so they cannot see different numbers.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

import numpy as np
import pandas as pd

from churn.errors import ForbiddenFeatureError
from churn.schema import CATEGORIES, FORBIDDEN, ID, POSITIVE, TARGET

if TYPE_CHECKING:
    from numpy.typing import NDArray

LABEL: Final = "label"
"""The prepared table's target column: 1 for a customer who left, 0 for one who stays."""

_LEVELS: Final = {column.name: column.categories for column in CATEGORIES}


@dataclass(frozen=True, slots=True)
class Number:
    """A number, as the file has it."""

    name: str

    @property
    def sources(self) -> tuple[str, ...]:
        """The columns it is made from."""
        return (self.name,)


@dataclass(frozen=True, slots=True)
class Ratio:
    """`numerator / denominator`; 0 where the denominator is 0."""

    name: str
    numerator: str
    denominator: str

    @property
    def sources(self) -> tuple[str, ...]:
        """The columns it is made from."""
        return (self.numerator, self.denominator)


@dataclass(frozen=True, slots=True)
class Category:
    """A category, as the file has it. The model sees its position among the schema's categories."""

    name: str

    @property
    def sources(self) -> tuple[str, ...]:
        """The columns it is made from."""
        return (self.name,)


Feature = Number | Ratio | Category

FEATURES: Final[tuple[Feature, ...]] = (
    # Who the customer is.
    Number("Customer_Age"),
    Number("Dependent_count"),
    Category("Gender"),
    Category("Education_Level"),
    Category("Marital_Status"),
    Category("Income_Category"),
    # What the customer holds.
    Category("Card_Category"),
    Number("Months_on_book"),
    Number("Total_Relationship_Count"),
    Number("Credit_Limit"),
    # How the customer uses the card.
    Number("Total_Revolving_Bal"),
    Number("Avg_Utilization_Ratio"),
    Number("Total_Trans_Amt"),
    Number("Total_Trans_Ct"),
    Number("Total_Amt_Chng_Q4_Q1"),
    Number("Total_Ct_Chng_Q4_Q1"),
    Ratio("Avg_Trans_Amt", "Total_Trans_Amt", "Total_Trans_Ct"),
    Ratio("Trans_Ct_Per_Product", "Total_Trans_Ct", "Total_Relationship_Count"),
    # How the customer and the bank speak with each other.
    Number("Months_Inactive_12_mon"),
    Number("Contacts_Count_12_mon"),
)


def check(features: tuple[Feature, ...]) -> None:
    """Raise ForbiddenFeatureError for a feature made from the id, the label or a leaking column."""
    for feature in features:
        for source in (feature.name, *feature.sources):
            if source in FORBIDDEN or source.startswith("Naive_Bayes_"):
                raise ForbiddenFeatureError(
                    f"feature {feature.name}: made from {source}, which gives the answer away"
                )


check(FEATURES)


def names(features: tuple[Feature, ...] = FEATURES) -> list[str]:
    """Return the features' names, in the matrix's order."""
    return [feature.name for feature in features]


def types(features: tuple[Feature, ...] = FEATURES) -> list[str]:
    """Return XGBoost's type of each feature: `c` for a category, `float` for a number."""
    return ["c" if isinstance(feature, Category) else "float" for feature in features]


def compute(frame: pd.DataFrame, features: tuple[Feature, ...] = FEATURES) -> dict[str, pd.Series]:
    """Return each feature's values for the cleaned customers in `frame`, by name."""
    check(features)
    return {feature.name: _values(frame, feature) for feature in features}


def prepare(frame: pd.DataFrame) -> pd.DataFrame:
    """Return the table that everything downstream works on: id, label, features.

    One row a customer of `frame`, which `validation.clean` returns. Categories stay text, so that
    slices can be named.
    """
    label = (frame[TARGET.name] == POSITIVE).astype("int8")
    return pd.DataFrame({ID.name: frame[ID.name], LABEL: label, **compute(frame)})


def matrix(table: pd.DataFrame, features: tuple[Feature, ...] = FEATURES) -> NDArray[np.float32]:
    """Return prepared features as the model's input, shape (rows, features), float32.

    Categories become their position in the schema; one that is unknown there, and a missing
    number, become NaN, which XGBoost takes as missing.
    """
    check(features)
    columns = [
        _codes(table[feature.name], _LEVELS[feature.name])
        if isinstance(feature, Category)
        else table[feature.name].to_numpy(dtype=np.float32)
        for feature in features
    ]
    return np.column_stack(columns).astype(np.float32)


def _values(frame: pd.DataFrame, feature: Feature) -> pd.Series:
    if isinstance(feature, Ratio):
        denominator = frame[feature.denominator]
        ratio = frame[feature.numerator] / denominator.where(denominator != 0)
        return ratio.mask(denominator == 0, 0.0)
    return frame[feature.name]


def _codes(values: pd.Series, levels: tuple[str, ...]) -> NDArray[np.float32]:
    positions = {level: position for position, level in enumerate(levels)}
    return np.asarray(values.map(positions), dtype=np.float32)
