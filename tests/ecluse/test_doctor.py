"""The doctor: each of its checks is seen saying no, and each failure names what mends it."""

import copy
import json
import os
import shlex
import socket
import subprocess
import sys
import time
import uuid
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
import requests
from google.api_core import exceptions
from google.auth import crypt, jwt
from google.auth.credentials import AnonymousCredentials
from google.cloud.artifactregistry_v1 import ArtifactRegistryClient
from google.cloud.artifactregistry_v1 import Repository as Registry
from google.cloud.devtools.cloudbuild_v1 import CloudBuildClient
from google.cloud.kms_v1 import KeyManagementServiceClient
from google.cloud.storage import Client
from google.oauth2.credentials import Credentials

from ecluse.cloud import Addresses, connect
from ecluse.cloud.access import Access
from ecluse.cloud.answers import BucketFacts, ClockFacts, KeyFacts, Trouble, trouble_of
from ecluse.cloud.calls import Calls, Patience
from ecluse.cloud.identity import Identity, identity_of
from ecluse.local import lay_out, lay_topics
from ecluse.repository.catalog import Catalog
from ecluse.repository.settings import Environment
from ecluse.upkeep.doctor import commands
from ecluse.upkeep.doctor.asked import models_follow, topics_of, watching_trigger_of
from ecluse.upkeep.doctor.findings import Finding
from ecluse.upkeep.doctor.judgement import Examined, Whose, judged
from ecluse.upkeep.doctor.kinds import BucketNeed, ClockNeed, KeyNeed, Need, VertexNeed
from ecluse.upkeep.doctor.needs import (
    BUILDING_TRIGGERS,
    PROMOTING_TRIGGERS,
    WATCHING_TRIGGER,
    needs_of,
    triggers_of,
)
from ecluse.upkeep.doctor.probes import diagnose
from tests.ecluse.conftest import Commands
from tests.ecluse.repositories import Repository, make_repository

NO_RETENTION = "has no retention policy: proof could be replaced"


class Place:
    """Two environments that are laid out, and the clients to break them with."""

    def __init__(self, repository: Repository, address: str) -> None:
        catalog = Catalog(repository.root)
        self.address = address
        self.nonprod, self.prod = catalog.environment("nonprod"), catalog.environment("prod")
        lay_out([self.nonprod, self.prod], address)
        gapic: Mapping[str, Any] = {
            "credentials": AnonymousCredentials(),
            "transport": "rest",
            "client_options": {"api_endpoint": address},
        }
        self.storage = Client(
            project=self.prod.project,
            credentials=AnonymousCredentials(),
            client_options={"api_endpoint": address},
        )
        self.registry = ArtifactRegistryClient(**gapic)
        self.keys = KeyManagementServiceClient(**gapic)
        self.builds = CloudBuildClient(**gapic)

    def findings(self, triggers: Sequence[str] | None = None, **changes: Any) -> Sequence[Finding]:
        """What the doctor finds of prod, or of prod with other settings."""
        environment = self.prod.model_copy(update=changes)
        cloud = connect(environment, local=self.address)
        return diagnose(cloud, self.nonprod, triggers).findings

    def wrong(self, triggers: Sequence[str] | None = None, **changes: Any) -> list[Finding]:
        """What is wrong there, but for the retention policy that the embedded cloud has not."""
        return [
            finding
            for finding in self.findings(triggers, **changes)
            if finding.verdict in ("failed", "warning") and finding.said != NO_RETENTION
        ]

    def only(self, triggers: Sequence[str] | None = None, **changes: Any) -> Finding:
        """The one thing that is wrong there."""
        (finding,) = self.wrong(triggers, **changes)
        return finding

    def bucket(self, address: str) -> Any:
        """A bucket to break."""
        return self.storage.bucket(address.removeprefix("gs://"))

    def deny(self, *permissions: str) -> None:
        """Take permissions from everybody."""
        url = f"{self.address}/gcp-local/permissions"
        requests.put(url, json={"deny": permissions}, timeout=10).raise_for_status()

    def order(self, *faults: Mapping[str, Any]) -> None:
        """Let calls go wrong."""
        url = f"{self.address}/gcp-local/faults"
        requests.put(url, json={"faults": faults}, timeout=10).raise_for_status()

    def ask_iam(self, email: str, verb: str) -> None:
        """Do something with a service account."""
        url = f"{self.address}/v1/projects/-/serviceAccounts/{email}"
        requests.request(verb, url, timeout=10).raise_for_status()


@pytest.fixture(scope="module")
def laid_out(address: str, tmp_path_factory: pytest.TempPathFactory) -> Place:
    """A place that tests look at, and add to; whoever breaks something takes a fresh one."""
    folder = tmp_path_factory.mktemp("doctor") / "repository"
    return Place(make_repository(folder, uuid.uuid4().hex[:8]), address)


@pytest.fixture
def place(laid_out: Place) -> Iterator[Place]:
    yield copy.copy(laid_out)
    laid_out.deny()
    laid_out.order()


@pytest.fixture
def fresh_place(repository: Repository, address: str) -> Place:
    return Place(repository, address)


def test_a_place_that_is_laid_out_is_ready(ecluse: Commands) -> None:
    answer = ecluse("doctor", "prod", "--json")
    assert answer.code == 0, answer.out
    assert answer.json["ready"] is True
    by_verdict: dict[str, list[str]] = {}
    for finding in answer.json["findings"]:
        by_verdict.setdefault(finding["verdict"], []).append(finding["need"])
    assert by_verdict.pop("warning") == ["the evidence's bucket"]
    assert by_verdict.pop("unchecked") == ["the builds"]
    assert list(by_verdict) == ["ok"]
    assert len(by_verdict["ok"]) == 18
    shown = ecluse("doctor", "prod")
    assert "  ready for a promotion to prod; 1 marked ! would be better mended" in shown.out
    assert "it does not reach the embedded one" in shown.out


def test_an_environment_that_is_not_there_is_told_as_everywhere(ecluse: Commands) -> None:
    answer = ecluse("doctor", "prd")
    assert answer.code == 2
    assert "did you mean `prod`?" in answer.err


def test_what_stands_in_the_way_is_shown_with_what_to_type(ecluse: Commands) -> None:
    ecluse("status")  # lays the environments out
    ecluse.repository.replace("environments/prod.yaml", "KeyVersions/1", "KeyVersions/2")
    answer = ecluse("doctor", "prod")
    assert answer.code == 1
    assert "✗ the signing key" in answer.out
    project = Catalog(ecluse.repository.root).environment("prod").project
    assert (
        f"→ gcloud kms keys versions create --project={project} --location=europe-west1 "
        "--keyring=ecluse --key=q" in answer.out
    )
    assert "not ready: 1 thing stands in the way of a promotion to prod" in answer.out


def test_each_permission_that_lacks_is_found_with_the_role_that_brings_it(place: Place) -> None:
    needs = needs_of(place.prod, place.nonprod, None)
    permissions = {each for need in needs for each in need.permissions}
    assert len(permissions) > 20
    member = f"serviceAccount:deployer@{place.prod.project}.iam.gserviceaccount.com"
    for permission in sorted(permissions):
        place.deny(permission)
        found = {finding.need: finding for finding in place.wrong()}
        assert set(found) == {need.what for need in needs if permission in need.permissions}
        for need in needs:
            for grant in need.grants:
                if permission in grant.permissions:
                    assert found[need.what].said == f"you lack {permission}"
                    assert found[need.what].verdict == "failed"
                    fix = shlex.split(found[need.what].fix)
                    assert fix[-2:] == [f"--member={member}", f"--role={grant.role}"]
                    assert "add-iam-policy-binding" in fix


@pytest.mark.parametrize(
    ("change", "need", "command"),
    [
        ({"bucket": "gs://{new}/runs"}, "the pipelines' bucket", "storage buckets create gs://"),
        ({"ledger": "gs://{new}"}, "the ledger's bucket", "storage buckets create gs://"),
        ({"evidence": "gs://{new}"}, "the evidence's bucket", "storage buckets create gs://"),
        (
            {"templates": "others"},
            "the template repository",
            "repositories create others --",
        ),
        (
            {"service_account": "{new}@a-project.iam.gserviceaccount.com"},
            "the pipelines' account",
            "iam service-accounts create {new} --project=a-project",
        ),
        (
            {"service_account": "{new}@developer.gserviceaccount.com"},
            "the pipelines' account",
            "name one that is there in environments/prod.yaml",
        ),
    ],
)
def test_what_is_not_there_is_found_with_the_command_that_makes_it(
    place: Place, change: Mapping[str, str], need: str, command: str
) -> None:
    new = f"new-{place.prod.project[-8:]}"
    finding = place.only(**{field: value.format(new=new) for field, value in change.items()})
    assert (finding.need, finding.verdict, finding.said) == (need, "failed", "is not there")
    assert command.format(new=new) in finding.fix
    assert "/runs" not in finding.resource


def test_images_that_have_no_repository_are_found(place: Place) -> None:
    images = "europe-west4-docker.pkg.dev/test-images/others"
    place.nonprod = place.nonprod.model_copy(update={"images": images})
    finding = place.only(images=images)
    assert finding.need == "the image repository"
    assert finding.fix == (
        "gcloud artifacts repositories create others --project=test-images "
        "--location=europe-west4 --repository-format=docker --immutable-tags"
    )


@pytest.mark.parametrize(
    ("ring", "key", "version", "made"),
    [
        ("others", "q", 1, ["keyrings create others", "keys create q"]),
        ("ecluse", "others", 1, ["keys create others"]),
        ("ecluse", "q", 7, ["keys versions create"]),
    ],
)
def test_of_a_key_that_is_not_there_only_what_is_missing_is_made(
    place: Place, ring: str, key: str, version: int, made: Sequence[str]
) -> None:
    parent = place.prod.signing_key.partition("/keyRings/")[0]
    name = f"{parent}/keyRings/{ring}/cryptoKeys/{key}/cryptoKeyVersions/{version}"
    finding = place.only(signing_key=name)
    assert (finding.need, finding.said) == ("the signing key", "is not there")
    lines = finding.fix.splitlines()
    assert len(lines) == len(made)
    for line, words in zip(lines, made, strict=True):
        assert line.startswith(f"gcloud kms {words} --project={place.prod.project}")


def test_what_prod_reads_of_nonprod_is_looked_at_too(place: Place) -> None:
    place.nonprod = place.nonprod.model_copy(
        update={
            "evidence": "gs://new-evidence-of-nonprod",
            "signing_key": place.nonprod.signing_key.replace("/q/", "/none/"),
        }
    )
    evidence, key = place.wrong()
    assert (evidence.need, evidence.said) == ("nonprod's evidence", "is not there")
    assert f"--project={place.nonprod.project}" in evidence.fix
    assert (key.need, key.said) == ("nonprod's public key", "is not there")
    assert f"kms keys create none --project={place.nonprod.project}" in key.fix


def test_a_bucket_that_is_not_as_it_has_to_be_says_so(fresh_place: Place) -> None:
    ledger = fresh_place.bucket(fresh_place.prod.ledger)
    ledger.reload()
    ledger.versioning_enabled = False
    ledger.iam_configuration.uniform_bucket_level_access_enabled = False
    ledger.iam_configuration.public_access_prevention = "inherited"
    ledger.patch()
    fixes = {finding.said: finding.fix for finding in fresh_place.wrong()}
    update = f"gcloud storage buckets update {fresh_place.prod.ledger}"
    assert fixes == {
        "lets single objects have access rules of their own": (
            f"{update} --uniform-bucket-level-access"
        ),
        "could be made public by a slip": f"{update} --public-access-prevention",
        "keeps nothing of what was replaced by mistake": f"{update} --versioning",
    }
    ledger.iam_configuration.uniform_bucket_level_access_enabled = True
    ledger.iam_configuration.public_access_prevention = "enforced"
    ledger.retention_period = 3600
    ledger.patch()
    by_verdict = {finding.verdict: finding for finding in fresh_place.wrong()}
    assert "nothing in it can change" in by_verdict["failed"].said
    assert by_verdict["failed"].fix == f"{update} --clear-retention-period"


def test_evidence_under_a_retention_policy_is_as_it_has_to_be(fresh_place: Place) -> None:
    evidence = fresh_place.bucket(fresh_place.prod.evidence)
    evidence.retention_period = 86_400 * 30
    evidence.patch()
    (found,) = (each for each in fresh_place.findings() if each.need == "the evidence's bucket")
    assert (found.verdict, found.said) == (
        "ok",
        "is there, in europe-west1, kept for 30 days, with all permissions",
    )


def test_a_bucket_elsewhere_stops_runs_and_is_a_pity_for_the_rest(place: Place) -> None:
    elsewhere = f"gs://elsewhere-{place.prod.project}"
    made = place.storage.bucket(elsewhere.removeprefix("gs://"))
    made.iam_configuration.uniform_bucket_level_access_enabled = True
    made.iam_configuration.public_access_prevention = "enforced"
    place.storage.create_bucket(made, location="europe-west4")
    runs = place.only(bucket=elsewhere)
    assert runs.verdict == "failed"
    assert "is in europe-west4, not in europe-west1" in runs.said
    assert f"create {elsewhere}-europe-west1 " in runs.fix
    assert place.only(evidence=elsewhere).verdict == "warning"


def test_a_repository_of_another_format_is_found(place: Place) -> None:
    host, project, _ = place.prod.images.split("/")
    parent = f"projects/{place.prod.project}/locations/europe-west1"
    place.registry.create_repository(
        parent=parent, repository_id="mixed", repository=Registry(format_="DOCKER")
    )
    found = [each for each in place.wrong(templates="mixed") if each.verdict == "failed"]
    assert [each.said for each in found] == ["is of format DOCKER, not KFP"]
    images = f"{host}/{place.prod.project}/{place.prod.templates}"
    assert project != place.prod.project
    place.nonprod = place.nonprod.model_copy(update={"images": images})
    found = [each for each in place.wrong(images=images) if each.verdict == "failed"]
    assert [each.said for each in found] == ["is of format KFP, not DOCKER"]


def test_service_agents_that_may_not_fetch_are_found(place: Place) -> None:
    parent = f"projects/{place.prod.project}/locations/europe-west1"
    place.registry.create_repository(
        parent=parent, repository_id="closed", repository=Registry(format_="KFP")
    )
    finding = place.only(templates="closed")
    assert finding.need == "Vertex AI's access to templates"
    assert finding.verdict == "warning"
    first, second = finding.fix.splitlines()
    assert "@gcp-sa-aiplatform.iam.gserviceaccount.com --role=roles/artifactregistry" in first
    assert "@gcp-sa-aiplatform-cc.iam.gserviceaccount.com --role=roles/artifactregistry" in second


def test_a_key_version_that_is_disabled_is_found(fresh_place: Place) -> None:
    fresh_place.keys.update_crypto_key_version(
        request={
            "crypto_key_version": {"name": fresh_place.prod.signing_key, "state": "DISABLED"},
            "update_mask": {"paths": ["state"]},
        }
    )
    finding = fresh_place.only()
    assert (finding.need, finding.verdict) == ("the signing key", "failed")
    assert "not enabled" in finding.said
    assert finding.fix.startswith("gcloud kms keys versions enable 1 --project=")


def test_a_service_account_that_is_disabled_is_found(place: Place) -> None:
    email = f"pipelines@{place.prod.project}.iam.gserviceaccount.com"
    url = f"{place.address}/v1/projects/{place.prod.project}/serviceAccounts"
    requests.post(url, json={"accountId": "pipelines"}, timeout=10).raise_for_status()
    place.ask_iam(f"{email}:disable", "POST")
    finding = place.only(service_account=email)
    assert finding.said == "is disabled"
    assert finding.fix == (
        f"gcloud iam service-accounts enable {email} --project={place.prod.project}"
    )


@pytest.mark.parametrize(
    ("service", "fault", "verdict", "needs"),
    [
        ("aiplatform", {"method": "google.cloud.aiplatform.*"}, "failed", ["Vertex AI"]),
        ("storage", {"path": "/storage/v1/b/*"}, "failed", ["bucket", "evidence"]),
        ("cloudkms", {"path": "/v1/*/keyRings/*"}, "failed", ["key"]),
        ("artifactregistry", {"path": "/v1/*/repositories/*"}, "failed", ["repository", "access"]),
        ("cloudbuild", {"path": "/v1/*/triggers/*"}, "failed", ["trigger"]),
        ("iam", {"path": "/v1/*/serviceAccounts/*"}, "warning", ["account"]),
        (
            "cloudresourcemanager",
            {"path": "/v3/projects/*"},
            "warning",
            ["runs and schedules", "access"],
        ),
    ],
)
def test_an_api_that_is_not_enabled_is_found(
    place: Place, service: str, fault: Mapping[str, str], verdict: str, needs: Sequence[str]
) -> None:
    api = f"{service}.googleapis.com"
    place.order({**fault, "error": 403, "disabled": api})
    found = [each for each in place.wrong(["ecluse-promote"]) if api in each.said]
    assert found
    for finding in found:
        assert finding.verdict == verdict
        assert finding.fix.startswith(f"gcloud services enable {api} --project=")
        assert any(word in finding.need for word in needs), finding.need


def test_what_one_may_not_look_at_is_a_warning_if_a_promotion_need_not_look(place: Place) -> None:
    place.order(
        {"path": "/storage/v1/b/*", "verb": "GET", "error": 403, "nth": 1},
        {"path": "/v1/*/triggers/*", "error": 403},
        {"path": "/v1/*:getIamPolicy", "error": 403},
        {"path": "/v1/*/serviceAccounts/*", "verb": "GET", "error": 403},
    )
    found = place.wrong(["ecluse-promote"])
    hidden = {each.need for each in found if "a promotion need not" in each.said}
    assert {
        "the trigger ecluse-promote",
        "the pipelines' account",
        "Vertex AI's access to templates",
        "Vertex AI's access to images",
    } <= hidden
    assert all(each.verdict == "warning" for each in found), found
    assert all(each.fix.startswith("gcloud ") for each in found)


@pytest.mark.parametrize(
    ("path", "need"),
    [
        ("/v1/*/pipelineJobs", "Vertex AI"),
        ("/v1/*/publicKey", "the signing key"),
        ("/v1/*/repositories/pipelines", "the template repository"),
    ],
)
def test_a_refusal_of_what_a_promotion_does_itself_is_a_failure(
    place: Place, path: str, need: str
) -> None:
    place.order({"path": path, "error": 403})
    found = {each.need: each for each in place.wrong()}
    assert found[need].verdict == "failed"
    assert "A fault that was ordered" in found[need].said
    assert found[need].fix


def test_builds_that_are_not_registered_or_not_right_are_found(place: Place) -> None:
    wanted = ["ecluse-promote"]
    finding = place.only(wanted)
    assert (finding.need, finding.said) == ("the trigger ecluse-promote", "is not there")
    assert "--inline-config=cloudbuild/promote.yaml" in finding.fix
    parent = f"projects/{place.prod.project}/locations/europe-west1"
    account = f"projects/{place.prod.project}/serviceAccounts/deployer@x.iam.gserviceaccount.com"
    build = {"steps": [{"name": "bash"}], "options": {"logging": "NONE"}}
    trigger = {"name": "ecluse-promote", "build": build, "service_account": account}
    made = place.builds.create_build_trigger(
        request={"parent": parent, "project_id": place.prod.project, "trigger": trigger}
    )
    assert not place.wrong(wanted)
    (found,) = (each for each in place.findings(wanted) if each.need == finding.need)
    assert found.said == "is registered, runs as deployer@x.iam.gserviceaccount.com"
    place.builds.update_build_trigger(
        request={
            "project_id": place.prod.project,
            "trigger_id": made.id,
            "trigger": {**trigger, "resource_name": made.resource_name, "disabled": True},
        }
    )
    disabled = place.only(wanted)
    assert disabled.said == "is disabled"
    assert disabled.fix.startswith("gcloud builds triggers export ecluse-promote --project=")


def test_what_pipelines_that_messages_start_need_is_found(place: Place) -> None:
    starter = f"starter@{place.prod.project}.iam.gserviceaccount.com"
    environment = place.prod.model_copy(update={"starter": starter})
    cloud = connect(environment, local=place.address)

    def wrong() -> dict[str, Finding]:
        found = diagnose(cloud, place.nonprod, None, ["arrived"]).findings
        return {each.need: each for each in found if each.verdict in ("failed", "warning")}

    found = wrong()
    assert found["the topic arrived"].said == "is not there"
    project = f"--project={place.prod.project}"
    assert found["the topic arrived"].fix == f"gcloud pubsub topics create arrived {project}"
    assert found["the triggers' account"].fix == (
        f"gcloud iam service-accounts create starter {project}"
    )
    lay_topics(place.address, place.prod.project, ["arrived"])
    url = f"{place.address}/v1/projects/{place.prod.project}/serviceAccounts"
    requests.post(url, json={"accountId": "starter"}, timeout=10).raise_for_status()
    assert not wrong().keys() & {"the topic arrived", "the triggers' account"}
    place.deny("cloudbuild.builds.update")
    found = wrong()
    assert found["pipelines' triggers"].said == "you lack cloudbuild.builds.update"
    assert found["pipelines' triggers"].fix.endswith("--role=roles/cloudbuild.builds.editor")
    place.order({"path": "/v1/projects/*/topics/*", "error": 403})
    assert wrong()["the topic arrived"].verdict == "warning"


def test_models_that_follow_need_permissions_of_their_own(
    place: Place, repository: Repository
) -> None:
    catalog = Catalog(repository.root)
    assert not models_follow(catalog)
    repository.replace("pipelines/alpha/pipeline.yaml", "owner:", "model_alias: champion\nowner:")
    assert models_follow(Catalog(repository.root))
    cloud = connect(place.prod, local=place.address)
    place.deny("aiplatform.models.update", "aiplatform.endpoints.update")
    assert not place.wrong()
    found = diagnose(cloud, place.nonprod, None, models=True).findings
    (finding,) = (each for each in found if each.verdict == "failed")
    assert finding.need == "models and endpoints"
    assert finding.said == "you lack aiplatform.endpoints.update, aiplatform.models.update"
    assert finding.fix.endswith("--role=roles/aiplatform.user")


def test_topics_are_those_that_pipelines_name_for_an_environment(repository: Repository) -> None:
    repository.replace(
        "pipelines/alpha/pipeline.yaml",
        "owner:",
        "triggers: [{topic: arrived}]\nenvironments: {prod: {triggers: []}}\nowner:",
    )
    catalog = Catalog(repository.root)
    assert topics_of(catalog, "nonprod") == {"arrived"}
    assert topics_of(catalog, "prod") == set()


@pytest.mark.parametrize(
    ("changes", "need", "verdict"),
    [
        ({"evidence": "{ledger}/evidence"}, "ledger and evidence", "failed"),
        ({"images": "europe-west1-docker.pkg.dev/test-images/others"}, "the same images", "failed"),
        ({"signing_key": "{nonprod_key}"}, "a key of its own", "warning"),
        ({"project": "{nonprod_project}"}, "a project of its own", "warning"),
        (
            {"encryption_key": "projects/p/locations/us-east1/keyRings/r/cryptoKeys/k"},
            "the encryption key",
            "failed",
        ),
        (
            {"encryption_key": "projects/p/locations/europe-west1/keyRings/r/cryptoKeys/k"},
            "the encryption key",
            "unchecked",
        ),
        ({"network": "projects/1/global/networks/n"}, "the network", "unchecked"),
    ],
)
def test_settings_that_do_not_fit_together_are_found(
    place: Place, changes: Mapping[str, str], need: str, verdict: str
) -> None:
    values = {
        "ledger": place.prod.ledger,
        "nonprod_key": place.nonprod.signing_key,
        "nonprod_project": place.nonprod.project,
    }
    changed = {field: value.format(**values) for field, value in changes.items()}
    (finding,) = (each for each in place.findings(**changed) if each.need == need)
    assert finding.verdict == verdict
    if verdict != "unchecked":
        assert "environments/prod.yaml" in finding.fix


def test_a_clock_that_is_off_is_found(place: Place) -> None:
    access = Access(connect(place.prod, local=place.address).addresses)
    assert abs(access.clock().ahead) < 5
    ahead = access.clock(here=lambda: time.time() + 600)
    assert 590 < ahead.ahead < 610
    need, whose = ClockNeed("the clock", "here", "why"), Whose(place.prod, "user:a@b.c")
    (late,) = judged(need, Examined(ahead), whose)
    assert late.verdict == "failed"
    assert late.said.endswith(" s ahead of Google's")
    (slightly,) = judged(need, Examined(ClockFacts(ahead=-45)), whose)
    assert (slightly.verdict, slightly.said) == ("warning", "is 45 s behind Google's")
    (good,) = judged(need, Examined(ClockFacts(ahead=-3)), whose)
    assert good.verdict == "ok"


def test_a_service_that_cannot_be_reached_is_found(place: Place) -> None:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        nowhere = f"http://127.0.0.1:{free.getsockname()[1]}"
    addresses = Addresses(place.prod, nowhere, Calls(place.prod.budget))
    access = Access(addresses, Patience(deadline=0.01, first=0.001))
    with pytest.raises(Trouble) as trouble:
        access.runs()
    assert trouble.value.kind == "unreachable"
    need = VertexNeed("Vertex AI", "projects/p/locations/l", "why")
    (finding,) = judged(need, Examined(trouble.value), Whose(place.prod, "user:a@b.c"))
    assert finding.verdict == "failed"
    assert "cannot be reached" in finding.said
    assert finding.fix == "ecluse doctor prod"


def test_the_doctor_changes_nothing(place: Place) -> None:
    url = f"{place.address}/gcp-local/faults"
    requests.delete(url, timeout=10).raise_for_status()
    place.findings(["ecluse-promote"])
    calls = requests.get(url, timeout=10).json()["calls"]
    assert len(calls) > 20
    for call in calls:
        asks = call["path"].endswith(":testIamPermissions")
        assert asks or call["verb"] in ("GET", "HEAD"), call
    assert len(calls) < 40  # and asks each thing once


# Pure: no cloud


def an_environment(**changes: Any) -> Environment:
    return Environment(
        name="prod",
        project="acme-ml-prod",
        location="europe-west1",
        bucket="gs://acme-runs",
        ledger="gs://acme-ledger",
        evidence="gs://acme-evidence",
        templates="pipelines",
        images="europe-west1-docker.pkg.dev/acme-ml-nonprod/images",
        service_account="pipelines@acme-ml-prod.iam.gserviceaccount.com",
        signing_key="projects/acme-ml-prod/locations/europe-west1/keyRings/ecluse/cryptoKeys/q"
        "/cryptoKeyVersions/1",
        **changes,
    )


def test_which_builds_there_must_be_follows_from_an_environments_place() -> None:
    nonprod = an_environment().model_copy(update={"name": "nonprod"})
    prod, dev = an_environment(requires="nonprod"), nonprod.model_copy(update={"name": "dev"})
    everything = [nonprod, prod, dev]
    assert triggers_of(nonprod, everything) == BUILDING_TRIGGERS
    assert triggers_of(prod, everything) == PROMOTING_TRIGGERS
    assert triggers_of(dev, everything) == ()


def test_the_builds_that_there_must_be_are_those_that_the_repository_has() -> None:
    files = (Path(__file__).parents[2] / "cloudbuild").glob("*.yaml")
    wanted = {*BUILDING_TRIGGERS, *PROMOTING_TRIGGERS, WATCHING_TRIGGER}
    assert wanted == {f"ecluse-{file.stem}" for file in files}


def test_the_build_that_rolls_back_by_itself_is_looked_for_where_it_is_asked_for(
    tmp_path: Path,
) -> None:
    repository = make_repository(tmp_path / "repository", "doctor")
    catalog = Catalog(repository.root)
    assert watching_trigger_of(catalog, "prod") == ()
    asked = "schedule: {cron: '0 6 * * 1'}\nwatch: {}\n"
    asked += "environments: {prod: {watch: {rollback: true}}}\ngates:"
    repository.replace("pipelines/alpha/pipeline.yaml", "gates:", asked)
    catalog = Catalog(repository.root)
    assert watching_trigger_of(catalog, "prod") == (WATCHING_TRIGGER,)
    assert watching_trigger_of(catalog, "nonprod") == ()
    place = "projects/acme-ml-prod/locations/europe-west1/triggers/"
    assert "/watcher@" in commands.create_trigger(f"{place}{WATCHING_TRIGGER}")


@pytest.mark.parametrize(
    ("need", "found", "said"),
    [
        (
            KeyNeed("the key", an_environment().signing_key, "why"),
            Examined(KeyFacts("RSA_SIGN_PKCS1_2048_SHA256")),
            "is of algorithm RSA_SIGN_PKCS1_2048_SHA256, not EC_SIGN_P256_SHA256",
        ),
        (
            BucketNeed("the bucket", "gs://b", "why", location="europe-west1", near=True),
            Examined(BucketFacts("eu", True, True, False, None)),
            "is in eu, not in europe-west1: a bucket cannot move, so make another and name it in "
            "environments/prod.yaml",
        ),
        (
            VertexNeed("Vertex AI", "projects/p/locations/l", "why"),
            Examined(Trouble("denied", "no")),
            "was refused: no",
        ),
    ],
)
def test_facts_that_the_embedded_cloud_cannot_have_are_judged(
    need: Need, found: Examined, said: str
) -> None:
    (finding,) = judged(need, found, Whose(an_environment(), "user:ann@example.com"))
    assert (finding.verdict, finding.said) == ("failed", said)
    assert finding.fix


def test_permissions_that_nobody_tells_are_no_permissions() -> None:
    need = next(each for each in needs_of(an_environment(), None, None) if each.grants)
    whose = Whose(an_environment(), "user:ann@example.com")
    (finding,) = judged(need, Examined(None, Trouble("denied", "not for you")), whose)
    assert finding.verdict == "warning"
    assert "not for you" in finding.said


def test_the_project_that_lacks_a_service_is_the_one_that_the_answer_names() -> None:
    error = exceptions.Forbidden(  # type: ignore[no-untyped-call]
        "Cloud KMS API has not been used",
        error_info=SimpleNamespace(
            reason="SERVICE_DISABLED",
            domain="googleapis.com",
            metadata={"service": "cloudkms.googleapis.com", "consumer": "projects/1234"},
        ),
    )
    trouble = trouble_of(error, "cloudkms.googleapis.com")
    need = KeyNeed("the key", an_environment().signing_key, "why")
    (finding,) = judged(need, Examined(trouble), Whose(an_environment(), "user:ann@example.com"))
    assert finding.fix == "gcloud services enable cloudkms.googleapis.com --project=1234"


def test_every_command_is_one_shell_line_whatever_the_names() -> None:
    hostile = "gs://x; rm -rf ~ $(id)"
    for line in (
        commands.create_bucket(hostile, "p", "l"),
        commands.grant_on_bucket(hostile, "user:a b@c", "roles/x"),
        commands.grant_on_account("a@p.iam.gserviceaccount.com", "user:`id`@c", "roles/x"),
    ):
        words = shlex.split(line)
        assert words[0] == "gcloud"
        assert any(word in line for word in ("'gs://x; rm -rf ~ $(id)'", "'--member=user:`id`@c'"))


def person(**said: Any) -> Identity:
    return identity_of(Credentials("token", **said))  # type: ignore[no-untyped-call]


def test_a_person_and_an_account_are_told_apart() -> None:
    account = SimpleNamespace(service_account_email="d@p.iam.gserviceaccount.com")
    assert identity_of(account).member == "serviceAccount:d@p.iam.gserviceaccount.com"
    assert Identity("ann@example.com").member == "user:ann@example.com"
    assert person().member is None
    assert person(account="ann@example.com").is_person


def test_a_person_is_known_by_the_identity_token_of_the_log_in() -> None:
    from cryptography.hazmat.primitives import serialization
    from cryptography.hazmat.primitives.asymmetric import rsa

    private = rsa.generate_private_key(public_exponent=65537, key_size=2048).private_bytes(
        serialization.Encoding.PEM,
        serialization.PrivateFormat.TraditionalOpenSSL,
        serialization.NoEncryption(),
    )
    signer = crypt.RSASigner.from_string(private)
    token = jwt.encode(signer, {"email": "ann@example.com"}).decode()
    assert person(id_token=token).email == "ann@example.com"
    assert person(id_token="broken").email is None


def test_who_calls_is_asked_of_the_machine_where_a_build_runs(place: Place, tmp_path: Path) -> None:
    # In a process of its own: google-auth reads where the machine answers when it is imported.
    script = "\n".join(
        (
            "from ecluse.cloud import connect",
            "from ecluse.cloud.identity import caller",
            "from ecluse.repository.settings import Environment",
            f"place = Environment.model_validate_json({place.prod.model_dump_json()!r})",
            "print(caller(connect(place).addresses).member)",
        )
    )
    machine = place.address.removeprefix("http://")
    own = {"GCE_METADATA_HOST": machine, "GCE_METADATA_IP": machine, "CLOUDSDK_CONFIG": tmp_path}
    inherited = {n: v for n, v in os.environ.items() if n != "GOOGLE_APPLICATION_CREDENTIALS"}
    done = subprocess.run(
        [sys.executable, "-c", script],
        env={**inherited, **{name: str(value) for name, value in own.items()}},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    assert done.stdout.startswith("serviceAccount:")
    assert done.stdout.endswith("-compute@developer.gserviceaccount.com\n")


def test_without_credentials_the_log_in_comes_first(
    ecluse: Commands, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.delenv("ECLUSE_LOCAL")
    monkeypatch.setenv("GOOGLE_APPLICATION_CREDENTIALS", str(tmp_path / "none.json"))
    answer = ecluse("doctor", "prod", "--json")
    assert answer.code == 1
    (finding,) = json.loads(answer.out)["findings"]
    assert finding["need"] == "the caller"
    assert finding["fix"] == "gcloud auth application-default login"
