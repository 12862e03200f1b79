"""Extract jobs, of tables and of models."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from gcp_local.bigquery.errors import BigQueryError
from gcp_local.bigquery.extracting.export import check_uris, export
from gcp_local.bigquery.extracting.formats import ExportOptions
from gcp_local.bigquery.jobs.kinds import Checked, Job, Result
from gcp_local.bigquery.locations import DEFAULT
from gcp_local.bigquery.references import TableRef

if TYPE_CHECKING:
    from collections.abc import Mapping

    from gcp_local.bigquery.catalog import Catalog
    from gcp_local.bigquery.copying.sources import TableSources
    from gcp_local.bigquery.ml.exporting import Exporter
    from gcp_local.bigquery.ml.store import ModelStore
    from gcp_local.storage.objects import ObjectStore


class ExtractJobs:
    """The kind of jobs that extract."""

    def __init__(
        self,
        catalog: Catalog,
        sources: TableSources,
        objects: ObjectStore,
        models: ModelStore,
        exporter: Exporter,
    ) -> None:
        self._catalog = catalog
        self._sources = sources
        self._objects = objects
        self._models = models
        self._exporter = exporter

    def check(self, project: str, configuration: dict[str, Any]) -> Checked:
        """Hold a configuration to the rules; see `Kind.check`."""
        extract = dict(configuration["extract"])
        noun = "Model" if "sourceModel" in extract else "Table"
        if ("sourceModel" in extract) == ("sourceTable" in extract):
            message = "Exactly one of sourceTable and sourceModel must be set."
            raise BigQueryError("invalid", message)
        for name in ("modelExtractOptions", "secureContext"):
            if extract.get(name):
                raise BigQueryError.lacking(f"the extract option {name}")
        uris = extract.pop("destinationUri", None)
        extract["destinationUris"] = extract.get("destinationUris") or ([uris] if uris else [])
        reference = {"projectId": project, **extract[f"source{noun}"]}
        for part in ("datasetId", f"{noun.lower()}Id"):
            if not reference.get(part):
                raise BigQueryError("invalid", f"Required parameter is missing: {part}")
        extract[f"source{noun}"] = reference
        ref = TableRef.from_json(reference, noun.lower())
        if noun == "Table":
            check_uris(extract["destinationUris"])
            ExportOptions.of(extract)
            extract.setdefault("destinationFormat", "CSV")
        elif len(extract["destinationUris"]) != 1:
            raise BigQueryError("invalid", "A model is extracted to one destination URI.")
        home = self._catalog.dataset(ref.parent)
        checked = {**configuration, "extract": extract}
        return Checked(checked, home.body.get("location", DEFAULT))

    def dry(self, job: Job) -> Mapping[str, Any]:
        """Look whether the source is there; see `Kind.dry`."""
        extract = job.configuration["extract"]
        if "sourceTable" in extract:
            self._sources.find(TableRef.from_json(extract["sourceTable"]))
        return {}

    def run(self, job: Job) -> Result:
        """Write the files; see `Kind.run`."""
        extract = job.configuration["extract"]
        uris = extract["destinationUris"]
        if "sourceModel" in extract:
            _, model = self._models.get(TableRef.from_json(extract["sourceModel"], "model"))
            self._exporter.check(model, uris[0])
            self._exporter.export(model, uris[0])
            return Result({"extract": {"destinationUriFileCounts": ["1"]}})
        source = self._sources.find(TableRef.from_json(extract["sourceTable"]))
        options = ExportOptions.of(extract)
        options.check(source.entry.schema)
        rows = self._sources.rows(source)
        counts = export(rows, source.entry.schema, uris, options, self._objects, job.cancellation)
        said = {
            "destinationUriFileCounts": [str(count) for count in counts],
            "inputBytes": str(source.version.bytes),
        }
        return Result({"extract": said})
