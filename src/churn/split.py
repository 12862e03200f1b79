"""Train, validation and test customers: always the same ones, and in fair shares.

**Stable.** A customer's part depends on the customer's id and the plan's salt alone: a hash of
the two is a number in [0, 1), and the parts are intervals of it. New customers never move old
ones, a customer who leaves later stays where they were, and two pipelines split alike. Ranking
customers inside each class would give exact shares, but every new row would shift the ranks and
carry customers from test to train; so it is not done.

**Stratified.** A hash knows nothing of the label, so each part has the whole's share of attrited
customers up to chance. `split` measures the shares and refuses parts that differ by more than
chance explains: ids and labels then hang together, or the hash is broken, and scores on one part
would say little about another. Another salt is no cure once a model is live, for it would carry
customers from test to train.
"""

from __future__ import annotations

import hashlib
import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

import numpy as np

from churn.errors import SplitError
from churn.features import LABEL
from churn.schema import CLASS_NAMES, ID

if TYPE_CHECKING:
    from collections.abc import Iterable

    import pandas as pd
    from numpy.typing import NDArray

PARTS: Final = ("train", "validation", "test")
_STANDARD_ERRORS: Final = 3
"""How many of them chance may explain: 99.7 % of all fair parts are within three."""


@dataclass(frozen=True, slots=True)
class SplitPlan:
    """How customers are divided: `train` gets what `validation` and `test` leave.

    `tolerance` is how far a part's share of attrited customers may be from the whole's, as an
    absolute difference (0.03 is three percentage points), where the rows are many. In a part of n
    rows, the share p differs by chance alone, with a standard error of sqrt(p (1 - p) / n): 0.043
    for 75 rows and p = 0.16. So three standard errors are allowed where they are more.
    """

    validation: float = 0.15
    test: float = 0.15
    salt: str = "churn-9"  # arbitrary, no reason is on record; fixed, or customers would move
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
    from the whole table's by more than the plan allows.
    """
    parts = assign(table[ID.name], plan)
    problem = _problem(table, parts, plan.tolerance)
    if problem:
        raise SplitError(problem)
    return Split(**{name: table[parts == name].reset_index(drop=True) for name in PARTS})


def _position(customer: int, salt: str) -> float:
    digest = hashlib.blake2b(f"{salt}:{customer}".encode(), digest_size=8).digest()
    return int.from_bytes(digest, "big") / 2**64


def _problem(table: pd.DataFrame, parts: NDArray[np.str_], tolerance: float) -> str | None:
    """Return what is wrong with the first unfair part, in words."""
    whole = float(table[LABEL].mean())
    for name in PARTS:
        labels = table.loc[parts == name, LABEL]
        if labels.nunique() < len(CLASS_NAMES):
            return f"{name} lacks a class; more rows are needed"
        off = abs(float(labels.mean()) - whole)
        allowed = max(tolerance, _STANDARD_ERRORS * math.sqrt(whole * (1 - whole) / len(labels)))
        if off > allowed:
            return (
                f"the share of attrited customers in {name} is off by {off:.3f}, more than the"
                f" {allowed:.3f} that the tolerance and chance allow; do the ids tell who left?"
            )
    return None
