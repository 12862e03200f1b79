"""What Cloud Build refuses, with the field that is at fault, and what is not there at all."""

from __future__ import annotations

from typing import Any

import pytest
from google.api_core import exceptions

from tests.gcp_local.builds.place import Place

STEP = {"name": "ubuntu", "args": ["true"]}
ACCOUNT = "projects/p/serviceAccounts/builder@p.iam.gserviceaccount.com"
TWICE = {"name": "vol", "path": "/vol"}


@pytest.mark.parametrize(
    ("build", "field", "said"),
    [
        ({"steps": []}, "build.steps", "no build steps are specified"),
        ({"steps": [{"args": ["x"]}]}, "build.steps[0].name", "must specify name"),
        ({"steps": [{**STEP, "name": "Not An Image"}]}, "build.steps[0].name", "not a valid image"),
        (
            {"steps": [{**STEP, "wait_for": ["later"]}, {**STEP, "id": "later"}]},
            "build.steps[0].wait_for",
            'depends on "later", which has not been defined',
        ),
        (
            {"steps": [{**STEP, "id": "a"}, {**STEP, "id": "a"}]},
            "build.steps[1].id",
            "the ID is not unique",
        ),
        ({"steps": [{**STEP, "id": "-"}]}, "build.steps[0].id", "reserved"),
        ({"steps": [{**STEP, "script": "x"}]}, "build.steps[0]", "script cannot be used with args"),
        ({"steps": [{**STEP, "env": ["A"]}]}, "build.steps[0].env", 'form "KEY=VALUE"'),
        ({"steps": [{**STEP, "dir_": "../up"}]}, "build.steps[0].dir", "out of the workspace"),
        ({"steps": [{**STEP, "args": ["x"] * 101}]}, "build.steps[0].args", "too many args"),
        ({"steps": [STEP] * 301}, "build.steps", "more than 300"),
        (
            {"steps": [{**STEP, "timeout": "700s"}], "timeout": "600s"},
            "build.steps[0].timeout",
            'less than or equal to build timeout value of "10m0s"',
        ),
        ({"steps": [STEP], "timeout": "86401s"}, "build.timeout", "24h0m0s"),
        ({"steps": [STEP], "timeout": "1.5s"}, "build.timeout", "whole seconds"),
        ({"steps": [{**STEP, "volumes": [TWICE]}]}, "build.steps", "only used by one step"),
        ({"steps": [STEP], "options": {"volumes": [TWICE]}}, "build.steps", "used by one step"),
        (
            {"steps": [{**STEP, "volumes": [{"name": "vol", "path": "rel"}]}] * 2},
            "build.steps[0].volumes",
            "must be absolute",
        ),
        (
            {"steps": [{**STEP, "volumes": [{"name": "vol", "path": "/workspace"}]}] * 2},
            "build.steps[0].volumes",
            "reserved",
        ),
        ({"steps": [{**STEP, "secret_env": ["T"]}]}, "build.steps", "without being defined"),
        (
            {
                "steps": [STEP],
                "available_secrets": {
                    "secret_manager": [
                        {"version_name": "projects/p/secrets/s/versions/1", "env": "T"}
                    ]
                },
            },
            "build.available_secrets.secret_manager",
            "defined without being used",
        ),
        ({"steps": [STEP], "tags": ["no spaces"]}, "build.tags[0]", "must match format"),
        ({"steps": [STEP], "tags": ["t"] * 65}, "build.tags", "exceeded"),
        ({"steps": [STEP], "images": ["NO:x"]}, "build.images[0]", "not a valid image name"),
        (
            {"steps": [STEP], "images": ["a/b"], "artifacts": {"images": ["a/c"]}},
            "build.images",
            "different .images and .artifacts.images",
        ),
        (
            {"steps": [STEP], "artifacts": {"objects": {"location": "s3://x", "paths": ["a"]}}},
            "build.artifacts.objects.location",
            "must begin with 'gs://'",
        ),
        (
            {"steps": [STEP], "options": {"disk_size_gb": 4001}},
            "build.options.disk_size_gb",
            "4000",
        ),
        (
            {"steps": [STEP], "service_account": "me"},
            "build.service_account",
            "must have the format",
        ),
        (
            {"steps": [STEP], "service_account": ACCOUNT, "logs_bucket": ""},
            "build.logs_bucket",
            "if 'build.service_account' is specified, the build must either (a) specify"
            " 'build.logs_bucket', (b) use the REGIONAL_USER_OWNED_BUCKET"
            " build.options.default_logs_bucket_behavior option, or (c) use either"
            " CLOUD_LOGGING_ONLY / NONE logging options",
        ),
        (
            {"steps": [STEP], "logs_bucket": "gs://no-such-bucket-here"},
            "build.logs_bucket",
            "exist",
        ),
        (
            {"steps": [STEP], "source": {"storage_source": {"bucket": "b", "object_": "o.tgz"}}},
            "build.source",
            "could not resolve source",
        ),
    ],
)
def test_what_google_refuses_is_refused_and_the_field_named(
    place: Place, build: dict[str, Any], field: str, said: str
) -> None:
    with pytest.raises(exceptions.BadRequest) as refused:
        place.client.create_build(parent=place.parent, build={"logs_bucket": place.logs, **build})
    assert said in refused.value.message
    violations = [each for each in refused.value.details if "fieldViolations" in each]
    assert violations[0]["fieldViolations"][0]["field"] == field


@pytest.mark.parametrize(
    "more",
    [
        {"options": {"logging": "CLOUD_LOGGING_ONLY"}},
        {"options": {"logging": "NONE"}},
        {"options": {"default_logs_bucket_behavior": "REGIONAL_USER_OWNED_BUCKET"}},
    ],
)
def test_an_account_of_ones_own_needs_a_place_for_the_log(place: Place, more: Any) -> None:
    build = place.run(STEP, logs_bucket="", service_account=ACCOUNT, **more)
    assert build.status.name == "SUCCESS"


@pytest.mark.parametrize(
    ("more", "named"),
    [
        ({"options": {"pool": {"name": "projects/p/locations/l/workerPools/w"}}}, "private pools"),
        ({"artifacts": {"python_packages": [{"paths": ["x"]}]}}, "python_packages"),
        ({"secrets": [{"kms_key_name": "k"}]}, "Cloud KMS"),
        ({"source": {"git_source": {"url": "https://x/y", "revision": "main"}}}, "sources"),
        ({"source": {"storage_source_manifest": {"bucket": "b"}}}, "storage_source_manifest"),
    ],
)
def test_what_is_not_there_is_said(place: Place, more: dict[str, Any], named: str) -> None:
    with pytest.raises(exceptions.MethodNotImplemented, match=named):
        place.start(STEP, **more)


def test_a_project_and_a_parent_of_another_are_refused(place: Place) -> None:
    with pytest.raises(exceptions.BadRequest, match="is not the project of"):
        place.client.create_build(
            {"parent": place.parent, "project_id": "another-project", "build": {"steps": [STEP]}}
        )
    with pytest.raises(exceptions.BadRequest, match="Invalid location"):
        place.client.create_build(
            parent=f"projects/{place.project}/locations/NOWHERE", build={"steps": [STEP]}
        )
