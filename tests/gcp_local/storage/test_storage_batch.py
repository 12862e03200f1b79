"""Batch requests, through the client and by hand."""

from __future__ import annotations

import pytest
from google.api_core import exceptions
from google.cloud.storage import Bucket, Client

from tests.gcp_local.emulators import Emulator


def test_many_calls_go_in_one_request(storage_client: Client, bucket: Bucket) -> None:
    names = [f"n/{number} é" for number in range(5)]
    for name in names:
        bucket.blob(name).upload_from_string(name)
    with storage_client.batch():
        for name in names[:3]:
            bucket.blob(name).delete()
        blob = bucket.blob(names[3])
        blob.metadata = {"letters": "é☂"}
        blob.patch()
    kept = {blob.name: blob for blob in bucket.list_blobs()}
    assert sorted(kept) == names[3:]
    assert kept[names[3]].metadata == {"letters": "é☂"}
    assert blob.metageneration == 2


def test_a_call_that_is_refused_leaves_the_others_alone(
    storage_client: Client, bucket: Bucket
) -> None:
    bucket.blob("there").upload_from_string("x")
    with storage_client.batch(raise_exception=False) as batch:
        bucket.blob("missing").delete()
        bucket.blob("there").delete(if_generation_match=1)
        bucket.blob("there").delete()
    assert [answer.status_code for answer in batch._responses] == [404, 412, 204]
    with pytest.raises(exceptions.NotFound, match="No such object"), storage_client.batch():
        bucket.blob("missing").delete()


def body_of(*calls: str) -> bytes:
    parts = [f"--x\r\nContent-Type: application/http\r\n\r\n{call}\r\n" for call in calls]
    return ("".join(parts) + "--x--").encode()


HEADERS = {"Content-Type": "multipart/mixed; boundary=x"}


def test_answers_carry_the_identity_of_their_calls(emulator: Emulator, bucket: Bucket) -> None:
    call = f"GET /storage/v1/b/{bucket.name} HTTP/1.1"
    data = body_of(call).replace(b"http\r\n\r\n", b"http\r\nContent-ID: <me+1>\r\n\r\n")
    answer = emulator.call("POST", "/batch/storage/v1", data=data, headers=HEADERS)
    assert answer.status_code == 200
    assert "Content-ID: <response-me+1>" in answer.text
    assert f'"name": "{bucket.name}"' in answer.text


@pytest.mark.parametrize(
    "call",
    [
        "GET /v1/projects/p/locations/l/models HTTP/1.1",
        "POST /upload/storage/v1/b/b/o?uploadType=media&name=x HTTP/1.1",
        "GET /storage/v1/b/b/o/x?alt=media HTTP/1.1",
        "POST /batch/storage/v1 HTTP/1.1",
        "nonsense",
        "",
        "GET /storage/v1/b?project=%ff HTTP/1.1",
        "GET /storage/v1/b HTTP/1.1\r\nno header",
        "GET http://[/storage/v1/b HTTP/1.1",
    ],
)
def test_what_no_batch_may_hold_is_refused(emulator: Emulator, call: str) -> None:
    answer = emulator.call("POST", "/batch/storage/v1", data=body_of(call), headers=HEADERS)
    assert answer.status_code == 400, answer.text


@pytest.mark.parametrize(
    ("data", "kind"),
    [
        (body_of(*["GET /storage/v1/b HTTP/1.1"] * 101), "multipart/mixed; boundary=x"),
        (b"", "multipart/mixed; boundary=x"),
        (b"--y--", "multipart/mixed; boundary=x"),
        (body_of("GET /storage/v1/b HTTP/1.1"), "multipart/mixed"),
        (body_of("GET /storage/v1/b HTTP/1.1"), "text/plain"),
    ],
    ids=["too many", "empty", "boundary", "none", "text"],
)
def test_what_is_no_batch_is_refused(emulator: Emulator, data: bytes, kind: str) -> None:
    headers = {"Content-Type": kind}
    answer = emulator.call("POST", "/batch/storage/v1", data=data, headers=headers)
    assert answer.status_code == 400, answer.text
