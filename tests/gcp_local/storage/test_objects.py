"""The store of objects: what is read while it is written, and what a crash leaves."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from google.cloud.storage import Bucket

from gcp_local.resources.database import Database
from gcp_local.storage.buckets import BucketStore
from gcp_local.storage.objects import ObjectStore
from tests.gcp_local.emulators import Emulator

ROUNDS = 60


class _CrashError(Exception):
    pass


@pytest.fixture
def database(tmp_path: Path) -> Iterator[Database]:
    database = Database(tmp_path / "state.db")
    BucketStore(database).create("bucket", "my-project")
    yield database
    database.close()


@pytest.fixture
def objects(database: Database, tmp_path: Path) -> ObjectStore:
    return ObjectStore(database, tmp_path / "storage")


def test_the_old_bytes_stay_until_the_new_ones_are_entered(
    database: Database, objects: ObjectStore
) -> None:
    def crash_before_the_commit(act: Callable[[], object]) -> None:
        with database.transaction():
            act()
            raise _CrashError

    objects.write("bucket", "name", b"before")
    for act in (
        lambda: objects.write("bucket", "name", b"after"),
        lambda: objects.delete("bucket", "name"),
    ):
        with pytest.raises(_CrashError):
            crash_before_the_commit(act)
        assert objects.open_path("bucket", "name").read_bytes() == b"before"


def test_only_the_live_bytes_are_kept(objects: ObjectStore, tmp_path: Path) -> None:
    for content in (b"1", b"2", b"3"):
        objects.write("bucket", "name", content)
    assert len(list((tmp_path / "storage" / "blobs").iterdir())) == 1
    objects.delete("bucket", "name")
    assert list((tmp_path / "storage" / "blobs").iterdir()) == []


def test_what_is_overwritten_meanwhile_is_read_whole(emulator: Emulator, bucket: Bucket) -> None:
    size = 200_000
    upload = f"/upload/storage/v1/b/{bucket.name}/o?uploadType=media&name=busy"
    place = f"/storage/v1/b/{bucket.name}/o"
    assert emulator.call("POST", upload, data=b"0" * size).status_code == 200
    done = threading.Event()

    def overwrite(digit: bytes) -> None:
        while not done.is_set():
            assert emulator.call("POST", upload, data=digit * size).status_code == 200

    def download(_: int) -> None:
        answer = emulator.call("GET", f"{place}/busy?alt=media")
        assert (answer.status_code, len(answer.content)) == (200, size)
        assert len(set(answer.content)) == 1

    def copy(number: int) -> None:
        path = f"{place}/busy/rewriteTo/b/{bucket.name}/o/copy-{number}"
        answer = emulator.call("POST", path, json={})
        assert answer.status_code == 200, answer.text

    def compose(number: int) -> None:
        body = {"sourceObjects": [{"name": "busy"}, {"name": "busy"}]}
        answer = emulator.call("POST", f"{place}/both-{number}/compose", json=body)
        assert answer.status_code == 200, answer.text

    with ThreadPoolExecutor(4) as pool:
        writers = [pool.submit(overwrite, digit) for digit in (b"1", b"2")]
        try:
            for act in (download, copy, compose):
                list(pool.map(act, range(ROUNDS)))
        finally:
            done.set()
        for writer in writers:
            writer.result()
