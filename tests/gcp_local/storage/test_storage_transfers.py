"""`transfer_manager`, the XML API's multipart uploads beneath it, uploads that are cut short."""

from __future__ import annotations

import base64
import hashlib
import os
import re
import threading
from pathlib import Path

import google_crc32c
import pytest
from google.auth.credentials import AnonymousCredentials
from google.cloud.storage import Blob, Bucket, Client, transfer_manager

from gcp_local.errors import NotFound
from gcp_local.resources.database import Database
from gcp_local.storage.buckets import BucketStore
from gcp_local.storage.multipart_uploads import MultipartUploads
from gcp_local.storage.objects import ObjectStore
from gcp_local.storage.uploads import Uploads
from gcp_local.storage.values import ANY, Description
from tests.gcp_local.emulators import Emulator, start

MIB = 1024 * 1024
PART = 5 * MIB


def test_a_file_goes_up_in_parts_and_comes_down_in_parts(bucket: Bucket, tmp_path: Path) -> None:
    content = os.urandom(2 * PART + 12345)
    (tmp_path / "up").write_bytes(content)
    blob = bucket.blob("folder/ö b+c.bin")
    blob.metadata = {"key": "value"}
    blob.cache_control = "no-store"
    transfer_manager.upload_chunks_concurrently(
        str(tmp_path / "up"),
        blob,
        content_type="application/x-test",
        chunk_size=PART,
        worker_type=transfer_manager.THREAD,
        max_workers=3,
    )
    found = bucket.get_blob(blob.name)
    assert found is not None
    crc = google_crc32c.value(content).to_bytes(4, "big")
    assert (found.size, found.md5_hash) == (len(content), None)
    assert found.crc32c == base64.b64encode(crc).decode()
    assert (found.metadata, found.cache_control) == ({"key": "value"}, "no-store")
    assert found.content_type == "application/x-test"
    transfer_manager.download_chunks_concurrently(
        found,
        str(tmp_path / "down"),
        chunk_size=4 * MIB,
        worker_type=transfer_manager.THREAD,
    )
    assert (tmp_path / "down").read_bytes() == content


def test_many_files_go_up_and_come_down(bucket: Bucket, tmp_path: Path) -> None:
    names = [f"{number}.txt" for number in range(6)]
    for name in names:
        (tmp_path / name).write_text(name)
    results = transfer_manager.upload_many_from_filenames(
        bucket, names, source_directory=str(tmp_path), worker_type=transfer_manager.THREAD
    )
    assert results == [None] * 6
    (tmp_path / "down").mkdir()
    results = transfer_manager.download_many_to_path(
        bucket,
        names,
        destination_directory=str(tmp_path / "down"),
        worker_type=transfer_manager.THREAD,
    )
    assert results == [None] * 6
    assert sorted(path.read_text() for path in (tmp_path / "down").iterdir()) == names


@pytest.mark.parametrize("checksum", ["md5", "crc32c", "auto", None])
def test_a_download_to_a_file_is_held_to_its_checksum(
    bucket: Bucket, tmp_path: Path, checksum: str | None
) -> None:
    bucket.blob("b").upload_from_string("content", checksum=checksum)
    bucket.blob("b").download_to_filename(tmp_path / "b", checksum=checksum)
    assert (tmp_path / "b").read_bytes() == b"content"


class Multipart:
    """One multipart upload, request by request."""

    def __init__(self, emulator: Emulator, bucket: Bucket, name: str = "m") -> None:
        self.emulator = emulator
        self.path = f"/{bucket.name}/{name}"
        started = emulator.call("POST", f"{self.path}?uploads")
        assert started.status_code == 200, started.text
        found = re.search(r"<UploadId>([^<]+)</UploadId>", started.text)
        assert found
        self.identity = found[1]

    def put(self, number: object, content: bytes, **headers: str) -> tuple[int, str]:
        path = f"{self.path}?partNumber={number}&uploadId={self.identity}"
        answer = self.emulator.call("PUT", path, data=content, headers=headers)
        return answer.status_code, answer.headers.get("etag", answer.text)

    def complete(self, *parts: tuple[int, str]) -> tuple[int, str]:
        listed = "".join(
            f"<Part><PartNumber>{number}</PartNumber><ETag>{etag}</ETag></Part>"
            for number, etag in parts
        )
        body = f"<CompleteMultipartUpload>{listed}</CompleteMultipartUpload>"
        return self.send(body.encode())

    def send(self, body: bytes) -> tuple[int, str]:
        answer = self.emulator.call("POST", f"{self.path}?uploadId={self.identity}", data=body)
        code = re.search(r"<Code>(\w+)</Code>", answer.text)
        return answer.status_code, code[1] if code else ""


def etag_of(content: bytes) -> str:
    return f'"{hashlib.md5(content).hexdigest()}"'


def test_parts_may_come_again_and_in_any_order(emulator: Emulator, bucket: Bucket) -> None:
    upload, first = Multipart(emulator, bucket), b"a" * PART
    assert upload.put(2, b"end") == (200, etag_of(b"end"))
    upload.put(1, b"wrong")
    upload.put(1, first)
    listed = emulator.call("GET", f"{upload.path}?uploadId={upload.identity}")
    assert re.findall(r"<Size>(\d+)</Size>", listed.text) == [str(PART), "3"]
    assert upload.complete((1, etag_of(first)), (2, etag_of(b"end"))) == (200, "")
    assert bucket.blob("m").download_as_bytes() == first + b"end"
    assert upload.complete((1, etag_of(first))) == (404, "NoSuchUpload")


def test_parts_that_do_not_fit_are_refused(emulator: Emulator, bucket: Bucket) -> None:
    upload = Multipart(emulator, bucket)
    upload.put(1, b"small")
    upload.put(2, b"end")
    small, end = etag_of(b"small"), etag_of(b"end")
    assert upload.complete((1, small), (2, end)) == (400, "EntityTooSmall")
    assert upload.complete((2, end), (1, small)) == (400, "InvalidPartOrder")
    assert upload.complete((1, end)) == (400, "InvalidPart")
    assert upload.complete((3, end)) == (400, "InvalidPart")
    assert upload.complete() == (400, "InvalidPartOrder")
    for body in (b"", b"<a", b"<a><Part/></a>", b'<!DOCTYPE a [<!ENTITY b "c">]><a>&b;</a>'):
        assert upload.send(body)[0] == 400
    for number in (0, 10_001, "x", -1, ""):
        assert upload.put(number, b"x")[0] == 400
    wrong = base64.b64encode(bytes(16)).decode()
    code, text = upload.put(3, b"x", **{"Content-MD5": wrong})
    assert (code, "BadDigest" in text) == (400, True)
    assert not bucket.blob("m").exists()


def test_an_upload_that_is_given_up_leaves_nothing(emulator: Emulator, bucket: Bucket) -> None:
    blobs = emulator.state / "storage" / "blobs"
    upload = Multipart(emulator, bucket)
    before = {path.name for path in blobs.iterdir()}
    upload.put(1, b"x")
    path = f"{upload.path}?uploadId={upload.identity}"
    assert emulator.call("DELETE", path).status_code == 204
    assert emulator.call("DELETE", path).status_code == 404
    assert upload.put(1, b"x")[0] == 404
    assert {path.name for path in blobs.iterdir()} <= before
    missing = emulator.call("POST", "/there-is-no-such-bucket/m?uploads")
    assert (missing.status_code, "<Code>NoSuchBucket</Code>" in missing.text) == (404, True)


def test_what_was_on_its_way_into_a_deleted_bucket_is_swept_away(tmp_path: Path) -> None:
    database = Database(tmp_path / "state.db")
    buckets = BucketStore(database)
    buckets.create("bucket", "my-project")
    objects = ObjectStore(database, tmp_path / "storage")
    uploads, multipart = Uploads(database, objects), MultipartUploads(database, objects)
    uploads.start("bucket", "r", description=Description(), preconditions=ANY, total=None)
    upload = multipart.start("bucket", "m", Description())
    multipart.put(upload, 1, b"x", {})
    blobs = tmp_path / "storage" / "blobs"
    ObjectStore(database, tmp_path / "storage")
    assert len(list(blobs.iterdir())) == 2
    buckets.delete("bucket", ANY)
    ObjectStore(database, tmp_path / "storage")
    assert list(blobs.iterdir()) == []
    with pytest.raises(NotFound):
        multipart.get(upload.id, "bucket", "m")
    database.close()


def test_a_multipart_upload_takes_no_precondition(emulator: Emulator, bucket: Bucket) -> None:
    headers = {"x-goog-if-generation-match": "0"}
    answer = emulator.call("POST", f"/{bucket.name}/m?uploads", headers=headers)
    assert answer.status_code == 400


def test_a_crash_in_the_middle_of_uploads_loses_nothing_that_was_acknowledged(
    tmp_path: Path,
) -> None:
    piece, first = b"p" * (256 * 1024), b"a" * PART
    emulator = start(tmp_path / "state")
    client = Client(
        project="my-project",
        credentials=AnonymousCredentials(),
        client_options={"api_endpoint": emulator.endpoint},
    )
    bucket = client.create_bucket("crashing")
    upload = Multipart(emulator, bucket)
    upload.put(1, first)
    begun = emulator.call("POST", "/upload/storage/v1/b/crashing/o?uploadType=resumable&name=r")
    session = begun.headers["location"].removeprefix(emulator.endpoint)
    span = {"Content-Range": f"bytes 0-{len(piece) - 1}/*"}
    assert emulator.call("PUT", session, data=piece, headers=span).status_code == 308
    acknowledged: list[str] = []

    def write_until_it_dies() -> None:
        for number in range(10_000):
            path = f"/upload/storage/v1/b/crashing/o?uploadType=media&name={number:05}"
            try:
                emulator.call("POST", path, data=bytes(50_000)).raise_for_status()
            except OSError:
                return
            acknowledged.append(f"{number:05}")
            if number == 8:
                written.set()

    written = threading.Event()
    writers = [threading.Thread(target=write_until_it_dies) for _ in range(2)]
    for writer in writers:
        writer.start()
    assert written.wait(20)
    emulator.kill()
    for writer in writers:
        writer.join()
    (tmp_path / "state" / "storage" / "blobs" / "torn").write_bytes(b"half")

    emulator = start(tmp_path / "state")
    try:
        bucket = Bucket(
            Client(
                project="my-project",
                credentials=AnonymousCredentials(),
                client_options={"api_endpoint": emulator.endpoint},
            ),
            "crashing",
        )
        found = {blob.name: blob for blob in bucket.list_blobs()}
        assert set(acknowledged) <= set(found)
        assert all(blob.download_as_bytes() == bytes(50_000) for blob in found.values())
        assert (
            emulator.call("PUT", session, headers={"Content-Range": "bytes */*"}).headers["range"]
            == f"bytes=0-{len(piece) - 1}"
        )
        span = {"Content-Range": f"bytes {len(piece)}-{len(piece)}/{len(piece) + 1}"}
        assert emulator.call("PUT", session, data=b"!", headers=span).status_code == 200
        assert Blob("r", bucket).download_as_bytes() == piece + b"!"
        upload.emulator = emulator
        upload.put(2, b"end")
        assert upload.complete((1, etag_of(first)), (2, etag_of(b"end"))) == (200, "")
        assert Blob("m", bucket).download_as_bytes() == first + b"end"
        blobs = tmp_path / "state" / "storage" / "blobs"
        assert len(list(blobs.iterdir())) == len(found) + 2
    finally:
        emulator.end()
