"""Vertex AI's services, put together."""

from __future__ import annotations

from typing import TYPE_CHECKING

from gcp_local.orchestrator import Orchestrator
from gcp_local.vertex.datasets import DatasetService
from gcp_local.vertex.endpoints.deploying import DeploymentService
from gcp_local.vertex.endpoints.fleet import Fleet
from gcp_local.vertex.endpoints.predictions import PredictionService
from gcp_local.vertex.endpoints.service import EndpointService
from gcp_local.vertex.features import FeatureGroups, Features
from gcp_local.vertex.jobs.batch_prediction import BatchPredictionJobs
from gcp_local.vertex.jobs.custom_jobs import CustomJobs
from gcp_local.vertex.jobs.monitoring import MonitoringJobs
from gcp_local.vertex.jobs.tuning import TuningJobs
from gcp_local.vertex.metadata.job_experiments import JobExperiments
from gcp_local.vertex.metadata.kinds import Execution
from gcp_local.vertex.metadata.recorder import RunRecorder
from gcp_local.vertex.metadata.service import metadata_services
from gcp_local.vertex.metadata.store import MetadataGraph
from gcp_local.vertex.models.copies import ModelCopyService
from gcp_local.vertex.models.evaluations import EvaluationService
from gcp_local.vertex.models.registry import ModelRegistry
from gcp_local.vertex.models.service import ModelService
from gcp_local.vertex.pipeline_batches import PipelineBatches
from gcp_local.vertex.pipelines import PipelineService
from gcp_local.vertex.schedules import ScheduleRunner, ScheduleService
from gcp_local.vertex.tensorboard.service import tensorboard_services
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
        permissive: pipelines may use what is not proved to work on Vertex AI.
        components: how many components of pipelines run at a time; none for as many as fit here.

    Attributes:
        metadata: the artifacts, executions and contexts of ML Metadata.
        pipelines: the noun that other parts start jobs with.
        custom_jobs: the noun that tuning and training start jobs with.
        models: the noun that others register models with.
        evaluations: the noun that others evaluate models with.
        endpoints: the noun by which others find endpoints.
        fleet: knows which deployed models have a process.
        services: the objects that answer, by the service's full name.
        workers: those among them that do something between two requests.

    """

    def __init__(
        self,
        platform: Platform,
        packages: PackageRegistry,
        *,
        permissive: bool = False,
        components: int | None = None,
    ) -> None:
        self.metadata = MetadataGraph(platform.resources, platform.database)
        recorder = RunRecorder(self.metadata, platform.database)
        orchestrator = Orchestrator(
            database=platform.database,
            objects=platform.objects,
            host=platform.host,
            work=platform.work / "pipelines",
            save=self._save,
            artifact=self.metadata.artifact,
            known=recorder.known,
            executed=self._executed,
            permissive=permissive,
            max_parallel_tasks=components,
        )
        self.pipelines = PipelineService(platform, packages, orchestrator, recorder)
        self.custom_jobs = CustomJobs(platform, JobExperiments(self.metadata, platform.projects))
        tuning_jobs = TuningJobs(platform, self.custom_jobs)
        datasets = DatasetService(platform)
        self.models = ModelRegistry(platform)
        batch_predictions = BatchPredictionJobs(platform, self.models)
        self.evaluations = EvaluationService(platform, self.models)
        models = ModelService(platform, self.models)
        registration = Registration(platform, models, self.evaluations)
        training = TrainingPipelineService(platform, datasets, registration, self.custom_jobs)
        self.endpoints = EndpointService(platform)
        self.fleet = Fleet(platform)
        deployments = DeploymentService(platform, self.endpoints, self.models, self.fleet)
        parts: dict[str, Sequence[object]] = {
            "DatasetService": [datasets],
            "FeatureRegistryService": [FeatureGroups(platform), Features(platform)],
            "PipelineService": [
                self.pipelines,
                PipelineBatches(platform, self.pipelines),
                training,
            ],
            "JobService": [
                self.custom_jobs,
                tuning_jobs,
                batch_predictions,
                MonitoringJobs(platform, self.endpoints),
            ],
            "MetadataService": metadata_services(platform, self.metadata),
            "EndpointService": [self.endpoints, deployments],
            "ModelService": [
                models,
                self.evaluations,
                ModelCopyService(platform, self.models),
            ],
            "PredictionService": [PredictionService(self.endpoints, self.models, self.fleet)],
            "TensorboardService": tensorboard_services(platform),
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
            deployments,
            batch_predictions,
        ]

    def _executed(self, name: str) -> bool:
        return self.metadata.find(name, Execution) is not None

    def _save(self, job: Message) -> None:
        self.pipelines.save(job)
