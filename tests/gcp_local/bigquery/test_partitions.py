from __future__ import annotations

from datetime import UTC, date, datetime

import pyarrow as pa
import pytest

from gcp_local.bigquery.errors import BigQueryError
from gcp_local.bigquery.partitions import PARTITION_TIME, Partitioning, check_column
from gcp_local.bigquery.schema import read_schema


@pytest.mark.parametrize(
    ("kind", "ids"),
    [
        ("HOUR", ["2026112207", "1969123123", "__NULL__"]),
        ("DAY", ["20261122", "19691231", "__NULL__"]),
        ("MONTH", ["202611", "196912", "__NULL__"]),
        ("YEAR", ["2026", "1969", "__NULL__"]),
    ],
)
def test_a_row_lies_in_the_partition_of_its_time(kind: str, ids: list[str]) -> None:
    times = [datetime(2026, 11, 22, 7, 8, tzinfo=UTC), datetime(1969, 12, 31, 23, tzinfo=UTC), None]
    rows = pa.table({"t": pa.array(times, pa.timestamp("us", tz="UTC"))})
    assert Partitioning(kind, "t").ids(rows).to_pylist() == ids


def test_a_date_lies_in_the_partition_of_its_day() -> None:
    rows = pa.table({"d": pa.array([date(2026, 2, 3), None])})
    assert Partitioning("DAY", "d").ids(rows).to_pylist() == ["20260203", "__NULL__"]


def test_a_number_lies_in_the_partition_of_its_range() -> None:
    partitioning = Partitioning.of(
        {"rangePartitioning": {"field": "n", "range": {"start": "-5", "end": 20, "interval": 10}}}
    )
    assert partitioning is not None
    rows = pa.table({"n": [-6, -5, 4, 5, 19, 20, None]})
    outside = "__UNPARTITIONED__"
    assert partitioning.ids(rows).to_pylist() == [
        outside, "-5", "-5", "5", "15", outside, "__NULL__",
    ]  # fmt: skip


def test_rows_of_an_ingestion_time_table_are_stamped() -> None:
    partitioning = Partitioning.of({"timePartitioning": {"type": "DAY"}})
    assert partitioning is not None
    rows = pa.table({"a": [1]})
    now = datetime(2026, 11, 22, 7, 8, tzinfo=UTC)

    stamped = partitioning.stamped(rows, now)
    assert stamped.column(PARTITION_TIME).to_pylist() == [datetime(2026, 11, 22, tzinfo=UTC)]
    stamped = partitioning.stamped(rows, now, "20200102")
    assert partitioning.ids(stamped).to_pylist() == ["20200102"]


@pytest.mark.parametrize(
    ("kind", "wrong"), [("DAY", "202601"), ("DAY", "20260230"), ("RANGE", "x")]
)
def test_an_id_must_fit_the_kind_of_partition(kind: str, wrong: str) -> None:
    with pytest.raises(BigQueryError, match="Invalid partition id"):
        Partitioning(kind, "a").check_id(wrong)


def test_only_some_types_partition() -> None:
    schema = read_schema([{"name": "d", "type": "DATE"}, {"name": "s", "type": "STRING"}])
    check_column(Partitioning("DAY", "d"), schema)
    for partitioning in (
        Partitioning("HOUR", "d"),
        Partitioning("DAY", "s"),
        Partitioning("DAY", "x"),
    ):
        with pytest.raises(BigQueryError, match="specified for partitioning"):
            check_column(partitioning, schema)
