"""Names that Google Cloud accepts."""

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ecluse.naming import decode_label, label, package_name, run_id


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        ("nonprod", "nonprod"),
        ("v1.4.0", "v1_d4_d0"),
        ("ann@acme.com", "ann_aacme_dcom"),
        ("churn_xgboost", "churn__xgboost"),
        ("Ann", "_uann"),
        ("1.0+build", "1_d0_x2b_build"),
        ("sha256:" + "0123456789" * 6 + "abcd", "0123456789" * 4),
    ],
)
def test_a_label_is_encoded_as_the_table_says(value: str, expected: str) -> None:
    assert label(value) == expected


@given(st.text(max_size=200))
def test_any_text_becomes_a_valid_label(value: str) -> None:
    assert re.fullmatch(r"[a-z0-9_-]{0,63}", label(value))


@given(st.text(max_size=8))
def test_a_short_label_can_be_decoded(value: str) -> None:
    if len(label(value)) < 63:
        assert decode_label(label(value)) == value


@given(st.text(min_size=70, max_size=90), st.text(min_size=70, max_size=90))
def test_long_values_that_differ_have_labels_that_differ(one: str, other: str) -> None:
    assert (label(one) == label(other)) == (one == other)


@given(st.from_regex(r"[A-Za-z][A-Za-z0-9_-]{0,150}", fullmatch=True), st.integers(1, 9999))
def test_a_run_id_is_one_that_vertex_takes(package: str, attempt: int) -> None:
    found = run_id(
        package=package, environment="nonprod", subject="sha256:" + "ab" * 32, attempt=attempt
    )
    assert re.fullmatch(r"[a-z][a-z0-9-]{0,126}", found)


def test_a_run_id_is_the_same_for_the_same_attempt_and_another_for_the_next() -> None:
    first, again, second = (
        run_id(package="churn", environment="prod", subject="sha256:" + "cd" * 32, attempt=n)
        for n in (1, 1, 2)
    )
    assert first == again == "churn-prod-cdcdcdcdcd-1"
    assert second == "churn-prod-cdcdcdcdcd-2"


def test_a_package_is_named_as_google_names_it() -> None:
    assert package_name("churn_xgboost") == "churn-xgboost"
