"""The features of a group: each a column of its table."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from google.cloud.aiplatform_v1.types import feature_registry_service as service_types
from google.cloud.aiplatform_v1.types import featurestore_service as store_types

from gcp_local.errors import InvalidArgument
from gcp_local.resources.etags import check_etag
from gcp_local.resources.labels import check_labels
from gcp_local.resources.listing import list_page
from gcp_local.resources.masks import changed_paths, copy_field, masked
from gcp_local.rpc.protos import Empty, Message, copy_of, raw
from gcp_local.vertex.features.groups import DeleteOperationMetadata, Feature, FeatureGroup
from gcp_local.vertex.features.rules import (
    check_column,
    check_id,
    stamp,
    with_page_size,
)

if TYPE_CHECKING:
    from gcp_local.vertex.platform import Platform

ListFeaturesResponse = raw(store_types.ListFeaturesResponse)
BatchCreateFeaturesResponse = raw(store_types.BatchCreateFeaturesResponse)
CreateFeatureOperationMetadata = raw(store_types.CreateFeatureOperationMetadata)
BatchCreateFeaturesOperationMetadata = raw(store_types.BatchCreateFeaturesOperationMetadata)
UpdateFeatureOperationMetadata = raw(service_types.UpdateFeatureOperationMetadata)

_GROUP = re.compile(r"projects/[^/]+/locations/[^/]+/featureGroups/[^/]+")
_UPDATABLE = ("description", "labels", "point_of_contact")
_FILTERABLE = {name: name for name in ("create_time", "update_time", "labels")}
# The features of one group differ in their names by nothing but the id.
_SORTABLE = {"feature_id": "name", "create_time": "create_time", "update_time": "update_time"}
_OUTPUT_ONLY = ("name", "create_time", "update_time", "etag", "monitoring_stats_anomalies")
_OF_THE_LEGACY_STORE = ("value_type", "disable_monitoring")
_LARGEST_PAGE = 1000


class Features:
    """The part of FeatureRegistryService that is about features."""

    def __init__(self, platform: Platform) -> None:
        self._resources = platform.resources
        self._database = platform.database
        self._operations = platform.operations
        self._projects = platform.projects

    def create_feature(self, request: Message) -> Message:
        """Register a column of a group's table."""
        with self._database.transaction():
            feature = self._add(self._group(request.parent), request)
            return self._operations.done(feature.name, feature, CreateFeatureOperationMetadata())

    def batch_create_features(self, request: Message) -> Message:
        """Register several columns of a group's table, or none."""
        group = self._group(request.parent)
        if not request.requests:
            raise InvalidArgument.of_field("requests", "requests is required.")
        with self._database.transaction():
            features = []
            for number, each in enumerate(request.requests):
                if each.parent and self._projects.numbered(each.parent) != group:
                    message = f"The parent {each.parent!r} is not that of the request."
                    raise InvalidArgument.of_field(f"requests[{number}].parent", message)
                features.append(self._add(group, each))
            response = BatchCreateFeaturesResponse(features=features)
            return self._operations.done(group, response, BatchCreateFeaturesOperationMetadata())

    def get_feature(self, request: Message) -> Message:
        """Answer a feature."""
        return self._get(request.name)

    def list_features(self, request: Message) -> Message:
        """Answer a group's features, the oldest first unless an order is asked for."""
        group = self._group(request.parent)
        if request.latest_stats_count:
            message = "latest_stats_count is only for the features of a (legacy) featurestore."
            raise InvalidArgument.of_field("latest_stats_count", message)
        page, token = list_page(
            self._resources.children(group, Feature),
            with_page_size(request, _LARGEST_PAGE),
            Feature,
            filterable=_FILTERABLE,
            sortable=_SORTABLE,
        )
        shown = masked(page, request.read_mask, Feature)
        return ListFeaturesResponse(features=shown, next_page_token=token)

    def update_feature(self, request: Message) -> Message:
        """Change the fields of the mask."""
        said = request.feature
        paths = changed_paths(request.update_mask, said, _UPDATABLE)
        with self._database.transaction():
            feature = self._get(said.name)
            check_etag(feature, said)
            for path in paths:
                copy_field(said, feature, path)
            check_labels(feature.labels)
            stamp(feature)
            self._resources.replace(feature.name, feature)
            return self._operations.done(feature.name, feature, UpdateFeatureOperationMetadata())

    def delete_feature(self, request: Message) -> Message:
        """Forget a feature; the column stays."""
        with self._database.transaction():
            name = self._get(request.name).name
            self._resources.delete(name, Feature)
            return self._operations.done(name, Empty(), DeleteOperationMetadata())

    def _add(self, group: str, request: Message) -> Message:
        check_id("feature_id", request.feature_id)
        feature: Message = copy_of(request.feature)
        for name in _OUTPUT_ONLY:
            feature.ClearField(name)
        for name in _OF_THE_LEGACY_STORE:
            if getattr(feature, name):
                message = f"{name} is only for the features of a (legacy) featurestore."
                raise InvalidArgument.of_field(f"feature.{name}", message)
        check_labels(feature.labels)
        if not feature.version_column_name:
            feature.version_column_name = request.feature_id
        check_column("feature.version_column_name", feature.version_column_name)
        feature.name = f"{group}/features/{request.feature_id}"
        stamp(feature)
        self._resources.add(feature.name, feature)
        return feature

    def _group(self, parent: str) -> str:
        if not _GROUP.fullmatch(parent):
            raise InvalidArgument.of_field("parent", f"Invalid parent {parent!r}.")
        name: str = self._resources.get(self._projects.numbered(parent), FeatureGroup).name
        return name

    def _get(self, name: str) -> Message:
        return self._resources.get(self._projects.numbered(name), Feature)
