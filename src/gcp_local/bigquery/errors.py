"""BigQuery's errors: a reason, a message, a place; as an answer, and as a job's result.

Source: https://cloud.google.com/bigquery/docs/error-messages.
"""

from __future__ import annotations

from typing import Any

from gcp_local.errors import ApiError

# The reason's HTTP code, and the canonical name that goes with it.
_CODES = {
    "accessDenied": (403, "PERMISSION_DENIED"),
    "backendError": (503, "UNAVAILABLE"),
    "bytesBilledLimitExceeded": (400, "INVALID_ARGUMENT"),
    "conditionNotMet": (412, "FAILED_PRECONDITION"),
    "duplicate": (409, "ALREADY_EXISTS"),
    "internalError": (500, "INTERNAL"),
    "invalid": (400, "INVALID_ARGUMENT"),
    "invalidQuery": (400, "INVALID_ARGUMENT"),
    "notFound": (404, "NOT_FOUND"),
    "notImplemented": (501, "UNIMPLEMENTED"),
    "required": (400, "INVALID_ARGUMENT"),
    "resourceInUse": (400, "FAILED_PRECONDITION"),
    "resourcesExceeded": (400, "INVALID_ARGUMENT"),
    "responseTooLarge": (403, "PERMISSION_DENIED"),
    "stopped": (499, "CANCELLED"),
    "timeout": (400, "INVALID_ARGUMENT"),
}


class BigQueryError(ApiError):
    """A refusal in BigQuery's words.

    Args:
        reason: BigQuery's word for the kind of error; it decides the HTTP code.
        message: what is wrong, as BigQuery says it.
        location: where: `query` for SQL, the name of a file or field, or nothing.

    """

    def __init__(self, reason: str, message: str, *, location: str = "") -> None:
        super().__init__(message, reason=reason)
        self.code, self.status = _CODES[reason]
        self.location = location

    @classmethod
    def not_found(cls, noun: str, name: object) -> BigQueryError:
        """Say that there is no such `Dataset`, `Table`, `Model`, `Routine` or `Job`."""
        return cls("notFound", f"Not found: {noun} {name}")

    @classmethod
    def duplicate(cls, noun: str, name: object) -> BigQueryError:
        """Say that there is one of that name already."""
        return cls("duplicate", f"Already Exists: {noun} {name}")

    @classmethod
    def query(
        cls, message: str, line: int | None = None, column: int | None = None
    ) -> BigQueryError:
        """Refuse SQL, naming the place as BigQuery does: ` at [1:8]`."""
        place = "" if line is None else f" at [{line}:{column}]"
        return cls("invalidQuery", message + place, location="query")

    @classmethod
    def lacking(cls, what: str, *, location: str = "") -> BigQueryError:
        """Say that BigQuery has it, and this stand-in has not."""
        return cls(
            "notImplemented", f"The embedded cloud's BigQuery lacks {what}.", location=location
        )


def proto_of(error: ApiError) -> dict[str, str]:
    """Give an error as an `ErrorProto`, which jobs have in their status."""
    proto = {"reason": reason_of(error), "message": error.message}
    location = getattr(error, "location", "")
    return {**proto, "location": location} if location else proto


def reason_of(error: ApiError) -> str:
    """Give BigQuery's word for any error."""
    return {"conflict": "duplicate", "forbidden": "accessDenied"}.get(error.reason, error.reason)


def as_json(error: ApiError) -> dict[str, Any]:
    """Give the body that BigQuery answers."""
    entry: dict[str, Any] = {
        "message": error.message,
        "domain": "global",
        "reason": reason_of(error),
    }
    location = getattr(error, "location", "")
    if location:
        entry |= {"location": location, "locationType": "parameter"}
    body = {"code": error.code, "message": error.message, "errors": [entry], "status": error.status}
    return {"error": body}
