"""What keeps an object from being replaced or deleted: holds, and its bucket's retention policy.

Sources: https://cloud.google.com/storage/docs/object-holds and …/docs/bucket-lock.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from gcp_local import clock
from gcp_local.errors import PermissionDenied

if TYPE_CHECKING:
    from gcp_local.storage.buckets import Bucket
    from gcp_local.storage.values import Object

_SECOND = 1_000_000


def retained_until(described: Object, bucket: Bucket) -> int | None:
    """Tell until when (microseconds) the bucket's policy keeps an object; None if it does not.

    Under an event-based hold the time has not begun to count.
    """
    if bucket.retention is None or described.event_based_hold:
        return None
    return (described.hold_released or described.created) + bucket.retention * _SECOND


def check_unprotected(described: Object, bucket: Bucket, now: int) -> None:
    """Raise PermissionDenied if the object can be neither replaced nor deleted at that time."""
    who = f"Object '{described.bucket}/{described.name}'"
    for what, held in (
        ("Temporary", described.temporary_hold),
        ("Event-Based", described.event_based_hold),
    ):
        if held:
            message = (
                f"{who} is under active {what} hold and cannot be deleted, overwritten or archived"
                " until hold is removed."
            )
            raise PermissionDenied(message, reason="objectUnderActiveHold")
    until = retained_until(described, bucket)
    if until is not None and now < until:
        message = (
            f"{who} is subject to bucket's retention policy and cannot be deleted, overwritten or"
            f" archived until {clock.rfc3339(clock.from_micros(until))}"
        )
        raise PermissionDenied(message, reason="retentionPolicyNotMet")
