"""Keeps each live pipeline's triggers: one a topic, under a name of its own, as the ledger says.

A trigger is found by its name and changed in place. What nothing is to start any more is disabled,
so that its builds stay where people look for them. All run in one image, the environment's tool
image, and none is looked for where there is none: no trigger of ours was ever made there.
"""

import json
from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass
from typing import Final

from ecluse import naming
from ecluse.cloud import Cloud
from ecluse.cloud.triggers import MARK, FoundTrigger, Settings, TriggerRequest
from ecluse.errors import Refused
from ecluse.ledger.records import Entry, Head
from ecluse.ledger.tool_image import no_tool_image, recorded_tool_image
from ecluse.repository.settings import Environment
from ecluse.repository.trigger_settings import Part, Trigger
from ecluse.upkeep.convergence.difference import Change, Difference, compared

KIND = "trigger"

# What `ecluse start` needs to know of its environment. A build of a trigger has no repository.
_TOLD: Final = {
    "name", "project", "location", "bucket", "ledger", "evidence", "templates", "images",
    "service_account", "signing_key", "labels", "network", "encryption_key", "parameters",
}  # fmt: skip
ENVIRONMENT_VARIABLE: Final = "ECLUSE_ENVIRONMENT"


@dataclass(frozen=True)
class Wanted:
    """A trigger that ought to be there.

    Attributes:
        pipeline: whose it is.
        address: its resource name, by the name that it is found by.
        settings: what it ought to be set to.

    """

    pipeline: str
    address: str
    settings: Settings

    @property
    def name(self) -> str:
        """The name that it is found by."""
        return self.address.rsplit("/", 1)[1]


def trigger_requests(
    environment: Environment, pipeline: str, live: Entry | None, tool_image: str
) -> tuple[TriggerRequest, ...]:
    """Return the triggers that a pipeline ought to have in an environment. Pure.

    Args:
        environment: where.
        pipeline: its name.
        live: what the ledger says is live; none if nothing is.
        tool_image: what their builds run in.

    """
    return tuple(
        _request(environment, pipeline, trigger, tool_image)
        for trigger in triggers_of(environment.name, live)
    )


def triggers_of(environment: str, live: Entry | None) -> tuple[Trigger, ...]:
    """Return the triggers that hold for what is live."""
    if live is None:
        return ()
    return live.parsed_settings().triggers_in(environment)


def compare(wanted: Sequence[Wanted], found: Sequence[FoundTrigger]) -> list[Difference]:
    """Compare the triggers that ought to be there with those that are. Pure.

    Args:
        wanted: what ought to be there.
        found: what is there under these names.

    """
    there = {each.name: each for each in found}
    differences = []
    for each in wanted:
        trigger = there.get(each.name)
        if trigger is None:
            differences.append(Difference(KIND, each.pipeline, "missing", each.address))
            continue
        changed = compared(trigger.settings, each.settings)
        if changed:
            differences.append(
                Difference(KIND, each.pipeline, "changed", trigger.resource, changed)
            )
        elif not trigger.enabled:
            differences.append(Difference(KIND, each.pipeline, "off", trigger.resource))
    return differences


def left_over(
    environment: Environment, head: Head, wanted: Collection[str], found: Sequence[FoundTrigger]
) -> list[Difference]:
    """Return the triggers of ours that fire, though the ledger has nothing for them to start. Pure.

    Args:
        environment: where.
        head: what the ledger says.
        wanted: the names of those that ought to be there.
        found: what is there.

    """
    marks = {MARK, _environment_tag(environment)}
    differences = []
    for trigger in found:
        if trigger.enabled and trigger.name not in wanted and marks <= trigger.tags:
            pipeline = _pipeline_of(trigger)
            known = pipeline in head.pipelines
            differences.append(
                Difference(
                    KIND,
                    pipeline if known else trigger.name,
                    "on" if known else "unknown",
                    trigger.resource,
                )
            )
    return differences


def filter_expression(trigger: Trigger) -> str:
    """Return what a message has to be like, in CEL over the trigger's substitutions. Pure."""
    return " && ".join(
        condition
        for index, (_, wanted) in enumerate(sorted(trigger.where.items()), start=1)
        for condition in _conditions(_attribute_key(index), wanted)
    )


class TriggerKeeper:
    """The triggers of one environment. See `Keeper`."""

    def __init__(self, cloud: Cloud) -> None:
        self._cloud = cloud
        self._environment = cloud.environment

    def differences(self, head: Head, pipelines: Collection[str] | None) -> list[Difference]:
        """Compare the environment's triggers, listed once, with the ledger."""
        names = sorted(head.pipelines if pipelines is None else pipelines)
        wanting = [name for name in names if triggers_of(self._environment.name, head.live(name))]
        tool_image = recorded_tool_image(self._cloud)
        if tool_image is None:
            return [self._without_image(name) for name in wanting]
        requests = {
            request.name: (name, request)
            for name in names
            for request in trigger_requests(self._environment, name, head.live(name), tool_image)
        }
        found = self._cloud.triggers.list()
        wanted = [
            Wanted(
                pipeline,
                self._cloud.triggers.resource_name(name),
                self._cloud.triggers.settings(request),
            )
            for name, (pipeline, request) in requests.items()
        ]
        differences = compare(wanted, found)
        extra = left_over(self._environment, head, requests, found)
        if pipelines is not None:
            return [*differences, *(each for each in extra if each.pipeline in pipelines)]
        return [*differences, *self._unreachable(wanted, found, differences), *extra]

    def mend(self, head: Head, difference: Difference) -> str:
        """Mend one difference of a trigger."""
        triggers = self._cloud.triggers
        if difference.trouble in ("on", "extra", "unknown"):
            triggers.disable(difference.resource)
            return "disabled"
        request = self._request(head, difference)
        if difference.trouble == "missing":
            triggers.create(request)
            return f"made: {_topic_id(request)}"
        if difference.changes and difference.changes[0].setting == _REACHED:
            triggers.delete(difference.resource)
            triggers.create(request)
            return f"made anew: {_topic_id(request)}"
        triggers.update(difference.resource, request)
        if difference.trouble == "off":
            return f"enabled: {_topic_id(request)}"
        return f"set again: {', '.join(change.setting for change in difference.changes)}"

    def _request(self, head: Head, difference: Difference) -> TriggerRequest:
        """Return what a trigger ought to be, by its name, or by the one that it has there."""
        image = recorded_tool_image(self._cloud)
        if image is None:
            raise no_tool_image(self._environment.name)
        live = head.live(difference.pipeline)
        requests = trigger_requests(self._environment, difference.pipeline, live, image)
        name = difference.resource.rsplit("/", 1)[1]
        if difference.trouble != "missing":
            there = {each.resource: each.name for each in self._cloud.triggers.list()}
            name = there.get(difference.resource, "")
        wanted = next((request for request in requests if request.name == name), None)
        if wanted is None:
            raise Refused(
                "the trigger was taken away in the meantime",
                where=difference.resource,
                fix="run the same again",
            )
        return wanted

    def _unreachable(
        self, wanted: Sequence[Wanted], found: Sequence[FoundTrigger], told: Sequence[Difference]
    ) -> Iterator[Difference]:
        """Yield the triggers that are as they ought to be, and that no message reaches."""
        ill = {difference.resource for difference in told}
        owners = {each.name: each.pipeline for each in wanted}
        right = [each for each in found if each.name in owners and each.resource not in ill]
        states = self._cloud.calls.side_by_side(
            lambda each: self._cloud.triggers.unreachable(each.resource), right
        )
        for trigger, state in zip(right, states, strict=True):
            if state:
                change = Change(_REACHED, state, "OK")
                owner = owners[trigger.name]
                yield Difference(KIND, owner, "changed", trigger.resource, (change,))

    def _without_image(self, pipeline: str) -> Difference:
        fix = no_tool_image(self._environment.name).fix
        return Difference(KIND, pipeline, "missing", "", fix=fix)


_REACHED: Final = "state of its subscription"


def _request(
    environment: Environment, pipeline: str, trigger: Trigger, tool_image: str
) -> TriggerRequest:
    told = environment.model_dump(mode="json", include=_TOLD, exclude_none=True)
    said = json.dumps(told, sort_keys=True, separators=(",", ":"), ensure_ascii=False)
    attributes = {
        _attribute_key(index): f"$(body.message.attributes.{name})"
        for index, name in enumerate(sorted(trigger.where), start=1)
    }
    name = naming.trigger_name(environment=environment.name, pipeline=pipeline, topic=trigger.topic)
    return TriggerRequest(
        name=name,
        description=f"Starts {pipeline} in {environment.name} for messages of {trigger.topic}",
        tags=(MARK, _environment_tag(environment), _pipeline_tag(pipeline)),
        topic=f"projects/{environment.project}/topics/{trigger.topic}",
        filter=filter_expression(trigger),
        substitutions={_MESSAGE: "$(body.message.messageId)", **attributes},
        image=tool_image,
        arguments=(
            *("start", environment.name, pipeline),
            *("--topic", _literal(trigger.topic), "--message", f"${{{_MESSAGE}}}"),
        ),
        variables={ENVIRONMENT_VARIABLE: _literal(said)},
    )


_MESSAGE: Final = "_MESSAGE"


def _conditions(key: str, wanted: str | Part) -> Iterator[str]:
    if isinstance(wanted, str):
        yield f"{key} == {_quoted(wanted)}"
        return
    if wanted.prefix is not None:
        yield f"{key}.startsWith({_quoted(wanted.prefix)})"
    if wanted.suffix is not None:
        yield f"{key}.endsWith({_quoted(wanted.suffix)})"


def _quoted(text: str) -> str:
    """Return a text as CEL writes it, whose escapes are those of JSON."""
    return json.dumps(text, ensure_ascii=False)


def _literal(text: str) -> str:
    """Return a text in which Cloud Build finds no substitution."""
    return text.replace("$", "$$")


def _attribute_key(index: int) -> str:
    return f"_ATTRIBUTE_{index}"


def _environment_tag(environment: Environment) -> str:
    return f"environment-{naming.label(environment.name)}"


def _pipeline_tag(pipeline: str) -> str:
    return f"{_PIPELINE}{naming.label(pipeline)}"


_PIPELINE: Final = "pipeline-"


def _pipeline_of(trigger: FoundTrigger) -> str:
    tag = next((tag for tag in trigger.tags if tag.startswith(_PIPELINE)), _PIPELINE)
    return naming.decode_label(tag.removeprefix(_PIPELINE))


def _topic_id(request: TriggerRequest) -> str:
    return request.topic.rsplit("/", 1)[1]
