from __future__ import annotations

import threading
from collections.abc import Iterator
from pathlib import Path

import pyarrow as pa
import pytest

from gcp_local.bigquery.warehouse import StaleError, Warehouse, logical_bytes
from gcp_local.resources.database import Database


@pytest.fixture
def database(tmp_path: Path) -> Iterator[Database]:
    database = Database(tmp_path / "state.db")
    yield database
    database.close()


@pytest.fixture
def warehouse(database: Database, tmp_path: Path) -> Warehouse:
    return Warehouse(database, tmp_path / "bigquery")


_SHAPE = pa.schema([("n", pa.int64())])


def _rows(*values: int) -> pa.Table:
    return pa.table({"n": pa.array(values, pa.int64())})


def _values(warehouse: Warehouse, uid: str) -> list[int]:
    return list(warehouse.read(warehouse.current(uid), _SHAPE).column("n").to_pylist())


def test_a_page_has_the_rows_of_its_place(warehouse: Warehouse) -> None:
    for first, last in ((0, 25_000), (25_000, 25_007), (25_007, 40_000)):
        file = warehouse.write(_rows(*range(first, last)))
        version = warehouse.commit("t", [file], append=True)
    for start, count in ((0, 5), (9_999, 2), (24_998, 4), (25_006, 2), (39_999, 5), (50_000, 5)):
        page = warehouse.page(version, _SHAPE, start, count)
        expected = list(range(start, min(start + count, 40_000)))
        assert page.column("n").to_pylist() == expected


def test_a_column_that_a_file_has_not_is_null_in_a_page(warehouse: Warehouse) -> None:
    version = warehouse.commit("t", [warehouse.write(_rows(1, 2, 3))])
    page = warehouse.page(version, pa.schema([("x", pa.string())]), 1, 5)
    assert page.column("x").to_pylist() == [None, None]


def test_writers_at_once_lose_nothing(warehouse: Warehouse) -> None:
    def write(first: int) -> None:
        for value in range(first, first + 10):
            warehouse.commit("t", [warehouse.write(_rows(value))], append=True)

    threads = [threading.Thread(target=write, args=(at * 10,)) for at in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(_values(warehouse, "t")) == list(range(40))


def test_what_was_computed_from_an_older_version_is_refused(warehouse: Warehouse) -> None:
    base = warehouse.current("t").number
    warehouse.commit("t", [warehouse.write(_rows(1))])
    with pytest.raises(StaleError):
        warehouse.commit("t", [warehouse.write(_rows(2))], base=base)
    assert _values(warehouse, "t") == [1]


def test_many_small_files_are_joined(warehouse: Warehouse) -> None:
    large = warehouse.write(_rows(*range(20_000)))
    warehouse.commit("t", [large])
    files = [warehouse.write(_rows(value)) for value in range(300)]
    before = warehouse.commit("t", files[:200], append=True)
    after = warehouse.commit("t", files[200:], append=True)
    assert len(after.files) == 66
    assert large in after.files
    assert (after.rows, after.bytes) == (20_300, 20_300 * 8)
    assert sum(_values(warehouse, "t")) == sum(range(20_000)) + sum(range(300))
    assert warehouse.read(before, _SHAPE).num_rows == 20_200


def test_bytes_are_counted_as_bigquery_bills_them() -> None:
    rows = pa.table(
        {
            "s": ["ab", None, ""],
            "n": [1, None, 3],
            "b": [True, False, None],
            "l": [[1, 2], [], None],
            "r": [{"x": "é", "y": [{"z": 1.5}]}, None, {"x": None, "y": None}],
        }
    )
    assert logical_bytes(rows) == (2 + 2 + 2) + 16 + 2 + 16 + (2 + 2 + 8)
