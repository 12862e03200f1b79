"""Cron expressions: what Vertex AI would refuse is refused when it is written."""

import pytest

from ecluse.repository.cron import checked_cron
from gcp_local.errors import InvalidArgument
from gcp_local.vertex.schedules import cron


@pytest.mark.parametrize(
    "text",
    [
        "0 6 * * 1",
        "*/15 * * * *",
        "0 0 1,15 * *",
        "30 2 * JAN-MAR mon-fri",
        "5 4 31 1,2 *",
        "0 0 30 2 1",
        "0 0 29 feb *",
        "0 22 * * 0-6/2",
        "0 5/3 * * 7",
    ],
)
def test_a_right_one_is_taken_here_and_by_the_embedded_cloud(text: str) -> None:
    assert checked_cron(text) == text
    cron.parse(text)


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("daily", "write five fields"),
        ("0 6 * *", "write five fields"),
        ("@daily", "write five fields"),
        ("60 6 * * 1", "`60` is no minute: it is 0 to 59"),
        ("0 24 * * 1", "`24` is no hour"),
        ("0 6 0 * 1", "`0` is no day of the month"),
        ("0 6 * 13 1", "`13` is no month: it is 1 to 12, or JAN to DEC"),
        ("0 6 * * 8", "`8` is no day of the week: it is 0 to 7, or SUN to SAT"),
        ("0 6 * * fun", "`fun` is no day of the week"),
        ("0 6 L * *", "`L` is no day of the month"),
        ("0 6 * * 5-1", "goes backwards"),
        ("*/0 * * * *", "goes backwards or nowhere"),
        ("0 6,,7 * * *", "`` is no hour"),
        ("0 6 30 2 *", "no such day ever comes"),
        ("0 6 31 4,6 *", "no such day ever comes"),
    ],
)
def test_a_wrong_one_is_refused_here_as_the_embedded_cloud_refuses_it(text: str, said: str) -> None:
    with pytest.raises(ValueError, match=said.replace("*", r"\*")):
        checked_cron(text)
    with pytest.raises(InvalidArgument):
        cron.parse(text)
