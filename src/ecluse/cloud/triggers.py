"""Cloud Build's triggers that messages fire: found by name, and told as values to compare.

What a trigger is set to is one flat mapping, `topic` and `filter` and `step 1 image`, the same for
what is asked for and for what is there. Each starts one build of one step, which runs
`ecluse start`.
Source: https://cloud.google.com/build/docs/automate-builds-pubsub-events.
"""

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

from google.api_core import exceptions
from google.cloud.devtools import cloudbuild_v1
from google.protobuf import json_format

from ecluse.cloud import Addresses
from ecluse.cloud.calls import ONCE, Calls
from ecluse.cloud.failures import translated
from ecluse.errors import Refused
from ecluse.repository.settings import Environment

Settings = Mapping[str, Any]

MARK: Final = "ecluse-start"
"""The tag of every trigger of ours that starts runs."""

_PAGE_SIZE: Final = 100
_SECONDS: Final = 1800
# What Cloud Build fills in itself, or what is compared otherwise.
_NOT_OURS: Final = frozenset(
    {"resourceName", "id", "createTime", "disabled", "name", "build", "pubsubConfig",
     "substitutions", "tags", "ignoredFiles", "includedFiles"}
)  # fmt: skip
# What a triggered build always has, says Cloud Build's proto, or has by default.
_BY_DEFAULT: Final = frozenset(
    {"substitutionOption", "dynamicSubstitutions", "logStreamingOption", "requestedVerifyOption",
     "defaultLogsBucketBehavior", "queueTtl"}
)  # fmt: skip
_CHANGED: Final = (
    "description", "tags", "pubsub_config", "build", "substitutions", "filter", "service_account",
    "disabled", "approval_config", "source_to_build",
)  # fmt: skip


@dataclass(frozen=True)
class TriggerRequest:
    """A trigger as it ought to be.

    Attributes:
        name: what it is found by.
        description: for people.
        tags: by which it is known to be ours.
        topic: `projects/P/topics/T`.
        filter: CEL over the substitutions; empty for every message.
        substitutions: what is taken from the message.
        image: what its step runs in, by digest.
        arguments: of `ecluse`.
        variables: the step's environment.

    """

    name: str
    description: str
    tags: tuple[str, ...]
    topic: str
    filter: str
    substitutions: Mapping[str, str]
    image: str
    arguments: tuple[str, ...]
    variables: Mapping[str, str]


@dataclass(frozen=True)
class FoundTrigger:
    """A trigger as it is.

    Attributes:
        name: the name that it was given.
        resource: its resource name.
        tags: its own.
        enabled: whether messages fire it.
        settings: what it is set to, flat.

    """

    name: str
    resource: str
    tags: frozenset[str]
    enabled: bool
    settings: Settings


class Triggers:
    """The triggers of one environment's project and location."""

    def __init__(self, environment: Environment, client: Any, calls: Calls) -> None:
        self._environment = environment
        self._client = client
        self._calls = calls
        self._parent = f"projects/{environment.project}/locations/{environment.location}"

    @classmethod
    def connect(cls, addresses: Addresses) -> "Triggers":
        """Connect to Cloud Build."""
        with translated("Cloud Build"):
            client = addresses.typed(cloudbuild_v1.CloudBuildClient, "cloudbuild")
        return cls(addresses.environment, client, addresses.calls)

    def resource_name(self, name: str) -> str:
        """Return a trigger's resource name."""
        return f"{self._parent}/triggers/{name}"

    def list(self) -> tuple[FoundTrigger, ...]:
        """Return the triggers that messages fire, by name."""
        found = [_found(self._parent, trigger) for trigger in self._all()]
        return tuple(sorted(found, key=lambda each: each.name))

    def settings(self, request: TriggerRequest) -> Settings:
        """Return what a trigger that was asked for would be set to."""
        return _settings(_plain(self._message(request)))

    def unreachable(self, resource: str) -> str:
        """Return what keeps messages from reaching a trigger, in Cloud Build's word; or nothing."""
        try:
            trigger = self._calls.call(
                resource,
                lambda: self._client.get_build_trigger(self._named(resource), **ONCE),
                expecting=exceptions.NotFound,
            )
        except exceptions.NotFound:
            return ""  # it has gone since it was listed, which the next look tells
        state = str(trigger.pubsub_config.state.name)
        return "" if state in ("OK", "STATE_UNSPECIFIED") else state

    def create(self, request: TriggerRequest) -> None:
        """Make a trigger; one that has the name by now was made by a try whose answer was lost.

        Raises:
            Refused: there is no such topic.

        """
        try:
            self._topical(
                request,
                lambda: self._client.create_build_trigger(
                    parent=self._parent, trigger=self._message(request), **ONCE
                ),
                exceptions.Conflict,
            )
        except exceptions.Conflict:
            self._update_by_name(request)

    def update(self, resource: str, request: TriggerRequest) -> None:
        """Set a trigger to what is asked for, and let it fire.

        Raises:
            Refused: there is no such topic.

        """
        message = self._message(request)
        message.resource_name = resource
        change = self._change(resource, message, _CHANGED)
        self._topical(request, lambda: self._client.update_build_trigger(change, **ONCE))

    def disable(self, resource: str) -> None:
        """Let messages fire a trigger no more. What it built stays."""
        message = cloudbuild_v1.BuildTrigger(resource_name=resource, disabled=True)
        change = self._change(resource, message, ["disabled"])
        self._calls.call(resource, lambda: self._client.update_build_trigger(change, **ONCE))

    def delete(self, resource: str) -> None:
        """Take a trigger away, with its subscription. Its builds stay."""
        try:
            self._calls.call(
                resource,
                lambda: self._client.delete_build_trigger(self._named(resource), **ONCE),
                expecting=exceptions.NotFound,
            )
        except exceptions.NotFound:
            return

    def _named(self, resource: str) -> dict[str, str]:
        trigger = resource.rsplit("/", 1)[1]
        return {
            "name": resource,
            "project_id": self._environment.project,
            "trigger_id": trigger,
        }

    def _change(self, resource: str, message: Any, paths: Sequence[str]) -> dict[str, Any]:
        return {
            "project_id": self._environment.project,
            "trigger_id": resource.rsplit("/", 1)[1],
            "trigger": message,
            "update_mask": {"paths": list(paths)},
        }

    def _update_by_name(self, request: TriggerRequest) -> None:
        found = next((each for each in self.list() if each.name == request.name), None)
        if found is None:
            raise Refused(
                "a trigger of this name is there, and messages do not fire it",
                where=self.resource_name(request.name),
                fix=f"gcloud builds triggers delete {request.name} "
                f"--project={self._environment.project} --region={self._environment.location}",
            )
        self.update(found.resource, request)

    def _topical(self, request: TriggerRequest, function: Any, *expected: type[Exception]) -> None:
        """Make a call that needs the topic."""
        name = self.resource_name(request.name)
        try:
            self._calls.call(name, function, expecting=(exceptions.NotFound, *expected))
        except exceptions.NotFound as error:
            topic = request.topic.rsplit("/", 1)[1]
            raise Refused(
                f"cannot listen to the topic `{topic}`: {error.message}",
                where=name,
                fix=f"make it with `gcloud pubsub topics create {topic} "
                f"--project={self._environment.project}`, then run the same again",
            ) from error

    def _all(self) -> Iterator[Any]:
        request = {
            "parent": self._parent,
            "project_id": self._environment.project,
            "page_size": _PAGE_SIZE,
        }

        def ask(token: str) -> Any:
            return self._client.list_build_triggers({**request, "page_token": token}, **ONCE)

        for page in self._calls.pages(f"{self._parent}/triggers", ask):
            yield from (each for each in page.triggers if each.pubsub_config.topic)

    def _message(self, request: TriggerRequest) -> Any:
        environment = self._environment
        account = environment.trigger_account
        return cloudbuild_v1.BuildTrigger(
            name=request.name,
            description=request.description,
            tags=list(request.tags),
            pubsub_config=cloudbuild_v1.PubsubConfig(topic=request.topic),
            filter=request.filter,
            substitutions=dict(request.substitutions),
            service_account=f"projects/{environment.project}/serviceAccounts/{account}",
            build=cloudbuild_v1.Build(
                steps=[
                    cloudbuild_v1.BuildStep(
                        id="start",
                        name=request.image,
                        entrypoint="ecluse",
                        args=list(request.arguments),
                        env=[f"{name}={value}" for name, value in request.variables.items()],
                    )
                ],
                logs_bucket=environment.build_logs,
                timeout={"seconds": _SECONDS},
                options=cloudbuild_v1.BuildOptions(
                    logging=cloudbuild_v1.BuildOptions.LoggingMode.GCS_ONLY
                ),
            ),
        )


def _found(parent: str, trigger: Any) -> FoundTrigger:
    return FoundTrigger(
        name=trigger.name,
        resource=f"{parent}/triggers/{trigger.id}",
        tags=frozenset(trigger.tags),
        enabled=not trigger.disabled,
        settings=_settings(_plain(trigger)),
    )


def _settings(plain: Mapping[str, Any]) -> Settings:
    """Return what a trigger is set to, flat; what is empty, or the service's own, is left out."""
    build = plain.get("build", {})
    settings: dict[str, Any] = {
        "topic": plain.get("pubsubConfig", {}).get("topic"),
        "tags": " ".join(sorted(plain.get("tags", []))),
    }
    for number, step in enumerate(build.get("steps", []), start=1):
        known = {"name": "image", "args": "arguments", "env": "variables"}
        for name, value in step.items():
            settings[f"step {number} {known.get(name, name)}"] = _text(value)
    for name, value in plain.get("substitutions", {}).items():
        settings[f"substitutions.{name}"] = value
    options = {name: value for name, value in build.get("options", {}).items() if value}
    parts = {name: value for name, value in build.items() if name not in ("steps", "options")}
    others = {name: value for name, value in plain.items() if name not in _NOT_OURS}
    for prefix, values in (("", others), ("build ", parts), ("option ", options)):
        for name, value in values.items():
            if name not in _BY_DEFAULT:
                settings[f"{prefix}{name}"] = _text(value)
    return {name: value for name, value in settings.items() if value not in (None, "", "{}", "[]")}


def _text(value: Any) -> Any:
    return value if isinstance(value, str) else json.dumps(value, sort_keys=True)


def _plain(message: Any) -> dict[str, Any]:
    values: dict[str, Any] = json_format.MessageToDict(type(message).pb(message))
    return values
