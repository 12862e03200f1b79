"""What all jobs have in common: kept, run in a thread each, listed, cancelled, deleted.

A job is QUEUED until there is room, PENDING while it is prepared, RUNNING, and then SUCCEEDED,
FAILED or CANCELLED. What was under way when the server was killed is found FAILED.
"""

from __future__ import annotations

import logging
import threading
import uuid
from typing import TYPE_CHECKING

from google.cloud.aiplatform_v1.types import job_state as state_types
from google.cloud.aiplatform_v1.types import operation as operation_types
from google.rpc import code_pb2  # type: ignore[import-untyped]

from gcp_local import clock
from gcp_local.containers.processes import StoppedError
from gcp_local.containers.slots import Slots
from gcp_local.errors import ApiError, FailedPrecondition
from gcp_local.resources.listing import list_page
from gcp_local.rpc.protos import Empty, Message, copy_of, raw, timestamp
from gcp_local.vertex.naming import location_of

if TYPE_CHECKING:
    from collections.abc import Callable

    from gcp_local.resources.filtering import Fields
    from gcp_local.vertex.platform import Platform

State = state_types.JobState
DeleteOperationMetadata = raw(operation_types.DeleteOperationMetadata)
TERMINAL = frozenset({State.JOB_STATE_SUCCEEDED, State.JOB_STATE_FAILED, State.JOB_STATE_CANCELLED})
FILTERABLE = {name: name for name in ("display_name", "state", "create_time", "labels")}
SERVER_STOPPED = "The embedded cloud's server stopped while this job ran."
_LOG = logging.getLogger(__name__)
_CLOSING_SECONDS = 15.0


class JobFailedError(Exception):
    """A job cannot go on, and why; its code is a name of `google.rpc.Code`."""

    def __init__(self, message: str, code: str = "INVALID_ARGUMENT") -> None:
        super().__init__(message)
        self.code: int = code_pb2.Code.Value(code)


class Run:
    """One job under way, as seen by whoever carries it out.

    Attributes:
        first: the resource as it was created.
        job: the resource. The thread that carries the job out may change it under `changing`.
        asked_to_end: set when the job is to end before its time.
        ended: set when the job has reached its last state, which is kept by then.

    """

    def __init__(self, job: Message, save: Callable[[Message], None]) -> None:
        self.first = copy_of(job)
        self.job = job
        self.changing = threading.RLock()
        self.ended = threading.Event()
        self.closing = False
        self.asked_to_end = threading.Event()
        self._save = save
        self._actions: list[Callable[[], object]] = []

    @property
    def stopping(self) -> bool:
        """Tell whether the job was asked to end."""
        return self.asked_to_end.is_set()

    def begin(self) -> None:
        """Enter RUNNING; StoppedError if the job was asked to end before."""
        self._enter(State.JOB_STATE_RUNNING)

    def prepare(self) -> None:
        """Enter PENDING; StoppedError if the job was asked to end before."""
        self._enter(State.JOB_STATE_PENDING)

    def _enter(self, state: int) -> None:
        with self.changing:
            if self.stopping:
                raise StoppedError
            self.job.state = state
            if state == State.JOB_STATE_RUNNING:
                self.job.start_time.CopyFrom(timestamp(clock.now()))
            self.save()

    def save(self) -> None:
        """Keep the job as it stands now."""
        with self.changing:
            self.job.update_time.CopyFrom(timestamp(clock.now()))
            self._save(self.job)

    def on_stop(self, action: Callable[[], object]) -> None:
        """Do something when the job is asked to end; at once, if it was already."""
        with self.changing:
            if not self.stopping:
                self._actions.append(action)
                return
        action()

    def stop(self, *, closing: bool = False) -> None:
        """Ask the job to end. Returns at once."""
        with self.changing:
            if self.job.state in TERMINAL:
                return
            self.closing = self.closing or closing
            if self.stopping:
                return
            self.asked_to_end.set()
            if not closing:
                self.job.state = State.JOB_STATE_CANCELLING
                self.save()
            actions, self._actions = self._actions, []
        for action in actions:
            action()

    def finish(self, state: int, code: int = 0, message: str = "") -> None:
        """Enter the last state, with the error if there is one."""
        with self.changing:
            self.job.state = state
            if code:
                self.job.error.code, self.job.error.message = code, message
            self.job.end_time.CopyFrom(timestamp(clock.now()))
            self.save()


class Jobs:
    """The source of truth for the jobs of one kind.

    Args:
        platform: the stores.
        kind: the message of such a job.
        collection: what stands in resource names, `customJobs`.
        at_once: how many run at the same time; the others are QUEUED, and come in their order.

    """

    def __init__(
        self, platform: Platform, kind: type[Message], collection: str, *, at_once: int
    ) -> None:
        self._resources = platform.resources
        self._operations = platform.operations
        self._projects = platform.projects
        self._kind = kind
        self._collection = collection
        self._slots = Slots(at_once)
        self._active: dict[str, Run] = {}
        self._lock = threading.Lock()

    # For those who create jobs

    def name(self, parent: str) -> str:
        """Make a new job's name."""
        return f"{parent}/{self._collection}/{uuid.uuid4().int % 10**19}"

    def start(self, job: Message, work: Callable[[Run], None]) -> Run:
        """Keep a new job, which has its name, and start it.

        Args:
            job: the resource, without states and times.
            work: carries the job out. It calls `begin`, and raises JobFailedError or ApiError if
                the job fails, StoppedError if it ends because it was asked to.

        """
        now = timestamp(clock.now())
        job.create_time.CopyFrom(now)
        job.update_time.CopyFrom(now)
        job.state = State.JOB_STATE_QUEUED
        run = Run(copy_of(job), self._save)
        with self._lock:
            self._active[job.name] = run
        try:
            self._resources.add(job.name, job)
        except BaseException:
            with self._lock:
                del self._active[job.name]
            raise
        run.on_stop(self._slots.wake)
        threading.Thread(target=self._carry_out, args=(run, work), daemon=True).start()
        return run

    # What the RPCs do

    def get(self, name: str) -> Message:
        """Give a job; NotFound if there is none."""
        return self._resources.get(self._projects.numbered(name), self._kind)

    def page(self, request: Message, filterable: Fields = FILTERABLE) -> tuple[list[Message], str]:
        """Give one page of a list request, the newest job first, and the next page's token."""
        return list_page(
            self._resources.children(location_of(self._projects, request.parent), self._kind),
            request,
            self._kind,
            filterable=filterable,
            newest_first=True,
        )

    def cancel(self, name: str) -> Message:
        """Ask a job to end; FailedPrecondition if it has ended already."""
        with self._lock:
            run = self._active.get(self._projects.numbered(name))
        job = self.get(
            name
        )  # after the look: who is not under way any more has kept its last state
        if job.state in TERMINAL or run is None:
            noun = self._kind.DESCRIPTOR.name
            raise FailedPrecondition(
                f"The {noun} {job.name!r} is in the terminal state {State(job.state).name} and"
                " cannot be cancelled."
            )
        run.stop()
        return Empty()

    def delete(self, name: str) -> Message:
        """Forget a job; FailedPrecondition if it has not ended."""
        job = self.get(name)
        if job.state not in TERMINAL:
            noun = self._kind.DESCRIPTOR.name
            raise FailedPrecondition(
                f"The {noun} {job.name!r} is in state {State(job.state).name}; only a job that has"
                " ended can be deleted."
            )
        self._resources.delete(job.name, self._kind)
        parent = job.name.rpartition(f"/{self._collection}/")[0]
        return self._operations.done(parent, Empty(), DeleteOperationMetadata())

    # For the server

    def recover(self, mend: Callable[[Message], object] = lambda _: None) -> None:
        """Fail the jobs that an earlier server left unfinished.

        Args:
            mend: changes what else of such a job cannot stay.

        """
        for job in self._resources.everywhere(self._kind):
            if job.state not in TERMINAL:
                job.state = State.JOB_STATE_FAILED
                job.error.code = code_pb2.Code.ABORTED
                job.error.message = SERVER_STOPPED
                for moment in (job.end_time, job.update_time):
                    moment.CopyFrom(timestamp(clock.now()))
                mend(job)
                self._save(job)

    def busy(self) -> bool:
        """Tell whether a job is under way."""
        with self._lock:
            return bool(self._active)

    def close(self) -> None:
        """End all jobs as failed, and wait for their end a little."""
        with self._lock:
            active = list(self._active.values())
        for run in active:
            run.stop(closing=True)
        for run in active:
            run.ended.wait(_CLOSING_SECONDS)

    # Inside

    def _save(self, job: Message) -> None:
        self._resources.replace(job.name, job)

    def _carry_out(self, run: Run, work: Callable[[Run], None]) -> None:
        try:
            with self._slots.one(run.asked_to_end):
                run.prepare()
                work(run)
            run.finish(State.JOB_STATE_SUCCEEDED)
        except StoppedError:
            if run.closing:
                run.finish(State.JOB_STATE_FAILED, code_pb2.Code.ABORTED, SERVER_STOPPED)
            else:
                message = "The job was cancelled."
                run.finish(State.JOB_STATE_CANCELLED, code_pb2.Code.CANCELLED, message)
        except JobFailedError as error:
            run.finish(State.JOB_STATE_FAILED, error.code, str(error))
        except ApiError as error:
            code = code_pb2.Code.Value(error.status)
            run.finish(State.JOB_STATE_FAILED, code, error.message)
        except Exception as error:  # noqa: BLE001  (a job must end)
            _LOG.exception("a fault in %s", run.job.name)
            message = f"A fault of the embedded cloud: {type(error).__name__}: {error}"
            run.finish(State.JOB_STATE_FAILED, code_pb2.Code.INTERNAL, message)
        finally:
            with self._lock:
                del self._active[run.job.name]
            run.ended.set()
