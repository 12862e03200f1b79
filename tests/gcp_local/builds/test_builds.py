"""Builds: their steps, their log, their ends, through Google's own client."""

from __future__ import annotations

import time

import pytest
from google.api_core import exceptions
from google.cloud.devtools import cloudbuild_v1

from tests.gcp_local.builds.place import Place, shell
from tests.gcp_local.emulators import Emulator


def statuses(build: cloudbuild_v1.Build) -> list[str]:
    return [step.status.name for step in build.steps]


def test_the_operation_ends_with_the_build(place: Place) -> None:
    operation = place.client.create_build(
        parent=place.parent,
        build={"steps": [shell("echo done")], "logs_bucket": place.logs},
    )
    assert operation.metadata.build.status.name == "QUEUED"
    build = operation.result(timeout=20)
    assert build.status.name == "SUCCESS"
    assert operation.metadata.build.status.name == "SUCCESS"
    assert operation.operation.name.startswith(f"operations/build/{place.project}/")
    assert build.project_id == place.project
    assert build.id in build.log_url
    assert build.create_time <= build.start_time <= build.finish_time
    assert build.timing["BUILD"].start_time <= build.timing["BUILD"].end_time


def test_a_failed_build_fails_its_operation(place: Place) -> None:
    operation = place.client.create_build(
        parent=place.parent,
        build={"steps": [shell("exit 3")], "logs_bucket": place.logs},
    )
    with pytest.raises(exceptions.Unknown, match="Build failed"):
        operation.result(timeout=20)


def test_steps_run_in_order_and_share_the_workspace(place: Place) -> None:
    build = place.run(
        shell("echo one > /workspace/a", id="first"),
        {"name": "bash", "id": "second", "args": ["-c", "cat /workspace/a; pwd; exit 0"]},
    )
    assert build.status.name == "SUCCESS"
    assert statuses(build) == ["SUCCESS", "SUCCESS"]
    log = place.log(build)
    assert log.startswith(f'starting build "{build.id}"\n\nBUILD\nStarting Step #0 - "first"\n')
    assert 'Step #1 - "second": Already have image (with digest): bash\n' in log
    assert 'Step #1 - "second": one\n' in log
    assert log.index('Finished Step #0 - "first"') < log.index('Starting Step #1 - "second"')
    assert log.endswith('Finished Step #1 - "second"\nDONE\n')


def test_steps_that_may_run_side_by_side_do(place: Place) -> None:
    meet = "for i in $(seq 400); do test -e /workspace/{} && exit 0; sleep 0.02; done; exit 1"
    build = place.run(
        shell("touch /workspace/a; " + meet.format("b"), id="a", wait_for=["-"]),
        shell("touch /workspace/b; " + meet.format("a"), id="b", wait_for=["-"]),
        shell("test -e /workspace/a -a -e /workspace/b", wait_for=["a", "b"]),
    )
    assert statuses(build) == ["SUCCESS"] * 3


def test_a_failure_ends_the_build_and_those_beside_it(place: Place) -> None:
    build = place.run(
        shell("sleep 30", id="long", wait_for=["-"]),
        shell("sleep 0.3; echo no >&2; exit 7", id="bad", wait_for=["-"]),
        shell("echo never", wait_for=["long"]),
    )
    assert build.status.name == "FAILURE"
    assert statuses(build) == ["CANCELLED", "FAILURE", "QUEUED"]
    assert build.steps[1].exit_code == 7
    assert build.failure_info.type_.name == "USER_BUILD_STEP"
    why = 'build step 1 "ubuntu" failed: step exited with non-zero status: 7'
    assert build.failure_info.detail == f"Build step failure: {why}"
    log = place.log(build)
    assert 'Step #1 - "bad": no\n' in log
    assert "never" not in log
    assert log.endswith(f"ERROR\nERROR: {why}\n")


def test_a_failure_that_is_allowed_lets_the_build_go_on(place: Place) -> None:
    build = place.run(
        shell("exit 1", allow_failure=True),
        shell("exit 4", allow_exit_codes=[4]),
        shell("true"),
    )
    assert build.status.name == "SUCCESS"
    assert statuses(build) == ["FAILURE", "FAILURE", "SUCCESS"]
    assert [step.exit_code for step in build.steps] == [1, 4, 0]
    assert place.run(shell("exit 5", allow_exit_codes=[4])).status.name == "FAILURE"
    both = shell("exit 5", allow_failure=True, allow_exit_codes=[4])
    assert place.run(both).status.name == "FAILURE", "the codes take precedence"


def test_a_build_that_takes_too_long_is_timed_out(place: Place) -> None:
    build = place.run(shell("echo begun; sleep 60"), shell("true"), timeout="1s")
    assert build.status.name == "TIMEOUT"
    assert statuses(build) == ["CANCELLED", "QUEUED"]
    assert build.finish_time.timestamp() - build.start_time.timestamp() < 10
    assert place.log(build).endswith("TIMEOUT\nERROR: context deadline exceeded\n")


def test_a_step_has_a_time_limit_of_its_own(place: Place) -> None:
    build = place.run(shell("sleep 60", timeout="0.5s"))
    assert (build.status.name, statuses(build)) == ("FAILURE", ["TIMEOUT"])
    assert build.failure_info.detail.endswith("step timed out")


def test_a_build_can_be_cancelled_and_its_processes_are_gone(place: Place) -> None:
    build = place.start(shell("trap 'echo asked' TERM; echo begun; sleep 60 & wait; exit 0"))
    place.wait(build, lambda _: "begun" in place.log(build))
    cancelled = place.client.cancel_build(name=build.name)
    assert cancelled.status.name == "CANCELLED"
    assert place.log(build).endswith("CANCELLED\nERROR: context canceled\n")
    with pytest.raises(exceptions.BadRequest, match="its status is CANCELLED"):
        place.client.cancel_build(name=build.name)


def test_cancelling_the_operation_cancels_the_build(place: Place) -> None:
    operation = place.client.create_build(
        parent=place.parent, build={"steps": [shell("sleep 60")], "logs_bucket": place.logs}
    )
    operation.cancel()
    build = place.ended(operation.metadata.build)
    assert build.status.name == "CANCELLED"
    with pytest.raises(exceptions.Cancelled):
        operation.result(timeout=20)


def test_the_log_appears_while_the_build_runs_and_states_only_at_its_end(place: Place) -> None:
    build = place.start(shell("echo early; while ! test -e go; do sleep 0.02; done"), shell("true"))
    running = place.wait(build, lambda _: "early" in place.log(build))
    assert running.status.name == "WORKING"
    assert statuses(running) == ["STATUS_UNKNOWN", "STATUS_UNKNOWN"]
    assert "DONE" not in place.log(build)
    place.client.cancel_build(name=build.name)


def test_a_build_without_streaming_writes_its_log_at_the_end(place: Place) -> None:
    build = place.run(shell("echo late"), options={"log_streaming_option": "STREAM_OFF"})
    assert "late" in place.log(build)
    quiet = place.run(shell("echo nothing"), options={"logging": "NONE"})
    assert (quiet.status.name, place.log(quiet)) == ("SUCCESS", "")


def test_without_a_bucket_the_log_goes_where_the_service_keeps_it(place: Place) -> None:
    build = place.run(shell("true"), logs_bucket="")
    number = build.name.split("/")[1]
    assert build.logs_bucket == f"gs://{number}.cloudbuild-logs.googleusercontent.com"
    assert "DONE" in place.log(build)
    own = {"default_logs_bucket_behavior": "REGIONAL_USER_OWNED_BUCKET"}
    build = place.run(shell("true"), logs_bucket="", options=own)
    assert build.logs_bucket == f"gs://{number}-europe-west1-cloudbuild-logs"


def test_a_log_that_cannot_be_kept_fails_the_build(place: Place) -> None:
    bucket = place.storage.create_bucket(f"{place.project}-gone")
    build = place.start(
        shell("while ! test -e /workspace/go; do sleep 0.02; done", wait_for=["-"]),
        {
            "name": "gcr.io/cloud-builders/curl",
            "args": ["-sX", "DELETE", f"{place.emulator.endpoint}/storage/v1/b/{bucket.name}"],
            "wait_for": ["-"],
            "id": "delete",
        },
        shell("touch /workspace/go", wait_for=["-"]),
        logs_bucket=f"gs://{bucket.name}",
        options={"log_streaming_option": "STREAM_OFF"},
    )
    ended = place.ended(build)
    assert ended.status.name == "FAILURE"
    assert ended.failure_info.type_.name == "LOGGING_FAILURE"


def test_a_script_runs_by_its_first_line_and_is_not_substituted(place: Place) -> None:
    build = place.run(
        shell('echo "$PROJECT_ID." && test -z "$BASH_VERSION" || test "$0" != bash'),
        {"name": "python:3.11", "script": "#!/usr/bin/env python3\nprint('from python')\n"},
        {"name": "bash", "script": '#!/bin/bash -e\necho "${PROJECT_ID^^}"\n', "env": ["A=1"]},
        options={"automap_substitutions": False},
    )
    log = place.log(build)
    assert build.status.name == "SUCCESS", log
    assert "Step #0: .\n" in log
    assert "Step #1: from python\n" in log


def test_substitutions_reach_a_script_as_variables_when_asked(place: Place) -> None:
    build = place.run(
        shell('echo "$_COLOUR of $PROJECT_ID in $LOCATION"', automap_substitutions=True),
        shell('echo "none: $_COLOUR."'),
        substitutions={"_COLOUR": "red"},
    )
    log = place.log(build)
    assert f"Step #0: red of {place.project} in europe-west1\n" in log
    assert "Step #1: none: .\n" in log


def test_environment_directory_home_and_output(place: Place) -> None:
    build = place.run(
        shell(
            'echo "$A $B $C"; pwd; echo state > "$HOME/kept"; printf out > $BUILDER_OUTPUT/output',
            dir_="deep/down",
            env=["B=own", "C=/workspace/x"],
        ),
        shell("cat /builder/home/kept; ls -d /workspace/deep/down"),
        options={"env": ["A=all", "B=all"]},
    )
    log = place.log(build)
    assert build.status.name == "SUCCESS", log
    assert "Step #0: all own " in log
    assert "/workspace/x\n" in log
    assert "/workspace/deep/down\n" in log
    assert "Step #1: state\n" in log
    assert list(build.results.build_step_outputs) == [b"out", b""]


def test_nothing_of_the_users_environment_reaches_a_step(place: Place) -> None:
    build = place.run(shell("env"))
    names = {line.partition("=")[0] for line in place.log(build).splitlines() if "=" in line}
    assert {"HOME", "PATH", "STORAGE_EMULATOR_HOST", "GCE_METADATA_HOST"} <= names
    assert not names & {"USER", "LOGNAME", "GOOGLE_APPLICATION_CREDENTIALS", "SSH_AUTH_SOCK"}


def test_volumes_are_shared_by_the_steps_that_name_them(place: Place) -> None:
    volume = {"name": "cache", "path": "/persistent/cache"}
    build = place.run(
        shell("echo kept > /persistent/cache/a", volumes=[volume]),
        shell("cat /other/a", volumes=[{"name": "cache", "path": "/other"}]),
        shell("test ! -e a"),
    )
    assert build.status.name == "SUCCESS", place.log(build)
    assert "Step #1: kept\n" in place.log(build)


def test_secrets_reach_the_steps_that_ask_for_them(place: Place) -> None:
    version = f"projects/{place.project}/secrets/token/versions/1"
    place.emulator.ask("PUT", f"/gcp-local/secrets?version={version}", b"swordfish")
    latest = "projects/$PROJECT_ID/secrets/token/versions/latest"
    secrets = {"secret_manager": [{"version_name": latest, "env": "TOKEN"}]}
    build = place.run(
        {"name": "bash", "args": ["-c", "echo got $$TOKEN"], "secret_env": ["TOKEN"]},
        shell('echo "none: $TOKEN."'),
        available_secrets=secrets,
    )
    assert "Step #0: got swordfish\n" in place.log(build)
    assert "Step #1: none: .\n" in place.log(build)
    secrets["secret_manager"][0]["version_name"] = f"projects/{place.project}/secrets/no/versions/1"
    build = place.run(
        {"name": "bash", "args": ["-c", "echo $$TOKEN"], "secret_env": ["TOKEN"]},
        available_secrets=secrets,
    )
    assert build.status.name == "FAILURE"
    assert "failed to access secret version" in place.log(build)


@pytest.mark.parametrize(
    ("step", "said"),
    [
        ({"name": "acme/nothing:1"}, "pull access denied for acme/nothing:1"),
        ({"name": "ubuntu", "args": ["no-such-program"]}, "executable file not found in $PATH"),
        ({"name": "ubuntu", "script": "true", "dir_": "/etc"}, "not in /etc"),
        ({"name": "gcr.io/cloud-builders/gcloud", "args": ["run", "deploy"]}, "`gcloud storage`"),
        ({"name": "gcr.io/cloud-builders/docker", "args": ["run", "x"]}, "no container engine"),
        ({"name": "gcr.io/cloud-builders/kubectl", "args": ["get"]}, "pull access denied"),
    ],
)
def test_what_cannot_run_here_fails_and_says_why(
    place: Place, step: dict[str, object], said: str
) -> None:
    build = place.run(step)
    assert build.status.name == "FAILURE"
    assert said in place.log(build)


def test_builders_copy_objects(place: Place) -> None:
    place.bucket(f"{place.project}-logs").blob("in/a.txt").upload_from_string("hello")
    build = place.run(
        {"name": "gcr.io/cloud-builders/gsutil", "args": ["cp", f"{place.logs}/in/a.txt", "."]},
        {
            "name": "gcr.io/google.com/cloudsdktool/cloud-sdk:slim",
            "entrypoint": "gcloud",
            "args": ["storage", "cp", "-r", "/workspace", f"{place.logs}/out/"],
        },
    )
    assert build.status.name == "SUCCESS", place.log(build)
    copied = place.bucket(f"{place.project}-logs").blob("out/workspace/a.txt")
    assert copied.download_as_text() == "hello"
    place.bucket(f"{place.project}-logs").blob("in/../../climbed").upload_from_string("")
    words = ["cp", "-r", f"{place.logs}/in", "x/y"]
    build = place.run({"name": "gcr.io/cloud-builders/gsutil", "args": words})
    assert build.status.name == "FAILURE"
    assert "leads out of x/y" in place.log(build)


def test_builds_are_listed_the_newest_first_filtered_and_page_by_page(place: Place) -> None:
    good = [place.run(shell("true"), tags=["nightly", f"n{number}"]) for number in range(3)]
    bad = place.run(shell("false"), tags=["weekly"])
    newest = [
        build.id for build in place.client.list_builds({"parent": place.parent, "page_size": 2})
    ]
    assert newest == [bad.id, *(build.id for build in reversed(good))]

    def found(text: str) -> set[str]:
        request = {"parent": place.parent, "filter": text}
        return {build.id for build in place.client.list_builds(request)}

    assert found('status="FAILURE"') == {bad.id}
    assert found("tags=nightly AND NOT tags=n1") == {good[0].id, good[2].id}
    assert found(f'build_id="{good[1].id}"') == {good[1].id}
    with pytest.raises(exceptions.BadRequest, match="one can filter by"):
        found("colour=red")
    assert list(place.client.list_builds({"project_id": place.project})) == []


def test_builds_of_a_project_alone_are_global(emulator: Emulator, place: Place) -> None:
    operation = place.client.create_build(
        project_id=place.project, build={"steps": [shell("echo $LOCATION")]}
    )
    build = operation.result(timeout=20)
    assert "/locations/global/builds/" in build.name
    assert ";region" not in build.log_url
    same = emulator.call("GET", f"/v1/projects/{place.project}/builds/{build.id}").json()
    assert same["name"] == build.name
    with pytest.raises(exceptions.NotFound):
        place.client.get_build(name=f"{place.parent}/builds/{build.id}")


def test_a_build_is_made_again_of_what_it_was_made_of(place: Place) -> None:
    build = place.run(
        {"name": "bash", "args": ["-c", "echo $_A $$HOME; exit 1"]}, substitutions={"_A": "again"}
    )
    again = place.client.retry_build(name=build.name).metadata.build
    assert again.id != build.id
    ended = place.ended(again)
    assert ended.status.name == "FAILURE"
    assert place.log(ended).count("again /") == 1


def test_more_builds_than_places_wait_for_their_turn_or_expire(place: Place) -> None:
    running = [place.start(shell("sleep 60")) for _ in range(4)]
    for build in running:
        place.wait(build, lambda found: found.status.name == "WORKING")
    waiting = place.start(shell("true"))
    expiring = place.start(shell("true"), queue_ttl="0.1s")
    assert place.ended(expiring).status.name == "EXPIRED"
    assert place.get(waiting).status.name == "QUEUED"
    place.client.cancel_build(name=running[0].name)
    assert place.ended(waiting).status.name == "SUCCESS"
    for build in running[1:]:
        place.client.cancel_build(name=build.name)


def test_the_default_account_is_told(place: Place) -> None:
    told = place.client.get_default_service_account(name=f"{place.parent}/defaultServiceAccount")
    assert told.service_account_email.endswith("-compute@developer.gserviceaccount.com")


def test_a_step_leaves_no_process_behind(place: Place) -> None:
    build = place.run(
        shell("(while true; do date +%s%N > /workspace/beat; sleep 0.02; done) & echo started"),
        shell('a=$(cat beat); sleep 0.2; test "$a" = "$(cat beat)"'),
    )
    assert build.status.name == "SUCCESS", place.log(build)
    assert time.time() - build.finish_time.timestamp() < 30
