"""Every method of every adapter, with each of its calls struck in turn by each kind of fault."""

import io
import tarfile
from collections.abc import Callable
from contextlib import nullcontext, suppress
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from threading import Event
from typing import Any

import pytest
from google.api_core import exceptions
from google.cloud import artifactregistry_v1
from kfp.registry import ApiAuth, RegistryClient

from ecluse.cloud.keys import Keys, verifies
from ecluse.cloud.registry import Registry
from ecluse.cloud.storage import PreconditionFailed, StoredObject
from ecluse.cloud.triggers import FoundTrigger, TriggerRequest
from ecluse.errors import Interrupted
from ecluse.local import lay_topics
from tests.ecluse.cloud.place import Place, Struck, Way, unused

FAULTS: tuple[dict[str, Any], ...] = (
    {"error": 429, "retry_after": 0},
    {"error": 429, "when": "after"},
    {"error": 500, "when": "after"},
    {"error": 503},
    {"reset": True},
    {"reset": True, "when": "after"},
)

WAYS: dict[str, Way] = {}


def way(function: Way) -> Way:
    """Note one use of an adapter. It calls what is tried inside `with struck`, and nothing else."""
    WAYS[function.__name__] = function
    return function


# Cloud Storage


@way
def reading_an_object(place: Place, name: str, struck: Struck) -> None:
    place.cloud.storage.write(place.address(name), b"content")
    with struck:
        found = place.cloud.storage.read(place.address(name))
    assert found is not None
    assert found.content == b"content"


@way
def reading_what_is_not_there(place: Place, name: str, struck: Struck) -> None:
    with struck:
        assert place.cloud.storage.read(place.address(name)) is None
        assert not place.cloud.storage.exists(place.address(name))


@way
def reading_many(place: Place, name: str, struck: Struck) -> None:
    addresses = [place.address(f"{name}/{number}") for number in range(3)]
    for address in addresses[:2]:
        place.cloud.storage.write(address, address.encode())
    with struck:
        found = place.cloud.storage.read_many(addresses)
    assert list(found) == addresses
    assert [each.content if each else None for each in found.values()] == [
        *(address.encode() for address in addresses[:2]),
        None,
    ]


@way
def writing_a_new_object(place: Place, name: str, struck: Struck) -> None:
    with struck:
        generation = place.cloud.storage.write(place.address(name), b"first", if_generation=0)
    assert place.cloud.storage.read(place.address(name)) == StoredObject(b"first", generation)


@way
def replacing_a_generation(place: Place, name: str, struck: Struck) -> None:
    before = place.cloud.storage.write(place.address(name), b"first")
    with struck:
        after = place.cloud.storage.write(place.address(name), b"second", if_generation=before)
    assert after > before
    assert place.cloud.storage.read(place.address(name)) == StoredObject(b"second", after)


@way
def losing_a_race(place: Place, name: str, struck: Struck) -> None:
    storage = place.cloud.storage
    before = storage.write(place.address(name), b"first")
    storage.write(place.address(name), b"somebody else's")
    with struck, pytest.raises(PreconditionFailed):
        storage.write(place.address(name), b"mine", if_generation=before)
    found = storage.read(place.address(name))
    assert found is not None
    assert found.content == b"somebody else's"


@way
def writing_once(place: Place, name: str, struck: Struck) -> None:
    with struck:
        assert (
            place.cloud.storage.write_json_once(place.address(name), {"a": 1}) == b'{\n "a": 1\n}'
        )
    assert place.cloud.storage.write_json_once(place.address(name), {"a": 2}) == b'{\n "a": 1\n}'


@way
def listing_objects(place: Place, name: str, struck: Struck) -> None:
    addresses = sorted(place.address(f"{name}/{number}") for number in range(3))
    for address in addresses:
        place.cloud.storage.write(address, b"")
    with struck:
        assert place.cloud.storage.list(place.address(f"{name}/")) == addresses


@way
def uploading_a_file(place: Place, name: str, struck: Struck) -> None:
    with struck:
        place.cloud.storage.upload(
            place.address(name), Path(__file__), content_type="text/x-python"
        )
    found = place.cloud.storage.read(place.address(name))
    assert found is not None
    assert found.content == Path(__file__).read_bytes()


@way
def deleting_an_object(place: Place, name: str, struck: Struck) -> None:
    generation = place.cloud.storage.write(place.address(name), b"")
    with pytest.raises(PreconditionFailed):
        place.cloud.storage.delete(place.address(name), if_generation=generation + 1)
    with struck:
        place.cloud.storage.delete(place.address(name), if_generation=generation)
    assert not place.cloud.storage.exists(place.address(name))


@way
def making_a_bucket(place: Place, name: str, struck: Struck) -> None:
    with struck:
        place.cloud.storage.ensure_bucket(f"gs://{name}", "europe-west1")
    place.cloud.storage.write(f"gs://{name}/object", b"")


# The template repository


@way
def uploading_a_pipeline(place: Place, name: str, struck: Struck) -> None:
    from ecluse.canonical import digest_of

    content = place.content.replace(b"name: quiet", f"name: {name}".encode())
    with struck:
        place.cloud.registry.upload(name, content)
    assert place.cloud.registry.has(name, digest_of(content))
    assert place.cloud.registry.download(name, digest_of(content)) == content


@way
def looking_for_a_pipeline(place: Place, name: str, struck: Struck) -> None:
    registry = place.cloud.registry
    with struck:
        assert registry.has(place.package, place.digest)
        assert not registry.has(place.package, "sha256:" + "0" * 64)
        assert registry.download(place.package, place.digest) == place.content
        assert registry.download(place.package, "sha256:" + "0" * 64) is None


def second_version(place: Place) -> str:
    from ecluse.canonical import digest_of

    content = place.content + b"\n"
    place.cloud.registry.upload(place.package, content)
    return digest_of(content)


@way
def setting_the_live_tag(place: Place, name: str, struck: Struck) -> None:
    place.cloud.registry.untag_live(place.package)
    with struck:
        place.cloud.registry.tag_live(place.package, place.digest)
    assert place.cloud.registry.live_digest(place.package) == place.digest


@way
def moving_the_live_tag(place: Place, name: str, struck: Struck) -> None:
    other = second_version(place)
    place.cloud.registry.tag_live(place.package, place.digest)
    with struck:
        place.cloud.registry.tag_live(place.package, other)
    assert place.cloud.registry.live_digest(place.package) == other


@way
def taking_the_live_tag_away(place: Place, name: str, struck: Struck) -> None:
    place.cloud.registry.tag_live(place.package, place.digest)
    with struck:
        place.cloud.registry.untag_live(place.package)
    assert place.cloud.registry.live_digest(place.package) is None


@way
def asking_what_is_tagged(place: Place, name: str, struck: Struck) -> None:
    place.cloud.registry.tag_live(place.package, place.digest)
    with struck:
        found = place.cloud.registry.live_digests([place.package, "nothing"])
    assert found == {place.package: place.digest, "nothing": None}


@way
def making_a_template_repository(place: Place, name: str, struck: Struck) -> None:
    settings = place.environment.model_copy(update={"templates": name})
    client = RegistryClient(host=f"{place.server.endpoint}/x", auth=ApiAuth("x"))
    registry = Registry(settings, client, place.cloud.registry._metadata, place.cloud.calls)
    with struck:
        registry.ensure_repository()
    assert not registry.has("nothing", place.digest)


# Images and keys


@way
def finding_an_image(place: Place, name: str, struck: Struck) -> None:
    content = io.BytesIO()
    tarfile.open(fileobj=content, mode="w").close()
    repository = place.environment.images
    location = f"projects/{place.environment.project}/locations/europe-west1"
    with suppress(exceptions.Conflict):
        client: Any = artifactregistry_v1.ArtifactRegistryClient(**place.server.gapic)
        client.create_repository(
            parent=location, repository_id="images", repository={"format_": "DOCKER"}
        )
    image = place.server.images.put(f"{repository}/{name}", content.getvalue(), tag="v1")
    with struck:
        assert place.cloud.images.digest(repository, name, "v1") == image.partition("@")[2]
        assert place.cloud.images.digest(repository, name, "v2") is None


@way
def signing(place: Place, name: str, struck: Struck) -> None:
    key = place.environment.signing_key
    keys = Keys.connect(place.cloud.addresses)  # which asks for a public key only once
    with struck:
        signature = keys.sign(key, b"content")
        public = keys.public_key(key)
    assert verifies(public, b"content", signature)
    assert not verifies(public, b"other", signature)


@way
def making_a_key(place: Place, name: str, struck: Struck) -> None:
    key = place.environment.signing_key.replace("/ecluse/", f"/{name}/")
    with struck:
        place.cloud.keys.ensure_key(key)
    assert "PUBLIC KEY" in place.cloud.keys.public_key(key)


# Runs


@way
def creating_a_run(place: Place, name: str, struck: Struck) -> None:
    with struck:
        run = place.cloud.pipelines.create(place.request(name))
    assert run.id == name
    assert run.template == place.digest
    assert [found.id for found in place.cloud.pipelines.list() if found.id == name] == [name]


@way
def looking_at_a_run(place: Place, name: str, struck: Struck) -> None:
    place.cloud.pipelines.create(place.request(name))
    with struck:
        found = place.cloud.pipelines.get(name)
        assert place.cloud.pipelines.get(f"{name}-2") is None
    assert found is not None
    assert found.parameters == {"run_key": name}


@way
def following_a_run(place: Place, name: str, struck: Struck) -> None:
    run = place.cloud.pipelines.create(place.request(name))
    with struck:
        ended = place.cloud.pipelines.wait(run, lambda _: None, Event())
    assert ended.state == "succeeded"


@way
def listing_runs(place: Place, name: str, struck: Struck) -> None:
    place.cloud.pipelines.create(place.request(name))
    with struck:
        (found, *_) = place.cloud.pipelines.list(
            labels={"ecluse-pipeline": "quiet"}, since=datetime.now(UTC) - timedelta(minutes=5)
        )
    assert found.id == name
    assert found.template == place.digest


class Ordered:
    """Order a fault as long as a `with` lasts, and note whether it struck."""

    def __init__(self, place: Place, rule: dict[str, Any], fired: list[int]) -> None:
        self._faults = place.server.faults
        self._rule = rule
        self._fired = fired

    def __enter__(self) -> None:
        self._faults.clear()
        self._faults.add(**self._rule)

    def __exit__(self, *_: object) -> None:
        self._fired += [rule["fired"] for rule in self._faults.rules]
        self._faults.clear()


@way
def asking_for_room(place: Place, name: str, struck: Struck) -> None:
    pipelines = place.cloud.pipelines
    run = pipelines.create(place.request(name))
    pipelines.wait(run, lambda _: None, Event())
    stop = Event()
    with struck:
        pipelines.wait_for_room(1, {"ecluse-pipeline": "quiet"}, stop)
        assert not pipelines.has_room(0, {})
    stop.set()
    with pytest.raises(Interrupted):
        pipelines.wait_for_room(0, {}, stop)


# Cloud Build's triggers


def trigger_request(place: Place, name: str, **fields: Any) -> TriggerRequest:
    """Return a trigger on a topic of its own, which is there."""
    project = place.environment.project
    lay_topics(place.server.endpoint, project, [f"topic-{name}"])
    request = TriggerRequest(
        name=f"trigger-{name}",
        description="",
        tags=("mine",),
        topic=f"projects/{project}/topics/topic-{name}",
        filter="",
        substitutions={"_MESSAGE": "$(body.message.messageId)"},
        image=f"tool@sha256:{'a' * 64}",
        arguments=("start",),
        variables={},
    )
    return replace(request, **fields)


def named_triggers(place: Place, request: TriggerRequest) -> list[FoundTrigger]:
    return [each for each in place.cloud.triggers.list() if each.name == request.name]


@way
def making_a_trigger(place: Place, name: str, struck: Struck) -> None:
    request = trigger_request(place, name)
    with struck:
        place.cloud.triggers.create(request)
    (found,) = named_triggers(place, request)
    assert found.settings == place.cloud.triggers.settings(request)
    assert found.enabled


@way
def changing_a_trigger(place: Place, name: str, struck: Struck) -> None:
    request = trigger_request(place, name)
    place.cloud.triggers.create(request)
    (found,) = named_triggers(place, request)
    other = trigger_request(place, name, filter='_MESSAGE != "1"')
    with struck:
        place.cloud.triggers.disable(found.resource)
        place.cloud.triggers.update(found.resource, other)
    (found,) = named_triggers(place, request)
    assert found.settings == place.cloud.triggers.settings(other)
    assert found.enabled


@way
def taking_a_trigger_away(place: Place, name: str, struck: Struck) -> None:
    request = trigger_request(place, name)
    place.cloud.triggers.create(request)
    (found,) = named_triggers(place, request)
    with struck:
        assert place.cloud.triggers.unreachable(found.resource) == ""
        place.cloud.triggers.delete(found.resource)
        assert place.cloud.triggers.unreachable(found.resource) == ""
    assert not named_triggers(place, request)


@pytest.mark.parametrize("name", WAYS)
def test_no_fault_of_one_call_changes_what_comes_of_it(place: Place, name: str) -> None:
    follow: Callable[[Place, str, Struck], None] = WAYS[name]
    calls: list[dict[str, Any]] = []
    follow(place, unused(), place.counted(calls))
    assert calls, "what makes no call cannot fail"
    rules = [
        {"path": "/*", "nth": number, **fault}
        for number in range(1, min(len(calls), 4) + 1)
        for fault in FAULTS
    ]
    for rule in rules:
        fired: list[int] = []
        follow(place, unused(), Ordered(place, rule, fired))
        assert fired == [1], rule
    follow(place, unused(), nullcontext())
