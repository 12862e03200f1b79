"""Vertex AI's DatasetService, for tabular datasets.

A tabular dataset holds no data of its own: it names CSV files in Cloud Storage or a BigQuery table,
and whoever trains on it reads them then. So there is nothing to import or export, and there are no
data items, annotations or versions; those methods are answered with 501.
"""

from __future__ import annotations

import re
import uuid
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from google.cloud.aiplatform_v1.types import dataset as dataset_types
from google.cloud.aiplatform_v1.types import dataset_service as service_types
from google.cloud.aiplatform_v1.types import operation as operation_types

from gcp_local import clock
from gcp_local.errors import InvalidArgument, Unimplemented
from gcp_local.resources.etags import check_etag, etag_of
from gcp_local.resources.labels import check_labels
from gcp_local.resources.listing import list_page
from gcp_local.resources.masks import masked, update_paths
from gcp_local.rpc.protos import Empty, Message, copy_of, raw, timestamp, to_json
from gcp_local.vertex.addresses import check_object, check_table
from gcp_local.vertex.naming import check_display_name, location_of
from gcp_local.vertex.settings import check_encryption

if TYPE_CHECKING:
    from gcp_local.vertex.platform import Platform

Dataset = raw(dataset_types.Dataset)
CreateDatasetOperationMetadata = raw(service_types.CreateDatasetOperationMetadata)
ListDatasetsResponse = raw(service_types.ListDatasetsResponse)
DeleteOperationMetadata = raw(operation_types.DeleteOperationMetadata)

_SCHEMAS = "gs://google-cloud-aiplatform/schema/dataset/metadata/"
TABULAR = f"{_SCHEMAS}tabular_1.0.0.yaml"
_KINDS = re.compile(re.escape(_SCHEMAS) + r"[a-z_]+_[0-9]+\.[0-9]+\.[0-9]+\.yaml")
_SCHEMA_LABEL = "aiplatform.googleapis.com/dataset_metadata_schema"
_TITLE = "TABLE"
_UPDATABLE = ("display_name", "description", "labels")
_FILTERABLE = {name: name for name in ("display_name", "metadata_schema_uri", "labels")}
_FILTERABLE |= {"displayName": "display_name", "metadataSchemaUri": "metadata_schema_uri"}
_SORTABLE = {name: name for name in ("display_name", "create_time", "update_time")}


@dataclass(frozen=True)
class Source:
    """Where a tabular dataset's rows are: CSV files (with wildcards, maybe), or a table."""

    files: tuple[str, ...] = ()
    table: str = ""


class DatasetService:
    """`google.cloud.aiplatform.v1.DatasetService`, as far as tabular datasets go."""

    def __init__(self, platform: Platform) -> None:
        self._resources = platform.resources
        self._database = platform.database
        self._operations = platform.operations
        self._projects = platform.projects

    # The RPCs

    def create_dataset(self, request: Message) -> Message:
        """Keep a dataset that says where its rows are."""
        parent = location_of(self._projects, request.parent)
        dataset: Message = copy_of(request.dataset)
        check_display_name(dataset.display_name, required=True)
        check_labels(dataset.labels)
        _check_schema(dataset.metadata_schema_uri)
        check_encryption(dataset, parent.rpartition("/")[2], at="dataset")
        if dataset.saved_queries:
            raise InvalidArgument.of_field(
                "dataset.saved_queries", "A tabular dataset has no saved queries."
            )
        read_source(dataset)
        for name in (
            "name", "data_item_count", "create_time", "update_time", "etag", "metadata_artifact",
            "model_reference", "satisfies_pzs", "satisfies_pzi",
        ):  # fmt: skip
            dataset.ClearField(name)
        dataset.name = f"{parent}/datasets/{uuid.uuid4().int % 10**19}"
        dataset.labels[_SCHEMA_LABEL] = _TITLE
        dataset.create_time.CopyFrom(timestamp(clock.now()))
        _stamp(dataset)
        with self._database.transaction():
            self._resources.add(dataset.name, dataset)
            return self._operations.done(dataset.name, dataset, CreateDatasetOperationMetadata())

    def get_dataset(self, request: Message) -> Message:
        """Answer a dataset."""
        dataset = self.find(request.name)
        return masked([dataset], request.read_mask, Dataset)[0]

    def list_datasets(self, request: Message) -> Message:
        """Answer datasets, the newest first unless an order is asked for."""
        parent = location_of(self._projects, request.parent)
        page, token = list_page(
            self._resources.children(parent, Dataset),
            request,
            Dataset,
            filterable=_FILTERABLE,
            sortable=_SORTABLE,
            newest_first=True,
        )
        shown = masked(page, request.read_mask, Dataset)
        return ListDatasetsResponse(datasets=shown, next_page_token=token)

    def update_dataset(self, request: Message) -> Message:
        """Change display name, description or labels; nothing else of a dataset can change."""
        paths = update_paths(request.update_mask, _UPDATABLE)
        with self._database.transaction():
            dataset = self.find(request.dataset.name)
            check_etag(dataset, request.dataset)
            for path in paths:
                if path == "labels":
                    labels = dict(request.dataset.labels)
                    if labels.pop(_SCHEMA_LABEL, _TITLE) != _TITLE:
                        raise InvalidArgument.of_field(
                            "dataset.labels", f"The label {_SCHEMA_LABEL!r} cannot be changed."
                        )
                    check_labels(labels)
                    dataset.ClearField("labels")
                    dataset.labels.update({**labels, _SCHEMA_LABEL: _TITLE})
                else:
                    setattr(dataset, path, getattr(request.dataset, path))
            check_display_name(dataset.display_name, required=True)
            _stamp(dataset)
            self._resources.replace(dataset.name, dataset)
        return dataset

    def delete_dataset(self, request: Message) -> Message:
        """Forget a dataset; the files that it names stay."""
        name = self._projects.numbered(request.name)
        with self._database.transaction():
            self._resources.delete(name, Dataset)
            return self._operations.done(name, Empty(), DeleteOperationMetadata())

    # Not RPCs

    def find(self, name: str) -> Message:
        """Give a dataset by its full name; NotFound if there is none."""
        return self._resources.get(self._projects.numbered(name), Dataset)


def read_source(dataset: Message) -> Source:
    """Read where a tabular dataset's rows are.

    The schema is that of `gs://google-cloud-aiplatform/schema/dataset/metadata/tabular_1.0.0.yaml`:
    an `inputConfig` with either a `gcsSource` or a `bigquerySource`.

    Raises:
        InvalidArgument: the metadata do not follow it.

    """
    metadata: Any = to_json(dataset.metadata)
    config = _only(metadata, "dataset.metadata", ("inputConfig",))
    at = "dataset.metadata.inputConfig"
    source = _only(config.get("inputConfig"), at, ("gcsSource", "bigquerySource"))
    if len(source) != 1:
        raise InvalidArgument.of_field(
            at, "Exactly one of gcsSource and bigquerySource must be set."
        )
    if "gcsSource" in source:
        at += ".gcsSource"
        uris = _only(source["gcsSource"], at, ("uri",)).get("uri")
        uris = [uris] if isinstance(uris, str) else uris
        if not isinstance(uris, list) or not uris:
            raise InvalidArgument.of_field(f"{at}.uri", "gcsSource.uri is required.")
        for uri in uris:
            check_object(uri, f"{at}.uri")
        return Source(files=tuple(uris))
    at += ".bigquerySource"
    table = _only(source["bigquerySource"], at, ("uri",)).get("uri")
    check_table(table, f"{at}.uri")
    return Source(table=str(table))


def _only(value: Any, at: str, known: tuple[str, ...]) -> dict[str, Any]:
    """Hold a JSON object to the names that its schema knows."""
    if not isinstance(value, dict):
        raise InvalidArgument.of_field(at, f"{at} is required and must be an object.")
    unknown = sorted(set(value) - set(known))
    if unknown:
        raise InvalidArgument.of_field(at, f"Unknown names in {at}: {', '.join(unknown)}.")
    return value


def _check_schema(uri: str) -> None:
    if not uri:
        raise InvalidArgument.of_field(
            "dataset.metadata_schema_uri", "metadata_schema_uri is required."
        )
    if uri == TABULAR:
        return
    if _KINDS.fullmatch(uri):
        raise Unimplemented(
            f"Datasets of the schema {uri!r} are not implemented by the embedded cloud:"
            " only tabular ones are."
        )
    raise InvalidArgument.of_field(
        "dataset.metadata_schema_uri", f"{uri!r} is no schema of a dataset's metadata."
    )


def _stamp(dataset: Message) -> None:
    dataset.update_time.CopyFrom(timestamp(clock.now()))
    dataset.etag = etag_of(dataset)
