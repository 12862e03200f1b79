"""The resumable protocol, request by request."""

from __future__ import annotations

from google.cloud.storage import Bucket

from tests.gcp_local.emulators import Emulator

PIECE = 256 * 1024


def begin(emulator: Emulator, bucket: Bucket, query: str = "", **headers: str) -> str:
    answer = emulator.call(
        "POST",
        f"/upload/storage/v1/b/{bucket.name}/o?uploadType=resumable&name=file{query}",
        json={"metadata": {"k": "v"}},
        headers=headers,
    )
    assert answer.status_code == 200, answer.text
    return answer.headers["location"].removeprefix(emulator.endpoint)


def put(emulator: Emulator, session: str, content: bytes, span: str) -> tuple[int, str | None]:
    answer = emulator.call("PUT", session, data=content, headers={"Content-Range": f"bytes {span}"})
    return answer.status_code, answer.headers.get("range")


def test_pieces_are_acknowledged_by_range(emulator: Emulator, bucket: Bucket) -> None:
    session = begin(emulator, bucket)
    assert put(emulator, session, b"", "*/*") == (308, None)
    assert put(emulator, session, b"a" * PIECE, f"0-{PIECE - 1}/*") == (308, f"bytes=0-{PIECE - 1}")
    assert put(emulator, session, b"", "*/*") == (308, f"bytes=0-{PIECE - 1}")
    assert put(emulator, session, b"b", f"{PIECE}-{PIECE}/{PIECE + 1}") == (200, None)
    assert put(emulator, session, b"", "*/*") == (200, None)
    found = bucket.get_blob("file")
    assert found is not None
    assert (found.size, found.metadata) == (PIECE + 1, {"k": "v"})


def test_a_piece_that_came_before_is_not_taken_twice(emulator: Emulator, bucket: Bucket) -> None:
    session = begin(emulator, bucket)
    put(emulator, session, b"a" * PIECE, f"0-{PIECE - 1}/*")
    put(emulator, session, b"a" * PIECE, f"0-{PIECE - 1}/*")
    assert put(emulator, session, b"", f"*/{PIECE}") == (200, None)
    assert bucket.blob("file").download_as_bytes() == b"a" * PIECE


def test_a_piece_that_leaves_a_gap_is_refused(emulator: Emulator, bucket: Bucket) -> None:
    session = begin(emulator, bucket)
    assert put(emulator, session, b"a" * PIECE, f"{PIECE}-{2 * PIECE - 1}/*")[0] == 400


def test_a_piece_of_odd_size_is_refused_unless_it_is_the_last(
    emulator: Emulator, bucket: Bucket
) -> None:
    session = begin(emulator, bucket)
    assert put(emulator, session, b"abc", "0-2/*")[0] == 400
    assert put(emulator, session, b"abc", "0-2/3")[0] == 200


def test_a_range_that_does_not_fit_the_body_is_refused(emulator: Emulator, bucket: Bucket) -> None:
    session = begin(emulator, bucket)
    for span in ("0-9/10", "nonsense", "2-0/3", "0-2/2"):
        assert put(emulator, session, b"abc", span)[0] == 400


def test_a_cancelled_upload_is_gone(emulator: Emulator, bucket: Bucket) -> None:
    session = begin(emulator, bucket)
    assert emulator.call("DELETE", session).status_code == 499
    assert put(emulator, session, b"", "*/*")[0] == 404
    assert not bucket.blob("file").exists()


def test_the_precondition_is_held_at_the_end_too(emulator: Emulator, bucket: Bucket) -> None:
    session = begin(emulator, bucket, "&ifGenerationMatch=0")
    bucket.blob("file").upload_from_string("first")
    assert put(emulator, session, b"abc", "0-2/3")[0] == 412
    assert bucket.blob("file").download_as_bytes() == b"first"


def test_a_session_outlives_a_wrong_checksum(emulator: Emulator, bucket: Bucket) -> None:
    bucket.blob("file").upload_from_string("before")
    session = begin(emulator, bucket)
    for _ in range(2):
        wrong = {"Content-Range": "bytes 0-2/3", "X-Goog-Hash": f"md5={'A' * 22}=="}
        answer = emulator.call("PUT", session, data=b"abc", headers=wrong)
        assert (answer.status_code, "MD5" in answer.text) == (400, True)
        assert put(emulator, session, b"", "*/*") == (308, None)
    assert bucket.blob("file").download_as_bytes() == b"before"
    assert put(emulator, session, b"abc", "0-2/3") == (200, None)
    assert bucket.blob("file").download_as_bytes() == b"abc"


def test_a_wrong_checksum_at_the_end_spares_the_pieces_before(
    emulator: Emulator, bucket: Bucket
) -> None:
    session = begin(emulator, bucket)
    put(emulator, session, b"a" * PIECE, f"0-{PIECE - 1}/*")
    wrong = {"Content-Range": f"bytes */{PIECE}", "X-Goog-Hash": f"md5={'A' * 22}=="}
    assert emulator.call("PUT", session, headers=wrong).status_code == 400
    assert put(emulator, session, b"", "*/*") == (308, f"bytes=0-{PIECE - 1}")
    assert put(emulator, session, b"", f"*/{PIECE}") == (200, None)
    assert bucket.blob("file").download_as_bytes() == b"a" * PIECE


def test_to_cancel_what_is_finished_takes_no_bytes_away(emulator: Emulator, bucket: Bucket) -> None:
    session = begin(emulator, bucket)
    put(emulator, session, b"abc", "0-2/3")
    emulator.call("DELETE", session)
    assert bucket.blob("file").download_as_bytes() == b"abc"


def test_an_unknown_session_is_not_found(emulator: Emulator, bucket: Bucket) -> None:
    path = f"/upload/storage/v1/b/{bucket.name}/o?uploadType=resumable&upload_id=unknown"
    assert put(emulator, path, b"abc", "0-2/3")[0] == 404


def test_a_declared_length_is_held_to(emulator: Emulator, bucket: Bucket) -> None:
    session = begin(emulator, bucket, **{"X-Upload-Content-Length": "3"})
    assert emulator.call("PUT", session, data=b"abc").status_code == 200
    assert bucket.blob("file").download_as_bytes() == b"abc"


def test_a_multipart_body_is_taken_as_gcloud_writes_it(emulator: Emulator, bucket: Bucket) -> None:
    path = f"/upload/storage/v1/b/{bucket.name}/o?uploadType=multipart"
    lines = [
        *("--==1==", "Content-Type: application/json", "", '{"name": "file"}'),
        *("--==1==", "Content-Type: text/plain", "", "two\r\nlines", "--==1==--"),
    ]
    kind = {"Content-Type": "multipart/related; boundary='==1=='"}
    answer = emulator.call("POST", path, data="\n".join(lines).encode(), headers=kind)
    assert answer.status_code == 200, answer.text
    assert bucket.blob("file").download_as_bytes() == b"two\r\nlines"


def test_a_multipart_body_that_is_none_is_refused(emulator: Emulator, bucket: Bucket) -> None:
    path = f"/upload/storage/v1/b/{bucket.name}/o?uploadType=multipart"
    for kind in ("multipart/related", "multipart/related; boundary=x", "text/plain"):
        answer = emulator.call("POST", path, data=b"--y\r\n\r\n", headers={"Content-Type": kind})
        assert answer.status_code == 400
