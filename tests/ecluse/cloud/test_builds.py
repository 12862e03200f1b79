"""Running a build trigger, which starts another build each time: never repeated blindly."""

import urllib.parse
from typing import Any

import pytest
from google.cloud.devtools import cloudbuild_v1

from ecluse.cloud import builds
from ecluse.errors import CloudError
from tests.ecluse.cloud.place import Place
from tests.gcp_local.builds.place import tar_of

COMMIT = "0123456789abcdef0123456789abcdef01234567"
RUN = "google.devtools.cloudbuild.v1.CloudBuild.RunBuildTrigger"


@pytest.fixture
def place_with_trigger(place: Place, monkeypatch: pytest.MonkeyPatch) -> Place:
    """The trigger `say`, of a repository that holds one commit."""
    monkeypatch.setattr(builds, "_LOOK_SECONDS", 0.01)
    project = place.environment.project
    parent = f"projects/{project}/locations/europe-west1"
    repository = f"{parent}/connections/github/repositories/{project}"
    query = urllib.parse.urlencode(
        {"repository": repository, "commit": COMMIT, "ref": "refs/heads/main"}
    )
    place.server.ask("PUT", f"/gcp-local/sources?{query}", tar_of({"said": "hello"}))
    build = {
        "steps": [{"name": "bash", "args": ["-c", "cat said; echo ' from ${_WHO}'; ${_END}"]}],
        "substitutions": {"_WHO": "nobody", "_END": "true"},
        "logs_bucket": place.environment.bucket,
        "options": {"substitution_option": "MUST_MATCH"},
    }
    client: Any = cloudbuild_v1.CloudBuildClient(**place.server.gapic)
    client.create_build_trigger(
        parent=parent,
        trigger={
            "name": "say",
            "source_to_build": {"repository": repository, "ref": "refs/heads/main"},
            "build": build,
        },
    )
    return place


def all_builds(place: Place) -> list[Any]:
    client: Any = cloudbuild_v1.CloudBuildClient(**place.server.gapic)
    parent = f"projects/{place.environment.project}/locations/europe-west1"
    request = {"parent": parent, "project_id": place.environment.project}
    return list(client.list_builds(request))


def run(place: Place, log: list[str], **substitutions: str) -> Any:
    return place.cloud.builds.run_trigger(
        "say", commit=COMMIT, substitutions=substitutions, log=log.append
    )


@pytest.mark.parametrize(
    "fault",
    [
        {"error": 500, "when": "after"},
        {"error": 503, "when": "after"},
        {"error": 429},
        {"error": 429, "when": "after"},
        {"reset": True, "when": "after"},
    ],
)
def test_a_build_whose_start_was_not_answered_is_found_and_followed(
    place_with_trigger: Place, fault: dict[str, Any]
) -> None:
    log: list[str] = []
    with place_with_trigger.server.faults.ordered(method=RUN, nth=1, **fault):
        finished = run(place_with_trigger, log, _WHO="ann")
        assert place_with_trigger.server.faults.rules[0]["fired"] == 1
    assert [build.id for build in all_builds(place_with_trigger)] == [finished.id]
    assert "hello from ann" in "".join(log)


@pytest.mark.parametrize("fault", [{"error": 500}, {"error": 503}, {"reset": True}])
def test_a_build_that_may_have_been_started_is_not_started_again_but_told_of(
    place_with_trigger: Place, fault: dict[str, Any]
) -> None:
    with (
        place_with_trigger.server.faults.ordered(method=RUN, nth=1, **fault),
        pytest.raises(CloudError, match="a build may have been started, but none") as told,
    ):
        run(place_with_trigger, [])
    assert "gcloud builds list --project=test-" in told.value.fix
    assert "--region=europe-west1" in told.value.fix
    assert not all_builds(place_with_trigger)
    assert run(place_with_trigger, []).id, "and the same again works"
    assert len(all_builds(place_with_trigger)) == 1


def test_faults_of_the_calls_that_follow_a_build_cost_nothing(place_with_trigger: Place) -> None:
    log: list[str] = []
    with place_with_trigger.server.faults.ordered(path="*/builds/*", error=503, nth=1):
        finished = run(place_with_trigger, log)
    assert [build.id for build in all_builds(place_with_trigger)] == [finished.id]
    assert "hello from nobody" in "".join(log)


def test_a_build_that_fails_says_why(place_with_trigger: Place) -> None:
    with pytest.raises(CloudError, match="the build ended FAILURE"):
        run(place_with_trigger, [], _END="false")
