"""Custom jobs in experiments: what Vertex AI notes of them in ML Metadata.

A job is noted in the metadata of its experiment run, where the high-level SDK reads it
(`ExperimentRun.get_logged_custom_jobs`). Whether its experiment and its run are there was checked
when it was created (`gcp_local.vertex.jobs.experiments`).
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from gcp_local.vertex.metadata.kinds import Context, store_of

if TYPE_CHECKING:
    from gcp_local.resources.projects import Projects
    from gcp_local.rpc.protos import Message
    from gcp_local.vertex.metadata.store import MetadataGraph

_JOBS = "_custom_jobs"
_CONSOLE = "https://console.cloud.google.com/ai/platform/locations"


class JobExperiments:
    """Puts jobs into their experiments."""

    def __init__(self, graph: MetadataGraph, projects: Projects) -> None:
        self._graph = graph
        self._projects = projects

    def join(self, job: Message) -> None:
        """Note a job in its experiment run; one without a run gets one, named after the job.

        Called in the transaction that keeps the job.

        Args:
            job: has its name already; its specification is given the run.

        """
        spec = job.job_spec
        if not spec.experiment:
            return
        experiment = self._projects.numbered(spec.experiment)
        if not spec.experiment_run and self._graph.find(experiment, Context) is not None:
            spec.experiment_run = self._new_run(job, experiment).name
        run = self._graph.find(self._projects.numbered(spec.experiment_run), Context)
        if run is None:  # deleted since: a trial of a tuning job may start late
            return
        noted = run.metadata.fields[_JOBS].list_value.values.add().struct_value.fields
        parts = job.name.split("/")
        noted["custom_job_resource_name"].string_value = job.name
        uri = f"{_CONSOLE}/{parts[3]}/training/{parts[5]}?project={parts[1]}"
        noted["custom_job_console_uri"].string_value = uri
        self._graph.put(run)

    def _new_run(self, job: Message, experiment: str) -> Message:
        own = f"custom-job-{job.name.rsplit('/', 1)[1]}"
        name = f"{store_of(experiment)}/contexts/{experiment.rsplit('/', 1)[1]}-{own}"
        run = Context(
            name=name,
            display_name=own,
            schema_title="system.ExperimentRun",
            schema_version="0.0.1",
            parent_contexts=[experiment],
        )
        run.metadata.update({"_params": {}, "_metrics": {}, "_state": "RUNNING"})
        return self._graph.add(run)
