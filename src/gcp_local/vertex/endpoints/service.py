"""Vertex AI's EndpointService: the endpoints themselves. See `deploying` for what is on them."""

from __future__ import annotations

import re
import uuid
from typing import TYPE_CHECKING

from google.cloud.aiplatform_v1.types import endpoint as endpoint_types
from google.cloud.aiplatform_v1.types import endpoint_service as service_types
from google.cloud.aiplatform_v1.types import operation as operation_types

from gcp_local import clock
from gcp_local.errors import FailedPrecondition, InvalidArgument
from gcp_local.resources.etags import check_etag, etag_of
from gcp_local.resources.labels import check_labels
from gcp_local.resources.listing import list_page
from gcp_local.resources.masks import masked, update_paths
from gcp_local.rpc.protos import Empty, Message, copy_of, raw, timestamp
from gcp_local.vertex.endpoints.checks import (
    check_connection,
    check_endpoint_id,
    check_possible,
)
from gcp_local.vertex.endpoints.traffic import check_split
from gcp_local.vertex.naming import check_display_name, location_of
from gcp_local.vertex.settings import check_encryption

if TYPE_CHECKING:
    from collections.abc import Callable

    from gcp_local.vertex.platform import Platform

Endpoint = raw(endpoint_types.Endpoint)
CreateEndpointOperationMetadata = raw(service_types.CreateEndpointOperationMetadata)
UpdateEndpointOperationMetadata = raw(service_types.UpdateEndpointOperationMetadata)
ListEndpointsResponse = raw(service_types.ListEndpointsResponse)
DeleteOperationMetadata = raw(operation_types.DeleteOperationMetadata)

_NAME = re.compile(r"projects/[^/]+/locations/[^/]+/endpoints/[^/]+")
_OUTPUT_ONLY = (
    "name", "deployed_models", "create_time", "update_time", "etag", "dedicated_endpoint_dns",
    "model_deployment_monitoring_job", "satisfies_pzs", "satisfies_pzi",
)  # fmt: skip
_UPDATABLE = ("display_name", "description", "labels", "traffic_split")
_FILTERABLE = {
    "endpoint": "name",  # of what is filtered, only the last segment is there: see `list_endpoints`
    "display_name": "display_name",
    "labels": "labels",
}
_SORTABLE = {name: name for name in ("display_name", "create_time", "update_time")}


class EndpointService:
    """`google.cloud.aiplatform.v1.EndpointService`, and the noun by which endpoints change."""

    def __init__(self, platform: Platform) -> None:
        self._resources = platform.resources
        self._database = platform.database
        self._operations = platform.operations
        self._projects = platform.projects

    # The RPCs

    def create_endpoint(self, request: Message) -> Message:
        """Make an endpoint without any model."""
        parent = location_of(self._projects, request.parent)
        endpoint: Message = copy_of(request.endpoint)
        for field in _OUTPUT_ONLY:
            endpoint.ClearField(field)
        check_display_name(endpoint.display_name, required=True)
        check_labels(endpoint.labels)
        check_possible(endpoint)
        check_encryption(endpoint, parent.rpartition("/")[2], at="endpoint")
        check_split(endpoint.traffic_split, ())
        if request.endpoint_id:
            check_endpoint_id(request.endpoint_id)
        endpoint.name = f"{parent}/endpoints/{request.endpoint_id or uuid.uuid4().int % 10**19}"
        now = timestamp(clock.now())
        endpoint.create_time.CopyFrom(now)
        endpoint.update_time.CopyFrom(now)
        endpoint.etag = etag_of(endpoint)
        self._resources.add(endpoint.name, endpoint)
        return self._operations.done(endpoint.name, endpoint, CreateEndpointOperationMetadata())

    def get_endpoint(self, request: Message) -> Message:
        """Answer an endpoint with what is deployed to it."""
        return self.find(request.name)

    def list_endpoints(self, request: Message) -> Message:
        """Answer the endpoints of a location, the newest first unless an order is asked for."""
        parent = location_of(self._projects, request.parent)
        candidates = []
        for endpoint in self._resources.children(parent, Endpoint):
            endpoint.name = endpoint.name.rpartition("/")[2]
            candidates.append(endpoint)
        page, token = list_page(
            candidates,
            request,
            Endpoint,
            filterable=_FILTERABLE,
            sortable=_SORTABLE,
            newest_first=True,
        )
        for endpoint in page:
            endpoint.name = f"{parent}/endpoints/{endpoint.name}"
        shown = masked(page, request.read_mask, Endpoint)
        return ListEndpointsResponse(endpoints=shown, next_page_token=token)

    def update_endpoint(self, request: Message) -> Message:
        """Change the fields of the mask."""
        asked = request.endpoint
        paths = update_paths(request.update_mask, _UPDATABLE)

        def change(endpoint: Message) -> None:
            check_etag(endpoint, asked)
            for path in paths:
                endpoint.ClearField(path)
                if path in ("labels", "traffic_split"):
                    getattr(endpoint, path).update(dict(getattr(asked, path)))
                else:
                    setattr(endpoint, path, getattr(asked, path))
            check_display_name(endpoint.display_name, required=True)
            check_labels(endpoint.labels)
            check_split(endpoint.traffic_split, {each.id for each in endpoint.deployed_models})

        return self.change(asked.name, change)

    def update_endpoint_long_running(self, request: Message) -> Message:
        """Change how long predictions may take; nothing else is changed this way."""
        asked = request.endpoint
        said = {field.name for field, _ in asked.ListFields()} - {
            "name",
            "client_connection_config",
        }
        if said:
            message = (
                f"Only client_connection_config can be changed, not {', '.join(sorted(said))}."
            )
            raise InvalidArgument.of_field("endpoint", message)
        check_connection(asked.client_connection_config)
        config = asked.client_connection_config
        changed = self.change(
            asked.name, lambda endpoint: endpoint.client_connection_config.CopyFrom(config)
        )
        return self._operations.done(changed.name, changed, UpdateEndpointOperationMetadata())

    def delete_endpoint(self, request: Message) -> Message:
        """Forget an endpoint that has no deployed model."""
        with self._database.transaction():
            endpoint = self.find(request.name)
            if endpoint.deployed_models:
                raise FailedPrecondition(
                    f"The Endpoint {endpoint.name!r} has deployed models. Undeploy them first."
                )
            self._resources.delete(endpoint.name, Endpoint)
        return self._operations.done(endpoint.name, Empty(), DeleteOperationMetadata())

    # For others

    def find(self, name: str) -> Message:
        """Give a copy of an endpoint.

        Raises:
            InvalidArgument: not an endpoint's name.
            NotFound: no such endpoint.

        """
        if not _NAME.fullmatch(name):
            raise InvalidArgument.of_field("endpoint", f"Invalid Endpoint name {name!r}.")
        return self._resources.get(self._projects.numbered(name), Endpoint)

    def everywhere(self) -> list[Message]:
        """Give a copy of every endpoint of every project and region."""
        return list(self._resources.everywhere(Endpoint))

    def change(self, name: str, change: Callable[[Message], object]) -> Message:
        """Change an endpoint, whole or not at all, and give the new state.

        Args:
            name: the endpoint's name.
            change: changes the message it is given, or raises.

        """
        with self._database.transaction():
            endpoint = self.find(name)
            change(endpoint)
            endpoint.update_time.CopyFrom(timestamp(clock.now()))
            endpoint.etag = etag_of(endpoint)
            self._resources.replace(endpoint.name, endpoint)
            return endpoint
