"""Holds and retention policies: what can be neither replaced nor deleted."""

from __future__ import annotations

import uuid
from collections.abc import Callable
from datetime import timedelta

import pytest
from google.api_core import exceptions
from google.cloud.storage import Blob, Bucket, Client

from gcp_local import clock
from gcp_local.errors import PermissionDenied
from gcp_local.storage.buckets import Bucket as BucketValue
from gcp_local.storage.protection import check_unprotected, retained_until
from gcp_local.storage.values import Object
from tests.gcp_local.emulators import Emulator

ACTS: dict[str, Callable[[Bucket, Blob], object]] = {
    "delete": lambda _, blob: blob.delete(),
    "replace": lambda _, blob: blob.upload_from_string("other"),
    "copy over": lambda bucket, blob: bucket.copy_blob(bucket.blob("other"), bucket, blob.name),
    "compose over": lambda bucket, blob: blob.compose([bucket.blob("other")]),
}


def with_policy(client: Client, seconds: int) -> Bucket:
    bucket = client.bucket(f"kept-{uuid.uuid4().hex}")
    bucket.retention_period = seconds
    return client.create_bucket(bucket)


def put(bucket: Bucket, name: str = "kept") -> Blob:
    blob = bucket.blob(name)
    blob.upload_from_string("content")
    return blob


@pytest.mark.parametrize("act", ACTS)
@pytest.mark.parametrize("hold", ["temporary_hold", "event_based_hold"])
def test_an_object_that_is_held_stays_as_it_is(bucket: Bucket, hold: str, act: str) -> None:
    put(bucket, "other")
    blob = put(bucket)
    setattr(blob, hold, True)
    blob.patch()
    with pytest.raises(exceptions.Forbidden, match="hold"):
        ACTS[act](bucket, bucket.blob("kept"))
    blob.metadata = {"still": "editable"}
    setattr(blob, hold, False)
    blob.patch()
    assert bucket.blob("kept").download_as_bytes() == b"content"
    ACTS[act](bucket, bucket.blob("kept"))


@pytest.mark.parametrize("act", ACTS)
def test_a_retention_policy_forbids_replacing_and_deleting(
    storage_client: Client, act: str
) -> None:
    bucket = with_policy(storage_client, 3600)
    put(bucket, "other")
    blob = put(bucket)
    assert blob.retention_expiration_time - blob.time_created == timedelta(hours=1)
    with pytest.raises(exceptions.Forbidden, match="retention"):
        ACTS[act](bucket, bucket.blob("kept"))
    bucket.retention_period = None
    bucket.patch()
    ACTS[act](bucket, bucket.blob("kept"))


def test_new_objects_of_a_bucket_may_be_held_by_default(storage_client: Client) -> None:
    bucket = with_policy(storage_client, 60)
    bucket.default_event_based_hold = True
    bucket.patch()
    blob = put(bucket)
    assert blob.event_based_hold
    assert blob.retention_expiration_time is None
    blob.event_based_hold = False
    blob.patch()
    assert blob.retention_expiration_time > blob.time_created + timedelta(seconds=60)


def test_a_locked_policy_only_grows(storage_client: Client) -> None:
    bucket = with_policy(storage_client, 60)
    bucket.lock_retention_policy()
    assert bucket.retention_policy_locked
    for shorter in (30, None):
        bucket.retention_period = shorter
        with pytest.raises(exceptions.Forbidden, match="locked"):
            bucket.patch()
    bucket.reload()
    bucket.retention_period = 120
    bucket.patch()
    found = storage_client.get_bucket(bucket.name)
    assert (found.retention_period, found.retention_policy_locked) == (120, True)


def test_to_lock_a_policy_takes_one_and_the_metageneration(
    emulator: Emulator, bucket: Bucket, storage_client: Client
) -> None:
    path = f"/storage/v1/b/{bucket.name}/lockRetentionPolicy"
    assert emulator.call("POST", path).status_code == 400
    assert emulator.call("POST", f"{path}?ifMetagenerationMatch=1").status_code == 400
    kept = with_policy(storage_client, 60)
    path = f"/storage/v1/b/{kept.name}/lockRetentionPolicy?ifMetagenerationMatch=7"
    assert emulator.call("POST", path).status_code == 412


@pytest.mark.parametrize("period", ["0", "x", -1, 3_155_760_001, True, None, {"s": 1}])
def test_a_period_that_no_policy_has_is_refused(
    emulator: Emulator, bucket: Bucket, period: object
) -> None:
    body = {"retentionPolicy": {"retentionPeriod": period}}
    assert emulator.call("PATCH", f"/storage/v1/b/{bucket.name}", json=body).status_code == 400


def test_versions_under_a_retention_policy_are_refused(storage_client: Client) -> None:
    bucket = with_policy(storage_client, 60)
    bucket.versioning_enabled = True
    with pytest.raises(exceptions.MethodNotImplemented, match="versions"):
        bucket.patch()


def test_what_is_retained_is_free_when_its_time_has_come() -> None:
    minute = 60 * 1_000_000
    bucket = BucketValue(name="b", project="p", created=0, updated=0, retention=60)
    kept = Object(
        bucket="b",
        name="o",
        generation=1,
        metageneration=1,
        size=0,
        crc32c="",
        md5=None,
        blob="",
        created=minute,
        updated=minute,
    )
    assert retained_until(kept, bucket) == 2 * minute
    with pytest.raises(PermissionDenied, match=clock.rfc3339(clock.from_micros(2 * minute))):
        check_unprotected(kept, bucket, 2 * minute - 1)
    check_unprotected(kept, bucket, 2 * minute)
