"""A build under way: waits for its approval and for a place, fetches, runs, pushes, ends.

Its state changes in one thread only, that of its operation. Whoever wants it to end says so by
`stop`, and with which state.
"""

from __future__ import annotations

import logging
import shlex
import shutil
import sys
import threading
from collections.abc import Callable, Mapping
from datetime import UTC, timedelta
from typing import TYPE_CHECKING

from gcp_local import clock
from gcp_local.builds import graph, outputs
from gcp_local.builds.failures import (
    BuildFailedError,
    OperationCancelled,
    OperationFailed,
    OperationTimedOut,
    step_failed,
)
from gcp_local.builds.fetching import fetch
from gcp_local.builds.log import BuildLog
from gcp_local.builds.messages import (
    TERMINAL,
    Approval,
    BuildOperationMetadata,
    FailureType,
    Logging,
    Status,
    Streaming,
)
from gcp_local.builds.rooms import Room
from gcp_local.builds.step_checks import seconds_of
from gcp_local.builds.steps import StepEnd, StepRunner
from gcp_local.containers.processes import ProcessGroup, StoppedError
from gcp_local.errors import ApiError
from gcp_local.rpc.protos import Message, copy_of, timestamp

if TYPE_CHECKING:
    from pathlib import Path

    from gcp_local.builds.workshop import Workshop

_LOG = logging.getLogger(__name__)
_KEPT_IN_BUCKET = (Logging.LOGGING_UNSPECIFIED, Logging.LEGACY, Logging.GCS_ONLY)
_LAST_WORDS = {
    Status.TIMEOUT: "context deadline exceeded",
    Status.CANCELLED: "context canceled",
    Status.INTERNAL_ERROR: "the embedded cloud's server stopped",
}
# Programs that stand in for those of the builders' images: modules of this package.
_PROGRAMS = {"docker": "gcp_local.builds.docker", "gsutil": "gcp_local.builds.copying.gsutil",
             "gcloud": "gcp_local.builds.copying.gcloud"}  # fmt: skip


class Run:
    """One build under way.

    Args:
        build: the build as it was made, QUEUED or PENDING.
        substitutions: all its substitutions, for steps that take them as variables.
        shop: the stores.
        save: keeps the build's state.

    Attributes:
        metadata: the operation's; it follows the build's state.
        ended: set when the last state is kept.

    """

    def __init__(
        self,
        build: Message,
        substitutions: Mapping[str, str],
        shop: Workshop,
        save: Callable[[Message], object],
    ) -> None:
        self.metadata = BuildOperationMetadata(build=build)
        self.ended = threading.Event()
        self._build = copy_of(build)
        self._mapped = substitutions
        self._shop = shop
        self._save_build = save
        self._lock = threading.Lock()
        self._reason = int(Status.STATUS_UNKNOWN)
        self._stopping = threading.Event()
        self._approved = threading.Event()
        self._group = ProcessGroup(shop.host.launcher)
        self._halted = threading.Event()
        if build.status != Status.PENDING:
            self._approved.set()

    # For others

    def stop(self, reason: int) -> None:
        """Ask it to end, and in which state; STATUS_UNKNOWN leaves it for the next server."""
        with self._lock:
            if self._stopping.is_set():
                return
            self._reason = reason
            self._stopping.set()
        self._approved.set()
        self._shop.slots.wake()
        self._halt()

    def approve(self, approval: Message) -> None:
        """Let a pending build begin; its approval is kept with its next state."""
        with self._lock:
            self._build.approval.CopyFrom(approval)
            self._build.status = Status.QUEUED
        self._save()
        self._approved.set()

    def reject(self, approval: Message) -> None:
        """Let a pending build end without ever having begun."""
        with self._lock:
            self._build.approval.CopyFrom(approval)
        self.stop(Status.CANCELLED)

    def _halt(self) -> None:
        """End all processes, and start no more."""
        self._halted.set()
        self._group.stop()

    # The thread's work

    def carry_out(self) -> Message:
        """Run the build to its end; give it, or raise what its operation's error is."""
        try:
            self._approved.wait()
            self._queue()
        except StoppedError:
            self._end_unbegun()
        except Exception as error:  # noqa: BLE001  (a build must end)
            _LOG.exception("a fault in %s", self._build.name)
            self._build.status_detail = f"A fault of the embedded cloud: {type(error).__name__}"
            self._finish(Status.INTERNAL_ERROR)
        finally:
            self.ended.set()
        return self._result()

    def _queue(self) -> None:
        """Wait for a place as long as the build may, then run."""
        ttl = seconds_of(self._build.queue_ttl)
        since = self._build.create_time.ToDatetime(tzinfo=UTC)
        if self._build.approval.HasField("result"):
            since = self._build.approval.result.approval_time.ToDatetime(tzinfo=UTC)
        alarm = self._shop.alarms.set(
            since + timedelta(seconds=ttl), lambda: self.stop(Status.EXPIRED)
        )
        try:
            with self._shop.slots.one(self._stopping):
                alarm.call_off()
                self._run()
        finally:
            alarm.call_off()

    def _end_unbegun(self) -> None:
        if self._reason in (Status.STATUS_UNKNOWN, Status.INTERNAL_ERROR):
            return  # the next server takes it up as it is
        self._finish(self._reason)

    def _run(self) -> None:
        began = clock.now()
        build = self._build
        build.status = Status.WORKING
        build.start_time.CopyFrom(timestamp(began))
        self._save()
        limit = timedelta(seconds=seconds_of(build.timeout))
        alarm = self._shop.alarms.set(began + limit, lambda: self.stop(Status.TIMEOUT))
        room = Room(self._shop.work / build.id)
        room.make()
        log = BuildLog(room.log, self._shop.objects, self._log_uri(), streamed=self._streamed())
        log.say(f'starting build "{build.id}"', "")
        ends: dict[int, StepEnd] = {}
        try:
            status = self._worked(room, log, ends)
        except BuildFailedError as error:
            log.say("ERROR", f"ERROR: {error}")
            build.failure_info.type_, build.failure_info.detail = error.kind, error.detail
            status = int(Status.FAILURE)
        finally:
            alarm.call_off()
            self._halt()
        self._note_steps(ends)
        log.close()
        if log.failure:
            _LOG.warning("the log of %s: %s", build.name, log.failure)
            build.failure_info.type_ = FailureType.LOGGING_FAILURE
            build.failure_info.detail = f"Backend logging failures. {log.failure}"
            status = int(Status.FAILURE) if status == Status.SUCCESS else status
        self._finish(status)
        shutil.rmtree(room.folder, ignore_errors=True)

    def _worked(self, room: Room, log: BuildLog, ends: dict[int, StepEnd]) -> int:
        """Go through the phases; give the state that the build ends in."""
        try:
            base = self._timed("FETCHSOURCE", lambda: fetch(self._build, room, self._shop, log))
            log.say("BUILD")
            runner = self._runner(room, log, base)
            self._timed("BUILD", lambda: self._steps(runner, ends))
            self._check_running()
            if self._build.images or self._build.artifacts.HasField("objects"):
                log.say("PUSH")
                self._timed("PUSH", lambda: self._push(room, log))
            self._check_running()
        except StoppedError:
            reason = Status(self._reason or Status.INTERNAL_ERROR)
            log.say(reason.name, f"ERROR: {_LAST_WORDS[reason]}")
            return int(reason)
        log.say("DONE")
        return int(Status.SUCCESS)

    def _check_running(self) -> None:
        if self._stopping.is_set():
            raise StoppedError

    def _timed(self, phase: str, work: Callable[[], Path | None]) -> Path:
        self._check_running()
        began = clock.now()
        try:
            found = work()
        finally:
            if phase != "FETCHSOURCE" or self._build.source.WhichOneof("source"):
                outputs.span(self._build.timing[phase], began, clock.now())
        return found  # type: ignore[return-value]  # asked for where there is one

    def _steps(self, runner: StepRunner, ends: dict[int, StepEnd]) -> None:
        steps = list(self._build.steps)
        found = graph.run_all(
            steps, lambda index: runner.run(self._build, index), self._halt, self._stopping
        )
        ends.update(found)
        self._check_running()
        for index, end in found.items():
            if not graph.passes(steps[index], end):
                raise step_failed(index, steps[index].name, end.why)

    def _push(self, room: Room, log: BuildLog) -> None:
        outputs.push_images(self._build, room, self._shop, log)
        if self._build.artifacts.HasField("objects"):
            outputs.upload_objects(self._build, room, self._shop, log)

    def _runner(self, room: Room, log: BuildLog, base: Path) -> StepRunner:
        env = self._shop.host.environment(self._build.project_id, _location(self._build))
        env["PATH"] = f"{room.programs}:{env['PATH']}"
        env["GCP_LOCAL"] = self._shop.endpoint
        # What the delivery engine of this repository reads: a step of a build is no laptop, and
        # has no other way to hear that Google's services are here.
        env["ECLUSE_LOCAL"] = self._shop.endpoint
        env["GCP_LOCAL_DOCKER"] = str(room.daemon)
        for name, module in _PROGRAMS.items():
            program = room.programs / name
            words = shlex.join([sys.executable, "-I", "-m", module])
            program.write_text(f'#!/bin/sh\nexec {words} "$@"\n')
            program.chmod(0o755)
        secrets = {}
        for secret in self._build.available_secrets.secret_manager:
            try:
                value = self._shop.secrets.get(secret.version_name)
            except ApiError as error:
                message = f"failed to access secret version for secret {error.message}"
                raise BuildFailedError(message, FailureType.FAILURE_TYPE_UNSPECIFIED) from None
            secrets[secret.env] = value.decode(errors="surrogateescape")
        return StepRunner(
            self._shop, room, log, self._group, self._halted, base, env, secrets, self._mapped
        )

    # States

    def _note_steps(self, ends: Mapping[int, StepEnd]) -> None:
        """Write what became of the steps into the build, as Google does when all is over."""
        results = self._build.results
        for index, step in enumerate(self._build.steps):
            end = ends.get(index)
            results.build_step_images.append(end.digest if end else "")
            results.build_step_outputs.append(end.output if end else b"")
            if end is None:
                step.status = Status.QUEUED
                continue
            step.status, step.exit_code = end.status, end.code
            outputs.span(step.timing, *end.span)
            outputs.span(step.pull_timing, end.span[0], end.pulled)

    def _finish(self, status: int) -> None:
        self._build.status = status
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

    def _result(self) -> Message:
        status = self._build.status
        if status == Status.CANCELLED:
            raise OperationCancelled("Build cancelled")
        if status in (Status.TIMEOUT, Status.EXPIRED):
            raise OperationTimedOut("Build timed out")
        if status != Status.SUCCESS and status in TERMINAL:
            raise OperationFailed("Build failed; check build logs for details")
        return self._build

    def _log_uri(self) -> str:
        if self._build.options.logging not in _KEPT_IN_BUCKET or not self._build.logs_bucket:
            return ""
        return f"{self._build.logs_bucket.rstrip('/')}/log-{self._build.id}.txt"

    def _streamed(self) -> bool:
        return bool(self._build.options.log_streaming_option != Streaming.STREAM_OFF)


def _location(build: Message) -> str:
    return str(build.name.split("/")[3])
