"""Long-running operations. What this stand-in does, it does at once: its operations are done."""

from __future__ import annotations

import uuid
from typing import TYPE_CHECKING

from google.longrunning import operations_pb2  # type: ignore[import-untyped]

from gcp_local import clock
from gcp_local.errors import InvalidArgument
from gcp_local.resources.listing import page_of
from gcp_local.rpc.protos import Empty, Message, timestamp

if TYPE_CHECKING:
    from gcp_local.resources.collection import Resources
    from gcp_local.resources.projects import Projects

Operation: type[Message] = operations_pb2.Operation
ListOperationsResponse: type[Message] = operations_pb2.ListOperationsResponse


class Operations:
    """The operations of all services, and the RPCs of `google.longrunning.Operations` on them."""

    def __init__(self, resources: Resources, projects: Projects) -> None:
        self._resources = resources
        self._projects = projects

    def done(self, parent: str, response: Message, metadata: Message) -> Message:
        """Record work that is finished and give its operation.

        Args:
            parent: under which resource the operation is named.
            response: what the work gave.
            metadata: the metadata message that the method documents; if it has a
                `generic_metadata`, the times are filled in.

        """
        if "generic_metadata" in metadata.DESCRIPTOR.fields_by_name:
            now = timestamp(clock.now())
            metadata.generic_metadata.create_time.CopyFrom(now)
            metadata.generic_metadata.update_time.CopyFrom(now)
        number = uuid.uuid4().int % 10**19
        operation = Operation(name=f"{parent}/operations/{number}", done=True)
        operation.metadata.Pack(metadata)
        operation.response.Pack(response)
        self._resources.add(operation.name, operation)
        return operation

    # The RPCs, which every service shares.

    def get_operation(self, request: Message) -> Message:
        """Answer `GetOperation`."""
        return self._resources.get(self._name(request.name), Operation)

    def wait_operation(self, request: Message) -> Message:
        """Answer `WaitOperation`: nothing here has to be waited for."""
        return self._resources.get(self._name(request.name), Operation)

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
        self._resources.get(self._name(request.name), Operation)
        return Empty()

    def _name(self, name: str) -> str:
        """Find the stored name: some services name projects by id, others by number."""
        numbered = self._projects.numbered(name)
        known = self._resources.find(numbered, Operation) is not None
        return numbered if known else self._projects.named(name)
