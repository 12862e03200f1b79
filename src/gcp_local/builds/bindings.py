"""Bindings: what `$(body.message.attributes.x)` in a substitution's value stands for.

The body is what Pub/Sub pushes: the message and its subscription. Filters are CEL over the
substitutions, their values bound.
Source: https://cloud.google.com/build/docs/automate-builds-pubsub-events and
https://cloud.google.com/build/docs/configuring-builds/use-bash-and-bindings-in-substitutions.
"""

from __future__ import annotations

import json
import re
from typing import TYPE_CHECKING, Any

from gcp_local import cel
from gcp_local.builds import substitutions

if TYPE_CHECKING:
    from collections.abc import Mapping

    from gcp_local.rpc.protos import Message

_BINDING = re.compile(r"\$\((body(?:[.\[][^()]*)?)\)")
_PART = re.compile(r"\.([^.\[\]]+)|\[(\d+)\]|\['([^']*)'\]|\[\"([^\"]*)\"\]")
_UNDECLARED = "undeclared reference"


def body_of(message: Message, subscription: str) -> dict[str, Any]:
    """Give the body that bindings look into. The data is what it says, if it says it in JSON."""
    text = message.data.decode(errors="replace")
    try:
        data = json.loads(text)
    except (ValueError, RecursionError):
        data = text
    told = {
        "attributes": dict(message.attributes),
        "data": data,
        "messageId": message.message_id,
        "publishTime": message.publish_time.ToJsonString(),
    }
    if message.ordering_key:
        told["orderingKey"] = message.ordering_key
    return {"message": told, "subscription": subscription}


def bind(build: Message, body: Mapping[str, Any]) -> None:
    """Put what a message says into a build's substitutions; what it does not say is nothing.

    A dollar sign of the message's stays one: nobody who publishes can refer to other substitutions.
    """
    for key, value in list(build.substitutions.items()):  # which do not bear being changed
        build.substitutions[key] = _BINDING.sub(
            lambda match: _found(match[1], body).replace("$", "$$"), value
        )


def passes(expression: str, build: Message) -> bool:
    """Tell whether a build whose substitutions are bound passes a trigger's filter.

    Raises:
        CelError: the filter cannot be evaluated, or not to true or false.

    """
    values = substitutions.settled(build.substitutions, dynamic=True)
    parsed = cel.program(expression, noun="filter")
    variables = {name: value for name, value in values.items() if name.startswith("_")}
    answer = cel.evaluated(parsed, expression, variables)
    if not cel.is_truth(answer):
        raise cel.CelError(f"{expression!r} gives {answer!r}, not true or false")
    return bool(answer)


def check_filter(expression: str, given: Mapping[str, str]) -> None:
    """Refuse a filter that could never be evaluated.

    Raises:
        CelError: it does not parse, or speaks of a substitution that the trigger does not have.

    """
    parsed = cel.program(expression, noun="filter")
    try:
        cel.evaluated(parsed, expression, dict.fromkeys(given, ""))
    except cel.CelError as error:
        if _UNDECLARED in str(error):
            raise


def _found(path: str, body: Mapping[str, Any]) -> str:
    """Give what is at a path of the body, as a text."""
    at = len("body")
    value: Any = body
    while at < len(path):
        part = _PART.match(path, at)
        if part is None:
            return ""
        at = part.end()
        value = _within(value, part)
        if value is None:
            return ""
    return value if isinstance(value, str) else json.dumps(value, separators=(",", ":"))


def _within(value: Any, part: re.Match[str]) -> Any:
    if part[2] is not None:
        index = int(part[2])
        return value[index] if isinstance(value, list) and index < len(value) else None
    name = next(text for text in (part[1], part[3], part[4]) if text is not None)
    return value.get(name) if isinstance(value, dict) else None
