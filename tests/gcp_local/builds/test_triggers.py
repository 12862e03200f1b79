"""Triggers: kept, found by id or name, run on commits that were put here, approved."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from functools import partial
from typing import Any

import pytest
from google.api_core import exceptions
from google.protobuf import field_mask_pb2

from tests.gcp_local.builds.place import COMMIT, Place, shell

OTHER = "f" * 40


@pytest.fixture
def repository(place: Place) -> str:
    name = f"{place.parent}/connections/github/repositories/acme-{place.project}"
    place.push(name, {"said": "from main"}, "refs/heads/main", "refs/tags/v1")
    return name


def created(place: Place, repository: str, name: str = "release", **more: Any) -> Any:
    build = {
        "steps": [{"name": "bash", "args": ["-c", "echo ${_WHO} $SHORT_SHA; cat said"]}],
        "substitutions": {"_WHO": "the build", "_UNUSED": ""},
        "logs_bucket": "gs://${PROJECT_ID}-logs",
        "options": {"substitution_option": "MUST_MATCH"},
    }
    said = {
        "name": name,
        "source_to_build": {"repository": repository, "ref": "refs/heads/main"},
        **({} if "filename" in more else {"build": build}),
        **more,
    }
    return place.client.create_build_trigger(parent=place.parent, trigger=said)


def run(place: Place, name: str, **source: Any) -> Any:
    request = {
        "name": f"{place.parent}/triggers/{name}",
        "project_id": place.project,
        "trigger_id": name,
        "source": source,
    }
    return place.client.run_build_trigger(request).metadata.build


def test_a_trigger_is_found_by_its_id_and_by_its_name(place: Place, repository: str) -> None:
    trigger = created(place, repository)
    assert trigger.resource_name == f"{place.parent}/triggers/{trigger.id}"
    for name in (trigger.id, "release"):
        request = {"name": f"{place.parent}/triggers/{name}"}
        assert place.client.get_build_trigger(request) == trigger
    with pytest.raises(exceptions.Conflict, match="already exists"):
        created(place, repository)
    second = created(place, repository, "second")
    listed = place.client.list_build_triggers({"parent": place.parent})
    assert [each.id for each in listed] == [second.id, trigger.id]
    place.client.delete_build_trigger({"name": trigger.resource_name})
    with pytest.raises(exceptions.NotFound):
        place.client.get_build_trigger({"name": trigger.resource_name})


def test_a_run_builds_the_commit_with_the_runs_substitutions_over_the_others(
    place: Place, repository: str
) -> None:
    trigger = created(place, repository, substitutions={"_WHO": "the trigger"})
    build = place.ended(run(place, "release", commit_sha=COMMIT, substitutions={"_WHO": "the run"}))
    assert build.status.name == "SUCCESS", place.log(build)
    assert f"the run {COMMIT[:7]}\nfrom main" in place.log(build)
    assert build.build_trigger_id == trigger.id
    assert f"trigger-{trigger.id}" in build.tags
    assert build.substitutions["COMMIT_SHA"] == COMMIT
    assert build.substitutions["TRIGGER_NAME"] == "release"
    assert build.substitutions["REPO_NAME"] == f"acme-{place.project}"
    assert build.source.connected_repository.revision == COMMIT
    assert build.options.substitution_option.name == "ALLOW_LOOSE"
    assert build.options.dynamic_substitutions
    default = place.ended(run(place, "release"))
    assert "the trigger" in place.log(default)
    assert default.substitutions["BRANCH_NAME"] == "main"
    tagged = place.ended(run(place, "release", tag_name="v1"))
    assert tagged.substitutions["TAG_NAME"] == "v1"


def test_a_commit_that_nobody_put_here_cannot_be_built(place: Place, repository: str) -> None:
    created(place, repository)
    with pytest.raises(exceptions.BadRequest, match="PUT /gcp-local/sources"):
        run(place, "release", commit_sha=OTHER)
    with pytest.raises(exceptions.BadRequest, match="does not respect format"):
        run(place, "release", commit_sha=COMMIT, substitutions={"COMMIT_SHA": OTHER})


def test_a_build_can_be_a_file_of_the_commit(place: Place, repository: str) -> None:
    config = "steps:\n- name: bash\n  script: echo $TRIGGER_BUILD_CONFIG_PATH from a file\n"
    config += "  automapSubstitutions: true\n"
    place.push(repository, {"ci/build.yaml": config}, sha=OTHER)
    created(place, repository, "filed", filename="ci/build.yaml")
    build = place.ended(run(place, "filed", commit_sha=OTHER))
    assert "ci/build.yaml from a file" in place.log(build)
    with pytest.raises(exceptions.BadRequest, match="couldn't find"):
        run(place, "filed", commit_sha=COMMIT)
    for config, said in (
        ("steps: []\nsteps: []\n", "'steps' is given twice"),
        ("colour: red\n", 'Unknown name "colour"'),
        ("steps: &steps\n- name: *steps\n", "more than 200000 values"),
    ):
        place.push(repository, {"ci/build.yaml": config}, sha=OTHER)
        with pytest.raises(exceptions.BadRequest, match=said):
            run(place, "filed", commit_sha=OTHER)


def test_a_trigger_changes_by_mask_or_whole(place: Place, repository: str) -> None:
    trigger = created(place, repository, description="old")
    changed = place.client.update_build_trigger(
        {
            "project_id": place.project,
            "trigger_id": trigger.id,
            "trigger": {
                "resource_name": trigger.resource_name,
                "description": "new",
                "disabled": True,
                "tags": ["a"],
            },
            "update_mask": field_mask_pb2.FieldMask(paths=["description", "tags"]),
        }
    )
    assert (changed.description, changed.disabled, list(changed.tags)) == ("new", False, ["a"])
    assert changed.build == trigger.build
    whole = place.client.update_build_trigger(
        {
            "project_id": place.project,
            "trigger_id": trigger.id,
            "trigger": {
                "resource_name": trigger.resource_name,
                "name": "renamed",
                "source_to_build": trigger.source_to_build,
                "build": {"steps": [shell("true")]},
            },
        }
    )
    assert (whole.name, whole.description, whole.id) == ("renamed", "", trigger.id)
    with pytest.raises(exceptions.BadRequest, match="cannot be updated"):
        place.client.update_build_trigger(
            {
                "trigger": {"resource_name": trigger.resource_name},
                "update_mask": field_mask_pb2.FieldMask(paths=["create_time"]),
            }
        )


def test_a_build_waits_for_approval_and_begins_or_ends_by_it(place: Place, repository: str) -> None:
    created(place, repository, approval_config={"approval_required": True})
    pending, rejected, cancelled = (run(place, "release") for _ in range(3))
    assert pending.status.name == "PENDING"
    assert pending.approval.state.name == "PENDING"

    def decide(build: Any, decision: str) -> None:
        said = {"decision": decision, "comment": "because"}
        place.client.approve_build({"name": build.name, "approval_result": said})

    decide(rejected, "REJECTED")
    ended = place.ended(rejected)
    assert (ended.status.name, ended.approval.state.name) == ("CANCELLED", "REJECTED")
    stopped = place.client.cancel_build(name=cancelled.name)
    assert (stopped.status.name, stopped.approval.state.name) == ("CANCELLED", "CANCELLED")
    decide(pending, "APPROVED")
    ended = place.ended(pending)
    assert (ended.status.name, ended.approval.state.name) == ("SUCCESS", "APPROVED")
    assert ended.approval.result.comment == "because"
    with pytest.raises(exceptions.BadRequest, match="not pending approval"):
        decide(pending, "REJECTED")


def test_of_two_who_decide_at_once_one_is_heard(place: Place, repository: str) -> None:
    created(place, repository, approval_config={"approval_required": True})

    def heard(build: Any, decision: str) -> str:
        said = {"name": build.name, "approval_result": {"decision": decision}}
        try:
            place.client.approve_build(said)
        except exceptions.BadRequest:
            return ""
        return decision

    with ThreadPoolExecutor(2) as both:
        for _ in range(8):
            pending = run(place, "release")
            answers = both.map(partial(heard, pending), ("APPROVED", "REJECTED"))
            (one,) = filter(None, answers)
            assert place.ended(pending).approval.state.name == one


@pytest.mark.parametrize(
    ("more", "error", "said"),
    [
        ({"name": "no spaces"}, exceptions.BadRequest, "1 to 64 characters"),
        ({"build": {"steps": []}}, exceptions.BadRequest, "no build steps"),
        ({"substitutions": {"TAG": "x"}}, exceptions.BadRequest, "does not respect format"),
        ({"source_to_build": {"uri": "https://x/y"}}, exceptions.BadRequest, "refs/heads/"),
        ({"service_account": "me"}, exceptions.BadRequest, "must have the format"),
        ({"github": {"owner": "a", "name": "b"}}, exceptions.MethodNotImplemented, "never fire"),
        ({"webhook_config": {}}, exceptions.MethodNotImplemented, "webhook"),
    ],
)
def test_triggers_that_cannot_be_are_refused(
    place: Place, repository: str, more: dict[str, Any], error: type[Exception], said: str
) -> None:
    with pytest.raises(error, match=said):
        created(place, repository, **more)


def test_a_trigger_without_a_repository_has_no_source(place: Place) -> None:
    place.client.create_build_trigger(
        parent=place.parent,
        trigger={"name": "bare", "build": {"steps": [shell("ls -A /workspace | wc -l")]}},
    )
    build = place.ended(run(place, "bare"))
    assert "\n0\n" in place.log(build)
    with pytest.raises(exceptions.BadRequest, match="has no repository"):
        run(place, "bare", commit_sha=COMMIT)
