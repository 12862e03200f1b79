"""The work of a build that has its place: it fetches, runs its steps, pushes, and says so."""

from __future__ import annotations

import logging
import shutil
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import TYPE_CHECKING

from gcp_local import clock
from gcp_local.builds import equipment, graph, outputs
from gcp_local.builds.failures import BuildFailedError, step_failed
from gcp_local.builds.fetching import fetch
from gcp_local.builds.log import BuildLog
from gcp_local.builds.messages import FailureType, Logging, Status, Streaming
from gcp_local.builds.rooms import Room
from gcp_local.builds.steps import StepEnd, StepRunner
from gcp_local.containers.processes import StoppedError

if TYPE_CHECKING:
    from pathlib import Path

    from gcp_local.builds.stopping import Stopper
    from gcp_local.builds.workshop import Workshop
    from gcp_local.rpc.protos import Message

_LOG = logging.getLogger(__name__)
_KEPT_IN_BUCKET = (Logging.LOGGING_UNSPECIFIED, Logging.LEGACY, Logging.GCS_ONLY)
_LAST_WORDS = {
    Status.TIMEOUT: "context deadline exceeded",
    Status.CANCELLED: "context canceled",
    Status.INTERNAL_ERROR: "the embedded cloud's server stopped",
}


class Work:
    """The work of one build, whose results, timings and steps it writes into the build.

    Args:
        build: the build, which nobody else changes meanwhile.
        values: its substitutions, for steps that take them as variables.
        shop: the stores.
        stopper: ends it before its time.

    """

    def __init__(
        self, build: Message, values: Mapping[str, str], shop: Workshop, stopper: Stopper
    ) -> None:
        self._build = build
        self._values = values
        self._shop = shop
        self._stopper = stopper
        self._room = Room(shop.work / build.id)
        self._ends: dict[int, StepEnd] = {}

    def do(self) -> int:
        """Do it all, and give the state that the build ends in. Its log is whole by then."""
        build = self._build
        try:
            self._room.make()
            streamed = build.options.log_streaming_option != Streaming.STREAM_OFF
            log = BuildLog(self._room.log, self._shop.objects, self._log_uri(), streamed=streamed)
            try:
                log.say(f'starting build "{build.id}"', "")
                status = self._logged(log)
            finally:
                self._stopper.halt()
                log.close()
            self._note_steps()
            if log.failure:
                _LOG.warning("the log of %s: %s", build.name, log.failure)
                build.failure_info.type_ = FailureType.LOGGING_FAILURE
                build.failure_info.detail = f"Backend logging failures. {log.failure}"
                status = int(Status.FAILURE) if status == Status.SUCCESS else status
            return status
        finally:
            shutil.rmtree(self._room.folder, ignore_errors=True)

    def _logged(self, log: BuildLog) -> int:
        """Go through the phases, and write how they ended."""
        try:
            self._phases(log)
        except StoppedError:
            reason = Status(self._stopper.reason)
            log.say(reason.name, f"ERROR: {_LAST_WORDS.get(reason, 'the build was stopped')}")
            return int(reason)
        except BuildFailedError as error:
            log.say("ERROR", f"ERROR: {error}")
            info = self._build.failure_info
            info.type_, info.detail = error.kind, error.detail
            return int(Status.FAILURE)
        log.say("DONE")
        return int(Status.SUCCESS)

    def _phases(self, log: BuildLog) -> None:
        build, room, shop, stopper = self._build, self._room, self._shop, self._stopper
        base: Path = room.workspace
        if build.source.WhichOneof("source"):
            with self._timed("FETCHSOURCE"):
                base = fetch(build, room, shop, log)
        log.say("BUILD")
        with self._timed("BUILD"):
            env, secrets = equipment.variables(build, room, shop), equipment.secrets(build, shop)
            self._run_steps(StepRunner(shop, room, log, stopper, base, env, secrets, self._values))
        if build.images or build.artifacts.HasField("objects"):
            log.say("PUSH")
            with self._timed("PUSH"):
                outputs.push_images(build, room, shop, log)
                if build.artifacts.HasField("objects"):
                    outputs.upload_objects(build, room, shop, log)

    @contextmanager
    def _timed(self, phase: str) -> Iterator[None]:
        """Note how long a phase takes; StoppedError if the build was asked to end by its end."""
        self._stopper.check()
        began = clock.now()
        try:
            yield
        finally:
            outputs.span(self._build.timing[phase], began, clock.now())
        self._stopper.check()

    def _run_steps(self, runner: StepRunner) -> None:
        steps = list(self._build.steps)
        self._ends = graph.run_all(
            steps,
            lambda index: runner.run(self._build, index),
            self._stopper.halt,
            self._stopper.asked,
        )
        self._stopper.check()
        for index, end in self._ends.items():
            if not graph.passes(steps[index], end):
                raise step_failed(index, steps[index].name, end.why)

    def _note_steps(self) -> None:
        """Write what became of the steps into the build, as Google does when all is over."""
        results = self._build.results
        for index, step in enumerate(self._build.steps):
            end = self._ends.get(index)
            results.build_step_images.append(end.digest if end else "")
            results.build_step_outputs.append(end.output if end else b"")
            if end is None:
                step.status = Status.QUEUED
                continue
            step.status, step.exit_code = end.status, end.code
            outputs.span(step.timing, *end.span)
            outputs.span(step.pull_timing, end.span[0], end.pulled)

    def _log_uri(self) -> str:
        build = self._build
        if build.options.logging not in _KEPT_IN_BUCKET or not build.logs_bucket:
            return ""
        return f"{build.logs_bucket.rstrip('/')}/log-{build.id}.txt"
