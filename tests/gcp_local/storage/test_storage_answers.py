"""Lists by pattern, parts of answers, rewrites in steps."""

from __future__ import annotations

import gzip
import io
import os
import uuid
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from google.api_core import exceptions
from google.cloud.storage import Bucket, Client

from gcp_local.errors import InvalidArgument, PayloadTooLarge
from gcp_local.storage import fields
from gcp_local.storage.download import unpacked
from gcp_local.storage.glob import Glob
from tests.gcp_local.emulators import Emulator

MIB = 1024 * 1024


@pytest.mark.parametrize(
    ("pattern", "fitting", "other"),
    [
        ("a", ["a"], ["", "b", "aa"]),
        ("a*", ["a", "ab", "abc"], ["a/b", "ba"]),
        ("a**", ["a", "a/b/c"], ["b"]),
        ("**/c", ["a/c", "a/b/c", "/c"], ["c", "a/d"]),
        ("a?c", ["abc", "aéc"], ["ac", "a/c"]),
        ("[a-c]x", ["ax", "cx"], ["dx", "x"]),
        ("[!a-c]x", ["dx"], ["ax"]),
        ("*.{csv,json}", ["a.csv", ".json"], ["a.txt", "x/a.csv"]),
        ("**.{csv,json}", ["x/a.csv"], ["a.txt"]),
        ("a.c", ["a.c"], ["abc"]),
        ("***", ["", "a/b"], []),
        ("[]-]", [], ["]"]),
    ],
)
def test_names_are_held_against_a_pattern(
    pattern: str, fitting: list[str], other: list[str]
) -> None:
    if pattern == "[]-]":
        with pytest.raises(InvalidArgument):
            Glob(pattern)
        return
    glob = Glob(pattern)
    assert [name for name in (*fitting, *other) if glob.matches(name)] == fitting


def test_no_pattern_keeps_the_server_busy() -> None:
    glob = Glob("**a" * 300 + "b")
    assert not glob.matches("a" * 1024)


@pytest.mark.parametrize("pattern", ["[a", "{a", "{a,{b}}", "x" * 1025, "{a,b}" * 7])
def test_a_pattern_that_is_none_is_refused(pattern: str) -> None:
    with pytest.raises(InvalidArgument):
        Glob(pattern)


def test_a_list_by_pattern_has_pages(bucket: Bucket) -> None:
    for name in ("a/1.csv", "a/2.txt", "a/3.csv", "b/4.csv", "5.csv"):
        bucket.blob(name).upload_from_string("x")
    for size in (1, 2, 10):
        found = bucket.list_blobs(match_glob="**.csv", page_size=size)
        assert [blob.name for blob in found] == ["5.csv", "a/1.csv", "a/3.csv", "b/4.csv"]
    found = bucket.list_blobs(match_glob="**.csv", prefix="a/", start_offset="a/2")
    assert [blob.name for blob in found] == ["a/3.csv"]
    with pytest.raises(exceptions.MethodNotImplemented, match="delimiter"):
        list(bucket.list_blobs(match_glob="*", delimiter="/"))


def test_an_answer_has_only_the_fields_that_are_asked_for(
    emulator: Emulator, bucket: Bucket
) -> None:
    blob = bucket.blob("a")
    blob.metadata = {"k": "v", "l": "w"}
    blob.upload_from_string("x")
    place = f"/storage/v1/b/{bucket.name}/o"

    def asked(path: str, said: str) -> object:
        return emulator.call("GET", path, params={"fields": said}).json()

    assert asked(f"{place}/a", "name,metadata/k") == {"name": "a", "metadata": {"k": "v"}}
    assert asked(place, "items(name,size)") == {"items": [{"name": "a", "size": "1"}]}
    assert asked(place, "items/name,items/size") == asked(place, "items(name,size)")
    assert asked(place, "nextPageToken") == {}
    assert asked(f"{place}/a", "*") == emulator.call("GET", f"{place}/a").json()
    assert [blob.size for blob in bucket.list_blobs(fields="items(name),nextPageToken")] == [None]
    download = emulator.call("GET", f"{place}/a?alt=media&fields=name")
    assert download.content == b"x"


@pytest.mark.parametrize(
    "said",
    ["nonsense", "items(", "items)", "items(nonsense)", "name,", ",", "/", "a b", "(" * 2000],
)
def test_a_selection_of_no_fields_is_refused(emulator: Emulator, bucket: Bucket, said: str) -> None:
    path = f"/storage/v1/b/{bucket.name}/o"
    answer = emulator.call("GET", path, params={"fields": said})
    assert answer.status_code == 400
    assert answer.json()["error"]["errors"][0]["reason"] == "invalidParameter"


def test_what_is_wanted_whole_is_whole_however_often_it_is_named() -> None:
    value = {"items": [{"name": "a", "size": "1"}]}
    assert fields.select(value, fields.parse("items/name,items")) == value
    assert fields.select(value, fields.parse("items,items/name")) == value
    assert fields.select(value, fields.parse("items/*")) == value


def test_a_rewrite_to_another_place_goes_on_with_its_token(
    emulator: Emulator, storage_client: Client
) -> None:
    here = storage_client.create_bucket(f"here-{uuid.uuid4().hex}", location="europe-west1")
    there = storage_client.create_bucket(f"there-{uuid.uuid4().hex}", location="us-central1")
    content = os.urandom(2 * MIB + 7)
    here.blob("b").upload_from_string(content)
    path = f"/storage/v1/b/{here.name}/o/b/rewriteTo/b/{there.name}/o/c"
    query = {"maxBytesRewrittenPerCall": str(MIB)}
    steps = []
    for _ in range(3):
        answer = emulator.call("POST", path, params=query).json()
        steps.append((answer["totalBytesRewritten"], answer["done"]))
        query["rewriteToken"] = answer.get("rewriteToken", "")
        assert (there.get_blob("c") is not None) == answer["done"]
    assert steps == [(str(MIB), False), (str(2 * MIB), False), (str(len(content)), True)]
    assert there.blob("c").download_as_bytes() == content


def test_a_rewrite_token_is_for_one_rewrite(emulator: Emulator, storage_client: Client) -> None:
    here = storage_client.create_bucket(f"here-{uuid.uuid4().hex}", location="europe-west1")
    here.blob("b").upload_from_string(bytes(MIB + 1))
    place = f"/storage/v1/b/{here.name}/o/b/rewriteTo/b/{here.name}/o"
    query = {"maxBytesRewrittenPerCall": str(MIB)}
    body = {"storageClass": "COLDLINE"}
    token = emulator.call("POST", f"{place}/c", params=query, json=body).json()["rewriteToken"]
    query["rewriteToken"] = token
    assert emulator.call("POST", f"{place}/d", params=query, json=body).status_code == 400
    here.blob("b").upload_from_string(bytes(MIB + 1))
    assert emulator.call("POST", f"{place}/c", params=query, json=body).status_code == 400
    small = {"maxBytesRewrittenPerCall": "5"}
    assert emulator.call("POST", f"{place}/c", params=small).status_code == 400


def test_gzip_that_holds_too_much_is_refused_and_not_kept(tmp_path: Path) -> None:
    bomb = gzip.compress(bytes(3 * MIB)) * 2
    with pytest.raises(PayloadTooLarge, match="no more than"):
        unpacked(io.BytesIO(bomb), tmp_path, limit=6 * MIB - 1)
    file, size = unpacked(io.BytesIO(bomb), tmp_path, limit=6 * MIB)
    with file:
        assert size == 6 * MIB
    assert list(tmp_path.iterdir()) == []


def test_signed_urls_are_refused(emulator: Emulator, bucket: Bucket) -> None:
    bucket.blob("b").upload_from_string("x")
    answer = emulator.call("GET", f"/{bucket.name}/b?X-Goog-Algorithm=a&X-Goog-Signature=b")
    assert answer.status_code == 501
    assert "signed URLs" in answer.text


@pytest.mark.parametrize(
    ("query", "headers"),
    [
        ("predefinedAcl=publicRead", {}),
        ("kmsKeyName=projects/p/locations/l/keyRings/r/cryptoKeys/k", {}),
        ("", {"x-goog-encryption-algorithm": "AES256"}),
        ("", {"x-goog-encryption-key": "a", "x-goog-encryption-key-sha256": "b"}),
    ],
)
def test_what_a_write_asks_for_in_vain_is_refused(
    emulator: Emulator, bucket: Bucket, query: str, headers: dict[str, str]
) -> None:
    path = f"/upload/storage/v1/b/{bucket.name}/o?uploadType=media&name=b&{query}"
    assert emulator.call("POST", path, data="x", headers=headers).status_code == 501
    multipart = emulator.call("POST", f"/{bucket.name}/b?uploads&{query}", headers=headers)
    assert (multipart.status_code, "<Error>" in multipart.text) == (501, True)
    assert list(bucket.list_blobs()) == []


def test_one_session_takes_one_piece_at_a_time(emulator: Emulator, bucket: Bucket) -> None:
    begun = emulator.call(
        "POST", f"/upload/storage/v1/b/{bucket.name}/o?uploadType=resumable&name=b"
    )
    session = begun.headers["location"].removeprefix(emulator.endpoint)
    content = os.urandom(MIB)

    def send(_: int) -> int:
        return emulator.call("PUT", session, data=content).status_code

    with ThreadPoolExecutor(8) as pool:
        assert set(pool.map(send, range(8))) == {200}
    assert bucket.blob("b").download_as_bytes() == content
    assert len(list(bucket.list_blobs())) == 1
