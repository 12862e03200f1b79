"""A build under way: it waits for its approval and for a place, does its work, and ends.

Its state changes in one thread only, that of its operation. Whoever wants it to end says so by
`stop`, and in which state.
"""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable, Mapping
from datetime import UTC, timedelta
from typing import TYPE_CHECKING

from gcp_local import clock
from gcp_local.builds.failures import OperationCancelled, OperationFailed, OperationTimedOut
from gcp_local.builds.messages import (
    TERMINAL,
    Approval,
    BuildOperationMetadata,
    Decision,
    Status,
)
from gcp_local.builds.step_checks import seconds_of
from gcp_local.builds.stopping import Stopper
from gcp_local.builds.work import Work
from gcp_local.containers.processes import StoppedError
from gcp_local.rpc.protos import Message, copy_of, timestamp

if TYPE_CHECKING:
    from gcp_local.builds.workshop import Workshop

SERVER_STOPPED = "The embedded cloud's server stopped while this build ran."
_LOG = logging.getLogger(__name__)


class Run:
    """One build under way.

    Args:
        build: the build as it was made, QUEUED or PENDING.
        values: all its substitutions, for steps that take them as variables.
        shop: the stores.
        save: keeps the build's state.

    Attributes:
        metadata: the operation's; it follows the build's state.
        ended: set when the last state is kept.

    """

    def __init__(
        self,
        build: Message,
        values: Mapping[str, str],
        shop: Workshop,
        save: Callable[[Message], object],
    ) -> None:
        self.metadata = BuildOperationMetadata(build=build)
        self.ended = threading.Event()
        self._build = copy_of(build)
        self._values = values
        self._shop = shop
        self._save_build = save
        self._lock = threading.RLock()
        self._stopper = Stopper(shop.host.launcher)
        self._approved = threading.Event()
        if build.status != Status.PENDING:
            self._approved.set()

    # For others

    def stop(self, reason: int) -> None:
        """Ask it to end in a state. INTERNAL_ERROR: what has not begun waits for a later server."""
        if self._stopper.stop(reason):
            self._approved.set()
            self._shop.slots.wake()

    def decide(self, result: Message) -> bool:
        """Let a pending build begin, or end without ever having begun.

        Returns:
            False if it was decided, or asked to end, before.

        """
        approved = result.decision == Decision.APPROVED
        with self._lock:
            approval = self._build.approval
            if approval.state != Approval.PENDING or self._stopper.asked.is_set():
                return False
            approval.result.CopyFrom(result)
            approval.state = Approval.APPROVED if approved else Approval.REJECTED
            if approved:
                self._build.status = Status.QUEUED
                self._save()
        if approved:
            self._approved.set()
        else:
            self.stop(Status.CANCELLED)
        return True

    # The thread's work

    def carry_out(self) -> Message:
        """Run the build to its end; give it, or raise what its operation's error is."""
        try:
            self._approved.wait()
            self._queue()
        except StoppedError:
            if self._stopper.reason != Status.INTERNAL_ERROR:
                self._finish(self._stopper.reason)
        except Exception as error:  # noqa: BLE001  (a build must end)
            _LOG.exception("a fault in %s", self._build.name)
            self._build.status_detail = f"A fault of the embedded cloud: {type(error).__name__}"
            self._finish(Status.INTERNAL_ERROR)
        finally:
            self.ended.set()
        return result_of(self._build)

    def _queue(self) -> None:
        """Wait for a place as long as the build may, then work; StoppedError before that."""
        ttl = timedelta(seconds=seconds_of(self._build.queue_ttl))
        since = self._build.create_time.ToDatetime(tzinfo=UTC)
        if self._build.approval.HasField("result"):
            since = self._build.approval.result.approval_time.ToDatetime(tzinfo=UTC)
        expiry = self._shop.alarms.set(since + ttl, lambda: self.stop(Status.EXPIRED))
        try:
            with self._shop.slots.one(self._stopper.asked):
                expiry.call_off()
                self._stopper.check()
                self._finish(self._worked())
        finally:
            expiry.call_off()

    def _worked(self) -> int:
        """Do the work within the time that the build has; give the state that it ends in."""
        began = clock.now()
        self._build.status = Status.WORKING
        self._build.start_time.CopyFrom(timestamp(began))
        self._save()
        limit = timedelta(seconds=seconds_of(self._build.timeout))
        alarm = self._shop.alarms.set(began + limit, lambda: self.stop(Status.TIMEOUT))
        try:
            return Work(self._build, self._values, self._shop, self._stopper).do()
        finally:
            alarm.call_off()

    # States

    def _finish(self, status: int) -> None:
        with self._lock:
            self._build.status = status
            if status == Status.INTERNAL_ERROR and not self._build.status_detail:
                self._build.status_detail = SERVER_STOPPED
            self._build.finish_time.CopyFrom(timestamp(clock.now()))
            approval = self._build.approval
            if status == Status.CANCELLED and approval.state == Approval.PENDING:
                approval.state = Approval.CANCELLED
            self._save()

    def _save(self) -> None:
        """Keep the state, in the operation as well."""
        with self._lock:
            self.metadata.build.CopyFrom(self._build)
            self._save_build(self._build)


def result_of(build: Message) -> Message:
    """Give what the operation of a build that has ended gives, or raise what its error is."""
    status = build.status
    if status == Status.CANCELLED:
        raise OperationCancelled("Build cancelled")
    if status in (Status.TIMEOUT, Status.EXPIRED):
        raise OperationTimedOut("Build timed out")
    if status != Status.SUCCESS and status in TERMINAL:
        raise OperationFailed("Build failed; check build logs for details")
    return build
