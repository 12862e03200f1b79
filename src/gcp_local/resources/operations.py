"""Long-running operations: done at once, or under way in a thread of their own."""

from __future__ import annotations

import logging
import threading
import uuid
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from google.longrunning import operations_pb2  # type: ignore[import-untyped]
from google.rpc import code_pb2  # type: ignore[import-untyped]

from gcp_local import clock
from gcp_local.errors import Aborted, ApiError, Internal, InvalidArgument
from gcp_local.resources.listing import page_of
from gcp_local.rpc.protos import Empty, Message, timestamp

if TYPE_CHECKING:
    from gcp_local.resources.collection import Resources
    from gcp_local.resources.projects import Projects

Operation: type[Message] = operations_pb2.Operation
ListOperationsResponse: type[Message] = operations_pb2.ListOperationsResponse
_LOG = logging.getLogger(__name__)
_LONGEST_WAIT_SECONDS = 60.0


@dataclass(frozen=True)
class _UnderWay:
    cancel: Callable[[], object]
    ended: threading.Event = field(default_factory=threading.Event)


class Operations:
    """The operations of all services, and the RPCs of `google.longrunning.Operations` on them."""

    def __init__(self, resources: Resources, projects: Projects) -> None:
        self._resources = resources
        self._projects = projects
        self._lock = threading.Lock()
        self._under_way: dict[str, _UnderWay] = {}

    def done(self, parent: str, response: Message, metadata: Message) -> Message:
        """Record work that is finished and give its operation.

        Args:
            parent: under which resource the operation is named.
            response: what the work gave.
            metadata: the metadata message that the method documents; if it has a
                `generic_metadata`, the times are filled in.

        """
        operation = _new(parent, metadata)
        operation.done = True
        operation.response.Pack(response)
        self._resources.add(operation.name, operation)
        return operation

    def begin(
        self,
        parent: str,
        metadata: Message,
        work: Callable[[], Message],
        *,
        cancel: Callable[[], object] = lambda: None,
        name: str = "",
    ) -> Message:
        """Start work in a thread of its own and give its operation, which is not done yet.

        Args:
            parent: under which resource the operation is named.
            metadata: as for `done`.
            work: gives the response; what it raises becomes the operation's error.
            cancel: asks the work to end; called by `CancelOperation`, and returns at once.
            name: the operation's whole name, where the service makes it. One of that name which an
                earlier server left is taken up again.

        """
        operation = _new(parent, metadata, name)
        if name and self._resources.find(name, Operation) is not None:
            self._resources.replace(name, operation)
        else:
            self._resources.add(operation.name, operation)
        under_way = _UnderWay(cancel)
        with self._lock:
            self._under_way[operation.name] = under_way
        arguments = (operation, metadata, work, under_way.ended)
        threading.Thread(target=self._carry_out, args=arguments, daemon=True).start()
        return operation

    def get(self, name: str) -> Message:
        """Give an operation by its whole name; NotFound if there is none."""
        return self._resources.get(name, Operation)

    def report(self, name: str, metadata: Message) -> None:
        """Show newer metadata of an operation that is not done, if it is there still."""
        operation = self._resources.find(name, Operation)
        if operation is not None and not operation.done:
            operation.metadata.Pack(metadata)
            self._resources.replace(name, operation)

    def _carry_out(
        self,
        operation: Message,
        metadata: Message,
        work: Callable[[], Message],
        ended: threading.Event,
    ) -> None:
        finished = Operation()
        finished.CopyFrom(operation)
        try:
            finished.response.Pack(work())
        except ApiError as error:
            _fail(finished, error)
        except Exception as error:  # noqa: BLE001  (an operation must end)
            _LOG.exception("a fault in %s", operation.name)
            _fail(finished, Internal(f"A fault of the embedded cloud: {type(error).__name__}"))
        finished.done = True
        try:
            _stamp(finished, metadata)
            self._resources.replace(finished.name, finished)
        except Exception:  # noqa: BLE001  (the last resort: whoever waits must wake)
            _LOG.exception("the end of %s cannot be kept", finished.name)
        finally:
            with self._lock:
                del self._under_way[finished.name]
            ended.set()

    # For the server

    def recover(self) -> None:
        """Fail the operations that were under way when an earlier server stopped."""
        for operation in self._resources.everywhere(Operation):
            if not operation.done and operation.name not in self._under_way:
                _fail(operation, Aborted("The embedded cloud's server stopped during this."))
                operation.done = True
                self._resources.replace(operation.name, operation)

    def busy(self) -> bool:
        """Tell whether anything is under way."""
        with self._lock:
            return bool(self._under_way)

    def close(self) -> None:
        """Ask everything that is under way to end, and wait for it a little."""
        with self._lock:
            under_way = list(self._under_way.values())
        for each in under_way:
            each.cancel()
        for each in under_way:
            each.ended.wait(10)

    # The RPCs, which every service shares.

    def get_operation(self, request: Message) -> Message:
        """Answer `GetOperation`."""
        return self._resources.get(self._name(request.name), Operation)

    def wait_operation(self, request: Message) -> Message:
        """Answer `WaitOperation`: when it is done, or after the time asked for, or a minute."""
        name = self._name(request.name)
        with self._lock:
            under_way = self._under_way.get(name)
        if under_way is not None:
            asked = request.timeout.ToSeconds() if request.HasField("timeout") else None
            longest = _LONGEST_WAIT_SECONDS
            under_way.ended.wait(longest if asked is None else max(0, min(asked, longest)))
        return self._resources.get(name, Operation)

    def list_operations(self, request: Message) -> Message:
        """Answer `ListOperations`, without a filter."""
        if request.filter:
            raise InvalidArgument("Operations cannot be filtered.")
        found = list(self._resources.children(self._projects.numbered(request.name), Operation))
        found += self._resources.children(self._projects.named(request.name), Operation)
        page, token = page_of(found, request, query=request.name)
        return ListOperationsResponse(operations=page, next_page_token=token)

    def delete_operation(self, request: Message) -> Message:
        """Answer `DeleteOperation`."""
        self._resources.delete(self._name(request.name), Operation)
        return Empty()

    def cancel_operation(self, request: Message) -> Message:
        """Answer `CancelOperation`: best effort, and what is done stays done."""
        name = self._name(request.name)
        self._resources.get(name, Operation)
        with self._lock:
            under_way = self._under_way.get(name)
        if under_way is not None:
            under_way.cancel()
        return Empty()

    def _name(self, name: str) -> str:
        """Find the stored name: some services name projects by id, others by number."""
        numbered = self._projects.numbered(name)
        known = self._resources.find(numbered, Operation) is not None
        return numbered if known else self._projects.named(name)


def _new(parent: str, metadata: Message, name: str = "") -> Message:
    number = uuid.uuid4().int % 10**19
    operation = Operation(name=name or f"{parent}/operations/{number}")
    if "generic_metadata" in metadata.DESCRIPTOR.fields_by_name:
        now = timestamp(clock.now())
        metadata.generic_metadata.create_time.CopyFrom(now)
        metadata.generic_metadata.update_time.CopyFrom(now)
    operation.metadata.Pack(metadata)
    return operation


def _stamp(operation: Message, metadata: Message) -> None:
    """Set the time of the last change in the metadata, where there is such a field."""
    if "generic_metadata" in metadata.DESCRIPTOR.fields_by_name:
        metadata.generic_metadata.update_time.CopyFrom(timestamp(clock.now()))
    operation.metadata.Pack(metadata)


def _fail(operation: Message, error: ApiError) -> None:
    operation.error.code = code_pb2.Code.Value(error.status)
    operation.error.message = error.message
