"""Input made to harm: refused in Google's form, and nothing of it stays."""

from __future__ import annotations

import gzip
import json
import socket
import time
from typing import Any

import pytest
import requests
import yaml
from google.cloud.storage import Bucket

from gcp_local.errors import Internal, InvalidArgument
from gcp_local.rpc.dispatch import parse_json
from gcp_local.storage.glob import Glob
from gcp_local.web.messages import Answer
from gcp_local.web.server import rendered
from tests.gcp_local.emulators import Emulator
from tests.gcp_local.pipelines import compiled

LONE = '"\\ud800"'


def refused(answer: requests.Response, code: int = 400) -> str:
    """Hold an answer to be an error of Google's form; give its message."""
    assert answer.status_code == code, answer.text
    error = answer.json()["error"]
    assert error["code"] == code
    return str(error["message"])


def jobs_of(project: str) -> str:
    return f"/v1/projects/{project}/locations/europe-west1/pipelineJobs"


@pytest.mark.parametrize(
    "body",
    [
        f'{{"displayName": {LONE}}}',
        f'{{"labels": {{{LONE}: "x"}}}}',
        f"{{{LONE}: 1}}",
        f'{{"pipelineSpec": {{"a": [{LONE}]}}}}',
        f"[{LONE}]",
        '{"displayName": "\\uDEAD"}',
        b'{"displayName": "\xed\xa0\x80"}',
        '{"pipelineSpec": {"a": 1e999}}',
        '{"pipelineSpec": {"a": -1e999}}',
        '{"pipelineSpec": {"a": ' + "9" * 400 + "}}",
        '{"pipelineSpec": {"a": ' + "9" * 5000 + "}}",
        '{"runtimeConfig": {"parameterValues": {"a": 1e999}}}',
        '{"runtimeConfig": {"parameterValues": {"a": ' + "9" * 400 + "}}}",
        '{"runtimeConfig": {"parameterValues": {"a": ' + '{"b":' * 60 + "1" + "}" * 60 + "}}}",
    ],
    ids=lambda body: str(body)[:50],
)
def test_json_that_no_message_holds_is_refused(
    emulator: Emulator, project: str, body: str | bytes
) -> None:
    data = body.encode() if isinstance(body, str) else body
    refused(emulator.call("POST", jobs_of(project), data=data))
    assert emulator.call("GET", jobs_of(project)).json() == {}


def test_a_name_given_twice_is_found_as_quickly_among_many() -> None:
    names = [f'"k{number}": 1' for number in range(100_000)]
    started = time.process_time()
    with pytest.raises(InvalidArgument, match="'k99999' is given twice"):
        parse_json(f"{{{', '.join([*names, names[-1]])}}}".encode())
    assert time.process_time() - started < 5  # and an hour, if each was looked for in all


def test_no_pattern_keeps_the_server_busy() -> None:
    started = time.process_time()
    for pattern in ("*" * 1000 + "b", "a*" * 500 + "b", "**a" * 300 + "b", "[a-z]*" * 150 + "b"):
        assert not Glob(pattern).matches("a" * 1000)
    assert time.process_time() - started < 5


def test_a_batch_of_batches_of_batches_is_refused(emulator: Emulator) -> None:
    def head(depth: int) -> str:
        return f"multipart/mixed; boundary=b{depth}"

    body = "".join(f"--b{n}\r\nContent-Type: {head(n + 1)}\r\n\r\n" for n in range(3000))
    refused(
        emulator.call("POST", "/batch/storage/v1", data=body, headers={"Content-Type": head(0)})
    )


def test_surrogate_pairs_are_letters(emulator: Emulator, bucket: Bucket) -> None:
    path = f"/storage/v1/b/{bucket.name}/o/b"
    bucket.blob("b").upload_from_string("x")
    answer = emulator.call("PATCH", path, data=b'{"metadata": {"k": "\\ud83d\\ude00"}}')
    assert answer.json()["metadata"] == {"k": "😀"}


@pytest.mark.parametrize(
    ("policy", "status"),
    [(1, 501), ("STANDARD", 501), (99, 400), (-1, 400), (1.0, 400), (True, 400), ([1], 400)],
    ids=str,
)
def test_an_enum_takes_its_own_names_and_numbers(
    emulator: Emulator, project: str, policy: object, status: int
) -> None:
    spec = {"enableWebAccess": True, "scheduling": {"strategy": policy}}
    path = f"/v1/projects/{project}/locations/europe-west1/customJobs"
    answer = emulator.call("POST", path, json={"displayName": "x", "jobSpec": spec})
    assert answer.status_code == status, answer.text


@pytest.mark.parametrize("said", [{"metadata": {"k": "?"}}, {"contentType": "?"}, {"?": 1}])
def test_a_lone_surrogate_leaves_a_bucket_readable(
    emulator: Emulator, bucket: Bucket, said: dict[str, Any]
) -> None:
    path = f"/storage/v1/b/{bucket.name}/o"
    bucket.blob("b").upload_from_string("x")
    body = json.dumps(said).replace('"?"', LONE)
    refused(emulator.call("PATCH", f"{path}/b", data=body))
    assert len(emulator.call("GET", path).json()["items"]) == 1


@pytest.mark.parametrize(
    "body",
    [
        {"sourceObjects": [{"name": "b", "objectPreconditions": "x"}]},
        {"sourceObjects": [{"name": "b", "objectPreconditions": ["x"]}]},
        {"sourceObjects": ["b"]},
        {"sourceObjects": [{"name": "b", "generation": {"a": 1}}]},
        {"sourceObjects": [{"name": "b"}], "destination": "x"},
        {"sourceObjects": {}},
    ],
    ids=str,
)
def test_what_cannot_be_composed_is_refused(
    emulator: Emulator, bucket: Bucket, body: dict[str, Any]
) -> None:
    bucket.blob("b").upload_from_string("x")
    refused(emulator.call("POST", f"/storage/v1/b/{bucket.name}/o/c/compose", json=body))


@pytest.mark.parametrize(
    "access",
    [
        {"uniformBucketLevelAccess": 5},
        {"uniformBucketLevelAccess": {"enabled": "yes"}},
        {"uniformBucketLevelAccess": []},
        {"publicAccessPrevention": ["x"]},
        7,
    ],
    ids=str,
)
def test_access_of_the_wrong_type_is_refused(
    emulator: Emulator, bucket: Bucket, access: object
) -> None:
    path = f"/storage/v1/b/{bucket.name}"
    refused(emulator.call("PATCH", path, json={"iamConfiguration": access}))


def test_ranges_may_be_as_long_as_they_like(emulator: Emulator, bucket: Bucket) -> None:
    bucket.blob("b").upload_from_string("0123456789")
    path, long = f"/storage/v1/b/{bucket.name}/o/b?alt=media", "9" * 5000

    def ranged(span: str) -> tuple[int, bytes]:
        answer = emulator.call("GET", path, headers={"Range": f"bytes={span}"})
        return answer.status_code, answer.content

    assert ranged(f"3-{long}") == (206, b"3456789")
    assert ranged(f"-{long}") == (206, b"0123456789")
    assert ranged(f"{'0' * 5000}8-") == (206, b"89")
    assert ranged(f"{long}-")[0] == 416


def test_a_content_range_of_many_digits_is_refused(emulator: Emulator, bucket: Bucket) -> None:
    upload = f"/upload/storage/v1/b/{bucket.name}/o?uploadType=resumable&name=b"
    session = emulator.call("POST", upload).headers["location"].removeprefix(emulator.endpoint)
    headers = {"Content-Range": f"bytes 0-2/{'9' * 5000}"}
    refused(emulator.call("PUT", session, data=b"abc", headers=headers))


@pytest.mark.parametrize("number", [2**63, -1, "9" * 5000, "", "1e3", "\u0661"])
def test_a_generation_that_no_object_can_have_is_refused(
    emulator: Emulator, bucket: Bucket, number: object
) -> None:
    path = f"/storage/v1/b/{bucket.name}/o/b"
    bucket.blob("b").upload_from_string("x")
    for name in ("generation", "ifGenerationMatch", "ifMetagenerationNotMatch"):
        refused(emulator.call("GET", path, params={name: number}))
        refused(emulator.call("DELETE", path, params={name: number}))
    body = {"sourceObjects": [{"name": "b", "generation": number}]}
    refused(emulator.call("POST", f"/storage/v1/b/{bucket.name}/o/c/compose", json=body))
    assert bucket.blob("b").exists()


def test_what_is_said_to_be_gzip_and_is_not_is_a_client_error(
    emulator: Emulator, bucket: Bucket
) -> None:
    path = f"/storage/v1/b/{bucket.name}/o/b?alt=media"
    for content in (b"plain", gzip.compress(b"x" * 1000)[:-9]):
        blob = bucket.blob("b")
        blob.content_encoding = "gzip"
        blob.upload_from_string(content)
        answer = emulator.call("GET", path, headers={"Accept-Encoding": "identity"})
        assert "gzip" in refused(answer)
        raw = emulator.call("GET", path, headers={"Accept-Encoding": "gzip"}, stream=True)
        assert (raw.status_code, raw.raw.read()) == (200, content)


@pytest.mark.parametrize(
    "field", ["contentType", "contentDisposition", "contentEncoding", "contentLanguage"]
)
@pytest.mark.parametrize("value", ["a\r\nX-Evil: 1", "a\nb", "☂", "\0", "a\x7f"], ids=ascii)
def test_what_no_header_can_carry_is_refused(
    emulator: Emulator, bucket: Bucket, field: str, value: str
) -> None:
    bucket.blob("b").upload_from_string("x")
    path = f"/storage/v1/b/{bucket.name}/o"
    refused(emulator.call("PATCH", f"{path}/b", json={field: value}))
    body = {"name": "c", field: value}
    upload = f"/upload{path}?uploadType=resumable"
    started = emulator.call("POST", upload, json=body)
    if started.status_code == 200:
        session = started.headers["location"].removeprefix(emulator.endpoint)
        started = emulator.call("PUT", session, data=b"x")
    refused(started)
    assert emulator.call("GET", f"{path}/b?alt=media").status_code == 200


def form(emulator: Emulator, project: str, content: bytes, tags: bytes = b"v1") -> Any:
    """Upload a pipeline into a repository of the project's, made if need be."""
    place = f"/v1/projects/{project}/locations/europe-west1/repositories"
    emulator.call("POST", f"{place}?repositoryId=kfp", json={"format": "KFP"})
    return emulator.call(
        "POST",
        f"/europe-west1-kfp.pkg.dev/{project}/kfp",
        files={"content": ("p.yaml", content), "tags": (None, tags)},
    )


def packages(emulator: Emulator, project: str) -> Any:
    place = f"/v1/projects/{project}/locations/europe-west1/repositories"
    return emulator.call("GET", f"{place}/kfp/packages").json()


def pipeline_with(text: str) -> bytes:
    return compiled("doubling") + b"\nextra: " + text.encode() + b"\n"


def test_tags_that_are_not_text_are_refused(emulator: Emulator, project: str) -> None:
    refused(form(emulator, project, compiled("doubling"), b"\xff\xfe"))
    assert packages(emulator, project) == {}


@pytest.mark.parametrize(
    "content",
    [
        pipeline_with(".inf"),
        pipeline_with("-.inf"),
        pipeline_with(".nan"),
        pipeline_with("1.0e+999"),
        pipeline_with("9" * 400),
        pipeline_with("9" * 5000),
        pipeline_with("0x" + "f" * 5000),
        pipeline_with("!!set {0x" + "f" * 5000 + "}"),
        pipeline_with("&a [*a]"),
        pipeline_with("&a {b: *a}"),
        pipeline_with("[" * 60 + "]" * 60),
        pipeline_with("2026-01-01"),
        pipeline_with("!!binary eA=="),
        pipeline_with("{1: 2}"),
        pipeline_with("{[1]: 2}"),
        pipeline_with('"\\ud800"'),
        b"[" * 100_000,
        b"{a: " * 100_000,
        b"- " * 100_000,
        b"? " * 100_000,
    ],
    ids=lambda content: content[-40:].decode(),
)
def test_yaml_that_no_message_holds_is_refused(
    emulator: Emulator, project: str, content: bytes
) -> None:
    refused(form(emulator, project, content))
    assert packages(emulator, project) == {}


@pytest.mark.parametrize(
    "shape", [("&a0 [x, x]", "&a{n} [{all}]"), ("&a0 {x: x}", "&a{n} {{<<: [{all}]}}")]
)
def test_aliases_that_multiply_are_refused(
    emulator: Emulator, project: str, shape: tuple[str, str]
) -> None:
    first, following = shape
    laughs = [following.format(n=n, all=", ".join([f"*a{n - 1}"] * 10)) for n in range(1, 12)]
    refused(form(emulator, project, pipeline_with(f"[{first}, {', '.join(laughs)}]")))


def test_aliases_are_taken(emulator: Emulator, project: str) -> None:
    answer = form(emulator, project, pipeline_with("[&a {b: 1}, *a]"))
    assert answer.status_code == 200, answer.text


def test_json_is_yaml_too(emulator: Emulator, project: str) -> None:
    content = json.dumps(yaml.safe_load(compiled("doubling"))).encode()
    assert form(emulator, project, content).status_code == 200


@pytest.mark.parametrize(
    "answer",
    [
        Answer(200, b"", {"x-name": "☂"}),
        Answer(200, b"", {"x-name": "a\r\nX-Evil: 1"}),
        Answer(200, b"", {"x-name": "a\x00"}),
    ],
    ids=str,
)
def test_an_answer_that_cannot_be_sent_is_an_error_of_googles_form(answer: Answer) -> None:
    with pytest.raises(Internal):
        rendered(answer, head=False)


def test_json_is_written_whatever_it_holds() -> None:
    body = Answer.of_json({"a": "\ud800", "b": "é"}).body
    assert isinstance(body, bytes)
    assert json.loads(body) == {"a": "\ud800", "b": "é"}


def test_a_path_that_is_no_text_is_refused(emulator: Emulator) -> None:
    for path in ("/storage/v1/b/%ff", "/v1/%ff", "/%ff", "/storage/v1/b?project=%ff"):
        host = emulator.endpoint.removeprefix("http://")
        address = ("127.0.0.1", int(host.rpartition(":")[2]))
        with socket.create_connection(address, timeout=10) as connection:
            request = f"GET {path} HTTP/1.1\r\nHost: {host}\r\nConnection: close\r\n\r\n"
            connection.sendall(request.encode())
            head = connection.makefile("rb").readline()
        assert head.split()[1] in (b"400", b"404"), (path, head)
