"""Feature groups: a BigQuery table or view, and the columns that name an entity."""

from __future__ import annotations

from typing import TYPE_CHECKING

from google.cloud.aiplatform_v1.types import feature as feature_types
from google.cloud.aiplatform_v1.types import feature_group as group_types
from google.cloud.aiplatform_v1.types import feature_registry_service as service_types
from google.cloud.aiplatform_v1.types import operation as operation_types

from gcp_local.errors import FailedPrecondition, InvalidArgument
from gcp_local.resources.etags import check_etag
from gcp_local.resources.labels import check_labels
from gcp_local.resources.listing import list_page
from gcp_local.resources.masks import changed_paths, copy_field
from gcp_local.rpc.protos import Empty, FieldMask, Message, copy_of, raw
from gcp_local.vertex.addresses import check_table
from gcp_local.vertex.features.rules import (
    check_column,
    check_id,
    stamp,
    with_page_size,
)
from gcp_local.vertex.naming import location_of

if TYPE_CHECKING:
    from gcp_local.vertex.platform import Platform

FeatureGroup = raw(group_types.FeatureGroup)
Feature = raw(feature_types.Feature)
ListFeatureGroupsResponse = raw(service_types.ListFeatureGroupsResponse)
CreateFeatureGroupOperationMetadata = raw(service_types.CreateFeatureGroupOperationMetadata)
UpdateFeatureGroupOperationMetadata = raw(service_types.UpdateFeatureGroupOperationMetadata)
DeleteOperationMetadata = raw(operation_types.DeleteOperationMetadata)

_UPDATABLE = ("labels", "description", "big_query")
_COLUMNS = "big_query.entity_id_columns"
_FILTERABLE = {name: name for name in ("create_time", "update_time", "labels")}
_SORTABLE = {name: name for name in ("create_time", "update_time")}
_LARGEST_PAGE = 100
_AT = "feature_group.big_query"


class FeatureGroups:
    """The part of FeatureRegistryService that is about feature groups."""

    def __init__(self, platform: Platform) -> None:
        self._resources = platform.resources
        self._database = platform.database
        self._operations = platform.operations
        self._projects = platform.projects

    def create_feature_group(self, request: Message) -> Message:
        """Register a table."""
        parent = location_of(self._projects, request.parent)
        check_id("feature_group_id", request.feature_group_id)
        group: Message = copy_of(request.feature_group)
        for name in ("name", "create_time", "update_time", "etag"):
            group.ClearField(name)
        _check(group)
        group.name = f"{parent}/featureGroups/{request.feature_group_id}"
        stamp(group)
        with self._database.transaction():
            self._resources.add(group.name, group)
            metadata = CreateFeatureGroupOperationMetadata()
            return self._operations.done(group.name, group, metadata)

    def get_feature_group(self, request: Message) -> Message:
        """Answer a feature group."""
        return self._get(request.name)

    def list_feature_groups(self, request: Message) -> Message:
        """Answer feature groups, the oldest first unless an order is asked for."""
        parent = location_of(self._projects, request.parent)
        page, token = list_page(
            self._resources.children(parent, FeatureGroup),
            with_page_size(request, _LARGEST_PAGE),
            FeatureGroup,
            filterable=_FILTERABLE,
            sortable=_SORTABLE,
        )
        return ListFeatureGroupsResponse(feature_groups=page, next_page_token=token)

    def update_feature_group(self, request: Message) -> Message:
        """Change the fields of the mask; the table itself stays the same."""
        said = request.feature_group
        asked = list(request.update_mask.paths)
        whole = FieldMask(paths=[path for path in asked if path != _COLUMNS])
        paths = changed_paths(whole, said, _UPDATABLE) if whole.paths or not asked else []
        with self._database.transaction():
            group = self._get(said.name)
            check_etag(group, said)
            table = group.big_query.big_query_source.input_uri
            for path in paths:
                copy_field(said, group, path)
            if _COLUMNS in asked:
                group.big_query.entity_id_columns[:] = said.big_query.entity_id_columns
            if "big_query" in paths and group.big_query.big_query_source.input_uri != table:
                raise InvalidArgument.of_field(
                    f"{_AT}.big_query_source", "big_query_source is immutable."
                )
            _check(group)
            stamp(group)
            self._resources.replace(group.name, group)
            metadata = UpdateFeatureGroupOperationMetadata()
            return self._operations.done(group.name, group, metadata)

    def delete_feature_group(self, request: Message) -> Message:
        """Forget a feature group, with `force` its features, too; the table stays."""
        with self._database.transaction():
            name = self._get(request.name).name
            features = [feature.name for feature in self._resources.children(name, Feature)]
            if features and not request.force:
                raise FailedPrecondition(
                    f"The FeatureGroup {name!r} has {len(features)} features; delete them first,"
                    " or set force."
                )
            for feature in features:
                self._resources.delete(feature, Feature)
            self._resources.delete(name, FeatureGroup)
            return self._operations.done(name, Empty(), DeleteOperationMetadata())

    def _get(self, name: str) -> Message:
        return self._resources.get(self._projects.numbered(name), FeatureGroup)


def _check(group: Message) -> None:
    check_labels(group.labels)
    if not group.HasField("big_query"):
        raise InvalidArgument.of_field(_AT, "big_query is required.")
    source = group.big_query
    table = source.big_query_source.input_uri
    if not table:
        field = f"{_AT}.big_query_source.input_uri"
        raise InvalidArgument.of_field(field, "input_uri is required.")
    check_table(table, f"{_AT}.big_query_source.input_uri")
    columns = list(source.entity_id_columns)
    for column in columns:
        check_column(f"{_AT}.entity_id_columns", column)
    if len({column.lower() for column in columns}) < len(columns):
        raise InvalidArgument.of_field(f"{_AT}.entity_id_columns", "A column is named twice.")
    if source.HasField("time_series"):
        if source.static_data_source:
            message = "A static data source has no time_series."
            raise InvalidArgument.of_field(f"{_AT}.time_series", message)
        if source.time_series.timestamp_column:
            field = f"{_AT}.time_series.timestamp_column"
            check_column(field, source.time_series.timestamp_column)
