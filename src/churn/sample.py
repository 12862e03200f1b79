"""Generated bank churners: data of the public file's shape, for whoever has not got the file.

Customers come from nine groups, told apart by whether they left and by how much they spend. That
is what the public file looks like: five bands of yearly spending with hardly anyone between them,
and churners inside each band who make fewer, larger transactions. Within a group the numbers are
drawn from simple distributions, whose constants (means, deviations, shares) were measured on the
public file. No row of it is copied.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

import numpy as np
import pandas as pd

from churn.schema import CLASS_NAMES, FILE_ORDER, LEAKING

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Floats = NDArray[np.float64]

FIRST_ID: Final = 708_082_083
LAST_ID: Final = 828_343_083
LIMIT_FLOOR: Final = 1438.3
LIMIT_CAP: Final = 34516.0
BALANCE_CAP: Final = 2517
COMMON_TENURE: Final = 36
COMMON_TENURE_SHARE: Final = 0.2


@dataclass(frozen=True, slots=True)
class Group:
    """Customers who behave alike.

    `spend` is mean, deviation, least and most of the year's spending, in thousands of dollars;
    `count` is intercept, slope (transactions a thousand dollars) and residual deviation of the
    number of transactions; `products` are the chances of 1 … 6 products; `balance` is the chance
    of no revolving balance, the chance of the highest, and mean, deviation and least of the others;
    `amount_change` and `count_change` are mean and deviation of the logarithm of Q4 over Q1;
    `ties` are the correlations of amount change with count change, of amount change with
    spending, and of count change with the number of transactions; `limit` shifts the logarithm
    of the credit limit.
    """

    attrited: bool
    weight: float
    spend: tuple[float, float, float, float]
    count: tuple[float, float, float]
    products: tuple[float, float, float, float, float, float]
    balance: tuple[float, float, float, float, float]
    amount_change: tuple[float, float]
    count_change: tuple[float, float]
    ties: tuple[float, float, float]
    limit: float
    age: tuple[float, float]


GROUPS: Final = (
    Group(False, 0.0778, (1.30, 0.13, 0.82, 1.50), (7.6, 18.0, 5.4),
          (0.00, 0.04, 0.24, 0.24, 0.23, 0.25), (0.133, 0.048, 1560, 480, 440),
          (-0.40, 0.35), (-0.43, 0.51), (0.48, 0.05, -0.28), 0.25, (50.1, 7.2)),
    Group(False, 0.1944, (2.15, 0.49, 1.50, 3.20), (7.0, 19.5, 7.0),
          (0.00, 0.01, 0.25, 0.25, 0.24, 0.25), (0.151, 0.062, 1516, 460, 440),
          (-0.21, 0.30), (-0.36, 0.37), (0.45, 0.00, 0.00), 0.17, (43.6, 10.1)),
    Group(False, 0.4462, (4.32, 0.51, 3.20, 6.45), (39.5, 8.1, 7.8),
          (0.07, 0.07, 0.23, 0.21, 0.21, 0.21), (0.226, 0.028, 1446, 480, 430),
          (-0.31, 0.21), (-0.31, 0.20), (0.22, 0.00, 0.00), -0.15, (46.9, 7.0)),
    Group(False, 0.0471, (7.94, 0.53, 6.80, 9.52), (33.7, 7.1, 7.6),
          (0.36, 0.50, 0.12, 0.02, 0.00, 0.00), (0.101, 0.059, 1583, 445, 600),
          (-0.29, 0.12), (-0.44, 0.17), (0.08, 0.49, 0.00), 0.72, (46.7, 5.5)),
    Group(False, 0.0738, (14.7, 1.06, 11.6, 18.5), (76.0, 2.34, 10.4),
          (0.28, 0.37, 0.17, 0.10, 0.05, 0.03), (0.143, 0.048, 1541, 460, 480),
          (-0.26, 0.14), (-0.29, 0.12), (0.00, 0.00, 0.00), 0.68, (45.1, 8.2)),
    Group(True, 0.0219, (0.97, 0.26, 0.51, 1.49), (0.8, 24.2, 4.2),
          (0.16, 0.29, 0.31, 0.06, 0.10, 0.08), (0.550, 0.090, 1269, 697, 150),
          (-0.42, 0.42), (-0.85, 0.55), (0.60, 0.00, 0.00), 0.10, (47.8, 9.0)),
    Group(True, 0.1066, (2.28, 0.35, 1.51, 3.17), (28.2, 6.4, 5.0),
          (0.12, 0.16, 0.29, 0.15, 0.16, 0.12), (0.556, 0.093, 1187, 682, 132),
          (-0.48, 0.30), (-0.73, 0.36), (0.39, 0.71, 0.42), -0.28, (46.7, 7.1)),
    Group(True, 0.0107, (4.88, 0.75, 3.23, 6.44), (24.7, 6.6, 6.3),
          (0.19, 0.39, 0.04, 0.19, 0.10, 0.09), (0.528, 0.102, 1217, 654, 132),
          (-0.28, 0.40), (-0.62, 0.36), (0.15, 0.00, 0.38), 0.60, (47.0, 6.8)),
    Group(True, 0.0214, (8.46, 0.84, 6.55, 10.6), (60.2, 1.2, 8.0),
          (0.23, 0.30, 0.08, 0.14, 0.10, 0.15), (0.525, 0.124, 1259, 734, 160),
          (-0.15, 0.18), (-0.24, 0.20), (0.11, 0.45, 0.27), 0.70, (44.9, 8.8)),
)  # fmt: skip

EDUCATION: Final = {
    "Graduate": 0.309, "High School": 0.199, "Unknown": 0.150, "Uneducated": 0.147,
    "College": 0.100, "Post-Graduate": 0.051, "Doctorate": 0.044,
}  # fmt: skip
MARITAL: Final = {"Married": 0.463, "Single": 0.389, "Unknown": 0.074, "Divorced": 0.074}
INCOME: Final = {
    "F": {"Less than $40K": 0.613, "$40K - $60K": 0.189, "Unknown": 0.198},
    "M": {
        "Less than $40K": 0.058, "$40K - $60K": 0.163, "$60K - $80K": 0.294,
        "$80K - $120K": 0.322, "$120K +": 0.152, "Unknown": 0.011,
    },
}  # fmt: skip
FEMALE: Final = {False: 0.520, True: 0.572}
"""The share of women, by whether the customer left."""
LIMIT: Final = {
    "Less than $40K": (7.95, 0.62), "$40K - $60K": (8.26, 0.72), "Unknown": (8.74, 0.90),
    "$60K - $80K": (8.88, 0.90), "$80K - $120K": (9.28, 0.98), "$120K +": (9.58, 1.00),
}  # fmt: skip
"""Mean and deviation of the logarithm of the credit limit in dollars, by income."""
CARDS: Final = (
    (10_000, (0.999, 0.001, 0.000, 0.000)),
    (30_000, (0.840, 0.135, 0.023, 0.002)),
    (LIMIT_CAP, (0.456, 0.411, 0.111, 0.022)),
)
"""The chances of a Blue, Silver, Gold and Platinum card, for credit limits up to an amount."""
INACTIVE: Final = {
    False: (0.002, 0.251, 0.327, 0.355, 0.036, 0.017, 0.012),
    True: (0.009, 0.061, 0.310, 0.508, 0.080, 0.020, 0.012),
}
"""The chances of 0 … 6 months without a transaction, by whether the customer left."""
CONTACTS: Final = {
    False: (0.046, 0.164, 0.331, 0.318, 0.127, 0.014, 0.000),
    True: (0.004, 0.066, 0.248, 0.419, 0.194, 0.036, 0.033),
}
"""The chances of 0 … 6 contacts in the year, by whether the customer left."""
DEPENDENTS: Final = ((30, 0.10), (35, 0.35), (40, 0.49), (50, 0.58), (55, 0.43), (60, 0.33))
"""The mean share of five possible dependents, for ages up to a year."""


def generate(rows: int, seed: int) -> pd.DataFrame:
    """Make `rows` customers with the public file's 23 columns; the same for the same seed.

    About 16 % are attrited, spread at random. Raises ValueError for fewer than one row.
    """
    if rows < 1:
        raise ValueError(f"rows must be at least 1, not {rows}")
    random = np.random.default_rng(seed)
    weights = np.array([group.weight for group in GROUPS])
    drawn = random.choice(len(GROUPS), rows, p=weights / weights.sum())
    ids = FIRST_ID + random.choice(LAST_ID - FIRST_ID + 1, rows, replace=False)
    frame = pd.DataFrame({"CLIENTNUM": ids})
    parts = [
        _customers(GROUPS[index], np.flatnonzero(drawn == index), random)
        for index in np.unique(drawn)
    ]
    return frame.join(pd.concat(parts)).loc[:, list(FILE_ORDER)]


def _customers(group: Group, index: NDArray[np.intp], random: np.random.Generator) -> pd.DataFrame:
    size = len(index)
    age = np.clip(np.rint(random.normal(*group.age, size)), 26, 73)
    gender = np.where(random.random(size) < FEMALE[group.attrited], "F", "M")
    income = np.where(
        gender == "F",
        _draw(INCOME["F"], size, random),
        _draw(INCOME["M"], size, random),
    )
    limit = _limits(income, group.limit, random)
    balance = _balances(group, limit, random)
    spend = _within(group.spend, size, random)
    activity = random.normal(size=size)
    intercept, slope, deviation = group.count
    count = np.clip(np.rint(intercept + slope * spend + deviation * activity), 10, 139)
    amount_change, count_change = _changes(group, spend, activity, random)
    leak = 1 / (1 + np.exp(random.normal(-6 if group.attrited else 9, 0.8, size)))
    return pd.DataFrame(
        {
            "Attrition_Flag": CLASS_NAMES[int(group.attrited)],
            "Customer_Age": age.astype(int),
            "Gender": gender,
            "Dependent_count": random.binomial(5, _dependent_share(age)),
            "Education_Level": _draw(EDUCATION, size, random),
            "Marital_Status": _draw(MARITAL, size, random),
            "Income_Category": income,
            "Card_Category": _cards(limit, random),
            "Months_on_book": _tenure(age, random),
            "Total_Relationship_Count": 1 + _counts(group.products, size, random),
            "Months_Inactive_12_mon": _counts(INACTIVE[group.attrited], size, random),
            "Contacts_Count_12_mon": _counts(CONTACTS[group.attrited], size, random),
            "Credit_Limit": limit,
            "Total_Revolving_Bal": balance,
            "Avg_Open_To_Buy": (limit - balance).round(1),
            "Total_Amt_Chng_Q4_Q1": amount_change,
            "Total_Trans_Amt": np.rint(spend * 1000).astype(int),
            "Total_Trans_Ct": count.astype(int),
            "Total_Ct_Chng_Q4_Q1": count_change,
            "Avg_Utilization_Ratio": (balance / limit).round(3),
            LEAKING[0]: leak.round(8),
            LEAKING[1]: (1 - leak).round(8),
        },
        index=index,
    )


def _draw(chances: dict[str, float], size: int, random: np.random.Generator) -> NDArray[np.str_]:
    weights = np.array(list(chances.values()))
    return random.choice(np.array(list(chances)), size, p=weights / weights.sum())


def _counts(
    chances: tuple[float, ...], size: int, random: np.random.Generator
) -> NDArray[np.int64]:
    weights = np.array(chances)
    return random.choice(len(chances), size, p=weights / weights.sum())


def _within(
    bounds: tuple[float, float, float, float], size: int, random: np.random.Generator
) -> Floats:
    """Draw normal numbers between two bounds: what falls outside is drawn again, evenly."""
    mean, deviation, least, most = bounds
    values = random.normal(mean, deviation, size)
    outside = (values < least) | (values > most)
    values[outside] = random.uniform(least, most, int(outside.sum()))
    return values


def _limits(income: NDArray[np.str_], shift: float, random: np.random.Generator) -> Floats:
    mean = np.array([LIMIT[name][0] for name in income])
    deviation = np.array([LIMIT[name][1] for name in income])
    limits = np.exp(random.normal(mean + shift, deviation))
    return np.clip(limits, LIMIT_FLOOR, LIMIT_CAP).round(1)


def _balances(group: Group, limit: Floats, random: np.random.Generator) -> NDArray[np.int64]:
    none, full, mean, deviation, least = group.balance
    chance = random.random(len(limit))
    balance = _within((mean, deviation, least, BALANCE_CAP), len(limit), random)
    balance = np.where(chance < none, 0, np.where(chance > 1 - full, BALANCE_CAP, balance))
    return np.floor(np.minimum(balance, limit - 3)).astype(np.int64)


def _changes(
    group: Group, spend: Floats, activity: Floats, random: np.random.Generator
) -> tuple[Floats, Floats]:
    """Draw Q4 over Q1 of amounts and counts; `activity` is the count's residual in deviations."""
    each_other, with_spend, with_count = group.ties
    spending = (spend - group.spend[0]) / group.spend[1]
    first = _tied(random, (with_spend, spending))
    second = _tied(random, (each_other, first), (with_count, activity))
    amount = np.exp(group.amount_change[0] + group.amount_change[1] * first)
    count = np.exp(group.count_change[0] + group.count_change[1] * second)
    return np.clip(amount, 0, 3.4).round(3), np.clip(count, 0, 3.8).round(3)


def _tied(random: np.random.Generator, *ties: tuple[float, Floats]) -> Floats:
    """Draw standard normal numbers with given correlations to independent standard normal ones."""
    own = np.sqrt(1 - sum(tie**2 for tie, _ in ties))
    noise: Floats = random.normal(size=len(ties[0][1]))
    return sum((tie * other for tie, other in ties), own * noise)


def _dependent_share(age: Floats) -> Floats:
    return np.select([age <= limit for limit, _ in DEPENDENTS], [p for _, p in DEPENDENTS], 0.1)


def _tenure(age: Floats, random: np.random.Generator) -> NDArray[np.int64]:
    """Let months on book follow the age; a fifth of the file simply says 36."""
    months = np.clip(np.rint(random.normal(age - 10.5, 4.5)), 13, 56)
    return np.where(random.random(len(age)) < COMMON_TENURE_SHARE, COMMON_TENURE, months).astype(
        np.int64
    )


def _cards(limit: Floats, random: np.random.Generator) -> NDArray[np.str_]:
    names = np.array(["Blue", "Silver", "Gold", "Platinum"])
    rows = np.searchsorted([top for top, _ in CARDS], limit)
    edges = np.cumsum(np.array([chances for _, chances in CARDS]), axis=1)[rows]
    drawn = (random.random(len(limit))[:, None] > edges).sum(axis=1)
    cards: NDArray[np.str_] = names[np.minimum(drawn, len(names) - 1)]
    return cards
