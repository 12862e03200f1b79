"""What people write of triggers: a topic whose messages start runs, and which of its messages."""

from collections import Counter
from collections.abc import Sequence
from typing import Annotated, Any, Self

from pydantic import (
    AfterValidator,
    Discriminator,
    Field,
    StringConstraints,
    Tag,
    model_validator,
)

from ecluse.repository.strict import Strict


def _not_googles(topic: str) -> str:
    if topic.lower().startswith("goog"):
        raise ValueError(f"`{topic}`: names that begin with `goog` are Google's own")
    return topic


# https://cloud.google.com/pubsub/docs/pubsub-basics#resource_names
TopicId = Annotated[
    str,
    StringConstraints(pattern=r"^[A-Za-z][A-Za-z0-9._~+%-]{2,254}$"),
    AfterValidator(_not_googles),
]
AttributeName = Annotated[str, StringConstraints(pattern=r"^[A-Za-z_][A-Za-z0-9_]{0,79}$")]
Text = Annotated[str, StringConstraints(min_length=1, max_length=1024)]


class Part(Strict):
    """How a text begins, how it ends, or both."""

    prefix: Text | None = None
    suffix: Text | None = None

    @model_validator(mode="after")
    def _says_something(self) -> Self:
        if self.prefix is None and self.suffix is None:
            raise ValueError("say `prefix`, `suffix` or both")
        return self


def _form(value: Any) -> str:
    return "part" if isinstance(value, dict | Part) else "whole"


# Told apart by their form, so that an error speaks of the one that was meant.
Attribute = Annotated[
    Annotated[Text, Tag("whole")] | Annotated[Part, Tag("part")], Discriminator(_form)
]


class Trigger(Strict):
    """A topic whose messages start a run of what is live.

    Attributes:
        topic: its name, in the environment's project.
        where: only messages with these attributes: each is a text, or what it begins or ends with.

    """

    topic: TopicId
    where: dict[AttributeName, Attribute] = Field(default_factory=dict)


def _a_topic_once(triggers: Sequence[Trigger]) -> Sequence[Trigger]:
    for topic, times in Counter(trigger.topic for trigger in triggers).items():
        if times > 1:
            raise ValueError(f"the topic `{topic}` stands here {times} times: one trigger a topic")
    return triggers


Triggers = Annotated[list[Trigger], AfterValidator(_a_topic_once)]
