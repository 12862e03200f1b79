"""EXPORT MODEL: boosted trees as XGBoost's own file, regressions as TensorFlow SavedModels.

Source: https://cloud.google.com/bigquery/docs/exporting-models.
"""

from __future__ import annotations

import json
import re
from typing import TYPE_CHECKING

from gcp_local.bigquery.errors import BigQueryError
from gcp_local.bigquery.ml.values import text_of
from gcp_local.storage.buckets import BucketStore

if TYPE_CHECKING:
    from gcp_local.bigquery.ml.model import TrainedModel
    from gcp_local.resources.database import Database
    from gcp_local.storage.objects import ObjectStore

_URI = re.compile(r"gs://(?P<bucket>[^/*]+)/?(?P<folder>[^*]*)")


class Exporter:
    """Writes models to Cloud Storage."""

    def __init__(self, database: Database, objects: ObjectStore) -> None:
        self._buckets = BucketStore(database)
        self._objects = objects

    def check(self, model: TrainedModel, uri: str) -> None:
        """Refuse what cannot be exported.

        Raises:
            BigQueryError: a wrong URI; no such bucket; a model that the stand-in cannot export.

        """
        found = _URI.fullmatch(uri)
        if found is None:
            raise BigQueryError("invalid", f"Invalid URI {uri!r}: gs://BUCKET/FOLDER.")
        if self._buckets.find(found["bucket"]) is None:
            raise BigQueryError("notFound", f"Not found: Bucket {found['bucket']}")
        if model.transform:
            raise BigQueryError.lacking("the export of models with a TRANSFORM clause")
        for field in model.features:
            if field.repeated or field.type in ("TIMESTAMP", "RECORD"):
                raise BigQueryError(
                    "invalid",
                    f"Model export is not supported for the feature '{field.name}' of type"
                    f" {field.sql}.",
                )

    def export(self, model: TrainedModel, uri: str) -> None:
        """Write a model's files; see `check` for errors."""
        found = _URI.fullmatch(uri)
        assert found is not None
        folder = found["folder"].rstrip("/")
        prefix = f"{folder}/" if folder else ""
        for name, content in (_trees if model.grows_trees else _regression)(model).items():
            self._objects.write(found["bucket"], prefix + name, content)


def _regression(model: TrainedModel) -> dict[str, bytes]:
    from gcp_local.bigquery.ml.savedmodel.graph import saved_model

    return {"saved_model.pb": saved_model(model)}


def _trees(model: TrainedModel) -> dict[str, bytes]:
    files = {"model.bst": model.booster, "assets/model_metadata.json": _metadata(model)}
    for at, encoder in enumerate(model.encoders):
        if encoder.levels:
            levels = "".join(f"{level}\n" for level in encoder.levels)
            files[f"assets/{at}.txt"] = levels.encode()
    return files


def _metadata(model: TrainedModel) -> bytes:
    said = {
        "feature_names": [encoder.name for encoder in model.encoders],
        "label_col": model.label.name,
        "class_names": [text_of(each) for each in model.label.classes],
        "model_type": model.model_type,
        "encoders": [each.as_json() for each in model.encoders],
        "written_by": "the embedded Google Cloud's BigQuery ML, not Google's",
    }
    return json.dumps(said, indent=1).encode()
