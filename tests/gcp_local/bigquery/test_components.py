from __future__ import annotations

import time

import yaml
from google.cloud.bigquery import Client, Dataset, SchemaField, Table
from google.cloud.storage import Bucket

from tests.gcp_local.emulators import Emulator
from tests.gcp_local.pipelines import compiled


def test_a_component_that_makes_a_client_finds_this_server(
    emulator: Emulator, client: Client, dataset: Dataset, bucket: Bucket
) -> None:
    table = client.create_table(Table(dataset.table("t"), schema=[SchemaField("n", "INT64")]))
    client.insert_rows_json(table, [{"n": 1}, {"n": 2}])
    body = {
        "pipelineSpec": yaml.safe_load(compiled("counting_rows")),
        "runtimeConfig": {
            "gcsOutputDirectory": f"gs://{bucket.name}/runs",
            "parameterValues": {"table": f"{table.dataset_id}.t"},
        },
    }
    jobs = f"/v1/projects/{client.project}/locations/europe-west1/pipelineJobs"
    job = emulator.call("POST", jobs, json=body).json()
    while job["state"] in ("PIPELINE_STATE_PENDING", "PIPELINE_STATE_RUNNING"):
        time.sleep(0.02)
        job = emulator.call("GET", f"/v1/{job['name']}").json()
    assert job["state"] == "PIPELINE_STATE_SUCCEEDED", job
    (task,) = (each for each in job["jobDetail"]["taskDetails"] if each["taskName"] == "count-rows")
    assert task["execution"]["metadata"]["output:Output"] == 2
