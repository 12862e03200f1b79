"""Batch predictions, through Google's typed clients; and how inputs become instances."""

from __future__ import annotations

import gzip
import io
import json
import struct
import time
from collections.abc import Callable
from typing import Any

import google_crc32c
import pytest
from google.api_core.exceptions import BadRequest, MethodNotImplemented, NotFound
from google.cloud.aiplatform_v1 import (
    BatchPredictionJob,
    JobServiceClient,
    JobState,
    ModelServiceClient,
)
from google.cloud.storage import Bucket

from gcp_local.vertex.jobs.instances import Conversion, Input, UnreadableError, read, records
from tests.gcp_local.emulators import Emulator
from tests.gcp_local.vertex.models.serving_programs import ECHO

MACHINE = {"machine_spec": {"machine_type": "n1-standard-2"}, "max_replica_count": 2}
# Answers a little late, so that there is time to cancel.
SLOW = ECHO.replace("first = (said", "import time; time.sleep(60); first = (said")
RUNNING = (
    JobState.JOB_STATE_QUEUED,
    JobState.JOB_STATE_PENDING,
    JobState.JOB_STATE_RUNNING,
    JobState.JOB_STATE_CANCELLING,
)


def container(program: str = ECHO, mark: str = "v1") -> dict[str, Any]:
    return {
        "image_uri": "python:3.11",
        "command": ["python3", "-c", program, mark],
        "predict_route": "/predict",
        "health_route": "/health",
    }


@pytest.fixture
def upload(emulator: Emulator, parent: str) -> Callable[..., str]:
    """Uploads a model that echoes, or a new version of one."""
    models = ModelServiceClient(**emulator.gapic)

    def run(spec: dict[str, Any] | None, **said: Any) -> str:
        aliases = said.pop("aliases", [])
        model: dict[str, Any] = {"display_name": "echo/1", "version_aliases": aliases}
        if spec is not None:
            model["container_spec"] = spec
        operation = models.upload_model(request={"parent": parent, "model": model, **said})
        return str(operation.result().model)  # type: ignore[no-untyped-call]

    return run


def unmanaged(program: str = ECHO) -> dict[str, Any]:
    return {"unmanaged_container_model": {"container_spec": container(program)}}


def job(bucket: Bucket, name: str = "in.jsonl", **said: Any) -> dict[str, Any]:
    form = {"csv": "csv", "txt": "file-list"}.get(name.rpartition(".")[2], "jsonl")
    gcs = {"gcs_source": {"uris": [f"gs://{bucket.name}/{name}"]}, "instances_format": form}
    to = {"output_uri_prefix": f"gs://{bucket.name}/out/"}
    return {
        "display_name": "batch",
        "input_config": gcs,
        "output_config": {"gcs_destination": to, "predictions_format": "jsonl"},
        "dedicated_resources": MACHINE,
        **said,
    }


@pytest.fixture
def predicted(jobs: JobServiceClient, parent: str) -> Callable[..., BatchPredictionJob]:
    def run(
        wanted: dict[str, Any], when_running: Callable[[str], object] | None = None
    ) -> BatchPredictionJob:
        made = jobs.create_batch_prediction_job(
            request={"parent": parent, "batch_prediction_job": wanted}
        )
        for _ in range(1000):
            found = jobs.get_batch_prediction_job(name=made.name)
            if found.state not in RUNNING:
                return found
            if when_running is not None and found.state == JobState.JOB_STATE_RUNNING:
                when_running(found.name)
                when_running = None
            time.sleep(0.02)
        raise AssertionError(f"{made.name} is still {found.state.name}")

    return run


def outputs(bucket: Bucket, found: BatchPredictionJob) -> tuple[str, str]:
    """The texts of the two files."""
    directory = found.output_info.gcs_output_directory.removeprefix(f"gs://{bucket.name}/")
    names = [
        f"{directory}/prediction.{kind}-00000-of-00001" for kind in ("results", "errors_stats")
    ]
    assert sorted(blob.name for blob in bucket.list_blobs(prefix="out/")) == sorted(names)
    results, errors = (str(bucket.blob(name).download_as_text()) for name in names)
    return results, errors


def test_a_version_of_a_model_predicts_on_lines_of_json(
    jobs: JobServiceClient,
    bucket: Bucket,
    upload: Callable[..., str],
    predicted: Callable[..., BatchPredictionJob],
) -> None:
    name = upload(container(mark="old"), model_id="echo", aliases=["golden"])
    upload(container(mark="new"), parent_model=name)
    instances = [{"n": number, "text": "ü"} for number in range(150)]
    text = "\n".join(json.dumps(each) for each in instances)
    bucket.blob("in/a.jsonl").upload_from_string(text)
    bucket.blob("in/b.jsonl").upload_from_string("[1, 2]\n\n3\n")
    found = predicted(job(bucket, "in/*.jsonl", model=f"{name}@golden", labels={"a": "b"}))
    assert found.state == JobState.JOB_STATE_SUCCEEDED, found.error
    assert (found.model, found.model_version_id) == (name, "1")
    assert found.completion_stats.successful_count == 152
    assert found.completion_stats.failed_count == 0
    assert found.output_info.gcs_output_directory.startswith(
        f"gs://{bucket.name}/out/prediction-echo_1-20"
    )
    results, errors = outputs(bucket, found)
    assert [json.loads(line) for line in results.splitlines()] == [
        {"instance": each, "prediction": ["old", each]} for each in [*instances, [1, 2], 3]
    ]
    assert errors == ""
    for model, count in (("echo/1", 1), ("echo", 0)):
        said = f'model_display_name="{model}" AND labels.a=b'
        request = {"parent": found.name.partition("/batch")[0], "filter": said}
        assert len(list(jobs.list_batch_prediction_jobs(request=request))) == count


def test_a_table_is_predicted_on_row_by_row_and_told_by_its_key(
    bucket: Bucket, predicted: Callable[..., BatchPredictionJob]
) -> None:
    bucket.blob("in.csv").upload_from_string('"id","age","kind"\n"x",44,"a,b"\n"y",5.5,"c"\n')
    keyed = job(bucket, "in.csv", instance_config={"key_field": "id"}, **unmanaged())
    keyed["output_config"]["predictions_format"] = "csv"
    found = predicted(keyed)
    assert found.state == JobState.JOB_STATE_SUCCEEDED, found.error
    assert not found.unmanaged_container_model.container_spec.image_uri  # input only
    results, _ = outputs(bucket, found)
    assert results.splitlines() == [
        "key,prediction",
        'x,"[""v1"", [44.0, ""a,b""]]"',
        'y,"[""v1"", [5.5, ""c""]]"',
    ]


def record(data: bytes) -> bytes:
    """A record of a TFRecord file, by the format's own description."""

    def masked(part: bytes) -> bytes:
        plain = google_crc32c.value(part)
        return struct.pack("<I", (((plain >> 15) | (plain << 17)) + 0xA282EAD8) & 0xFFFFFFFF)

    length = struct.pack("<Q", len(data))
    return length + masked(length) + data + masked(data)


def test_records_are_sent_in_base64(
    bucket: Bucket, predicted: Callable[..., BatchPredictionJob]
) -> None:
    whole = record(b"hello") + record(b"")
    bucket.blob("in/a.gz").upload_from_string(gzip.compress(whole))
    bucket.blob("in/b.gz").upload_from_string(gzip.compress(whole[:-1] + b"!"))
    bucket.blob("in/c.gz").upload_from_string(b"not gzip")
    wanted = job(bucket, "in/*.gz", **unmanaged())
    wanted["input_config"]["instances_format"] = "tf-record-gzip"
    found = predicted(wanted)
    assert found.state == JobState.JOB_STATE_SUCCEEDED, found.error
    results, _ = outputs(bucket, found)
    sent = [json.loads(line)["instance"] for line in results.splitlines()]
    assert sent == [{"b64": "aGVsbG8="}, {"b64": ""}, {"b64": "aGVsbG8="}]
    first, second = (failure.message for failure in found.partial_failures)
    assert "in/b.gz cannot be read: A record was damaged" in first
    assert "in/c.gz cannot be read" in second


def test_what_cannot_be_predicted_is_told_with_its_reason(
    bucket: Bucket, predicted: Callable[..., BatchPredictionJob]
) -> None:
    lines = ['{"fine": 1}', "no JSON", '{"status": 500}', '{"fine": 2}']
    bucket.blob("in.jsonl").upload_from_string("\n".join(lines))
    # The error of a batch is that of each instance in it.
    tuning: dict[str, Any] = {"manual_batch_tuning_parameters": {"batch_size": 1}}
    found = predicted(job(bucket, **tuning, **unmanaged()))
    assert found.state == JobState.JOB_STATE_SUCCEEDED, found.error
    assert found.completion_stats.successful_count == 2
    assert found.completion_stats.failed_count == 2
    _, errors = outputs(bucket, found)
    first, second = (json.loads(line) for line in errors.splitlines())
    assert first["instance"] == "no JSON"
    assert first["error"]["code"] == 3
    assert second == {
        "instance": {"status": 500},
        "error": {"code": 13, "message": '{"error": "as you wish"}'},
    }


@pytest.mark.parametrize(
    ("lines", "said"),
    [
        ('{"status": 400}', "All 1 predictions failed"),
        ('"die"', "The model server ended"),
        ("\n", "no instances"),
    ],
)
def test_a_job_without_a_prediction_fails(
    bucket: Bucket, predicted: Callable[..., BatchPredictionJob], lines: str, said: str
) -> None:
    bucket.blob("in.jsonl").upload_from_string(lines)
    found = predicted(job(bucket, **unmanaged()))
    assert found.state == JobState.JOB_STATE_FAILED
    assert said in found.error.message


def test_a_model_that_does_not_start_and_an_input_that_is_not_there_fail_the_job(
    bucket: Bucket, predicted: Callable[..., BatchPredictionJob]
) -> None:
    missing = predicted(job(bucket, "none.jsonl", **unmanaged()))
    assert missing.state == JobState.JOB_STATE_FAILED
    assert f"No object matches gs://{bucket.name}/none.jsonl" in missing.error.message
    bucket.blob("in.jsonl").upload_from_string("1")
    broken = predicted(job(bucket, **unmanaged("raise SystemExit('no weights')")))
    assert broken.state == JobState.JOB_STATE_FAILED
    assert "no weights" in broken.error.message


def test_a_running_job_can_be_cancelled(
    jobs: JobServiceClient, bucket: Bucket, predicted: Callable[..., BatchPredictionJob]
) -> None:
    bucket.blob("in.jsonl").upload_from_string("1")
    found = predicted(
        job(bucket, **unmanaged(SLOW)),
        lambda name: jobs.cancel_batch_prediction_job(name=name),
    )
    assert found.state == JobState.JOB_STATE_CANCELLED
    jobs.delete_batch_prediction_job(name=found.name)
    with pytest.raises(NotFound):
        jobs.get_batch_prediction_job(name=found.name)


MODEL = unmanaged()


def with_(bucket: Bucket, path: str, value: Any) -> dict[str, Any]:
    wanted = {**job(bucket), **MODEL}
    *parents, last = path.split(".")
    place = wanted
    for name in parents:
        place[name] = dict(place.get(name, {}))
        place = place[name]
    place[last] = value
    return wanted


@pytest.mark.parametrize(
    ("path", "value", "field"),
    [
        ("display_name", "", "display_name"),
        ("model", "projects/1/locations/europe-west1/models/1", "model"),
        ("input_config.instances_format", "xml", "input_config.instances_format"),
        ("input_config.gcs_source", {}, "gcs_source.uris"),
        ("input_config.gcs_source", {"uris": ["in.jsonl"]}, "gcs_source.uris"),
        ("input_config.instances_format", "bigquery", "input_config.instances_format"),
        (
            "input_config",
            {"bigquery_source": {"input_uri": "bq://p.d"}, "instances_format": "bigquery"},
            "bigquery_source.input_uri",
        ),
        ("output_config.gcs_destination", {}, "gcs_destination.output_uri_prefix"),
        ("output_config.predictions_format", "bigquery", "output_config.predictions_format"),
        (
            "output_config",
            {
                "bigquery_destination": {"output_uri": "bq://p.d.t.x"},
                "predictions_format": "bigquery",
            },
            "bigquery_destination.output_uri",
        ),
        ("output_config.predictions_format", "xml", "output_config.predictions_format"),
        ("dedicated_resources", None, "dedicated_resources"),
        (
            "dedicated_resources",
            {**MACHINE, "starting_replica_count": 3},
            "dedicated_resources.max_replica_count",
        ),
        ("dedicated_resources", {"machine_spec": {}}, "machine_spec.machine_type"),
        ("instance_config", {"instance_type": "list"}, "instance_config.instance_type"),
        (
            "instance_config",
            {"included_fields": ["a"], "excluded_fields": ["b"]},
            "instance_config.excluded_fields",
        ),
        ("explanation_spec", {"parameters": {"top_k": 1}}, "explanation_spec"),
        ("service_account", "me", "service_account"),
    ],
)
def test_what_vertex_ai_would_refuse_is_refused(
    jobs: JobServiceClient, parent: str, bucket: Bucket, path: str, value: Any, field: str
) -> None:
    with pytest.raises(BadRequest) as refused:
        jobs.create_batch_prediction_job(
            request={"parent": parent, "batch_prediction_job": with_(bucket, path, value)}
        )
    [detail] = refused.value.details
    assert detail["fieldViolations"][0]["field"].endswith(field)


@pytest.mark.parametrize(
    ("path", "value", "said"),
    [
        (
            "output_config",
            {
                "bigquery_destination": {"output_uri": "bq://my-project"},
                "predictions_format": "bigquery",
            },
            "bigquery_destination",
        ),
        (
            "input_config",
            {
                "vertex_multimodal_dataset_source": {"dataset_name": "d"},
                "instances_format": "vertex-multimodal-dataset",
            },
            "vertex_multimodal_dataset_source",
        ),
        ("generate_explanation", True, "generate_explanation"),
    ],
)
def test_what_is_not_there_is_said(
    jobs: JobServiceClient, parent: str, bucket: Bucket, path: str, value: Any, said: str
) -> None:
    with pytest.raises(MethodNotImplemented, match=said):
        jobs.create_batch_prediction_job(
            request={"parent": parent, "batch_prediction_job": with_(bucket, path, value)}
        )


def test_a_model_of_another_place_or_without_a_container_is_not_taken(
    jobs: JobServiceClient, parent: str, bucket: Bucket, upload: Callable[..., str]
) -> None:
    name = upload(container())
    bare = upload(None)
    elsewhere = parent.replace("europe-west1", "us-central1")
    for model, where, error in (
        (name, elsewhere, BadRequest),
        (f"{name}@7", parent, NotFound),
        (bare, parent, BadRequest),
        (f"{name}0", parent, NotFound),
    ):
        with pytest.raises(error):
            jobs.create_batch_prediction_job(
                request={"parent": where, "batch_prediction_job": job(bucket, model=model)}
            )


# How inputs become instances


def content(uri: str) -> bytes:
    if uri != "gs://b/picture":
        raise UnreadableError(f"{uri} is not there")
    return b"\x00\xff"


def test_a_damaged_or_endless_record_is_not_read() -> None:
    # With these bytes begin the event files that TensorFlow writes: 24, and its checksum.
    assert record(bytes(24))[:12] == bytes.fromhex("1800000000000000a37f4b22")
    endless = struct.pack("<Q", 2**63)
    plain = google_crc32c.value(endless)
    masked = (((plain >> 15) | (plain << 17)) + 0xA282EAD8) & 0xFFFFFFFF
    for content, said in (
        (b"text", "not a TFRecord file"),
        (record(b"data")[:-1], "was damaged"),
        (endless + struct.pack("<I", masked), "at most"),
    ):
        with pytest.raises(UnreadableError, match=said):
            list(records(io.BytesIO(content)))


ROW = {"id": 7, "age": 44, "kind": "a"}


@pytest.mark.parametrize(
    ("form", "line", "conversion", "shown", "sent"),
    [
        ("jsonl", ROW, Conversion(), ROW, ROW),
        ("jsonl", ROW, Conversion(key="id"), 7, {"age": 44, "kind": "a"}),
        ("jsonl", ROW, Conversion(included=("kind",)), ROW, {"kind": "a"}),
        ("jsonl", ROW, Conversion("array", included=("kind", "age")), ROW, ["a", 44]),
        ("jsonl", ROW, Conversion(excluded=("id",)), ROW, {"age": 44, "kind": "a"}),
        ("jsonl", [1, "b"], Conversion("array"), [1, "b"], [1, "b"]),
        ("file-list", "gs://b/picture", Conversion(), {"b64": "AP8="}, {"b64": "AP8="}),
    ],
)
def test_an_input_becomes_what_instance_config_says(
    form: str, line: Any, conversion: Conversion, shown: Any, sent: Any
) -> None:
    text = line if form == "file-list" else json.dumps(line)
    [found] = read(form, [f"{text}\r\n"], conversion, content)
    assert (found.shown, found.sent, found.error) == (shown, sent, "")


@pytest.mark.parametrize(
    ("form", "lines", "conversion", "said"),
    [
        ("jsonl", ["[1]"], Conversion("object"), "not a JSON object"),
        ("jsonl", ["[1]"], Conversion(key="id"), "not a JSON object"),
        ("jsonl", ["{}"], Conversion(key="id"), "no field 'id'"),
        ("jsonl", ['{"a": 1}'], Conversion("array"), "included_fields"),
        ("jsonl", ["3"], Conversion("array"), "neither a JSON object nor an array"),
        ("csv", ["a,b", "1,2,3"], Conversion(), "3 values, the header 2"),
        ("csv", ["a,b", "1,blue"], Conversion(), "must be in double quotes"),
        ("file-list", ["gs://b/other"], Conversion(), "not there"),
    ],
)
def test_an_input_that_is_no_instance_says_why(
    form: str, lines: list[str], conversion: Conversion, said: str
) -> None:
    [found] = read(form, lines, conversion, content)
    assert isinstance(found, Input)
    assert said in found.error
