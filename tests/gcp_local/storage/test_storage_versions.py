"""Generations that are live no more, in a bucket that keeps them."""

from __future__ import annotations

import uuid
from pathlib import Path

import pytest
from google.api_core import exceptions
from google.cloud.storage import Blob, Bucket, Client

from gcp_local.resources.database import Database
from gcp_local.storage.buckets import BucketStore
from gcp_local.storage.objects import ObjectStore
from tests.gcp_local.emulators import Emulator


@pytest.fixture
def versioned(storage_client: Client) -> Bucket:
    bucket = storage_client.bucket(f"versioned-{uuid.uuid4().hex}")
    bucket.versioning_enabled = True
    return storage_client.create_bucket(bucket)


def written(bucket: Bucket, name: str, *contents: str) -> list[int]:
    """Write generations of an object; give their numbers, oldest first."""
    generations = []
    for content in contents:
        blob = bucket.blob(name)
        blob.upload_from_string(content)
        generations.append(blob.generation)
    return generations


def all_of(bucket: Bucket, **asked: object) -> list[tuple[str, int]]:
    return [(blob.name, blob.generation) for blob in bucket.list_blobs(versions=True, **asked)]


def test_what_is_replaced_stays_and_can_be_read(versioned: Bucket) -> None:
    first, second = written(versioned, "b", "one", "two")
    assert versioned.blob("b").download_as_bytes() == b"two"
    assert versioned.blob("b", generation=first).download_as_bytes() == b"one"
    old = versioned.get_blob("b", generation=first)
    live = versioned.get_blob("b")
    assert old is not None
    assert live is not None
    assert old.time_deleted is not None
    assert (live.generation, live.time_deleted) == (second, None)
    assert all_of(versioned) == [("b", first), ("b", second)]
    assert [blob.generation for blob in versioned.list_blobs()] == [second]


def test_what_is_deleted_stays_unless_its_generation_is_named(versioned: Bucket) -> None:
    first, second = written(versioned, "b", "one", "two")
    versioned.blob("b").delete()
    assert versioned.get_blob("b") is None
    assert list(versioned.list_blobs()) == []
    assert all_of(versioned) == [("b", first), ("b", second)]
    versioned.blob("b", generation=first).delete()
    assert all_of(versioned) == [("b", second)]
    with pytest.raises(exceptions.NotFound):
        versioned.blob("b", generation=first).delete()


def test_the_live_generation_named_is_deleted_for_good(versioned: Bucket) -> None:
    first, second = written(versioned, "b", "one", "two")
    versioned.blob("b", generation=second).delete()
    assert all_of(versioned) == [("b", first)]
    assert versioned.get_blob("b") is None


def test_an_old_generation_is_restored_by_a_copy(versioned: Bucket) -> None:
    first, second = written(versioned, "b", "one", "two")
    versioned.copy_blob(versioned.blob("b"), versioned, "b", source_generation=first)
    assert versioned.blob("b").download_as_bytes() == b"one"
    generations = [generation for _, generation in all_of(versioned)]
    assert generations[:2] == [first, second]
    assert len(generations) == 3


def test_a_list_of_generations_has_pages(versioned: Bucket) -> None:
    expected = [
        (name, generation)
        for name in ("a", "b", "folder/c", "é")
        for generation in written(versioned, name, "1", "2", "3")
    ]
    for size in (1, 2, 5, 100):
        assert all_of(versioned, page_size=size) == expected
    assert all_of(versioned, prefix="b") == expected[3:6]
    found = versioned.list_blobs(versions=True, delimiter="/", page_size=2)
    assert [blob.name for blob in found] == ["a"] * 3 + ["b"] * 3 + ["é"] * 3
    assert found.prefixes == {"folder/"}


def test_preconditions_hold_for_the_generation_that_is_named(versioned: Bucket) -> None:
    first, second = written(versioned, "b", "one", "two")
    old = versioned.blob("b", generation=first)
    with pytest.raises(exceptions.PreconditionFailed):
        old.delete(if_generation_match=second)
    old.metadata = {"k": "v"}
    old.patch(if_metageneration_match=1)
    found = versioned.get_blob("b", generation=first)
    live = versioned.get_blob("b")
    assert found is not None
    assert live is not None
    assert (found.metadata, found.metageneration) == ({"k": "v"}, 2)
    assert (live.metadata, live.metageneration) == (None, 1)


def test_versions_that_are_kept_outlive_the_switch(versioned: Bucket) -> None:
    first, second = written(versioned, "b", "one", "two")
    versioned.versioning_enabled = False
    versioned.patch()
    (third,) = written(versioned, "b", "three")
    assert all_of(versioned) == [("b", first), ("b", third)]
    assert second not in (first, third)


def test_a_bucket_with_old_generations_is_not_empty(
    versioned: Bucket, storage_client: Client
) -> None:
    written(versioned, "b", "one")
    versioned.blob("b").delete()
    with pytest.raises(exceptions.Conflict, match="not empty"):
        versioned.delete()
    versioned.delete(force=True)
    assert storage_client.lookup_bucket(versioned.name) is None


def test_no_bytes_are_left_behind(tmp_path: Path) -> None:
    database = Database(tmp_path / "state.db")
    BucketStore(database).create("bucket", "my-project", versioning=True)
    objects = ObjectStore(database, tmp_path / "storage")
    blobs = tmp_path / "storage" / "blobs"
    generations = [objects.write("bucket", "b", content).generation for content in (b"1", b"2")]
    objects.delete("bucket", "b")
    assert len(list(blobs.iterdir())) == 2
    (blobs / "orphan").write_bytes(b"x")
    objects = ObjectStore(database, tmp_path / "storage")
    assert len(list(blobs.iterdir())) == 2
    for generation in generations:
        _, file = objects.open("bucket", "b", generation=generation)
        file.close()
        objects.delete("bucket", "b", generation=generation)
    assert list(blobs.iterdir()) == []
    database.close()


def test_without_versioning_old_generations_are_gone(emulator: Emulator, bucket: Bucket) -> None:
    first, _ = written(bucket, "b", "one", "two")
    with pytest.raises(exceptions.NotFound):
        Blob("b", bucket, generation=first).download_as_bytes()
    path = f"/storage/v1/b/{bucket.name}/o?versions=perhaps"
    assert emulator.call("GET", path).status_code == 400
