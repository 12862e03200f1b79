"""The errors of the embedded Google Cloud, and the exact JSON in which Google reports each.

A domain object that finds a rule broken raises one of these; the transport around it does the
rest. The names and HTTP codes are those of `google.rpc.Code`; Cloud Storage answers the same
errors in a shape of its own, with a `reason`.

    ApiError
     ├─ InvalidArgument      400  a value that no state of the system could make right
     ├─ FailedPrecondition   400  right in itself, but not in the present state
     ├─ OutOfRange           400
     ├─ PermissionDenied     403
     ├─ NotFound             404
     ├─ AlreadyExists        409
     ├─ Aborted              409  a concurrent change came first
     ├─ ResourceExhausted    429
     ├─ Internal             500
     ├─ Unimplemented        501  Google has it, this stand-in does not
     ├─ Unavailable          503
     └─ (Cloud Storage only)
         ├─ NotModified           304
         ├─ ConditionNotMet       412  a generation or metageneration precondition
         ├─ PayloadTooLarge       413
         ├─ RangeNotSatisfiable   416
         └─ UploadCancelled       499
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence


class ApiError(Exception):
    """A refusal that Google's API would have answered.

    Attributes:
        code: the HTTP status.
        status: the canonical name of `google.rpc.Code`.
        reason: Cloud Storage's word for it.

    """

    code = 500
    status = "INTERNAL"
    reason = "backendError"

    def __init__(
        self,
        message: str,
        *,
        details: Sequence[Mapping[str, Any]] = (),
        reason: str | None = None,
    ) -> None:
        super().__init__(message)
        self.message = message
        self.details = tuple(details)
        if reason is not None:
            self.reason = reason

    def as_json(self) -> dict[str, Any]:
        """Give the body that Google's APIs answer (https://cloud.google.com/apis/design/errors)."""
        error: dict[str, Any] = {"code": self.code, "message": self.message, "status": self.status}
        if self.details:
            error["details"] = [dict(detail) for detail in self.details]
        return {"error": error}

    def as_storage_json(self) -> dict[str, Any]:
        """Give the body that the Cloud Storage JSON API answers."""
        entry = {"message": self.message, "domain": "global", "reason": self.reason}
        return {"error": {"code": self.code, "message": self.message, "errors": [entry]}}


class InvalidArgument(ApiError):
    """A value that no state of the system could make right."""

    code, status, reason = 400, "INVALID_ARGUMENT", "invalid"

    @classmethod
    def of_field(cls, field: str, message: str) -> InvalidArgument:
        """Build the error with Google's `BadRequest` detail, which names the field at fault."""
        violation = {"field": field, "description": message}
        detail = {
            "@type": "type.googleapis.com/google.rpc.BadRequest",
            "fieldViolations": [violation],
        }
        return cls(message, details=[detail])


class FailedPrecondition(ApiError):
    """Right in itself, but not in the present state."""

    code, status, reason = 400, "FAILED_PRECONDITION", "failedPrecondition"


class OutOfRange(ApiError):
    """Past the valid range."""

    code, status, reason = 400, "OUT_OF_RANGE", "outOfRange"


class PermissionDenied(ApiError):
    """The caller may not do this."""

    code, status, reason = 403, "PERMISSION_DENIED", "forbidden"


class NotFound(ApiError):
    """The named resource is not there."""

    code, status, reason = 404, "NOT_FOUND", "notFound"


class AlreadyExists(ApiError):
    """A resource of that name is there already."""

    code, status, reason = 409, "ALREADY_EXISTS", "conflict"


class Aborted(ApiError):
    """A concurrent change came first (a stale etag, for one)."""

    code, status, reason = 409, "ABORTED", "conflict"


class ResourceExhausted(ApiError):
    """A quota is used up."""

    code, status, reason = 429, "RESOURCE_EXHAUSTED", "rateLimitExceeded"


class Internal(ApiError):
    """A fault of the embedded cloud itself."""


class Unimplemented(ApiError):
    """Google has it, this stand-in does not (yet), and says so."""

    code, status, reason = 501, "UNIMPLEMENTED", "notImplemented"


class Unavailable(ApiError):
    """The service is shutting down."""

    code, status, reason = 503, "UNAVAILABLE", "backendError"


class NotModified(ApiError):
    """A read whose `if…NotMatch` precondition did not hold."""

    code, status, reason = 304, "FAILED_PRECONDITION", "notModified"


class ConditionNotMet(ApiError):
    """A generation or metageneration precondition did not hold."""

    code, status, reason = 412, "FAILED_PRECONDITION", "conditionNotMet"

    def __init__(
        self,
        message: str = "At least one of the pre-conditions you specified did not hold.",
    ) -> None:
        super().__init__(message)


class PayloadTooLarge(ApiError):
    """The body is larger than the service takes."""

    code, status, reason = 413, "INVALID_ARGUMENT", "uploadTooLarge"


class RangeNotSatisfiable(ApiError):
    """The requested bytes lie outside the object."""

    code, status, reason = 416, "OUT_OF_RANGE", "requestedRangeNotSatisfiable"


class UploadCancelled(ApiError):
    """A resumable upload was cancelled by its client, which Cloud Storage confirms by a 499."""

    code, status, reason = 499, "CANCELLED", "uploadCancelled"
