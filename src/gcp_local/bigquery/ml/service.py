"""The methods of `models`: get, list, patch, delete."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from gcp_local.bigquery.errors import BigQueryError
from gcp_local.bigquery.merging import check_common, merged
from gcp_local.bigquery.references import DatasetRef, TableRef

if TYPE_CHECKING:
    from gcp_local.bigquery.call import Call
    from gcp_local.bigquery.catalog import Catalog, Entry
    from gcp_local.bigquery.ml.models import Models

_LISTED = ("modelReference", "modelType", "labels")
_CHANGED = ("description", "friendlyName", "labels", "expirationTime", "trainingRuns")


class ModelService:
    """`bigquery.models`."""

    def __init__(self, catalog: Catalog, models: Models) -> None:
        self._catalog = catalog
        self._models = models

    def models_get(self, call: Call) -> dict[str, Any]:
        """Answer a model."""
        ref = _ref(call)
        return described(self._catalog.get(ref, "model"))

    def models_list(self, call: Call) -> dict[str, Any]:
        """Answer a page of a dataset's models, by name."""
        ref = DatasetRef(call.project, call.variables["datasetId"])
        self._catalog.dataset(ref)
        page, token = call.page(list(self._catalog.entries(ref, "model")))
        listed = []
        for _, entry in page:
            whole = described(entry)
            names = (*_LISTED, "creationTime", "lastModifiedTime")
            listed.append({name: whole[name] for name in names if name in whole})
        answer: dict[str, Any] = {"models": listed} if listed else {}
        return {**answer, "nextPageToken": token} if token else answer

    def models_patch(self, call: Call) -> dict[str, Any]:
        """Change what a user may say of a model, or register it."""
        ref = _ref(call)
        entry = self._catalog.get(ref, "model")
        call.check_match(entry.etag)
        said = {**call.body}
        runs = said.pop("trainingRuns", None)
        vertex_id = next((run.get("vertexAiModelId") for run in runs or () if run), None)
        if said.get("expirationTime") is not None:
            raise BigQueryError.lacking("expiration of models")
        for name in ("modelReference", "etag", "location", "encryptionConfiguration"):
            said.pop(name, None)
        for name in said:
            if name not in _CHANGED:
                raise BigQueryError("invalid", f"The field {name} of a model cannot be changed.")
        body = merged(entry.body, said)
        check_common(body)
        return described(self._models.replace(ref, body, vertex_id=vertex_id))

    def models_delete(self, call: Call) -> None:
        """Forget a model."""
        self._models.drop(_ref(call))


def described(entry: Entry) -> dict[str, Any]:
    """Give the `Model`, with what the catalog knows of it."""
    return {
        **entry.body,
        "etag": entry.etag,
        "creationTime": str(entry.created // 1000),
        "lastModifiedTime": str(entry.modified // 1000),
    }


def _ref(call: Call) -> TableRef:
    return TableRef(call.project, call.variables["datasetId"], call.variables["modelId"])
