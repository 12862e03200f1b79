"""Train, validation and test customers: always the same ones, and in fair shares.

**Stable.** A customer's part depends on the customer's id and the plan's salt alone: a hash of
the two is a number in [0, 1), and the parts are intervals of it. New customers never move old
ones, a customer who leaves later stays where they were, and two pipelines split alike. Ranking
customers inside each class would give exact shares, but every new row would shift the ranks and
carry customers from test to train; so it is not done.

**Stratified.** A hash knows nothing of the label, so each part has the whole's share of attrited
customers up to chance (with 1,500 rows and 16 %, about one percentage point). Chance can be unkind;
therefore `split` measures the shares and refuses a plan that is off by more than its tolerance,
naming a salt that does better. The salt is chosen once and then kept: it is part of the plan.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from itertools import count, islice
from typing import TYPE_CHECKING, Any, Final

import numpy as np

from churn.errors import SplitError
from churn.features import LABEL
from churn.schema import ID

if TYPE_CHECKING:
    from collections.abc import Iterable

    import pandas as pd
    from numpy.typing import NDArray

PARTS: Final = ("train", "validation", "test")
_SALTS_TRIED: Final = 50


@dataclass(frozen=True, slots=True)
class SplitPlan:
    """How customers are divided: `train` gets what `validation` and `test` leave.

    `tolerance` is how far a part's share of attrited customers may be from the whole's, as an
    absolute difference (0.03 is three percentage points).
    """

    validation: float = 0.15
    test: float = 0.15
    salt: str = "churn-9"
    tolerance: float = 0.03

    def __post_init__(self) -> None:
        if min(self.validation, self.test) <= 0 or self.validation + self.test >= 1:
            raise SplitError(
                f"validation {self.validation:g} and test {self.test:g} must be positive"
                " and leave something for train"
            )


@dataclass(frozen=True, slots=True)
class Split:
    """The three parts of a prepared table, rows in the table's order."""

    train: pd.DataFrame
    validation: pd.DataFrame
    test: pd.DataFrame

    def shares(self) -> dict[str, dict[str, float]]:
        """Return the rows and the share of attrited customers, part by part."""
        return {
            name: {"rows": len(part), "attrited_share": float(part[LABEL].mean())}
            for name, part in zip(PARTS, (self.train, self.validation, self.test), strict=True)
        }


def assign(ids: Iterable[Any], plan: SplitPlan) -> NDArray[np.str_]:
    """Return each customer id's part, `train`, `validation` or `test`; nothing else decides it."""
    positions = np.array([_position(int(customer), plan.salt) for customer in ids])
    edges = [plan.test, plan.test + plan.validation]
    parts: NDArray[np.str_] = np.array(["test", "validation", "train"])[
        np.digitize(positions, edges)
    ]
    return parts


def split(table: pd.DataFrame, plan: SplitPlan) -> Split:
    """Divide a prepared table.

    Raises SplitError if a part lacks a class, or has a share of attrited customers that differs
    from the whole table's by more than the plan's tolerance.
    """
    parts = assign(table[ID.name], plan)
    off = _worst_difference(table, parts)
    if off > plan.tolerance:
        problem = "lacks a class" if np.isinf(off) else f"is off by {off:.3f}"
        raise SplitError(
            f"with salt {plan.salt!r} the share of attrited customers in a part {problem}"
            f" (tolerance {plan.tolerance:g}); {_advice(table, plan)}"
        )
    return Split(**{name: table[parts == name].reset_index(drop=True) for name in PARTS})


def _position(customer: int, salt: str) -> float:
    digest = hashlib.blake2b(f"{salt}:{customer}".encode(), digest_size=8).digest()
    return int.from_bytes(digest, "big") / 2**64


def _worst_difference(table: pd.DataFrame, parts: NDArray[np.str_]) -> float:
    """Return the most that a part's attrited share differs from the whole's; inf for one class."""
    whole = float(table[LABEL].mean())
    shares = [float(table.loc[parts == name, LABEL].mean()) for name in PARTS]
    if any(np.isnan(share) or share in {0.0, 1.0} for share in shares):
        return float("inf")
    return max(abs(share - whole) for share in shares)


def _advice(table: pd.DataFrame, plan: SplitPlan) -> str:
    for number in islice(count(), _SALTS_TRIED):
        salt = f"churn-{number}"
        candidate = SplitPlan(plan.validation, plan.test, salt, plan.tolerance)
        if _worst_difference(table, assign(table[ID.name], candidate)) <= plan.tolerance:
            return f"salt {salt!r} would do"
    return f"none of {_SALTS_TRIED} salts does: more rows are needed"
