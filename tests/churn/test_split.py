from __future__ import annotations

from typing import TYPE_CHECKING

import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from churn import features, sample, split, validation
from churn.errors import SplitError

if TYPE_CHECKING:
    from pathlib import Path

IDS = st.lists(st.integers(1, 10**12), min_size=1, max_size=200, unique=True)


@given(known=IDS, new=IDS, salt=st.text(max_size=8))
@settings(max_examples=60, deadline=None)
def test_new_customers_never_move_old_ones(known: list[int], new: list[int], salt: str) -> None:
    plan = split.SplitPlan(salt=salt)
    before = dict(zip(known, split.assign(known, plan), strict=True))
    together = [*new, *known]
    after = dict(zip(together, split.assign(together, plan), strict=True))
    assert {customer: after[customer] for customer in known} == before


def test_a_customer_who_leaves_later_stays_in_the_same_part(table: pd.DataFrame) -> None:
    turned = table.assign(label=1 - table["label"])
    before, after = (split.split(frame, split.SplitPlan()) for frame in (table, turned))
    assert before.test["CLIENTNUM"].tolist() == after.test["CLIENTNUM"].tolist()


def test_every_customer_is_in_exactly_one_part(table: pd.DataFrame, parts: split.Split) -> None:
    ids = pd.concat([parts.train, parts.validation, parts.test])["CLIENTNUM"]
    assert sorted(ids) == sorted(table["CLIENTNUM"])


def test_parts_have_the_planned_sizes(table: pd.DataFrame) -> None:
    plan = split.SplitPlan(validation=0.1, test=0.3)
    shares = {name: part["rows"] for name, part in split.split(table, plan).shares().items()}
    assert shares["test"] == pytest.approx(3000, abs=150)
    assert shares["validation"] == pytest.approx(1000, abs=100)
    assert shares["train"] == pytest.approx(6000, abs=150)


def test_parts_of_the_sample_have_like_shares_of_churners(parts: split.Split) -> None:
    shares = [part["attrited_share"] for part in parts.shares().values()]
    assert max(shares) - min(shares) < 0.015


def test_parts_of_the_public_file_have_like_shares_of_churners(public_file: Path) -> None:
    table = features.prepare(validation.clean(validation.read(public_file)))
    parts = split.split(table, split.SplitPlan())
    shares = [part["attrited_share"] for part in parts.shares().values()]
    assert max(shares) - min(shares) < 0.01


@pytest.mark.parametrize("rows", [500, 1000])
def test_small_files_are_divided_although_chance_moves_their_shares(rows: int) -> None:
    for seed in range(12):
        customers = sample.generate(rows, seed).astype(str)
        parts = split.split(features.prepare(validation.clean(customers)), split.SplitPlan())
        assert sum(part["rows"] for part in parts.shares().values()) == rows


def test_a_share_that_chance_does_not_explain_is_refused(table: pd.DataFrame) -> None:
    in_test = split.assign(table["CLIENTNUM"], split.SplitPlan()) == "test"
    loyal = table.index[in_test & (table["label"] == 1)][:80]
    with pytest.raises(SplitError, match=r"in test is off by 0\.\d+, more than the 0\.030"):
        split.split(table.drop(loyal), split.SplitPlan())
    split.split(table.drop(loyal), split.SplitPlan(tolerance=0.08))


def test_too_few_customers_to_divide_are_refused(table: pd.DataFrame) -> None:
    with pytest.raises(SplitError, match="lacks a class; more rows are needed"):
        split.split(table.head(3), split.SplitPlan())


@pytest.mark.parametrize(("validation_share", "test_share"), [(0, 0.1), (0.1, -1), (0.5, 0.5)])
def test_shares_that_leave_nothing_are_refused(validation_share: float, test_share: float) -> None:
    with pytest.raises(SplitError, match="must be positive and leave something for train"):
        split.SplitPlan(validation=validation_share, test=test_share)


def test_the_hash_is_the_documented_one() -> None:
    """Pins the assignment: a change of it would carry customers from test to train."""
    assigned = split.assign(range(768_805_383, 768_805_403), split.SplitPlan())
    initials = "".join(part[:2] for part in assigned)
    assert initials == "vatrtrvatrtrtetrtrtrvatrtrtrtrtetrtrtrtr"
