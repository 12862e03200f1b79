"""Models as they are made, changed and dropped: here, and with that in Vertex AI's registry."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from gcp_local.bigquery.errors import BigQueryError
from gcp_local.bigquery.ml.order import MODEL_FILE
from gcp_local.bigquery.ml.values import text_of

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from gcp_local.bigquery.catalog import Entry
    from gcp_local.bigquery.ml.model import TrainedModel
    from gcp_local.bigquery.ml.options import Options
    from gcp_local.bigquery.ml.registration import Registered, VertexRegistry
    from gcp_local.bigquery.ml.store import ModelStore
    from gcp_local.bigquery.references import TableRef
    from gcp_local.resources.database import Database


class Models:
    """Makes, changes and drops models.

    Attributes:
        store: where they are kept.

    """

    def __init__(self, store: ModelStore, database: Database) -> None:
        self.store = store
        self._database = database
        self._registry: VertexRegistry | None = None

    def registered_in(self, registry: VertexRegistry) -> None:
        """Tell where models are registered; Vertex AI is put together after BigQuery."""
        self._registry = registry
        registry.sweep()

    @property
    def _vertex(self) -> VertexRegistry:
        assert self._registry is not None
        return self._registry

    def check_registration(self, ref: TableRef, options: Options) -> None:
        """Refuse at once what could not be registered, or not be replaced, after the training.

        Raises:
            BigQueryError: see there.

        """
        entry = self.store.find(ref)
        registered = _registered(entry.body) if entry else None
        if entry and registered:
            self._vertex.check_undeployed(ref, entry.body["location"], registered)
        if options["MODEL_REGISTRY"]:
            self._vertex.check(ref, options)

    def keep(
        self,
        ref: TableRef,
        body: dict[str, Any],
        trained: Path,
        options: Options,
        model: TrainedModel,
        *,
        replaces: bool,
    ) -> Entry:
        """Keep a model that was trained, all or nothing.

        Args:
            ref: its name.
            body: its `Model`.
            trained: the folder with its files, which are moved.
            options: say whether it is registered, and how.
            model: the model.
            replaces: one of that name goes.

        Raises:
            BigQueryError: `duplicate`; `notFound` of the dataset; the registry refuses it.

        """
        content = (trained / MODEL_FILE).read_bytes()
        with self._database.transaction():
            before = self.store.find(ref)
            gone = _registered(before.body) if before and replaces else None
            if options["MODEL_REGISTRY"]:
                aliases = tuple(options["VERTEX_AI_MODEL_VERSION_ALIASES"] or ())
                vertex_id = options["VERTEX_AI_MODEL_ID"] or ref.table
                body = self._register(ref, body, vertex_id, aliases, content, model)
            if before and replaces:
                if gone:
                    self._vertex.unregister(ref, before.body["location"], gone)
                self.store.drop(ref)
            return self.store.keep(ref, body, trained)

    def replace(
        self, ref: TableRef, body: dict[str, Any], *, vertex_id: str | None = None
    ) -> Entry:
        """Describe a model anew, and register it if it is to be.

        Raises:
            BigQueryError: `notFound`; it is registered by another id already.

        """
        with self._database.transaction():
            entry, model = self.store.get(ref)
            known = _registered(entry.body)
            if vertex_id is not None and known is None:
                content = self.store.content(entry)
                body = self._register(ref, body, vertex_id, (), content, model)
            elif vertex_id is not None and known is not None and known.id != vertex_id:
                raise BigQueryError(
                    "invalid",
                    f"The model {ref} is registered as {known.id!r}; that id cannot be changed.",
                )
            return self.store.replace(ref, body)

    def drop(self, ref: TableRef) -> Entry:
        """Forget a model, here and in the registry.

        Raises:
            BigQueryError: `notFound`; `resourceInUse`: it is deployed.

        """
        with self._database.transaction():
            entry = self.store.drop(ref)
            registered = _registered(entry.body)
            if registered:
                self._vertex.unregister(ref, entry.body["location"], registered)
            return entry

    def _register(
        self,
        ref: TableRef,
        body: Mapping[str, Any],
        vertex_id: str,
        aliases: tuple[str, ...],
        content: bytes,
        model: TrainedModel,
    ) -> dict[str, Any]:
        kind = "classification" if model.label.classes else "regression"
        registered = self._vertex.register(
            ref,
            body["location"],
            vertex_id,
            aliases,
            content,
            _metrics(body["trainingRuns"][-1]["evaluationMetrics"], model),
            kind,
        )
        runs = [*body["trainingRuns"]]
        runs[-1] = {
            **runs[-1],
            "vertexAiModelId": registered.id,
            "vertexAiModelVersion": registered.version,
        }
        return {**body, "trainingRuns": runs}


def _registered(body: Mapping[str, Any]) -> Registered | None:
    from gcp_local.bigquery.ml.registration import Registered

    run = body["trainingRuns"][-1]
    if "vertexAiModelId" not in run:
        return None
    return Registered(run["vertexAiModelId"], run["vertexAiModelVersion"])


def _metrics(evaluation: Mapping[str, Any], model: TrainedModel) -> dict[str, Any]:
    """Give an evaluation by the names of Vertex AI's schemas of metrics."""
    if "regressionMetrics" in evaluation:
        said = evaluation["regressionMetrics"]
        return {
            "meanAbsoluteError": said["meanAbsoluteError"],
            "rootMeanSquaredError": said["meanSquaredError"] ** 0.5,
            "rSquared": said.get("rSquared", 0.0),
        }
    binary = evaluation.get("binaryClassificationMetrics")
    said = binary or evaluation["multiClassClassificationMetrics"]
    together = said["aggregateClassificationMetrics"]
    found: dict[str, Any] = {"logLoss": together["logLoss"]}
    if "rocAuc" in together:
        found["auRoc"] = together["rocAuc"]
    found["confidenceMetrics"] = [
        {
            "confidenceThreshold": each["positiveClassThreshold"],
            **{name: each[name] for name in ("precision", "recall", "f1Score") if name in each},
        }
        for each in (binary or {}).get("binaryConfusionMatrixList", ())
    ] or [
        {
            "confidenceThreshold": 0.0,
            **{name: together[name] for name in ("precision", "recall", "f1Score")},
        }
    ]
    if not binary:
        rows = said["confusionMatrixList"][0]["rows"]
        labels = [text_of(each) for each in model.label.classes]
        found["confusionMatrix"] = {
            "annotationSpecs": [{"displayName": label} for label in labels],
            "rows": [[int(entry["itemCount"]) for entry in row["entries"]] for row in rows],
        }
    return found
