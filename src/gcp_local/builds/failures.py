"""How a build ends other than well."""

from __future__ import annotations

from gcp_local.builds.messages import FailureType
from gcp_local.errors import ApiError


class BuildFailedError(Exception):
    """A build fails; the message is what its log says.

    Attributes:
        kind: the type in the build's `failure_info`.
        detail: the text in there.

    """

    def __init__(self, message: str, kind: int, detail: str = "") -> None:
        super().__init__(message)
        self.kind = kind
        self.detail = detail or message


def step_failed(index: int, name: str, why: str) -> BuildFailedError:
    """Build the failure of a step."""
    message = f'build step {index} "{name}" failed: {why}'
    kind = FailureType.USER_BUILD_STEP
    return BuildFailedError(message, kind, f"Build step failure: {message}")


class OperationFailed(ApiError):
    """The error of a build's operation when the build did not succeed."""

    code, status = 500, "UNKNOWN"


class OperationCancelled(ApiError):
    """The error of the operation of a build that was cancelled."""

    code, status = 499, "CANCELLED"


class OperationTimedOut(ApiError):
    """The error of the operation of a build that took too long."""

    code, status = 504, "DEADLINE_EXCEEDED"
