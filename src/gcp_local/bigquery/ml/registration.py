"""How BigQuery ML's models get into Vertex AI's model registry, and out of it.

Sources: https://cloud.google.com/bigquery/docs/managing-models-vertex.
"""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from google.cloud.aiplatform_v1.types import model as model_types
from google.cloud.aiplatform_v1.types import model_evaluation as evaluation_types

from gcp_local.bigquery.errors import BigQueryError
from gcp_local.errors import ApiError, NotFound
from gcp_local.rpc.protos import Value, from_json, raw
from gcp_local.storage.buckets import BucketStore

if TYPE_CHECKING:
    from gcp_local.bigquery.ml.options import Options
    from gcp_local.bigquery.references import TableRef
    from gcp_local.resources.projects import Projects
    from gcp_local.vertex.models.evaluations import EvaluationService
    from gcp_local.vertex.models.registry import ModelRegistry
    from gcp_local.vertex.platform import Platform

Model = raw(model_types.Model)
ModelEvaluation = raw(evaluation_types.ModelEvaluation)

BUCKET = "gcp-local-bigquery-ml"
"""Where registered models' files are kept. On Google Cloud no one sees that place."""
IMAGE = "gcp-local/bigquery-ml"
FILE = "model.json"
_REGIONS = {"US": "us-central1", "EU": "europe-west4"}
_SOURCE = model_types.ModelSourceInfo.ModelSourceType.BQML
_DEDICATED = model_types.Model.DeploymentResourcesType.DEDICATED_RESOURCES
_SCHEMAS = "gs://google-cloud-aiplatform/schema/modelevaluation"
_FORMATS = ("jsonl", "bigquery", "csv")


@dataclass(frozen=True)
class Registered:
    """A model in the registry: its id, its version."""

    id: str
    version: str


class VertexRegistry:
    """Vertex AI's registry, as BigQuery ML sees it."""

    def __init__(
        self, platform: Platform, models: ModelRegistry, evaluations: EvaluationService
    ) -> None:
        self._platform = platform
        self._models = models
        self._evaluations = evaluations

    @property
    def _projects(self) -> Projects:
        return self._platform.projects

    def check(self, ref: TableRef, options: Options) -> None:
        """Refuse what the registry would refuse, before anything is trained.

        Raises:
            BigQueryError: an id or alias that is none.

        """
        from gcp_local.vertex.models.checks import check_alias, check_id

        try:
            check_id(options["VERTEX_AI_MODEL_ID"] or ref.table)
            for alias in options["VERTEX_AI_MODEL_VERSION_ALIASES"] or ():
                check_alias(alias)
        except ApiError as error:
            raise BigQueryError("invalidQuery", error.message, location="query") from None

    def register(
        self,
        ref: TableRef,
        location: str,
        vertex_id: str,
        aliases: tuple[str, ...],
        content: bytes,
        metrics: Mapping[str, Any],
        kind: str,
    ) -> Registered:
        """Enter a model as a new version, with its evaluation.

        Args:
            ref: the model.
            location: its dataset's.
            vertex_id: the registry's id for it.
            aliases: of the version.
            content: the model's file.
            metrics: for the evaluation, by Vertex AI's names.
            kind: `classification` or `regression`.

        Raises:
            BigQueryError: the registry refuses it.

        """
        place = region_of(location)
        parent = f"projects/{self._projects.number(ref.project)}/locations/{place}"
        name = f"{parent}/models/{vertex_id}"
        model = Model(
            display_name=vertex_id,
            version_aliases=aliases,
            container_spec={"image_uri": IMAGE},
            model_source_info={"source_type": _SOURCE},
            supported_deployment_resources_types=[_DEDICATED],
            supported_input_storage_formats=_FORMATS,
            supported_output_storage_formats=_FORMATS[:2],
            metadata=from_json({"bigqueryModel": f"bq://{ref.dotted}"}, Value),
        )
        try:
            known = bool(self._models.versions(name))
            added = self._models.add_version(
                model,
                parent,
                parent_model=name if known else "",
                model_id="" if known else vertex_id,
            )
            folder = f"{name}/{added.version_id}"
            added.artifact_uri = f"gs://{BUCKET}/{folder}"
            self._models.keep(added)
            self._write(f"{folder}/{FILE}", content)
            self._evaluations.add(
                f"{added.name}@{added.version_id}",
                ModelEvaluation(
                    display_name="BigQuery ML",
                    metrics_schema_uri=f"{_SCHEMAS}/{kind}_metrics_1.0.0.yaml",
                    metrics=from_json(dict(metrics), Value),
                ),
            )
        except ApiError as error:
            raise BigQueryError("invalidQuery", error.message, location="query") from None
        return Registered(vertex_id, str(added.version_id))

    def check_undeployed(self, ref: TableRef, location: str, registered: Registered) -> None:
        """Refuse to take a version out that is deployed.

        Raises:
            BigQueryError: `resourceInUse`.

        """
        with suppress(NotFound):
            parent = (
                f"projects/{self._projects.number(ref.project)}/locations/{region_of(location)}"
            )
            model = self._models.resolve(f"{parent}/models/{registered.id}@{registered.version}")
            if model.deployed_models:
                where = ", ".join(sorted({each.endpoint for each in model.deployed_models}))
                raise BigQueryError(
                    "resourceInUse",
                    f"The model {ref} is deployed in Vertex AI to {where}; undeploy it first.",
                )

    def unregister(self, ref: TableRef, location: str, registered: Registered) -> None:
        """Take a version out of the registry.

        Raises:
            BigQueryError: it is deployed.

        """
        parent = f"projects/{self._projects.number(ref.project)}/locations/{region_of(location)}"
        name = f"{parent}/models/{registered.id}"
        with suppress(NotFound):
            self.check_undeployed(ref, location, registered)
            model = self._models.resolve(f"{name}@{registered.version}")
            others = [
                each for each in self._models.versions(name) if each.version_id != model.version_id
            ]
            if others and "default" in model.version_aliases:
                last = others[-1]
                self._models.set_aliases(name, last.version_id, {*last.version_aliases, "default"})
                model = self._models.resolve(f"{name}@{registered.version}")
            self._models.delete(model)
            folder = f"{name}/{registered.version}"
            objects = self._platform.objects
            with suppress(ApiError):
                objects.delete(BUCKET, f"{folder}/{FILE}")

    def sweep(self) -> None:
        """Delete the files of models that are gone. Only at the start."""
        if BucketStore(self._platform.database).find(BUCKET) is None:
            return
        used = {model.artifact_uri for model in self._models.everywhere()}
        for item in list(self._platform.objects.list(BUCKET)):
            if f"gs://{BUCKET}/{item.name.rpartition('/')[0]}" not in used:
                self._platform.objects.delete(BUCKET, item.name)

    def _write(self, name: str, content: bytes) -> None:
        """Put a file into the bucket, which is made when it is needed."""
        buckets = BucketStore(self._platform.database)
        with self._platform.database.transaction():
            if buckets.find(BUCKET) is None:
                buckets.create(BUCKET, "gcp-local")
        self._platform.objects.write(BUCKET, name, content, content_type="application/json")


def region_of(location: str) -> str:
    """Tell where a dataset's models are registered: those of a multi-region in one of its regions.

    Source: https://cloud.google.com/bigquery/docs/managing-models-vertex#location_considerations.
    """
    return _REGIONS.get(location.upper(), location.lower())
