"""What a container's answers mean: predictions, or a refusal. Pure."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from gcp_local.errors import (
    ApiError,
    FailedPrecondition,
    Internal,
    InvalidArgument,
    NotFound,
    PermissionDenied,
    ResourceExhausted,
    Unavailable,
    Unimplemented,
)
from gcp_local.rpc.dispatch import parse_json

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from gcp_local.vertex.serving.http import Reply

_REFUSALS: Mapping[int, type[ApiError]] = {
    403: PermissionDenied,
    404: NotFound,
    429: ResourceExhausted,
    500: Internal,
    501: Unimplemented,
    503: Unavailable,
}


@dataclass(frozen=True)
class Predictions:
    """A container's answer to a prediction request.

    Attributes:
        predictions: one a request's instance, as the container gave them.
        metadata: what else it said of the request, if anything.

    """

    predictions: Sequence[Any]
    metadata: Any = None


def read_predictions(reply: Reply) -> Predictions:
    """Read a container's answer to a prediction request.

    Raises:
        FailedPrecondition: it is not JSON, or has no list `predictions`.

    """
    try:
        said = parse_json(reply.body)
    except InvalidArgument as error:
        why = error.message.removeprefix("Invalid JSON payload received. ")
        raise unreadable(f"the response is not JSON: {why}") from None
    predictions = said.get("predictions") if isinstance(said, dict) else None
    if not isinstance(predictions, list):
        shown = reply.body[:500].decode(errors="replace")
        raise unreadable(f"the response field predictions is missing. Response: {shown}")
    return Predictions(predictions, said.get("metadata"))


def unreadable(why: str) -> FailedPrecondition:
    """Make the error by which Vertex AI tells of a container's answer that says nothing."""
    return FailedPrecondition(f"Invalid response from prediction server - {why}")


def refusal(reply: Reply) -> ApiError:
    """Make the error by which Vertex AI passes on a container's refusal: its status, its words."""
    text = reply.body[:10_000].decode(errors="replace") or f"HTTP status {reply.status}"
    fallback: type[ApiError] = Internal if reply.status >= 500 else FailedPrecondition
    if reply.status in (300, 301, 302, 303, 307, 308):
        return FailedPrecondition(f"The model server redirects, which is not followed: {text}")
    return _REFUSALS.get(reply.status, fallback)(text)
