"""What Google Cloud answers when it is asked what is there: facts, or why there are none."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final, Literal

from google.api_core import exceptions

TroubleKind = Literal["absent", "denied", "disabled", "not ready", "unreachable", "refused"]

AGENTS: Final = ("gcp-sa-aiplatform", "gcp-sa-aiplatform-cc")
"""Vertex AI's own service agents, which fetch templates and images for a run."""


class Trouble(Exception):
    """A question that got no answer.

    Attributes:
        kind: why, in a word.
        message: what the service said.
        service: the API that is not enabled, `cloudkms.googleapis.com`.
        consumer: the project that it is not enabled in, where the service tells.

    """

    def __init__(
        self, kind: TroubleKind, message: str, *, service: str = "", consumer: str = ""
    ) -> None:
        super().__init__(message)
        self.kind = kind
        self.message = message
        self.service = service
        self.consumer = consumer


def trouble_of(error: exceptions.GoogleAPICallError, service: str) -> Trouble:
    """Tell what an error of a service means.

    Args:
        error: what was raised.
        service: the API that was asked.

    """
    message = " ".join(str(error.message or error).split())
    reasons = {error.reason, *(_reason(each) for each in error.errors)}
    if reasons & _DISABLED:
        told = error.metadata or {}
        return Trouble(
            "disabled",
            message,
            service=str(told.get("service", service)),
            consumer=str(told.get("consumer", "")).removeprefix("projects/"),
        )
    if _canonical(error) == "FAILED_PRECONDITION":
        return Trouble("not ready", message)
    for kinds, kind in _KINDS:
        if isinstance(error, kinds):
            return Trouble(kind, message)
    return Trouble("refused", message)


_DISABLED = frozenset({"SERVICE_DISABLED", "accessNotConfigured"})
_KINDS: tuple[tuple[tuple[type[Exception], ...], TroubleKind], ...] = (
    ((exceptions.NotFound,), "absent"),
    ((exceptions.Forbidden, exceptions.Unauthorized), "denied"),
    ((exceptions.ServerError, exceptions.TooManyRequests), "unreachable"),
)


def _canonical(error: exceptions.GoogleAPICallError) -> str:
    """Return the canonical name of an error, which over REST only the answer's body has."""
    try:
        return str(error.response.json()["error"]["status"])
    except (AttributeError, ValueError, KeyError, TypeError):
        return str(getattr(error.grpc_status_code, "name", ""))


def _reason(error: Any) -> str:
    return str(error.get("reason", "")) if isinstance(error, Mapping) else ""


@dataclass(frozen=True)
class BucketFacts:
    """A bucket as it is: times in seconds, the location in lower case."""

    location: str
    uniform: bool
    private: bool
    versioned: bool
    retention: int | None


@dataclass(frozen=True)
class RepositoryFacts:
    """A repository as it is."""

    format: str


@dataclass(frozen=True)
class KeyFacts:
    """An enabled key version as it is."""

    algorithm: str


@dataclass(frozen=True)
class AccountFacts:
    """A service account as it is."""

    disabled: bool


@dataclass(frozen=True)
class TriggerFacts:
    """A build trigger as it is; the account that its builds run as, or nothing."""

    disabled: bool
    account: str


@dataclass(frozen=True)
class ReaderFacts:
    """Who may read a repository by its own policy, and a project's number."""

    readers: frozenset[str]
    project_number: str


@dataclass(frozen=True)
class ClockFacts:
    """By how many seconds the clock here is ahead of Google's; negative: behind."""

    ahead: float
