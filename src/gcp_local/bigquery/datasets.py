"""The methods of `datasets`."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from gcp_local.bigquery.references import DatasetRef

if TYPE_CHECKING:
    from gcp_local.bigquery.call import Call
    from gcp_local.bigquery.catalog import Catalog, Entry


class DatasetService:
    """`bigquery.datasets`."""

    def __init__(self, catalog: Catalog) -> None:
        self._catalog = catalog

    def datasets_insert(self, call: Call) -> dict[str, Any]:
        """Make a dataset."""
        body = dict(call.body)
        said = body.pop("datasetReference", {})
        ref = DatasetRef(call.project, said.get("datasetId", ""))
        return _described(ref, self._catalog.add_dataset(ref, {"location": "US", **body}))

    def datasets_get(self, call: Call) -> dict[str, Any]:
        """Answer a dataset."""
        ref = DatasetRef(call.project, call.variables["datasetId"])
        return _described(ref, self._catalog.dataset(ref))


def _described(ref: DatasetRef, entry: Entry) -> dict[str, Any]:
    return {
        "kind": "bigquery#dataset",
        "id": str(ref),
        "etag": entry.etag,
        "datasetReference": ref.as_json(),
        "creationTime": str(entry.created // 1000),
        "lastModifiedTime": str(entry.modified // 1000),
        **entry.body,
    }
