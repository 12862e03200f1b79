"""What Google's clients raise, understood: what is over in a moment, and what a user is told.

A failure is *passing* if the same call may well succeed a moment later: HTTP 408, 429 and 5xx, and
connections that are refused, reset or silent. Of a passing failure one must ask whether the call
had its effect all the same. Only where it cannot have reached the service, or was turned away at
the door (429), is the answer a certain no.
"""

import http.client
import shlex
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from typing import Any

from google.api_core import exceptions
from google.auth import exceptions as auth_exceptions
from requests import exceptions as http_exceptions
from urllib3 import exceptions as wire_exceptions

from ecluse.errors import CloudError

_LOG_IN = (
    "log in with `gcloud auth application-default login`, or add --local for the embedded cloud"
)
_AGAIN = "try again in a while: the same command goes on where this one stopped"

_THROTTLED = 429
# 501 and 505 are lasting refusals, whatever their family.
_PASSING = frozenset({408, _THROTTLED, *range(500, 600)}) - {501, 505}
_RETAINED = "retentionPolicyNotMet"
_RETRY_INFO = "type.googleapis.com/google.rpc.RetryInfo"

_BROKEN_CONNECTION = (
    ConnectionError,
    TimeoutError,
    http.client.HTTPException,
    http_exceptions.ConnectionError,
    http_exceptions.Timeout,
    http_exceptions.ChunkedEncodingError,
    wire_exceptions.PoolError,
    wire_exceptions.ProtocolError,
    wire_exceptions.SSLError,
    wire_exceptions.TimeoutError,
)
_NEVER_SENT = (
    ConnectionRefusedError,
    http_exceptions.ConnectTimeout,
    wire_exceptions.NewConnectionError,
    wire_exceptions.ConnectTimeoutError,
)


@dataclass(frozen=True)
class Passing:
    """A failure that may be over in a moment.

    Attributes:
        error: what was raised.
        throttled: whether the service asked for fewer calls (429).
        without_effect: whether the call certainly had none.
        retry_after: how many seconds the service asked to wait; none if it did not say.

    """

    error: BaseException
    throttled: bool = False
    without_effect: bool = False
    retry_after: float | None = None


def passing(error: BaseException) -> Passing | None:
    """Return what to know of a passing failure, or none if a repetition would fail alike."""
    if isinstance(error, auth_exceptions.GoogleAuthError):
        # Raised while the call's token was fetched: the call itself was not made.
        passes = isinstance(error, auth_exceptions.TransportError) or error.retryable
        return Passing(error, without_effect=True) if passes else None
    status = _status(error)
    if status in _PASSING:
        throttled = status == _THROTTLED
        return Passing(error, throttled, without_effect=throttled, retry_after=_retry_after(error))
    if status is None and isinstance(error, _BROKEN_CONNECTION):
        return Passing(error, without_effect=_was_never_sent(error))
    return None


@contextmanager
def translated(
    resource: str, *, expecting: type[Exception] | tuple[type[Exception], ...] = ()
) -> Iterator[None]:
    """Raise `CloudError` for whatever a call on a resource raises.

    Args:
        resource: what the call is about.
        expecting: answers that the caller understands; they pass as they are.

    Raises:
        CloudError: with Google's own message.

    """
    try:
        yield
    except expecting:
        raise
    except Exception as error:
        told = _told(error, resource)
        if told is None:
            raise
        raise told from error


def reason(error: BaseException) -> str:
    """Say in one line what an exception of a client's says."""
    if isinstance(error, exceptions.GoogleAPICallError):
        return str(error.message or error)
    return str(error).splitlines()[0][:200] if str(error) else type(error).__name__


def _told(error: Exception, resource: str) -> CloudError | None:
    """Return what a user is told; none for what is a fault of ours and wants its traceback."""
    fix = _AGAIN if passing(error) is not None else ""
    match error:
        case exceptions.Forbidden():
            return _forbidden(error, resource)
        case exceptions.Unauthorized():
            return CloudError(reason(error), where=resource, fix=_LOG_IN)
        case exceptions.GoogleAPICallError():
            told = reason(error)
        case http_exceptions.HTTPError() if error.response is not None:
            told = f"HTTP {error.response.status_code}: {error.response.text.strip()[:300]}"
        case auth_exceptions.GoogleAuthError() if not fix:
            told, fix = f"no usable credentials: {reason(error)}", _LOG_IN
        case _ if fix:
            told = f"cannot be reached: {reason(error)}"
        case _:
            return None
    return CloudError(told, where=resource, fix=fix)


def _forbidden(error: exceptions.Forbidden, resource: str) -> CloudError:
    service = (error.metadata or {}).get("service", "")
    if error.reason == "SERVICE_DISABLED" and service:
        project = (error.metadata or {}).get("consumer", "").removeprefix("projects/")
        words = [
            "gcloud",
            "services",
            "enable",
            service,
            *([f"--project={project}"] * bool(project)),
        ]
        return CloudError(reason(error), where=resource, fix=shlex.join(words))
    if any(each.get("reason") == _RETAINED for each in error.errors if isinstance(each, Mapping)):
        return CloudError(reason(error), where=resource)
    return CloudError(
        f"permission denied: {reason(error)}",
        where=resource,
        fix="`ecluse doctor ENVIRONMENT` tells what is missing, and the command that gives it",
    )


def _status(error: BaseException) -> int | None:
    """Return the HTTP status that an exception stands for, if it is an answer at all."""
    if isinstance(error, exceptions.GoogleAPICallError):
        return int(error.code) if error.code is not None else None
    response = getattr(error, "response", None)
    return int(response.status_code) if response is not None else None


def _retry_after(error: BaseException) -> float | None:
    """Return the wait that an answer asks for, in its header or its details, in seconds."""
    response = getattr(error, "response", None)
    said = response.headers.get("Retry-After") if response is not None else None
    if said:
        return seconds_until(said, datetime.now(UTC))
    for detail in getattr(error, "details", None) or ():
        if isinstance(detail, Mapping) and detail.get("@type") == _RETRY_INFO:
            return _number(str(detail.get("retryDelay", "")).removesuffix("s"))
    return None


def seconds_until(said: str, now: datetime) -> float | None:
    """Return the seconds that a `Retry-After` means, a number or an HTTP date (RFC 9110, 10.2.3).

    None if it is neither.
    """
    number = _number(said)
    if number is not None:
        return number
    try:
        moment = parsedate_to_datetime(said)
    except ValueError:
        return None
    if moment.tzinfo is None:
        moment = moment.replace(tzinfo=UTC)
    return max(0.0, (moment - now).total_seconds())


def _number(said: str) -> float | None:
    try:
        number = float(said)
    except ValueError:
        return None
    return number if 0 <= number < float("inf") else None


def _was_never_sent(error: BaseException) -> bool:
    """Whether a broken connection was never opened, by what lies under the exception."""
    seen: set[int] = set()
    pending: list[Any] = [error]
    while pending:
        found = pending.pop()
        if not isinstance(found, BaseException) or id(found) in seen:
            continue
        seen.add(id(found))
        if isinstance(found, _NEVER_SENT):
            return True
        pending += [*found.args, getattr(found, "reason", None), found.__cause__]
    return False
