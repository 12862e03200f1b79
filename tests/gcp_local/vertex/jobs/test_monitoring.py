"""Monitoring jobs of deployed models, through Google's typed clients."""

from __future__ import annotations

from typing import Any

import pytest
from google.api_core.exceptions import BadRequest, NotFound
from google.cloud.aiplatform_v1 import (
    EndpointServiceClient,
    JobServiceClient,
    JobState,
    ModelDeploymentMonitoringJob,
    ModelServiceClient,
)

from tests.gcp_local.emulators import Emulator
from tests.gcp_local.vertex.models.serving_programs import ECHO

DEPLOYED = "77"
FEW = {"random_sample_config": {"sample_rate": 0.5}}
DRIFT = {"prediction_drift_detection_config": {"drift_thresholds": {"age": {"value": 0.3}}}}


@pytest.fixture(scope="module")
def parent() -> str:
    return "projects/monitored-project/locations/europe-west1"


@pytest.fixture(scope="module")
def endpoint(emulator: Emulator, parent: str) -> str:
    """An endpoint with a deployed model."""
    models = ModelServiceClient(**emulator.gapic)
    spec = {"image_uri": "python:3.11", "command": ["python3", "-c", ECHO, "one"]}
    model = {"display_name": "echo", "container_spec": spec}
    uploaded = models.upload_model(request={"parent": parent, "model": model})
    endpoints = EndpointServiceClient(**emulator.gapic)
    made = endpoints.create_endpoint(request={"parent": parent, "endpoint": {"display_name": "e"}})
    name = str(made.result().name)  # type: ignore[no-untyped-call]
    machine = {"machine_spec": {"machine_type": "n1-standard-2"}, "min_replica_count": 1}
    deployed = {
        "id": DEPLOYED,
        "model": uploaded.result().model,  # type: ignore[no-untyped-call]
        "dedicated_resources": machine,
    }
    endpoints.deploy_model(
        request={"endpoint": name, "deployed_model": deployed, "traffic_split": {"0": 100}}
    ).result()  # type: ignore[no-untyped-call]
    return name


def monitoring_job(endpoint: str, **said: Any) -> dict[str, Any]:
    return {
        "display_name": "monitoring",
        "endpoint": endpoint,
        "model_deployment_monitoring_objective_configs": [
            {"deployed_model_id": DEPLOYED, "objective_config": DRIFT}
        ],
        "model_deployment_monitoring_schedule_config": {"monitor_interval": {"seconds": 5000}},
        "logging_sampling_strategy": FEW,
        **said,
    }


def create(
    jobs: JobServiceClient, parent: str, job: dict[str, Any]
) -> ModelDeploymentMonitoringJob:
    return jobs.create_model_deployment_monitoring_job(
        request={"parent": parent, "model_deployment_monitoring_job": job}
    )


def test_a_job_is_made_read_changed_paused_resumed_and_deleted(
    emulator: Emulator, jobs: JobServiceClient, parent: str, endpoint: str
) -> None:
    endpoints = EndpointServiceClient(**emulator.gapic)
    job = create(jobs, parent, monitoring_job(endpoint))
    assert job.state == JobState.JOB_STATE_RUNNING
    assert job.endpoint == endpoint
    interval = job.model_deployment_monitoring_schedule_config.monitor_interval
    assert interval.total_seconds() == 7200  # type: ignore[attr-defined]  # full hours
    assert endpoints.get_endpoint(name=endpoint).model_deployment_monitoring_job == job.name
    with pytest.raises(BadRequest, match="monitored already"):
        create(jobs, parent, monitoring_job(endpoint))

    wanted = {"name": job.name, "display_name": "renamed", "labels": {"a": "b"}}
    changed = jobs.update_model_deployment_monitoring_job(
        request={
            "model_deployment_monitoring_job": {**wanted, "logging_sampling_strategy": {}},
            "update_mask": {"paths": ["display_name", "labels"]},
        }
    ).result()  # type: ignore[no-untyped-call]
    assert (changed.display_name, dict(changed.labels)) == ("renamed", {"a": "b"})
    assert changed.logging_sampling_strategy.random_sample_config.sample_rate == 0.5

    with pytest.raises(BadRequest, match="not JOB_STATE_PAUSED"):
        jobs.resume_model_deployment_monitoring_job(name=job.name)
    jobs.pause_model_deployment_monitoring_job(name=job.name)
    found = jobs.get_model_deployment_monitoring_job(name=job.name)
    assert found.state == JobState.JOB_STATE_PAUSED
    jobs.resume_model_deployment_monitoring_job(name=job.name)
    [listed] = jobs.list_model_deployment_monitoring_jobs(
        request={"parent": parent, "filter": 'state="JOB_STATE_RUNNING" AND labels.a=b'}
    )
    assert listed.name == job.name

    objective = {"type_": "RAW_FEATURE_DRIFT"}
    asked = {"model_deployment_monitoring_job": job.name, "objectives": [objective]}
    stats = jobs.search_model_deployment_monitoring_stats_anomalies(
        request={**asked, "deployed_model_id": DEPLOYED}
    )
    assert list(stats) == []
    with pytest.raises(BadRequest, match="'78' is none of 77"):
        jobs.search_model_deployment_monitoring_stats_anomalies(
            request={**asked, "deployed_model_id": "78"}
        )

    jobs.delete_model_deployment_monitoring_job(name=job.name).result()  # type: ignore[no-untyped-call]
    with pytest.raises(NotFound):
        jobs.get_model_deployment_monitoring_job(name=job.name)
    assert not endpoints.get_endpoint(name=endpoint).model_deployment_monitoring_job


def objective(**config: Any) -> list[dict[str, Any]]:
    return [{"deployed_model_id": DEPLOYED, "objective_config": config}]


SKEW = {"skew_thresholds": {"age": {"value": 0.1}}}
CONFIGS = "model_deployment_monitoring_objective_configs"


@pytest.mark.parametrize(
    ("name", "value", "field"),
    [
        ("display_name", "", "display_name"),
        ("endpoint", "projects/monitored-project/locations/us-east1/endpoints/1", "endpoint"),
        (CONFIGS, [], CONFIGS),
        (CONFIGS, [{"deployed_model_id": "78"}], "deployed_model_id"),
        (
            CONFIGS,
            objective(training_prediction_skew_detection_config=SKEW),
            "objective_config.training_dataset",
        ),
        (
            CONFIGS,
            objective(
                training_dataset={"gcs_source": {"uris": ["gs://bucket/o"]}, "data_format": "xls"}
            ),
            "training_dataset.data_format",
        ),
        ("model_deployment_monitoring_schedule_config", {}, "monitor_interval"),
        ("logging_sampling_strategy", {}, "sample_rate"),
        (
            "model_monitoring_alert_config",
            {"email_alert_config": {"user_emails": ["me"]}},
            "user_emails",
        ),
        ("log_ttl", {"seconds": -1}, "log_ttl"),
    ],
)
def test_what_vertex_ai_would_refuse_is_refused(
    jobs: JobServiceClient, parent: str, endpoint: str, name: str, value: Any, field: str
) -> None:
    with pytest.raises(BadRequest) as refused:
        create(jobs, parent, {**monitoring_job(endpoint), name: value})
    [detail] = refused.value.details
    assert detail["fieldViolations"][0]["field"].endswith(field)


def test_a_missing_endpoint_or_dataset_is_told(
    jobs: JobServiceClient, parent: str, endpoint: str
) -> None:
    with pytest.raises(NotFound, match="Endpoint"):
        create(jobs, parent, monitoring_job(f"{parent}/endpoints/1"))
    dataset = {"dataset": f"{parent}/datasets/1", "target_field": "churned"}
    with pytest.raises(NotFound, match="Dataset"):
        create(
            jobs,
            parent,
            monitoring_job(endpoint, **{CONFIGS: objective(training_dataset=dataset)}),
        )
