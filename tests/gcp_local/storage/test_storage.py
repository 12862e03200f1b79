"""Cloud Storage, through google-cloud-storage."""

from __future__ import annotations

import base64
import gzip
import hashlib
import os
import uuid
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import google_crc32c
import pytest
from google.api_core import exceptions
from google.cloud.storage import Blob, Bucket, Client

from tests.gcp_local.emulators import Emulator

KIB = 1024


def test_what_was_uploaded_comes_down_again(bucket: Bucket) -> None:
    blob = bucket.blob("folder/file.bin")
    content = os.urandom(100_000)
    blob.upload_from_string(content, content_type="application/x-test")
    assert bucket.blob("folder/file.bin").download_as_bytes(checksum="crc32c") == content
    assert blob.size == 100_000
    assert blob.content_type == "application/x-test"
    assert base64.b64decode(blob.md5_hash) == hashlib.md5(content).digest()
    crc = google_crc32c.value(content).to_bytes(4, "big")
    assert base64.b64decode(blob.crc32c) == crc


def test_a_resumable_upload_in_small_chunks_arrives_whole(bucket: Bucket, tmp_path: Path) -> None:
    content = os.urandom(900 * KIB + 17)
    (tmp_path / "source").write_bytes(content)
    blob = bucket.blob("big", chunk_size=256 * KIB)
    blob.upload_from_filename(tmp_path / "source", checksum="md5")
    assert blob.download_as_bytes() == content


def test_a_stream_of_unknown_length_arrives_whole(bucket: Bucket) -> None:
    content = os.urandom(600 * KIB)
    with bucket.blob("stream").open("wb", chunk_size=256 * KIB) as file:
        file.write(content)
    assert bucket.blob("stream").download_as_bytes() == content


def test_ranges_of_bytes(bucket: Bucket) -> None:
    blob = bucket.blob("digits")
    blob.upload_from_string("0123456789")
    assert blob.download_as_bytes(start=3, end=5) == b"345"
    assert blob.download_as_bytes(start=7) == b"789"
    assert blob.download_as_bytes(start=-2) == b"89"
    with pytest.raises(exceptions.RequestRangeNotSatisfiable):
        blob.download_as_bytes(start=10, end=12)


def test_an_empty_object(bucket: Bucket) -> None:
    bucket.blob("empty").upload_from_string("")
    assert bucket.blob("empty").download_as_bytes() == b""


def test_a_checksum_that_does_not_fit_is_refused_and_writes_nothing(
    bucket: Bucket,
) -> None:
    blob = bucket.blob("bad")
    blob.md5_hash = base64.b64encode(bytes(16)).decode()
    with pytest.raises(exceptions.BadRequest, match="MD5"):
        blob.upload_from_string("content", checksum=None)
    assert not bucket.blob("bad").exists()


def test_create_only_when_there_is_none(bucket: Bucket) -> None:
    bucket.blob("once").upload_from_string("first", if_generation_match=0)
    with pytest.raises(exceptions.PreconditionFailed):
        bucket.blob("once").upload_from_string("second", if_generation_match=0)
    assert bucket.blob("once").download_as_bytes() == b"first"


def test_replace_only_the_generation_that_was_read(bucket: Bucket) -> None:
    blob = bucket.blob("ledger")
    blob.upload_from_string("one")
    first = blob.generation
    blob.upload_from_string("two", if_generation_match=first)
    assert blob.generation > first
    with pytest.raises(exceptions.PreconditionFailed):
        blob.upload_from_string("three", if_generation_match=first)
    assert bucket.blob("ledger").download_as_bytes() == b"two"


CONDITIONS: list[tuple[dict[str, int | str], bool]] = [
    ({"if_generation_match": "live"}, True),
    ({"if_generation_match": 1}, False),
    ({"if_generation_not_match": 1}, True),
    ({"if_generation_not_match": "live"}, False),
    ({"if_metageneration_match": 1}, True),
    ({"if_metageneration_match": 2}, False),
    ({"if_metageneration_not_match": 2}, True),
    ({"if_metageneration_not_match": 1}, False),
]
WRITES = [
    (act, condition, holds)
    for act in (
        "media", "multipart", "resumable", "patch", "update", "delete", "copy", "rewrite",
        "class", "compose",
    )
    for condition, holds in CONDITIONS
]  # fmt: skip


def changed(blob: Blob) -> Blob:
    blob.metadata = {"k": "v"}
    return blob


ACTS: dict[str, Callable[[Blob, Blob, dict[str, Any]], object]] = {
    "multipart": lambda blob, _, said: blob.upload_from_string("after", **said),
    "resumable": lambda blob, _, said: blob.upload_from_string("after", **said),
    "patch": lambda blob, _, said: changed(blob).patch(**said),
    "update": lambda blob, _, said: changed(blob).update(**said),
    "delete": lambda blob, _, said: blob.delete(**said),
    "copy": lambda blob, source, said: blob.bucket.copy_blob(source, blob.bucket, "target", **said),
    "rewrite": lambda blob, source, said: blob.rewrite(source, **said),
    "class": lambda blob, _, said: blob.update_storage_class("NEARLINE", **said),
}
# What the client does not send, or not with every precondition.
RAW = {
    "media": ("/upload/storage/v1/b/{}/o?uploadType=media&name=target", "after"),
    "compose": ("/storage/v1/b/{}/o/target/compose", '{"sourceObjects": [{"name": "source"}]}'),
}


def camel(name: str) -> str:
    first, *rest = name.split("_")
    return first + "".join(part.capitalize() for part in rest)


@pytest.mark.parametrize(("act", "condition", "holds"), WRITES)
def test_every_precondition_on_every_kind_of_write(
    emulator: Emulator, bucket: Bucket, act: str, condition: dict[str, int | str], holds: bool
) -> None:
    blob = bucket.blob("target")
    blob.upload_from_string("before")
    source = bucket.blob("source")
    source.upload_from_string("after")
    said = {
        name: blob.generation if value == "live" else value for name, value in condition.items()
    }

    def write() -> None:
        if act in RAW:
            query = {camel(name): value for name, value in said.items()}
            path, body = RAW[act]
            code = emulator.call(
                "POST", path.format(bucket.name), data=body, params=query
            ).status_code
            if code != 200:
                raise exceptions.from_http_status(code, "refused")  # type: ignore[no-untyped-call]
        else:
            size = 256 * KIB if act == "resumable" else None
            ACTS[act](bucket.blob("target", chunk_size=size), source, said)

    if holds:
        write()
        gone = act == "delete"
        assert bucket.blob("target").exists() != gone
    else:
        with pytest.raises(exceptions.PreconditionFailed):
            write()
        found = bucket.get_blob("target")
        assert found is not None
        assert (found.generation, found.metageneration) == (blob.generation, 1)


def test_a_misspelt_precondition_is_refused(emulator: Emulator, bucket: Bucket) -> None:
    path = f"/upload/storage/v1/b/{bucket.name}/o?uploadType=media&name=x&ifGenerationMach=0"
    assert emulator.call("POST", path, data="x").status_code == 400
    assert not bucket.blob("x").exists()


def test_a_read_of_what_has_not_changed_is_not_modified(bucket: Bucket) -> None:
    blob = bucket.blob("b")
    blob.upload_from_string("x")
    with pytest.raises(exceptions.NotModified):
        blob.download_as_bytes(if_generation_not_match=blob.generation)
    with pytest.raises(exceptions.PreconditionFailed):
        blob.reload(if_metageneration_match=9)


def test_of_many_concurrent_writers_exactly_one_wins(emulator: Emulator, bucket: Bucket) -> None:
    def write(number: int) -> int:
        answer = emulator.call(
            "POST",
            f"/upload/storage/v1/b/{bucket.name}/o?uploadType=media&name=race&ifGenerationMatch=0",
            data=str(number),
        )
        return answer.status_code

    with ThreadPoolExecutor(16) as pool:
        answers = sorted(pool.map(write, range(32)))
    assert answers == [200] + [412] * 31
    assert len(list(bucket.list_blobs())) == 1


def test_old_generations_are_gone(bucket: Bucket) -> None:
    blob = bucket.blob("b")
    blob.upload_from_string("one")
    first = blob.generation
    blob.upload_from_string("two")
    assert bucket.get_blob("b", generation=first) is None
    assert bucket.get_blob("b", generation=blob.generation) is not None


def test_lists_with_prefix_delimiter_and_pages(bucket: Bucket) -> None:
    names = ["a", "b/", "b/1", "b/2/x", "b/2/y", "b/3", "c/1", "d", "é"]
    for name in reversed(names):
        bucket.blob(name).upload_from_string(name)
    assert [blob.name for blob in bucket.list_blobs()] == names
    assert [blob.name for blob in bucket.list_blobs(page_size=2)] == names
    assert [blob.name for blob in bucket.list_blobs(prefix="b/2")] == ["b/2/x", "b/2/y"]
    for size in (1, 2, 100):
        found = bucket.list_blobs(delimiter="/", page_size=size)
        assert [blob.name for blob in found] == ["a", "d", "é"]
        assert found.prefixes == {"b/", "c/"}
    found = bucket.list_blobs(prefix="b/", delimiter="/", include_trailing_delimiter=True)
    assert [blob.name for blob in found] == ["b/", "b/1", "b/3"]
    assert found.prefixes == {"b/2/"}
    found = bucket.list_blobs(start_offset="b/2", end_offset="d")
    assert [blob.name for blob in found] == ["b/2/x", "b/2/y", "b/3", "c/1"]


@pytest.mark.parametrize(
    "name",
    [
        "../../etc/passwd",
        "a/../../b",
        "/leading",
        "double//slash",
        "Ünï/cödé ☂",
        "a?b#c%2F%",
        "é" * 512,
    ],
)
def test_names_are_keys_and_never_paths(emulator: Emulator, bucket: Bucket, name: str) -> None:
    bucket.blob(name).upload_from_string("x")
    assert bucket.blob(name).download_as_bytes() == b"x"
    assert [blob.name for blob in bucket.list_blobs()] == [name]
    for path in emulator.state.rglob("*"):
        assert "passwd" not in path.name
    bucket.blob(name).delete()
    assert list(bucket.list_blobs()) == []


@pytest.mark.parametrize("name", ["", ".", "..", "a\nb", "é" * 513])
def test_impossible_names_are_refused(emulator: Emulator, bucket: Bucket, name: str) -> None:
    answer = emulator.call(
        "POST",
        f"/upload/storage/v1/b/{bucket.name}/o",
        params={"uploadType": "media", "name": name},
        data="x",
    )
    assert answer.status_code == 400
    assert answer.json()["error"]["errors"][0]["domain"] == "global"


def test_what_is_said_of_an_object_can_change(bucket: Bucket) -> None:
    blob = bucket.blob("b")
    blob.metadata = {"k": "v", "old": "x"}
    blob.cache_control = "no-store"
    blob.upload_from_string("x", content_type="text/plain")
    blob.metadata = {"k": "w", "old": None}
    blob.content_type = "text/html"
    blob.patch()
    found = bucket.get_blob("b")
    assert found is not None
    assert (found.metadata, found.content_type) == ({"k": "w"}, "text/html")
    assert (found.cache_control, found.metageneration) == ("no-store", 2)
    assert found.etag


@pytest.mark.parametrize("of", ["object", "bucket"])
def test_what_many_say_at_once_is_all_kept(emulator: Emulator, bucket: Bucket, of: str) -> None:
    bucket.blob("b").upload_from_string("x")
    path = f"/storage/v1/b/{bucket.name}" + ("/o/b" if of == "object" else "")
    field = "metadata" if of == "object" else "labels"

    def patch(number: int) -> int:
        return emulator.call("PATCH", path, json={field: {f"k{number}": "v"}}).status_code

    with ThreadPoolExecutor(8) as pool:
        assert set(pool.map(patch, range(48))) == {200}
    kept = emulator.call("GET", path).json()
    assert kept[field] == {f"k{number}": "v" for number in range(48)}
    assert kept["metageneration"] == "49"


def test_gzip_is_unpacked_only_for_those_who_cannot(emulator: Emulator, bucket: Bucket) -> None:
    blob = bucket.blob("zipped")
    blob.content_encoding = "gzip"
    packed = gzip.compress(b"content")
    blob.upload_from_string(packed, content_type="text/plain")
    assert blob.download_as_bytes(raw_download=True) == packed
    assert blob.download_as_bytes() == b"content"
    path = f"/storage/v1/b/{bucket.name}/o/zipped?alt=media"
    plain = emulator.call("GET", path, headers={"Accept-Encoding": "identity"})
    assert plain.content == b"content"


def test_copy_compose_and_rename(bucket: Bucket) -> None:
    one, two = bucket.blob("one"), bucket.blob("two")
    one.upload_from_string("1", content_type="text/one")
    two.upload_from_string("2")
    copied = bucket.copy_blob(one, bucket, "copy")
    assert copied.download_as_bytes() == b"1"
    assert copied.content_type == "text/one"
    both = bucket.blob("both")
    both.compose([one, two])
    assert both.download_as_bytes() == b"12"
    assert both.component_count == 2
    assert both.md5_hash is None


def test_buckets(storage_client: Client, project: str) -> None:
    name = f"my-bucket-{uuid.uuid4().hex}"
    made = storage_client.bucket(name)
    made.labels = {"team": "ml"}
    made.iam_configuration.uniform_bucket_level_access_enabled = True
    storage_client.create_bucket(made, location="europe-west1")
    found = storage_client.get_bucket(name)
    assert (found.location, found.location_type) == ("EUROPE-WEST1", "region")
    assert found.labels == {"team": "ml"}
    assert found.iam_configuration.uniform_bucket_level_access_enabled
    found.labels = {"team": "ds", "more": "x"}
    found.patch()
    assert storage_client.get_bucket(name).labels == {"team": "ds", "more": "x"}
    assert [bucket.name for bucket in storage_client.list_buckets()] == [name]
    with pytest.raises(exceptions.Conflict):
        storage_client.create_bucket(name)
    found.blob("x").upload_from_string("x")
    with pytest.raises(exceptions.Conflict, match="not empty"):
        found.delete()
    found.delete(force=True)
    assert storage_client.lookup_bucket(name) is None


@pytest.mark.parametrize("name", ["ab", "Upper", "goog-x", "my-google", "192.168.0.1", "a..b"])
def test_bucket_names_that_google_refuses(emulator: Emulator, project: str, name: str) -> None:
    answer = emulator.call("POST", f"/storage/v1/b?project={project}", json={"name": name})
    assert answer.status_code == 400


@pytest.mark.parametrize(
    ("location", "kind"),
    [
        ("europe-west1", "region"),
        ("EUROPE-WEST12", "region"),
        ("northamerica-northeast2", "region"),
        ("me-central1", "region"),
        ("us-south1", "region"),
        ("eu", "multi-region"),
        ("NAM4", "dual-region"),
        ("eur4", "dual-region"),
    ],
)
def test_a_bucket_can_be_where_google_has_places(
    storage_client: Client, location: str, kind: str
) -> None:
    bucket = storage_client.create_bucket(f"placed-{uuid.uuid4().hex}", location=location)
    assert (bucket.location, bucket.location_type) == (location.upper(), kind)


@pytest.mark.parametrize(
    "location",
    ["nowhere-9!", "europe", "europe-west", "europe-west1-b", "mars-west1", "global", "us ", "é1"],
)
def test_a_bucket_can_be_nowhere_else(storage_client: Client, location: str) -> None:
    name = f"placed-{uuid.uuid4().hex}"
    with pytest.raises(exceptions.BadRequest, match="location"):
        storage_client.create_bucket(name, location=location)
    assert storage_client.lookup_bucket(name) is None


@pytest.mark.parametrize(
    "setting",
    [
        {"lifecycle": {"rule": [{"action": {"type": "Delete"}, "condition": {"age": 1}}]}},
        {"cors": [{"origin": ["*"]}]},
        {"website": {"mainPageSuffix": "index.html"}},
        {"autoclass": {"enabled": True}},
        {"billing": {"requesterPays": True}},
        {"encryption": {"defaultKmsKeyName": "projects/p/locations/l/keyRings/r/cryptoKeys/k"}},
        {"softDeletePolicy": {"retentionDurationSeconds": "604800"}},
        {"hierarchicalNamespace": {"enabled": True}},
    ],
    ids=lambda setting: next(iter(setting)),
)
def test_what_is_not_kept_is_not_promised(
    emulator: Emulator, bucket: Bucket, setting: dict[str, object]
) -> None:
    answer = emulator.call("PATCH", f"/storage/v1/b/{bucket.name}", json=setting)
    assert answer.status_code == 501
    assert next(iter(setting)) in answer.json()["error"]["message"]


def test_what_is_switched_off_is_no_promise(emulator: Emulator, project: str) -> None:
    body = {
        "name": f"plain-{uuid.uuid4().hex}",
        "softDeletePolicy": {"retentionDurationSeconds": 0},
        "autoclass": {"enabled": False},
        "lifecycle": None,
    }
    answer = emulator.call("POST", f"/storage/v1/b?project={project}", json=body)
    assert answer.json()["softDeletePolicy"] == {"retentionDurationSeconds": "0"}


def test_an_object_has_its_buckets_storage_class_until_it_is_rewritten(
    emulator: Emulator, storage_client: Client
) -> None:
    bucket = storage_client.bucket(f"near-{uuid.uuid4().hex}")
    bucket.storage_class = "NEARLINE"
    storage_client.create_bucket(bucket)
    blob = bucket.blob("b")
    blob.metadata = {"k": "v"}
    blob.upload_from_string("x")
    assert blob.storage_class == "NEARLINE"
    patched = emulator.call(
        "PATCH", f"/storage/v1/b/{bucket.name}/o/b", json={"storageClass": "COLDLINE"}
    )
    assert patched.status_code == 400
    blob.update_storage_class("COLDLINE")
    blob.reload()
    assert (blob.storage_class, blob.metadata) == ("COLDLINE", {"k": "v"})


def test_a_custom_time_only_goes_forward(bucket: Bucket) -> None:
    blob = bucket.blob("b")
    blob.custom_time = datetime(2026, 1, 2, tzinfo=UTC)
    blob.upload_from_string("x")
    blob.custom_time = datetime(2026, 1, 3, tzinfo=UTC)
    blob.patch()
    for wrong in (datetime(2026, 1, 2, tzinfo=UTC), None):
        blob.custom_time = wrong
        with pytest.raises(exceptions.BadRequest, match="custom time"):
            blob.patch()
    found = bucket.get_blob("b")
    assert found is not None
    assert found.custom_time == datetime(2026, 1, 3, tzinfo=UTC)


def test_missing_things_are_not_found(bucket: Bucket) -> None:
    with pytest.raises(exceptions.NotFound, match="No such object"):
        bucket.blob("missing").download_as_bytes()
    with pytest.raises(exceptions.NotFound, match="bucket"):
        bucket.client.bucket("there-is-no-such-bucket").blob("x").upload_from_string("x")
