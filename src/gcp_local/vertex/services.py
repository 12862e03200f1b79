"""Vertex AI's services, put together."""

from __future__ import annotations

from typing import TYPE_CHECKING

from gcp_local.orchestrator import Orchestrator
from gcp_local.vertex.datasets import DatasetService
from gcp_local.vertex.jobs.custom_jobs import CustomJobs
from gcp_local.vertex.jobs.tuning import TuningJobs
from gcp_local.vertex.metadata.recorder import RunRecorder
from gcp_local.vertex.metadata.service import metadata_services
from gcp_local.vertex.metadata.store import MetadataGraph
from gcp_local.vertex.models import ModelService
from gcp_local.vertex.pipelines import PipelineService
from gcp_local.vertex.schedules import ScheduleRunner, ScheduleService
from gcp_local.vertex.training.registration import Registration
from gcp_local.vertex.training.service import TrainingPipelineService

if TYPE_CHECKING:
    from collections.abc import Sequence

    from gcp_local.registry.packages import PackageRegistry
    from gcp_local.rpc.protos import Message
    from gcp_local.vertex.platform import Platform, Worker


class VertexAI:
    """All of `google.cloud.aiplatform.v1`.

    Args:
        platform: what the services stand on.
        packages: where pipelines' templates are found.

    Attributes:
        metadata: the artifacts, executions and contexts of ML Metadata.
        pipelines: the noun that other parts start jobs with.
        custom_jobs: the noun that tuning and training start jobs with.
        services: the objects that answer, by the service's full name.
        workers: those among them that do something between two requests.

    """

    def __init__(self, platform: Platform, packages: PackageRegistry) -> None:
        self.metadata = MetadataGraph(platform.resources, platform.database)
        orchestrator = Orchestrator(
            objects=platform.objects,
            host=platform.host,
            work=platform.work / "pipelines",
            save=self._save,
        )
        self.pipelines = PipelineService(
            platform, packages, orchestrator, RunRecorder(self.metadata, platform.database)
        )
        self.custom_jobs = CustomJobs(platform)
        tuning_jobs = TuningJobs(platform, self.custom_jobs)
        models = ModelService(platform)
        datasets = DatasetService(platform)
        training = TrainingPipelineService(platform, datasets, Registration(platform, models))
        parts: dict[str, Sequence[object]] = {
            "DatasetService": [datasets],
            "PipelineService": [self.pipelines, training],
            "JobService": [self.custom_jobs, tuning_jobs],
            "MetadataService": metadata_services(platform, self.metadata),
            "ModelService": [models],
            "ScheduleService": [ScheduleService(platform, self.pipelines)],
        }
        self.services = {f"google.cloud.aiplatform.v1.{name}": part for name, part in parts.items()}
        self.workers: Sequence[Worker] = [
            self.pipelines,
            ScheduleRunner(platform, self.pipelines),
            # Before the custom jobs, which are its trials.
            tuning_jobs,
            training,  # before the jobs that it starts
            self.custom_jobs,
        ]

    def _save(self, job: Message) -> None:
        self.pipelines.save(job)
