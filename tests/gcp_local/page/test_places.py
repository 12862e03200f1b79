"""The pages of what is not a run, filled by Google's own clients."""

from __future__ import annotations

import time
from typing import Any

import pytest
import yaml
from google.cloud import aiplatform_v1, bigquery
from google.cloud.devtools import cloudbuild_v1
from google.cloud.storage import Bucket
from google.protobuf import json_format, struct_pb2

from tests.gcp_local.emulators import Emulator
from tests.gcp_local.page.reading import look
from tests.gcp_local.page.runs import HOSTILE, Runs
from tests.gcp_local.pipelines import compiled

METRICS_SCHEMA = (
    "gs://google-cloud-aiplatform/schema/modelevaluation/classification_metrics_1.0.0.yaml"
)


@pytest.fixture
def model(emulator: Emulator, runs: Runs) -> str:
    models = aiplatform_v1.ModelServiceClient(**emulator.gapic)
    name = ""
    for aliases in (["first"], ["champion"]):
        request = aiplatform_v1.UploadModelRequest(
            parent=runs.parent,
            model_id="" if name else "churn",
            parent_model=name,
            model=aiplatform_v1.Model(
                display_name=f"Churn {HOSTILE}",
                version_aliases=aliases,
                artifact_uri=f"gs://{runs.bucket}/model",
                container_spec=aiplatform_v1.ModelContainerSpec(image_uri="python:3.11"),
            ),
        )
        operation: Any = models.upload_model(request)
        name = str(operation.result().model)
    return name


def test_a_model_shows_its_versions_and_how_they_were_evaluated(
    emulator: Emulator, runs: Runs, model: str
) -> None:
    matrix = {"annotationSpecs": [{"displayName": "a"}, {"displayName": "b"}]}
    aiplatform_v1.ModelServiceClient(**emulator.gapic).import_model_evaluation(
        parent=f"{model}@2",
        model_evaluation=aiplatform_v1.ModelEvaluation(
            display_name="held out",
            metrics_schema_uri=METRICS_SCHEMA,
            metrics=json_format.ParseDict(
                {"auRoc": 0.75, "confusionMatrix": {**matrix, "rows": [[3, 1], [0, 4]]}},
                struct_pb2.Value(),
            ),
        ),
    )
    listed = look(emulator, f"{runs.page}/models").table("Models")
    assert listed[0]["Versions"] == "2"
    assert "champion → 2" in listed[0]["Aliases"]
    seen = look(emulator, f"{runs.page}/models/churn")
    assert seen.title == f"Churn {HOSTILE}"
    assert [row["Version"] for row in seen.table("Versions")] == ["2", "1"]
    [row] = seen.table("Evaluations")
    assert (row["Version"], row["Metric"], row["Value"]) == ("2", "auRoc", "0.7500")
    version = look(emulator, f"{runs.page}/models/churn@champion")
    assert version.facts["Image"] == "python:3.11"
    assert "held out: confusion matrix" in version.text
    assert look(emulator, f"{runs.page}/models/churn@9").status == 404


def test_an_endpoint_without_a_model_says_how_one_gets_there(
    emulator: Emulator, runs: Runs
) -> None:
    endpoints = aiplatform_v1.EndpointServiceClient(**emulator.gapic)
    operation: Any = endpoints.create_endpoint(
        parent=runs.parent, endpoint=aiplatform_v1.Endpoint(display_name="online")
    )
    made = operation.result()
    listed = look(emulator, f"{runs.page}/endpoints")
    [row] = listed.table("Endpoints")
    assert (row["Endpoint"], row["Deployed models"]) == ("online", "0")
    seen = look(emulator, listed.links("Endpoints")["online"])
    assert seen.facts["Id"] == made.name.rpartition("/")[2]
    assert "endpoint.deploy(" in seen.text


def test_a_schedule_tells_when_it_fires_next(emulator: Emulator, runs: Runs) -> None:
    schedules = aiplatform_v1.ScheduleServiceClient(**emulator.gapic)
    spec = struct_pb2.Struct()
    json_format.ParseDict(yaml.safe_load(compiled("doubling")), spec)
    made = schedules.create_schedule(
        parent=runs.parent,
        schedule=aiplatform_v1.Schedule(
            display_name="nightly",
            cron="TZ=Europe/Paris 30 2 * * *",
            max_concurrent_run_count=1,
            create_pipeline_job_request=aiplatform_v1.CreatePipelineJobRequest(
                parent=runs.parent,
                pipeline_job=aiplatform_v1.PipelineJob(
                    pipeline_spec=spec,
                    runtime_config=aiplatform_v1.PipelineJob.RuntimeConfig(
                        gcs_output_directory=f"gs://{runs.bucket}/root"
                    ),
                ),
            ),
        ),
    )
    listed = look(emulator, f"{runs.page}/schedules")
    [row] = listed.table("Schedules")
    assert (row["State"], row["Cron"]) == ("✓ Active", "TZ=Europe/Paris 30 2 * * *")
    seen = look(emulator, listed.links("Schedules")["nightly"])
    assert "The next run is in " in seen.text
    schedules.pause_schedule(name=made.name)
    paused = look(emulator, listed.links("Schedules")["nightly"])
    assert "‖ Paused" in paused.text
    assert "It starts no runs in this state." in paused.text


def test_a_custom_job_shows_its_log(emulator: Emulator, runs: Runs) -> None:
    jobs = aiplatform_v1.JobServiceClient(**emulator.gapic)
    container = {"image_uri": "python:3.11", "command": ["echo", f"epoch 1 {HOSTILE}"]}
    pool = {
        "machine_spec": {"machine_type": "n1-standard-4"},
        "replica_count": 1,
        "container_spec": container,
    }
    job: Any = {
        "display_name": "by hand",
        "job_spec": {
            "worker_pool_specs": [pool],
            "base_output_directory": {"output_uri_prefix": f"gs://{runs.bucket}/job"},
        },
    }
    made = jobs.create_custom_job(parent=runs.parent, custom_job=job)
    address = f"{runs.page}/customJobs/{made.name.rpartition('/')[2]}"
    seen = look(emulator, address)
    while "data-live" in seen.root.all("main")[0].attributes:
        seen = look(emulator, address)
    assert "✓ Succeeded" in seen.text
    assert f"epoch 1 {HOSTILE}" in seen.text
    assert look(emulator, f"{runs.page}/jobs").table("Custom jobs")[0]["Job"] == "by hand"


def test_a_build_shows_its_steps_and_its_log(emulator: Emulator, runs: Runs) -> None:
    builds = cloudbuild_v1.CloudBuildClient(**emulator.gapic)
    build: Any = {
        "steps": [
            {"name": "ubuntu", "id": "say", "args": ["echo", HOSTILE]},
            {"name": "ubuntu", "id": "fail", "script": "exit 3"},
            {"name": "ubuntu", "id": "never", "script": "echo never"},
        ],
        "logs_bucket": f"gs://{runs.bucket}/builds",
        "tags": ["nightly"],
    }
    operation: Any = builds.create_build(parent=runs.parent, build=build)
    assert operation.exception() is not None
    listed = look(emulator, f"{runs.page}/builds")
    [row] = listed.table("Builds")
    assert (row["State"], row["Tags"]) == ("✕ Failed", "nightly")
    [address] = listed.links("Builds").values()
    seen = look(emulator, address)
    states = {row["Step"]: row["State"] for row in seen.table("Steps")}
    assert states == {"say": "✓ Succeeded", "fail": "✕ Failed", "never": "– Not reached"}
    assert HOSTILE in seen.text
    assert "non-zero status: 3" in seen.root.all("div", role="alert")[0].text


def test_builds_that_run_are_shown_before_all_that_wait(emulator: Emulator, runs: Runs) -> None:
    builds: Any = cloudbuild_v1.CloudBuildClient(**emulator.gapic)
    step = {"name": "ubuntu", "script": "sleep 60"}
    build = {"steps": [step], "logs_bucket": f"gs://{runs.bucket}/builds"}
    made = [builds.create_build(parent=runs.parent, build=build) for _ in range(20)]
    names = [each.metadata.build.name for each in made]
    try:
        while builds.get_build(name=names[0]).status.name == "QUEUED":
            time.sleep(0.02)
        under_way = look(emulator, "/").table("Running now")
        states = {row["What"]: row["State"] for row in under_way}
        assert states[names[0].rpartition("/")[2]] == "▶ Running"
        assert "◦ Queued" in states.values()
    finally:
        for name in reversed(names):
            builds.cancel_build(name=name)


def test_a_table_shows_its_columns_and_first_rows(emulator: Emulator, project: str) -> None:
    client = bigquery.Client(
        project=project,
        credentials=emulator.gapic["credentials"],
        client_options={"api_endpoint": emulator.endpoint},
    )
    client.create_dataset("churn")
    nested = bigquery.SchemaField(
        "address", "RECORD", fields=[bigquery.SchemaField("city", "STRING")]
    )
    schema = [bigquery.SchemaField("id", "INT64"), bigquery.SchemaField("name", "STRING"), nested]
    made = client.create_table(bigquery.Table(f"{project}.churn.customers", schema=schema))
    rows = [{"id": number, "name": HOSTILE, "address": {"city": "Lyon"}} for number in range(3)]
    assert client.insert_rows_json(made, rows) == []
    place = f"/page/projects/{project}"
    assert look(emulator, place).table("BigQuery datasets")[0]["Dataset"] == "churn"
    [row] = look(emulator, f"{place}/datasets/churn").table("Tables")
    assert row["Table"] == "customers"
    seen = look(emulator, f"{place}/datasets/churn/tables/customers")
    assert [row["Column"] for row in seen.table("Columns")] == ["id", "name", "address", "city"]
    assert sorted(row["id"] for row in seen.table("First rows")) == ["0", "1", "2"]
    assert seen.table("First rows")[0]["name"] == HOSTILE
    assert look(emulator, f"{place}/datasets/gone").status == 404
    assert look(emulator, f"{place}/datasets/churn/tables/gone").status == 404


def test_folders_lead_to_objects_and_their_generations(emulator: Emulator, bucket: Bucket) -> None:
    bucket.versioning_enabled = True
    bucket.patch()
    blob = bucket.blob("live/churn <b>.json")
    blob.metadata = {"by": "someone"}
    blob.upload_from_string('{"digest": "abc", "list": [1]}', content_type="application/json")
    first = blob.generation
    blob.upload_from_string('{"digest": "def"}', content_type="application/json")
    for number in range(3):
        bucket.blob(f"history/{number}").upload_from_string(bytes([0, 255, number]))

    top = look(emulator, f"/page/buckets/{bucket.name}")
    assert [row["Name"] for row in top.table("Objects")] == ["history/", "live/"]
    folder = look(emulator, top.links("Objects")["live/"])
    [row] = folder.table("Objects")
    assert (row["Name"], row["Size"]) == ("churn <b>.json", "17 bytes")
    seen = look(emulator, folder.links("Objects")["churn <b>.json"])
    assert seen.title == "churn <b>.json"
    assert '"digest": "def"' in seen.text
    assert seen.table("Metadata") == [{"Name": "by", "Value": "someone"}]
    generations = seen.links("Generations")
    assert len(generations) == 2
    older = look(emulator, generations[str(first)])
    assert '{ "digest": "abc", "list": [ 1 ] }' in older.text  # pretty
    assert "not the live one any more" in older.text
    binary = look(emulator, f"/page/buckets/{bucket.name}/objects/history%2F0")
    assert "Its bytes are not text." in binary.text
    as_object = look(emulator, f"/page/buckets/{bucket.name}/objects/history")
    assert len(as_object.table("Objects")) == 3
    gone = look(emulator, f"/page/buckets/{bucket.name}/objects/history%2F0?generation=1")
    assert gone.status == 404


def test_a_large_folder_is_shown_page_by_page(emulator: Emulator, bucket: Bucket) -> None:
    for number in range(4):
        bucket.blob(f"a/{number}").upload_from_string(b"")
    base = f"/page/buckets/{bucket.name}?prefix=a/"
    assert len(look(emulator, base).table("Objects")) == 4
    rest = look(emulator, f"{base}&start=a/2")
    assert [row["Name"] for row in rest.table("Objects")] == ["2", "3"]
    assert any(link.text == "← beginning" for link in rest.root.all("a"))


def test_empty_places_say_what_would_be_there(emulator: Emulator, runs: Runs) -> None:
    expected: dict[str, Any] = {
        "pipelineJobs": "job.submit()",
        "models": "aiplatform.Model.upload",
        "endpoints": "model.deploy()",
        "schedules": "create_schedule",
        "builds": "create_build",
        "jobs": "CustomJob",
        "metadata": "Runs, pipelines and experiments",
        "customJobs": "None.",
    }
    for plural, example in expected.items():
        seen = look(emulator, f"{runs.page}/{plural}")
        assert seen.status == 200
        assert example in seen.text, plural


def test_a_topic_tells_who_is_subscribed_and_what_waits(emulator: Emulator, project: str) -> None:
    topic, queue = f"projects/{project}/topics/news", f"projects/{project}/subscriptions/readers"
    assert emulator.call("PUT", f"/v1/{topic}", json={}).status_code == 200
    assert emulator.call("PUT", f"/v1/{queue}", json={"topic": topic}).status_code == 200
    messages = {"messages": [{"data": "aGVsbG8="}, {"data": "aGVsbG8="}]}
    assert emulator.call("POST", f"/v1/{topic}:publish", json=messages).status_code == 200
    seen = look(emulator, f"/page/projects/{project}")
    assert seen.table("Pub/Sub topics") == [
        {
            "Topic": "news",
            "Subscription": "readers",
            "Delivers to": "whoever pulls",
            "Waiting": "2",
        }
    ]
