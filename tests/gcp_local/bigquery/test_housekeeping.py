from __future__ import annotations

import os
import time
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path

import pyarrow as pa
import pytest

from gcp_local import clock
from gcp_local.bigquery.catalog import Catalog
from gcp_local.bigquery.housekeeping import Housekeeper
from gcp_local.bigquery.references import DatasetRef
from gcp_local.bigquery.warehouse import Warehouse
from gcp_local.resources.database import Database

_HOME = DatasetRef("p", "d")
_TABLE = _HOME.table("t")
_SHAPE = pa.schema([("n", pa.int64())])


@pytest.fixture
def database(tmp_path: Path) -> Iterator[Database]:
    database = Database(tmp_path / "state.db")
    yield database
    database.close()


@pytest.fixture
def warehouse(database: Database, tmp_path: Path) -> Warehouse:
    return Warehouse(database, tmp_path / "bigquery")


@pytest.fixture
def catalog(database: Database) -> Catalog:
    catalog = Catalog(database)
    catalog.add_dataset(_HOME, {})
    return catalog


def _write(warehouse: Warehouse, value: int, *, days_ago: float = 0) -> str:
    """Write a file that is so old; give its name."""
    name = warehouse.write(pa.table({"n": [value]})).name
    moment = time.time() - days_ago * 86_400
    os.utime(warehouse.folder / name, (moment, moment))
    return name


def _later(monkeypatch: pytest.MonkeyPatch, **said: float) -> None:
    moment = clock.now() + timedelta(**said)
    monkeypatch.setattr(clock, "now", lambda: moment)


def test_versions_go_when_nobody_can_go_back_to_them(
    catalog: Catalog, warehouse: Warehouse, monkeypatch: pytest.MonkeyPatch
) -> None:
    entry = catalog.add(_TABLE, {"type": "TABLE"})
    now = clock.now()
    for days, value in ((0, 1), (1, 2), (7.5, 3), (9, 4)):
        moment = now + timedelta(days=days)
        monkeypatch.setattr(clock, "now", lambda moment=moment: moment)
        warehouse.commit(entry.uid, [warehouse.write(pa.table({"n": [value]}))])
    Housekeeper(catalog, warehouse).tidy(young=timedelta())
    assert warehouse.at(entry.uid, now + timedelta(hours=12)) is None
    kept = warehouse.at(entry.uid, now + timedelta(days=3))
    assert kept is not None
    assert warehouse.read(kept, _SHAPE).column("n").to_pylist() == [2]
    assert len(list(warehouse.folder.iterdir())) == 3


def test_old_files_that_no_version_names_go(catalog: Catalog, warehouse: Warehouse) -> None:
    entry = catalog.add(_TABLE, {"type": "TABLE"})
    named = warehouse.write(pa.table({"n": [1]}))
    warehouse.commit(entry.uid, [named])
    about_to_be_committed = _write(warehouse, 2, days_ago=0.9)
    _write(warehouse, 3, days_ago=1.1)
    Housekeeper(catalog, warehouse).tidy()
    left = {path.name for path in warehouse.folder.iterdir()}
    assert left == {named.name, about_to_be_committed}


def test_what_has_expired_goes_though_nobody_looks_for_it(
    catalog: Catalog, warehouse: Warehouse, monkeypatch: pytest.MonkeyPatch
) -> None:
    until = clock.micros(clock.now() + timedelta(days=1)) // 1000
    entry = catalog.add(_TABLE, {"type": "TABLE", "expirationTime": str(until)})
    warehouse.commit(entry.uid, [warehouse.write(pa.table({"n": [1]}))])
    _later(monkeypatch, days=1.1)
    Housekeeper(catalog, warehouse).tidy(young=timedelta())
    assert not catalog.holds_any(_HOME)
    assert len(list(warehouse.folder.iterdir())) == 1, "it can be had back for seven days"
    _later(monkeypatch, days=7.1)
    Housekeeper(catalog, warehouse).tidy(young=timedelta())
    assert list(warehouse.folder.iterdir()) == []


def test_a_server_that_runs_on_clears_away_by_itself(
    catalog: Catalog, warehouse: Warehouse, monkeypatch: pytest.MonkeyPatch
) -> None:
    _write(warehouse, 1, days_ago=2)
    housekeeper = Housekeeper(catalog, warehouse)
    housekeeper.recover()
    try:
        _later(monkeypatch, hours=1.1)
        deadline = time.monotonic() + 10
        while list(warehouse.folder.iterdir()) and time.monotonic() < deadline:
            clock.wake()
            time.sleep(0.01)
        assert list(warehouse.folder.iterdir()) == []
    finally:
        housekeeper.close()


def test_what_took_the_place_of_something_expired_stays(
    catalog: Catalog, monkeypatch: pytest.MonkeyPatch
) -> None:
    until = clock.micros(clock.now() + timedelta(days=1)) // 1000
    before = catalog.add(_TABLE, {"type": "TABLE", "expirationTime": str(until)})
    _later(monkeypatch, days=2)
    after = catalog.add(_TABLE, {"type": "TABLE"})
    assert before.uid != after.uid
    catalog._unexpired(_TABLE, before, "table")  # somebody who had read it before
    assert catalog.get(_TABLE).uid == after.uid
