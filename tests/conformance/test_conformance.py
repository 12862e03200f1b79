"""The corpus against gcp-local, and the command that puts it to Google, against gcp-local, too."""

from __future__ import annotations

import contextlib
import json
import re
import uuid
from pathlib import Path
from typing import Any

import pytest
import yaml
from google.protobuf import descriptor_pool

from gcp_local.rpc.routes import RouteTable
from gcp_local.testing import LocalCloud
from tests.conformance import __main__ as command
from tests.conformance import corpus, report, targets
from tests.conformance.matching import Answered, differences
from tests.conformance.runner import Runner

CASES = corpus.load()
NEEDS = corpus.load_needs()
LOCATION = "europe-west1"


@pytest.fixture(scope="module")
def place(gcp_local: LocalCloud) -> tuple[str, str]:
    """A project, and a bucket in it."""
    project, bucket = f"conf-{uuid.uuid4().hex[:12]}", f"conformance-{uuid.uuid4().hex}"
    target = targets.local(gcp_local.endpoint, LOCATION)
    body = json.dumps({"name": bucket, "location": LOCATION}).encode()
    made = target.send("storage", "POST", f"/storage/v1/b?project={project}", {}, body)
    assert made.status == 200
    return project, bucket


def runner_of(gcp_local: LocalCloud, place: tuple[str, str]) -> Runner:
    project, bucket = place
    target = targets.local(gcp_local.endpoint, LOCATION)
    return Runner(target, NEEDS, project=project, location=LOCATION, bucket=bucket, pause=0.02)


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.name[:90])
def test_what_is_promised_is_what_comes(
    gcp_local: LocalCloud, place: tuple[str, str], case: corpus.Case
) -> None:
    outcome = runner_of(gcp_local, place).put(case)
    assert outcome.result == "agrees", report.as_text([outcome])
    assert not outcome.left_behind


def test_the_corpus_is_large_and_every_case_has_a_source() -> None:
    assert len(CASES) >= 120
    for case in CASES:
        assert re.match(r"https://|google\.\w+", case.source), case.name


def test_every_case_is_the_method_that_it_says_it_is() -> None:
    routes = RouteTable.load()
    named = [case for case in CASES if case.rpc]
    assert len(named) >= 20
    for case in named:
        path = re.sub(r"\$\{?[a-z_]+\}?", "x", case.request.path).partition("?")[0]
        found = routes.find(case.request.method, path)
        assert found is not None, case.name
        assert found[0].method.full_name == case.rpc, case.name


def test_every_source_in_a_proto_is_there() -> None:
    methods = set(RouteTable.load().methods)  # imports the protos, too
    methods |= {name.replace(".cloud.artifact", ".devtools.artifact") for name in methods}
    pool = descriptor_pool.Default()

    def found(name: str) -> bool:
        if name in methods:
            return True
        # Google's Python types put an underscore behind a name that Python has already.
        for each in (name, f"{name}_"):
            for find in (pool.FindMessageTypeByName, pool.FindFieldByName):
                with contextlib.suppress(KeyError):
                    find(each)
                    return True
        owner, _, value = name.rpartition(".")
        with contextlib.suppress(KeyError):
            return value in pool.FindEnumTypeByName(owner).values_by_name
        return False

    named = {case.source for case in CASES if case.source.startswith("google.")}
    assert len(named) > 50
    assert [source for source in named if not found(re.split(r"[, ]", source)[0])] == []


def test_every_need_is_of_use() -> None:
    used = {name for case in CASES for name in case.needs}
    used |= {name for need in NEEDS.values() for name in need.needs}
    assert used == set(NEEDS)


def run(gcp_local: LocalCloud, place: tuple[str, str], tmp_path: Path, *more: str) -> int:
    project, bucket = place
    said = ["--project", project, "--location", LOCATION, "--bucket", bucket]
    said += ["--endpoint", gcp_local.endpoint, "--report", str(tmp_path / "report.json"), *more]
    return command.main(said)


def test_the_command_tells_what_differs(
    gcp_local: LocalCloud,
    place: tuple[str, str],
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
) -> None:
    cases = tmp_path / "cases"
    cases.mkdir()
    (cases / "wrong.yaml").write_text(
        """
service: storage
cases:
  - name: a bucket that is not there is described
    source: https://example.invalid/a-promise-that-nobody-made
    request: GET /storage/v1/b/$unique-missing
    expect: {body: {name: $unique-missing}}
  - name: a bucket that is not there is not found
    source: https://cloud.google.com/storage/docs/json_api/v1/buckets/get
    request: GET /storage/v1/b/$unique-missing
    expect: {status: 404, error: {reason: notFound}}
  - name: a case that costs money
    source: https://cloud.google.com/storage/pricing
    request: GET /storage/v1/b/$unique-missing
    expect: 404
    marks: [costs]
"""
    )
    assert run(gcp_local, place, tmp_path, "--cases", str(cases)) == 1
    told = capsys.readouterr().out
    assert "DIFFERS  a bucket that is not there is described" in told
    assert "status: promised 200, found 404" in told
    assert "1 agrees, 1 differs, 1 not run" in told
    record = json.loads((tmp_path / "report.json").read_text())
    assert record["counts"] == {"differs": 1, "agrees": 1, "not run": 1}
    (first, *_) = record["cases"]
    assert first["differences"][0] == {"where": "status", "promised": 200, "found": 404}
    assert first["status"] == 404
    assert "Authorization" not in json.dumps(record)


def test_the_command_is_content_when_all_agrees(
    gcp_local: LocalCloud, place: tuple[str, str], tmp_path: Path
) -> None:
    assert run(gcp_local, place, tmp_path, "--only", "^a page token goes on") == 0
    assert run(gcp_local, place, tmp_path, "--only", "no case is called so") == 2


def test_without_credentials_the_command_says_how_to_get_some(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("GOOGLE_APPLICATION_CREDENTIALS", str(tmp_path / "missing.json"))
    said = ["--project", "p", "--location", LOCATION, "--bucket", "b"]
    assert command.main([*said, "--report", str(tmp_path / "report.json")]) == 2
    assert "gcloud auth application-default login" in capsys.readouterr().err
    assert list(tmp_path.iterdir()) == []


def test_google_is_reached_service_by_service() -> None:
    bases = targets.google_bases("europe-west1")
    assert bases["aiplatform"] == "https://europe-west1-aiplatform.googleapis.com"
    assert bases["kfp"] == "https://europe-west1-kfp.pkg.dev"
    assert {case.service for case in CASES} <= bases.keys()


def test_nothing_is_touched_that_the_case_has_not_made(
    gcp_local: LocalCloud, place: tuple[str, str]
) -> None:
    target = targets.local(gcp_local.endpoint, LOCATION)
    upload = f"/upload/storage/v1/b/{place[1]}/o?uploadType=media&name=precious"
    assert target.send("storage", "POST", upload, {}, b"gold").status == 200
    calls: list[dict[str, Any]] = [
        {"call": "DELETE /storage/v1/b/$bucket/o/precious"},
        {"call": "PATCH /storage/v1/b/$bucket", "body": {"labels": {"k": "v"}}},
        {"call": "POST /upload/storage/v1/b/$bucket/o?uploadType=media&name=precious"},
        {"call": "POST /storage/v1/b/$bucket/o/precious/copyTo/b/$bucket/o/other"},
    ]
    for call in calls:
        case = corpus.Case.model_validate(
            {
                "name": "a hand where it does not belong",
                "source": "https://example.invalid",
                "service": "storage",
                "request": call,
                "expect": 200,
            }
        )
        outcome = runner_of(gcp_local, place).put(case)
        assert outcome.result == "not run", call
        assert "not made" in outcome.reason
    kept = target.send("storage", "GET", f"/storage/v1/b/{place[1]}/o/precious?alt=media", {}, b"")
    assert kept.content == b"gold"


def test_a_case_leaves_nothing_behind(gcp_local: LocalCloud, place: tuple[str, str]) -> None:
    fresh = f"conf-{uuid.uuid4().hex[:12]}"
    runner = runner_of(gcp_local, (fresh, place[1]))
    chosen = [case for case in CASES if {"versioned", "model-second"} & set(case.needs)]
    outcomes = list(runner.run(chosen))
    assert len(outcomes) > 5
    target = targets.local(gcp_local.endpoint, LOCATION)
    buckets = target.send("storage", "GET", f"/storage/v1/b?project={fresh}", {}, b"")
    assert "items" not in buckets.body
    models = f"/v1/projects/{fresh}/locations/{LOCATION}/models"
    assert target.send("aiplatform", "GET", models, {}, b"").body == {}


def case_that_needs(*needs: str) -> corpus.Case:
    said = {"name": "x", "source": "https://example.invalid", "service": "storage"}
    request = "GET /storage/v1/b/$bucket"
    return corpus.Case.model_validate({**said, "needs": needs, "request": request, "expect": 200})


def test_what_could_not_be_removed_is_told_even_if_no_answer_came(
    gcp_local: LocalCloud, place: tuple[str, str]
) -> None:
    runner = runner_of(gcp_local, place)
    with gcp_local.faults.ordered(path="/storage/*", verb="DELETE", reset=True):
        outcome = runner.put(case_that_needs("object"))
    assert outcome.result == "agrees"
    (left,) = outcome.left_behind
    assert left.startswith("DELETE /storage/v1/b/$bucket/o/$unique%2Fa: ")


def test_what_may_be_there_without_anybody_knowing_its_name_is_told(
    gcp_local: LocalCloud, place: tuple[str, str]
) -> None:
    create = "google.cloud.aiplatform.v1.ScheduleService.CreateSchedule"
    runner = runner_of(gcp_local, place)
    with gcp_local.faults.ordered(method=create, reset=True, when="after"):
        outcome = runner.put(case_that_needs("schedule"))
    assert outcome.result == "not run"
    (left,) = outcome.left_behind
    assert re.fullmatch(r"DELETE /v1/\$schedule: unknown; look for cnf\w+-1", left)


@pytest.mark.parametrize(
    ("service", "call", "body"),
    [
        ("storage", "POST /storage/v1/b?project=$project", {"name": "$unique"}),
        (
            "storage",
            "POST /upload/storage/v1/b/$bucket/o?uploadType=multipart",
            '--b\r\n\r\n{"name": "$unique/ä b"}\r\n--b\r\n\r\nx\r\n--b--\r\n',
        ),
        ("aiplatform", "POST $place/endpoints", {"displayName": "$unique"}),
        ("aiplatform", "POST $place/tensorboards", {"displayName": "$unique"}),
        (
            "aiplatform",
            "POST $place/models:upload",
            {
                "modelId": "$unique",
                "model": {"displayName": "x", "containerSpec": {"imageUri": "a"}},
            },
        ),
        (
            "aiplatform",
            "POST $place/customJobs",
            {
                "displayName": "$unique",
                "jobSpec": {
                    "workerPoolSpecs": [
                        {
                            "machineSpec": {"machineType": "n1-standard-4"},
                            "replicaCount": "1",
                            "containerSpec": {
                                "imageUri": "python:3.11",
                                "command": ["sleep", "60"],
                            },
                        }
                    ]
                },
            },
        ),
    ],
    ids=["bucket", "object", "endpoint", "tensorboard", "model", "job"],
)
def test_what_was_to_be_refused_and_was_made_is_removed(
    gcp_local: LocalCloud, place: tuple[str, str], service: str, call: str, body: Any
) -> None:
    region = "/v1/projects/$project/locations/$location"
    request: dict[str, Any] = {"call": call.replace("$place", region), "body": body}
    if isinstance(body, str):
        headers = {"content-type": "multipart/related; boundary=b"}
        request = {"call": call, "headers": headers, "content": body}
    said = {"name": "x", "source": "https://example.invalid", "service": service}
    case = corpus.Case.model_validate({**said, "request": request, "expect": 400})
    local = targets.local(gcp_local.endpoint, LOCATION)
    fresh = f"conf-{uuid.uuid4().hex[:12]}"

    def there() -> list[Any]:
        region = f"/v1/projects/{fresh}/locations/{LOCATION}"
        kinds = ("endpoints", "tensorboards", "models", "customJobs")
        found = [local.send("aiplatform", "GET", f"{region}/{kind}", {}, b"") for kind in kinds]
        found.append(local.send("storage", "GET", f"/storage/v1/b?project={fresh}", {}, b""))
        found.append(local.send("storage", "GET", f"/storage/v1/b/{place[1]}/o", {}, b""))
        return [each.body for each in found]

    before = there()
    outcome = runner_of(gcp_local, (fresh, place[1])).put(case)
    assert outcome.result == "differs", outcome
    assert not outcome.left_behind
    assert there() == before


def test_an_interrupt_ends_the_run_after_its_case_is_undone(
    gcp_local: LocalCloud, place: tuple[str, str]
) -> None:
    class Interrupted(targets.Target):
        def send(self, service: str, method: str, path: str, *rest: Any) -> Answered:
            if path == f"/storage/v1/b/{place[1]}":
                raise KeyboardInterrupt
            return super().send(service, method, path, *rest)

    local = targets.local(gcp_local.endpoint, LOCATION)
    objects = f"/storage/v1/b/{place[1]}/o"
    before = local.send("storage", "GET", objects, {}, b"").body
    target = Interrupted(local.session, local.bases, local.name)
    runner = Runner(target, NEEDS, project=place[0], location=LOCATION, bucket=place[1])
    case = case_that_needs("object")
    (outcome,) = runner.run([case, case])
    assert (outcome.result, outcome.reason) == ("not run", "interrupted")
    assert not outcome.left_behind
    assert local.send("storage", "GET", objects, {}, b"").body == before


COMPLETE = {
    "name": "x",
    "source": "https://example.invalid",
    "request": "GET /",
    "expect": 200,
}


@pytest.mark.parametrize(
    "text",
    [
        yaml.safe_dump({"service": "storage", "cases": [{"name": "x"}]}),
        yaml.safe_dump({"service": "nonsense", "cases": [COMPLETE]}),
        yaml.safe_dump({"service": "storage", "cases": [{**COMPLETE, "request": "FETCH /"}]}),
        yaml.safe_dump({"service": "storage", "cases": [{**COMPLETE, "more": 1}]}),
        yaml.safe_dump({"service": "storage", "cases": [COMPLETE, COMPLETE]}),
        yaml.safe_dump({"service": "storage", "cases": ["x"]}),
        "cases: []",
        "service: storage\ncases: !!python/object/apply:os.system ['true']",
    ],
)
def test_a_file_that_is_no_corpus_is_refused(tmp_path: Path, text: str) -> None:
    (tmp_path / "bad.yaml").write_text(text)
    with pytest.raises((corpus.CorpusError, yaml.YAMLError)):
        corpus.load(tmp_path)


@pytest.mark.parametrize(
    ("promised", "found", "agrees"),
    [
        ({"a": 1}, {"a": 1, "b": 2}, True),
        ({"a": 1}, {"a": "1"}, False),
        ({"a": 1}, {"a": True}, False),
        ({"a": 5}, {"a": 5.0}, True),
        ({"a": {"b": [1, {"c": 2}]}}, {"a": {"b": [1, {"c": 2, "d": 3}]}}, True),
        ([1, 2], [1], False),
        ([1], [1, 2], False),
        ("<string>", "x", True),
        ("<string>", 1, False),
        ("<number>", True, False),
        ("<any>", None, False),
        ("<integer>", "12", True),
        ("<integer>", 12, False),
        ("<time>", "2026-11-22T07:43:00.123456Z", True),
        ("<time>", "yesterday", False),
        ("<~a+b>", "aab", True),
        ("<~a+b>", "aabc", False),
        ({"a": "<map>"}, {}, False),
    ],
)
def test_an_answer_is_held_against_a_promise(promised: Any, found: Any, *, agrees: bool) -> None:
    expected = corpus.Expected(body=promised)
    answered = Answered(200, {}, json.dumps(found).encode())
    assert (not differences(expected, answered)) == agrees
