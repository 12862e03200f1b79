"""Triggers: written, refused, converged from the ledger, fired by messages, mended, retired."""

import json
import re
import time
import warnings
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import yaml
from google.auth.credentials import AnonymousCredentials
from google.cloud.devtools import cloudbuild_v1
from google.cloud.storage import Client
from google.protobuf import field_mask_pb2
from google.pubsub_v1 import PublisherClient, SubscriberClient

from ecluse import naming
from ecluse.cloud import Cloud
from ecluse.local import record_image
from ecluse.repository.catalog import Catalog
from ecluse.repository.image import python_files_archive
from ecluse.repository.settings import Environment, PipelineSettings
from ecluse.repository.trigger_settings import Trigger
from ecluse.upkeep.convergence.converging import look, mend
from ecluse.upkeep.convergence.triggers import filter_expression
from tests.ecluse.conftest import Commands
from tests.ecluse.repositories import SETTINGS
from tests.ecluse.test_promotion import cloud_of, runs_of

ROOT = Path(__file__).parents[2]
TOPIC = "churn-data-arrived"
TRIGGERS = f"""
triggers:
  - topic: {TOPIC}
    where:
      eventType: OBJECT_FINALIZE
      objectId: {{prefix: data/, suffix: .csv}}
"""
SOME_IMAGE = f"europe-west1-docker.pkg.dev/test-images/images/tool@sha256:{'b' * 64}"
ENDED = ("SUCCESS", "FAILURE", "INTERNAL_ERROR", "TIMEOUT", "CANCELLED", "EXPIRED")


class Place:
    """nonprod's Cloud Build and Pub/Sub, through Google's own clients."""

    def __init__(self, ecluse: Commands, address: str) -> None:
        self.cloud = cloud_of(ecluse, "nonprod", address)
        environment = self.environment = self.cloud.environment
        here: dict[str, Any] = {
            "credentials": AnonymousCredentials(),
            "client_options": {"api_endpoint": address},
        }
        self.builder: Any = cloudbuild_v1.CloudBuildClient(transport="rest", **here)
        self.publisher = PublisherClient(transport="rest", **here)
        self.subscriber = SubscriberClient(transport="rest", **here)
        self.storage = Client(project=environment.project, **here)
        self.parent = f"projects/{environment.project}/locations/{environment.location}"
        self.topic = f"projects/{environment.project}/topics/{TOPIC}"

    def triggers(self) -> list[Any]:
        return list(self.builder.list_build_triggers({"parent": self.parent}))

    def trigger(self) -> Any:
        (trigger,) = self.triggers()
        return trigger

    def change(self, trigger: Any, **fields: Any) -> None:
        """Change a trigger as people do by hand."""
        self.builder.update_build_trigger(
            {
                "project_id": self.environment.project,
                "trigger_id": trigger.id,
                "trigger": {"resource_name": trigger.resource_name, **fields},
                "update_mask": field_mask_pb2.FieldMask(paths=list(fields)),
            }
        )

    def run(self, trigger: Any) -> Any:
        """Run a trigger by hand, which a disabled one allows; give the build when it has ended."""
        project = self.environment.project
        request = {"name": trigger.resource_name, "project_id": project, "trigger_id": trigger.id}
        operation = self.builder.run_build_trigger({**request, "source": {}})
        name = f"{self.parent}/builds/{operation.metadata.build.id}"
        return eventually(
            lambda: self.builder.get_build({"name": name}), lambda each: each.status.name in ENDED
        )

    def waits(self, trigger: Any) -> bool:
        """Tell whether a message waits to be taken by a trigger, and leave it there."""
        subscription = trigger.pubsub_config.subscription
        request = {"subscription": subscription, "max_messages": 1, "return_immediately": True}
        with warnings.catch_warnings(action="ignore", category=DeprecationWarning):
            ids = [each.ack_id for each in self.subscriber.pull(request).received_messages]
        if ids:
            self.subscriber.modify_ack_deadline(
                subscription=subscription, ack_ids=ids, ack_deadline_seconds=0
            )
        return bool(ids)

    def builds(self, number: int) -> list[Any]:
        """Wait until so many builds have ended; give them, oldest first."""
        found: list[Any] = eventually(
            lambda: list(self.builder.list_builds({"parent": self.parent}))[::-1],
            lambda each: len(each) == number and all(build.status.name in ENDED for build in each),
        )
        return found

    def log(self, build: Any) -> str:
        bucket = self.storage.bucket(build.logs_bucket.removeprefix("gs://"))
        return str(bucket.blob(f"log-{build.id}.txt").download_as_text())


def eventually(tell: Callable[[], Any], holds: Callable[[Any], bool]) -> Any:
    deadline = time.monotonic() + 60
    while time.monotonic() < deadline:
        told = tell()
        if holds(told):
            return told
        time.sleep(0.02)
    raise AssertionError(f"it stays {tell()}")


@pytest.fixture
def place(ecluse: Commands, address: str, monkeypatch: pytest.MonkeyPatch) -> Place:
    """A repository whose pipeline has a trigger, and nonprod's cloud."""
    monkeypatch.setenv("ECLUSE_TOOL_IMAGE", SOME_IMAGE)
    ecluse.repository.pipeline("alpha", settings=SETTINGS + TRIGGERS)
    return Place(ecluse, address)


def promoted(ecluse: Commands) -> Any:
    answer = ecluse.promote("nonprod", "--release", str(ecluse.build()))
    assert answer.code == 0, answer.err
    return answer.json


def troubles(cloud: Cloud) -> list[tuple[str, str, list[str]]]:
    return [
        (each.pipeline, each.trouble, [change.setting for change in each.changes])
        for each in look(cloud, cloud.ledger.head(), kinds=["trigger"])
    ]


def mended(cloud: Cloud) -> list[str]:
    head = cloud.ledger.head()
    done = mend(cloud, head, look(cloud, head, kinds=["trigger"]))
    assert [each.error for each in done] == [None] * len(done)
    return [each.done for each in done]


# What people write


@pytest.mark.parametrize(
    ("written", "complaint"),
    [
        ("triggers: [{topic: x}]", "`triggers.0.topic`: `x` does not look like one"),
        ("triggers: [{topic: googles}]", "`triggers.0.topic`"),
        ("triggers: [{topic: a/b/c}]", "`triggers.0.topic`"),
        ("triggers: []", "`triggers`"),
        ("triggers: [{topic: abc}, {topic: abc}]", "the topic `abc` stands here 2 times"),
        ("triggers: [{topic: abc, when: {}}]", "`triggers.0.when`: there is no such field"),
        ("triggers: [{topic: abc, where: {a-b: c}}]", "triggers.0.where"),
        ("triggers: [{topic: abc, where: {a: {}}}]", "say `prefix`, `suffix` or both"),
        ("triggers: [{topic: abc, where: {a: 3}}]", "triggers.0.where.a"),
    ],
)
def test_a_trigger_that_is_written_wrong_is_refused_with_its_field(
    ecluse: Commands, written: str, complaint: str
) -> None:
    ecluse.repository.pipeline("alpha", settings=f"{SETTINGS}{written}\n")
    answer = ecluse("check")
    assert answer.code == 2
    assert complaint in answer.err
    assert "pipelines/alpha/pipeline.yaml:" in answer.err
    assert answer.err.count("\n") == 1


def test_an_environment_can_have_other_triggers_or_none(repository: Any) -> None:
    repository.pipeline(
        "alpha",
        settings=f"{SETTINGS}{TRIGGERS}environments:\n"
        "  nonprod: {triggers: []}\n  prod: {triggers: [{topic: other}]}\n",
    )
    settings = Catalog(repository.root).pipeline("alpha").settings
    assert [[trigger.topic for trigger in settings.triggers_in(name)] for name in
            ("dev", "nonprod", "prod")] == [[TOPIC], [], ["other"]]  # fmt: skip


def test_what_the_page_on_triggers_shows_is_what_can_be_written() -> None:
    page = (ROOT / "docs" / "triggers.md").read_text(encoding="utf-8")
    examples = re.findall(r"^```yaml\n(.*?)^```", page, flags=re.DOTALL | re.MULTILINE)
    written = [yaml.safe_load(example) for example in examples]
    assert [sorted(each) for each in written] == [["triggers"], ["environments"]]
    for each in written:
        PipelineSettings.model_validate({"description": "", "owner": "me", **each})


def test_what_has_no_triggers_is_delivered_as_before(repository: Any) -> None:
    assert "triggers" not in Catalog(repository.root).pipeline("alpha").settings.delivered()


@pytest.mark.parametrize(
    ("where", "expression"),
    [
        ({}, ""),
        ({"kind": "csv"}, '_ATTRIBUTE_1 == "csv"'),
        (
            {"z": "1", "a": {"prefix": "data/", "suffix": ".csv"}},
            '_ATTRIBUTE_1.startsWith("data/") && _ATTRIBUTE_1.endsWith(".csv") '
            '&& _ATTRIBUTE_2 == "1"',
        ),
        ({"a": 'x" || true || "\\'}, '_ATTRIBUTE_1 == "x\\" || true || \\"\\\\"'),
    ],
)
def test_a_filter_says_in_cel_what_is_written(where: dict[str, Any], expression: str) -> None:
    trigger = Trigger.model_validate({"topic": TOPIC, "where": where})
    assert filter_expression(trigger) == expression


def test_names_of_triggers_are_short_and_never_the_same() -> None:
    names = {
        naming.trigger_name(environment=environment, pipeline=pipeline, topic=topic)
        for environment in ("nonprod", "prod")
        for pipeline in ("a_b", "a-b", "a" * 63)
        for topic in ("arrived", "departed")
    }
    assert len(names) == 12
    for name in names:
        assert len(name) <= 64
        assert name.replace("-", "").isalnum()
        assert "--" not in name


# The whole way


def test_an_object_that_arrives_starts_what_is_live_once_until_it_is_retired(
    ecluse: Commands, place: Place, address: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    archive = python_files_archive(Catalog(ROOT), "tool")
    image = record_image(address, f"{place.environment.images}/tool", archive)
    monkeypatch.setenv("ECLUSE_TOOL_IMAGE", image)
    kept = {"name": place.topic, "message_retention_duration": {"seconds": 3600}}
    place.publisher.create_topic(kept)
    (outcome,) = promoted(ecluse)["outcomes"]
    trigger = place.trigger()
    assert not trigger.disabled

    bucket = place.storage.bucket(place.environment.bucket.removeprefix("gs://"))
    bucket.notification(TOPIC, topic_project=place.environment.project).create()
    for name in ("data/readme.txt", "logs/1.csv", "data/new.csv"):
        bucket.blob(name).upload_from_string("1,2,3")
    (build,) = place.builds(1)
    assert build.status.name == "SUCCESS", place.log(build)
    (started, _) = runs_of(ecluse, "nonprod", address)  # the newest first
    assert started.template_uri.endswith(f"/alpha/{outcome['digest']}")
    run_id = started.name.rsplit("/", 1)[1]
    assert run_id in place.log(build)
    assert run_id.startswith("alpha-nonprod-on-")
    assert started.runtime_config.parameter_values["run_key"] == run_id
    assert started.labels["ecluse-activation"] == "1"
    assert started.service_account == place.environment.service_account

    place.subscriber.seek(
        {"subscription": trigger.pubsub_config.subscription, "time": {"seconds": 1}}
    )
    again = place.builds(2)[1]
    assert again.substitutions["_MESSAGE"] == build.substitutions["_MESSAGE"]
    assert f"run {run_id} runs already, by the same message" in place.log(again)
    assert len(runs_of(ecluse, "nonprod", address)) == 2

    (ecluse.repository.root / "pipelines" / "alpha").rename(
        ecluse.repository.root / "pipelines" / "beta"
    )
    ecluse.repository.write("pipelines/beta/pipeline.yaml", SETTINGS)
    promoted(ecluse)
    assert place.trigger().disabled
    before = len(runs_of(ecluse, "nonprod", address))
    bucket.blob("data/newer.csv").upload_from_string("1,2,3")
    eventually(lambda: place.waits(trigger), lambda waits: not waits)
    refused = place.run(trigger)  # past the ledger: then the start itself says no
    assert refused.status.name == "FAILURE"
    assert "`alpha` is not live in nonprod, so nothing starts" in place.log(refused)
    assert [build.id for build in place.builds(3)] == [build.id, again.id, refused.id]
    assert len(runs_of(ecluse, "nonprod", address)) == before


# Starting


def test_a_start_is_of_what_the_ledger_says_and_not_of_the_working_tree(
    ecluse: Commands, address: str
) -> None:
    (outcome,) = promoted(ecluse)["outcomes"]
    ecluse.repository.replace("pipelines/alpha/pipeline.py", "= 0.9", "= 0.5")
    first, second = (
        ecluse("start", "nonprod", "alpha", "--json"),
        ecluse("start", "nonprod", "alpha"),
    )
    assert (first.code, second.code) == (0, 0)
    assert first.json["digest"] == outcome["digest"]
    assert not first.json["joined"]
    assert "started" in second.out
    assert len(runs_of(ecluse, "nonprod", address)) == 3
    assert {run.template_uri.rsplit("/", 1)[1] for run in runs_of(ecluse, "nonprod", address)} == {
        outcome["digest"]
    }


def test_one_message_starts_one_run_whatever_is_live_by_then(
    ecluse: Commands, address: str
) -> None:
    promoted(ecluse)
    message = ("--message", "17", "--topic", "arrived", "--json")
    first = ecluse("start", "nonprod", "alpha", *message)
    again = ecluse("start", "nonprod", "alpha", *message)
    assert (first.json["joined"], again.json["joined"]) == (False, True)
    ecluse.repository.replace("pipelines/alpha/pipeline.py", "= 0.9", "= 0.95")
    promoted(ecluse)
    later = ecluse("start", "nonprod", "alpha", *message)
    assert later.json["joined"]
    assert {first.json["run"], again.json["run"]} == {later.json["run"]}
    elsewhere = ecluse("start", "nonprod", "alpha", "--message", "17", "--topic", "x", "--json")
    assert elsewhere.json["run"] != first.json["run"]
    assert len(runs_of(ecluse, "nonprod", address)) == 4


def test_what_is_not_live_is_not_started(ecluse: Commands, address: str) -> None:
    answer = ecluse("start", "nonprod", "alpha", "--message", "1")
    assert answer.code == 1
    assert "`alpha` is not live in nonprod, so nothing starts; live is: nothing yet" in answer.err
    assert "ecluse status nonprod" in answer.err
    assert not runs_of(ecluse, "nonprod", address)


@pytest.mark.parametrize(
    ("settings", "complaint"),
    [("{", "Invalid JSON"), ('{"name": "prod"}', "Field required"), ("[]", "should be an object")],
)
def test_a_start_without_a_repository_needs_the_environments_settings(
    ecluse: Commands, settings: str, complaint: str
) -> None:
    answer = ecluse("start", "nonprod", "alpha", "--settings", settings)
    assert answer.code == 2
    assert complaint in answer.err
    assert "promote again" in answer.err


def test_the_settings_of_another_environment_start_nothing(ecluse: Commands) -> None:
    prod = Catalog(ecluse.repository.root).environment("prod").model_dump_json()
    answer = ecluse("start", "nonprod", "alpha", "--settings", prod)
    assert answer.code == 2
    assert "they are those of `prod`" in answer.err


# Converged from the ledger


def test_a_trigger_carries_all_that_a_start_needs(ecluse: Commands, place: Place) -> None:
    ecluse.repository.replace(
        "environments/nonprod.yaml",
        "templates:",
        "parameters: {note: 'a $PRICE $_X'}\ntemplates:",
    )
    promoted(ecluse)
    trigger = place.trigger()
    assert trigger.name.startswith("ecluse-nonprod-alpha-")
    assert trigger.pubsub_config.topic == place.topic
    assert trigger.service_account.endswith(f"/deployer@{place.environment.project}"
                                            ".iam.gserviceaccount.com")  # fmt: skip
    (step,) = trigger.build.steps
    assert (step.name, step.entrypoint) == (SOME_IMAGE, "ecluse")
    assert list(step.args[:3]) == ["start", "nonprod", "alpha"]
    name, _, said = step.env[0].partition("=")
    assert name == "ECLUSE_ENVIRONMENT"
    assert "$$PRICE $$_X" in said, "or Cloud Build would take them for substitutions"
    told = Environment.model_validate_json(said.replace("$$", "$"))
    assert told.parameters == {"note": "a $PRICE $_X"}
    assert told.ledger == place.environment.ledger


def test_the_starter_is_the_account_that_the_environment_says(
    ecluse: Commands, place: Place
) -> None:
    account = "starter@test.iam.gserviceaccount.com"
    ecluse.repository.replace(
        "environments/nonprod.yaml", "templates:", f"starter: {account}\ntemplates:"
    )
    promoted(ecluse)
    assert place.trigger().service_account.endswith(f"/serviceAccounts/{account}")


def test_a_promotion_without_a_tool_image_says_so_before_anything_is_made(
    ecluse: Commands, place: Place, address: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("ECLUSE_TOOL_IMAGE")
    answer = ecluse.promote("nonprod", "--release", str(ecluse.build()))
    assert answer.code == 2
    assert 'export ECLUSE_TOOL_IMAGE="$(ecluse image nonprod tool)"' in answer.err
    assert not runs_of(ecluse, "nonprod", address)
    assert not place.triggers()
    assert not place.cloud.storage.list(f"{place.environment.evidence}/releases/")
    monkeypatch.setenv("ECLUSE_TOOL_IMAGE", "tool:latest")
    answer = ecluse.promote("nonprod", "--release", str(ecluse.build()))
    assert answer.code == 2
    assert "`tool:latest` is no image by digest" in answer.err


def test_a_recorded_tool_image_serves_until_a_promotion_has_another(
    ecluse: Commands, place: Place, monkeypatch: pytest.MonkeyPatch
) -> None:
    promoted(ecluse)
    monkeypatch.delenv("ECLUSE_TOOL_IMAGE")
    promoted(ecluse)
    assert place.trigger().build.steps[0].name == SOME_IMAGE
    newer = SOME_IMAGE.replace("b", "c")
    monkeypatch.setenv("ECLUSE_TOOL_IMAGE", newer)
    (outcome,) = promoted(ecluse)["outcomes"]
    assert outcome["ending"] == "unchanged"
    assert place.trigger().build.steps[0].name == newer


def test_a_pipeline_without_triggers_costs_cloud_build_no_call(
    ecluse: Commands, place: Place
) -> None:
    ecluse.repository.write("pipelines/alpha/pipeline.yaml", SETTINGS)
    promoted(ecluse)
    assert not place.triggers()
    assert not place.cloud.storage.exists(f"{place.environment.ledger}/tool.json")


def test_a_right_trigger_is_not_touched(ecluse: Commands, place: Place) -> None:
    promoted(ecluse)
    before = place.trigger()
    assert troubles(place.cloud) == []
    promoted(ecluse)
    assert place.trigger() == before


def test_what_was_changed_by_hand_is_told_setting_by_setting_and_mended(
    ecluse: Commands, place: Place
) -> None:
    promoted(ecluse)
    right = place.trigger()
    hand = cloudbuild_v1.Build(right.build)
    hand.steps[0].args = ["start", "nonprod", "other"]
    place.change(right, filter='_MESSAGE == "1"', build=hand, description="mine")
    changed = ["description", "filter", "step 1 arguments"]
    assert troubles(place.cloud) == [("alpha", "changed", changed)]
    assert mended(place.cloud) == [f"set again: {', '.join(changed)}"]
    assert troubles(place.cloud) == []
    assert place.trigger() == right


def test_a_disabled_trigger_is_enabled_and_a_missing_one_made_anew(
    ecluse: Commands, place: Place
) -> None:
    promoted(ecluse)
    place.change(place.trigger(), disabled=True)
    assert troubles(place.cloud) == [("alpha", "off", [])]
    assert mended(place.cloud) == [f"enabled: {TOPIC}"]
    assert not place.trigger().disabled
    place.builder.delete_build_trigger({"name": place.trigger().resource_name})
    assert troubles(place.cloud) == [("alpha", "missing", [])]
    assert mended(place.cloud) == [f"made: {TOPIC}"]
    assert troubles(place.cloud) == []


def test_a_trigger_that_no_message_reaches_is_told_and_made_anew(
    ecluse: Commands, place: Place
) -> None:
    promoted(ecluse)
    place.subscriber.delete_subscription(subscription=place.trigger().pubsub_config.subscription)
    assert troubles(place.cloud) == [("alpha", "changed", ["state of its subscription"])]
    assert mended(place.cloud) == [f"made anew: {TOPIC}"]
    assert troubles(place.cloud) == []


def test_a_trigger_that_the_ledger_knows_nothing_of_is_told_and_disabled(
    ecluse: Commands, place: Place
) -> None:
    promoted(ecluse)
    right = place.trigger()
    stranger = cloudbuild_v1.BuildTrigger(right)
    stranger.name, stranger.id, stranger.resource_name = "by-hand", "", ""
    place.builder.create_build_trigger(parent=place.parent, trigger=stranger)
    stranger.name, stranger.tags = "not-ours", []
    place.builder.create_build_trigger(parent=place.parent, trigger=stranger)
    stranger.name = "of-nobody"
    stranger.tags = [*right.tags[:2], "pipeline-nobody"]
    place.builder.create_build_trigger(parent=place.parent, trigger=stranger)
    assert sorted(troubles(place.cloud)) == [("alpha", "on", []), ("of-nobody", "unknown", [])]
    assert mended(place.cloud) == ["disabled", "disabled"]
    firing = {trigger.name for trigger in place.triggers() if not trigger.disabled}
    assert firing == {right.name, "not-ours"}
    assert troubles(place.cloud) == []


def test_another_topic_is_another_trigger_and_the_old_one_fires_no_more(
    ecluse: Commands, place: Place
) -> None:
    promoted(ecluse)
    old = place.trigger()
    ecluse.repository.replace("pipelines/alpha/pipeline.yaml", TOPIC, "others-arrived")
    promoted(ecluse)
    found = {trigger.pubsub_config.topic.rsplit("/", 1)[1]: trigger for trigger in place.triggers()}
    assert found[TOPIC].id == old.id
    assert found[TOPIC].disabled
    assert not found["others-arrived"].disabled
    ecluse.repository.replace("pipelines/alpha/pipeline.yaml", "others-arrived", TOPIC)
    promoted(ecluse)
    found = {trigger.pubsub_config.topic.rsplit("/", 1)[1]: trigger for trigger in place.triggers()}
    assert not found[TOPIC].disabled
    assert found["others-arrived"].disabled


def test_a_rollback_takes_the_triggers_back_too(ecluse: Commands, place: Place) -> None:
    ecluse.repository.write("pipelines/alpha/pipeline.yaml", SETTINGS)
    promoted(ecluse)
    ecluse.repository.write("pipelines/alpha/pipeline.yaml", SETTINGS + TRIGGERS)
    promoted(ecluse)
    assert not place.trigger().disabled
    answer = ecluse("rollback", "nonprod", "--json")
    assert answer.code == 0, answer.err
    assert place.trigger().disabled
    assert troubles(place.cloud) == []


def test_drift_tells_of_a_trigger_and_repairs_it(ecluse: Commands, place: Place) -> None:
    promoted(ecluse)
    place.change(place.trigger(), filter='_MESSAGE == "1"')
    told = ecluse("drift", "nonprod")
    assert told.code == 1
    assert "trigger" in told.out
    assert "filter" in told.out
    assert ecluse("drift", "nonprod", "--repair").code == 0
    assert ecluse("drift", "nonprod").code == 0


def test_a_topic_that_is_gone_is_told_with_the_command_that_makes_it(
    ecluse: Commands, place: Place
) -> None:
    promoted(ecluse)
    place.builder.delete_build_trigger({"name": place.trigger().resource_name})
    place.publisher.delete_topic(topic=place.topic)
    head = place.cloud.ledger.head()
    (done,) = mend(place.cloud, head, look(place.cloud, head, kinds=["trigger"]))
    assert done.error is not None
    project = place.environment.project
    assert f"gcloud pubsub topics create {TOPIC} --project={project}" in done.error.fix


def test_a_record_of_the_tool_image_that_is_none_is_told(ecluse: Commands, place: Place) -> None:
    promoted(ecluse)
    address = f"{place.environment.ledger}/tool.json"
    kept = place.cloud.storage.read(address)
    assert kept is not None
    assert json.loads(kept.content)["image"] == SOME_IMAGE
    for content in (b"{", b"[]", b'{"image": "tool:latest"}'):
        place.cloud.storage.write(address, content)
        answer = ecluse.promote("nonprod", "--release", str(ecluse.build()))
        assert answer.code == 1
        assert "names no tool image" in answer.err
    place.cloud.storage.write(address, kept.content)
    promoted(ecluse)
