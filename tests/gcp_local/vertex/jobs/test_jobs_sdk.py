"""Jobs as the high-level SDK makes them."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from google.cloud import aiplatform
from google.cloud.aiplatform import hyperparameter_tuning
from google.cloud.storage import Bucket

from tests.gcp_local.emulators import Emulator
from tests.gcp_local.vertex.models.serving_programs import ECHO

PREBUILT = "europe-docker.pkg.dev/vertex-ai/training/sklearn-cpu.1-6:latest"
SCRIPT = """
import json, os, sys, time
rate = float(sys.argv[1].partition("=")[2])
if "CLOUD_ML_HP_METRIC_FILE" in os.environ:
    report = {"timestamp": time.time(), "trial": os.environ["CLOUD_ML_TRIAL_ID"],
              "loss": str((rate - 0.5) ** 2), "global_step": "1", "checkpoint_path": ""}
    with open(os.environ["CLOUD_ML_HP_METRIC_FILE"], "w") as file:
        file.write(json.dumps(report, sort_keys=True) + "\\n")
print("rate", rate, os.environ["AIP_MODEL_DIR"])
"""


@pytest.fixture
def sdk(emulator: Emulator, project: str, bucket: Bucket, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("STORAGE_EMULATOR_HOST", emulator.endpoint)
    # How often the SDK asks whether a job has ended.
    monkeypatch.setattr("google.cloud.aiplatform.jobs._JOB_WAIT_TIME", 0.05)
    aiplatform.init(
        project=project,
        location="europe-west1",
        api_endpoint=emulator.endpoint,
        api_transport="rest",
        credentials=emulator.gapic["credentials"],
        staging_bucket=f"gs://{bucket.name}",
    )


def logs(bucket: Bucket) -> list[str]:
    found = [blob for blob in bucket.list_blobs() if blob.name.endswith("/log.txt")]
    return [blob.download_as_text() for blob in found]


@pytest.mark.parametrize("image", [PREBUILT, "python:3.11"])
@pytest.mark.usefixtures("sdk")
def test_a_local_script_is_packaged_and_run(tmp_path: Path, bucket: Bucket, image: str) -> None:
    script = tmp_path / "task.py"
    script.write_text(SCRIPT)
    job = aiplatform.CustomJob.from_local_script(
        display_name="from a script",
        script_path=str(script),
        container_uri=image,
        args=["--rate=0.25"],
        requirements=["protobuf"],
    )
    job.run(service_account="trainer@my-project.iam.gserviceaccount.com")
    assert job.state.name == "JOB_STATE_SUCCEEDED"
    assert [text.split()[:2] for text in logs(bucket)] == [["rate", "0.25"]]
    assert [each.resource_name for each in aiplatform.CustomJob.list()] == [job.resource_name]
    job.delete()


@pytest.mark.usefixtures("sdk")
def test_a_failure_of_a_job_is_an_error_of_the_sdk() -> None:
    container = {"image_uri": "python:3.11", "command": ["python3", "-c", "1 / 0"]}
    pool = {"machine_spec": {"machine_type": "n1-standard-4"}, "replica_count": 1}
    job = aiplatform.CustomJob("failing", [{**pool, "container_spec": container}])
    with pytest.raises(RuntimeError, match="ZeroDivisionError: division by zero"):
        job.run()


@pytest.mark.usefixtures("sdk")
def test_hyperparameters_are_tuned() -> None:
    container = {"image_uri": "python:3.11", "command": ["python3", "-c", SCRIPT]}
    pool = {"machine_spec": {"machine_type": "n1-standard-4"}, "replica_count": 1}
    tuning = aiplatform.HyperparameterTuningJob(
        display_name="tuning",
        custom_job=aiplatform.CustomJob("trial", [{**pool, "container_spec": container}]),
        metric_spec={"loss": "minimize"},
        parameter_spec={
            "rate": hyperparameter_tuning.DoubleParameterSpec(min=0.01, max=1, scale="log")
        },
        max_trial_count=4,
        parallel_trial_count=2,
    )
    tuning.run()
    assert len(tuning.trials) == 4
    best = min(tuning.trials, key=lambda trial: trial.final_measurement.metrics[0].value)
    rate = best.parameters[0].value
    assert best.final_measurement.metrics[0].value == pytest.approx((rate - 0.5) ** 2)


@pytest.mark.usefixtures("sdk")
def test_a_model_predicts_in_batches(bucket: Bucket) -> None:
    model = aiplatform.Model.upload(
        display_name="echo",
        serving_container_image_uri="python:3.11",
        serving_container_command=["python3", "-c", ECHO, "sdk"],
        serving_container_predict_route="/predict",
        serving_container_health_route="/health",
        serving_container_ports=[8080],
    )
    bucket.blob("in.jsonl").upload_from_string('{"n": 1}\n{"n": 2}\n')
    job = model.batch_predict(
        job_display_name="batch",
        gcs_source=f"gs://{bucket.name}/in.jsonl",
        gcs_destination_prefix=f"gs://{bucket.name}/out",
        instances_format="jsonl",
        predictions_format="jsonl",
        machine_type="n1-standard-2",
        batch_size=1,
    )
    assert job.completion_stats.successful_count == 2
    results = [blob for blob in job.iter_outputs() if "prediction.results-" in blob.name]
    lines = [json.loads(line) for blob in results for line in blob.download_as_text().splitlines()]
    assert [line["prediction"] for line in lines] == [["sdk", {"n": 1}], ["sdk", {"n": 2}]]


@pytest.mark.usefixtures("sdk")
def test_an_endpoint_is_monitored() -> None:
    monitoring = aiplatform.model_monitoring
    model = aiplatform.Model.upload(
        display_name="echo",
        serving_container_image_uri="python:3.11",
        serving_container_command=["python3", "-c", ECHO, "sdk"],
    )
    endpoint = model.deploy(machine_type="n1-standard-2")
    job = aiplatform.ModelDeploymentMonitoringJob.create(
        endpoint=endpoint,
        objective_configs=monitoring.ObjectiveConfig(
            drift_detection_config=monitoring.DriftDetectionConfig(drift_thresholds={"age": 0.2})
        ),
        logging_sampling_strategy=monitoring.RandomSampleConfig(sample_rate=0.8),
        schedule_config=monitoring.ScheduleConfig(monitor_interval=1),
        alert_config=monitoring.EmailAlertConfig(user_emails=["me@example.com"]),
        display_name="monitoring",
    )
    assert job.pause().state.name == "JOB_STATE_PAUSED"
    assert job.resume().state.name == "JOB_STATE_RUNNING"
    job.update(display_name="renamed", labels={"a": "b"})
    [listed] = aiplatform.ModelDeploymentMonitoringJob.list(filter="labels.a=b")
    assert listed.display_name == "renamed"
    job.delete()
    endpoint.delete(force=True)
