"""Custom jobs, through Google's typed client."""

from __future__ import annotations

import io
import json
import tarfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from google.api_core.exceptions import BadRequest, MethodNotImplemented, NotFound
from google.cloud.aiplatform_v1 import (
    CustomJob,
    JobServiceClient,
    JobState,
    MetadataServiceClient,
    Trial,
)
from google.cloud.storage import Bucket

from tests.gcp_local.emulators import Emulator, start

RUNNING = (
    JobState.JOB_STATE_QUEUED,
    JobState.JOB_STATE_PENDING,
    JobState.JOB_STATE_RUNNING,
    JobState.JOB_STATE_CANCELLING,
)
MACHINE = {"machine_type": "n1-standard-4"}
PREBUILT = "europe-docker.pkg.dev/vertex-ai/training/sklearn-cpu.1-6:latest"
TALE = """
import json, os, sys
wanted = ("AIP_MODEL_DIR", "AIP_CHECKPOINT_DIR", "AIP_TENSORBOARD_LOG_DIR", "CLOUD_ML_PROJECT_ID",
          "CLOUD_ML_JOB_ID", "CLUSTER_SPEC", "TF_CONFIG", "GREETING", "HOME")
print(json.dumps({"args": sys.argv[1:], **{name: os.environ.get(name) for name in wanted}}))
"""


def pool(source: str, *args: str, **said: Any) -> dict[str, Any]:
    """A worker pool that runs a Python script."""
    container = {"image_uri": "python:3.11", "command": ["python3", "-c", source], "args": args}
    return {"container_spec": container, "machine_spec": MACHINE, "replica_count": 1, **said}


def custom_job(*pools: dict[str, Any], bucket: Bucket | None = None, **spec: Any) -> dict[str, Any]:
    spec = {"worker_pool_specs": list(pools), **spec}
    if bucket is not None:
        spec["base_output_directory"] = {"output_uri_prefix": f"gs://{bucket.name}/base"}
    return {"display_name": "a job", "job_spec": spec}


def create(jobs: JobServiceClient, parent: str, job: dict[str, Any]) -> CustomJob:
    return jobs.create_custom_job(request={"parent": parent, "custom_job": job})


@pytest.fixture
def ended(jobs: JobServiceClient) -> Callable[[str], CustomJob]:
    def wait(name: str) -> CustomJob:
        return until(jobs, name, lambda job: job.state not in RUNNING)

    return wait


def until(jobs: JobServiceClient, name: str, holds: Callable[[CustomJob], bool]) -> CustomJob:
    for _ in range(1000):
        job = jobs.get_custom_job(name=name)
        if holds(job):
            return job
        time.sleep(0.02)
    raise AssertionError(f"{name} is still {job.state.name}")


def log(bucket: Bucket, name: str, replica: str = "workerpool0-0") -> str:
    path = f"base/gcp-local/{name.rpartition('/')[2]}/{replica}/log.txt"
    return str(bucket.blob(path).download_as_text())


def test_a_job_runs_and_finds_what_vertex_ai_gives_it(
    jobs: JobServiceClient, parent: str, bucket: Bucket, ended: Callable[[str], CustomJob]
) -> None:
    env = [{"name": "NAME", "value": "you"}, {"name": "GREETING", "value": "hi $(NAME) $$5 $(NO)"}]
    spec = pool(TALE, "--epochs=3")
    spec["container_spec"]["env"] = env
    made = create(
        jobs,
        parent,
        {
            **custom_job(spec, bucket=bucket),
            "labels": {"team": "ml"},
            "state": "JOB_STATE_FAILED",  # output only
        },
    )
    number = made.name.split("/")[1]
    assert number.isdecimal()
    assert made.state == JobState.JOB_STATE_QUEUED
    job = ended(made.name)
    assert job.state == JobState.JOB_STATE_SUCCEEDED, job.error
    moments = [job.create_time, job.start_time, job.end_time]
    assert moments == sorted(moments)  # type: ignore[type-var]
    assert dict(job.labels) == {"team": "ml"}
    assert job.job_spec.worker_pool_specs[0].disk_spec.boot_disk_type == "pd-ssd"
    told = json.loads(log(bucket, job.name))
    base = f"gs://{bucket.name}/base"
    assert told["args"] == ["--epochs=3"]
    assert told["AIP_MODEL_DIR"] == f"{base}/model/"
    assert told["AIP_CHECKPOINT_DIR"] == f"{base}/checkpoints/"
    assert told["AIP_TENSORBOARD_LOG_DIR"] == f"{base}/logs/"
    assert told["CLOUD_ML_PROJECT_ID"] == number
    assert told["CLOUD_ML_JOB_ID"] == job.name.rpartition("/")[2]
    assert told["GREETING"] == "hi you $5 $(NO)"
    assert told["TF_CONFIG"] is None
    cluster = json.loads(told["CLUSTER_SPEC"])
    assert cluster["task"] == {"type": "workerpool0", "index": 0}
    assert cluster["environment"] == "cloud"
    assert not Path(told["HOME"]).exists()


def test_what_a_job_writes_is_kept(
    jobs: JobServiceClient, parent: str, bucket: Bucket, ended: Callable[[str], CustomJob]
) -> None:
    bucket.blob("data/in.txt").upload_from_string("twenty-one")
    source = """
import os, sys
from google.cloud import storage
given = open(sys.argv[1]).read()
open(sys.argv[2].partition("=")[2], "w").write(given.upper())
bucket, _, folder = os.environ["AIP_MODEL_DIR"].removeprefix("gs://").partition("/")
storage.Client().bucket(bucket).blob(folder + "model.txt").upload_from_string("weights")
"""
    spec = pool(source, f"/gcs/{bucket.name}/data/in.txt", f"--out=/gcs/{bucket.name}/new/out.txt")
    made = create(jobs, parent, custom_job(spec, bucket=bucket))
    job = ended(made.name)
    assert job.state == JobState.JOB_STATE_SUCCEEDED, job.error
    assert bucket.blob("new/out.txt").download_as_text() == "TWENTY-ONE"
    assert bucket.blob("base/model/model.txt").download_as_text() == "weights"


def test_a_failure_is_told_with_the_last_line_of_the_log(
    jobs: JobServiceClient, parent: str, bucket: Bucket, ended: Callable[[str], CustomJob]
) -> None:
    source = "print('before'); raise ValueError('no such column: age')"
    made = create(jobs, parent, custom_job(pool(source), bucket=bucket))
    job = ended(made.name)
    assert job.state == JobState.JOB_STATE_FAILED
    assert "workerpool0-0 exited with a non-zero status of 1" in job.error.message
    assert "ValueError: no such column: age" in job.error.message
    assert "before" in log(bucket, job.name)


def test_several_replicas_know_of_each_other(
    jobs: JobServiceClient, parent: str, bucket: Bucket, ended: Callable[[str], CustomJob]
) -> None:
    server = pool("import time; time.sleep(600)")
    made = create(
        jobs,
        parent,
        custom_job(
            pool("import time; time.sleep(1)\n" + TALE),
            pool(TALE, replica_count=2),
            server,
            bucket=bucket,
        ),
    )
    job = ended(made.name)  # which the parameter server's end is not waited for
    assert job.state == JobState.JOB_STATE_SUCCEEDED, job.error
    told = json.loads(log(bucket, job.name, "workerpool1-1"))
    cluster, config = json.loads(told["CLUSTER_SPEC"]), json.loads(told["TF_CONFIG"])
    assert {name: len(each) for name, each in cluster["cluster"].items()} == {
        "workerpool0": 1,
        "workerpool1": 2,
        "workerpool2": 1,
    }
    assert cluster["task"] == {"type": "workerpool1", "index": 1}
    assert sorted(config["cluster"]) == ["chief", "ps", "worker"]
    assert config["task"] == {"type": "worker", "index": 1}
    assert cluster["cluster"]["workerpool1"] == config["cluster"]["worker"]
    primary = json.loads(log(bucket, job.name))
    assert json.loads(primary["CLUSTER_SPEC"])["cluster"] == cluster["cluster"]


def test_one_replica_that_fails_ends_the_job(
    jobs: JobServiceClient, parent: str, ended: Callable[[str], CustomJob]
) -> None:
    waiting = pool("import time; time.sleep(600)")
    made = create(jobs, parent, custom_job(waiting, pool("raise SystemExit('lost its data')")))
    job = ended(made.name)
    assert job.state == JobState.JOB_STATE_FAILED
    assert "The replica workerpool1-0" in job.error.message
    assert "lost its data" in job.error.message


PATIENT = """
import signal, sys, time
signal.signal(signal.SIGTERM, lambda *_: sys.exit(0))
time.sleep(600)
"""


def test_a_running_job_can_be_cancelled_and_only_then_deleted(
    jobs: JobServiceClient, parent: str, ended: Callable[[str], CustomJob]
) -> None:
    made = create(jobs, parent, custom_job(pool(PATIENT)))
    until(jobs, made.name, lambda job: job.state == JobState.JOB_STATE_RUNNING)
    with pytest.raises(BadRequest, match="only a job that has ended can be deleted"):
        jobs.delete_custom_job(name=made.name)
    jobs.cancel_custom_job(name=made.name)
    job = ended(made.name)
    assert job.state == JobState.JOB_STATE_CANCELLED
    assert job.error.code == 1
    with pytest.raises(BadRequest, match="terminal state JOB_STATE_CANCELLED"):
        jobs.cancel_custom_job(name=made.name)
    jobs.delete_custom_job(name=made.name).result()  # type: ignore[no-untyped-call]
    with pytest.raises(NotFound):
        jobs.get_custom_job(name=made.name)


def test_a_job_ends_at_its_timeout(
    jobs: JobServiceClient, parent: str, ended: Callable[[str], CustomJob]
) -> None:
    made = create(
        jobs,
        parent,
        custom_job(pool("import time; time.sleep(600)"), scheduling={"timeout": {"seconds": 1}}),
    )
    job = ended(made.name)
    assert job.state == JobState.JOB_STATE_FAILED
    assert job.error.code == 4
    assert "timeout of 1 s" in job.error.message


def sdist(name: str, files: dict[str, str]) -> bytes:
    """A source distribution, as `python setup.py sdist` packs it."""
    packed = io.BytesIO()
    with tarfile.open(fileobj=packed, mode="w:gz") as archive:
        for path, text in files.items():
            member = tarfile.TarInfo(f"{name}/{path}" if "/.." not in path else path)
            member.size = len(text.encode())
            archive.addfile(member, io.BytesIO(text.encode()))
    return packed.getvalue()


def package_job(bucket: Bucket, files: dict[str, str], *args: str) -> dict[str, Any]:
    bucket.blob("trainer-0.1.tar.gz").upload_from_string(sdist("trainer-0.1", files))
    package = {
        "executor_image_uri": PREBUILT,
        "package_uris": [f"gs://{bucket.name}/trainer-0.1.tar.gz"],
        "python_module": "trainer.task",
        "args": args,
    }
    return custom_job({"python_package_spec": package, "machine_spec": MACHINE}, bucket=bucket)


def test_a_python_package_runs_from_cloud_storage(
    jobs: JobServiceClient, parent: str, bucket: Bucket, ended: Callable[[str], CustomJob]
) -> None:
    files = {
        "setup.py": "raise SystemExit('nobody runs this')",
        "trainer/__init__.py": "",
        "trainer/helper.py": "def twice(text): return text * 2",
        "trainer/task.py": "import sys; from .helper import twice; print(twice(sys.argv[1]))",
        "trainer.egg-info/requires.txt": "protobuf>=4\n\n[gpu]\nnot-installed-at-all\n",
    }
    made = create(jobs, parent, package_job(bucket, files, "ab"))
    job = ended(made.name)
    assert job.state == JobState.JOB_STATE_SUCCEEDED, job.error
    assert job.job_spec.worker_pool_specs[0].replica_count == 1
    assert log(bucket, job.name) == "abab\n"


@pytest.mark.parametrize(
    ("files", "message"),
    [
        (
            {"trainer.egg-info/requires.txt": "no-such-package-here>=3\n"},
            "requires no-such-package-here>=3",
        ),
        ({"x/../../../out.py": "print()"}, "leads out of the package"),
    ],
)
def test_a_package_that_cannot_be_used_fails_the_job(
    jobs: JobServiceClient,
    parent: str,
    bucket: Bucket,
    ended: Callable[[str], CustomJob],
    files: dict[str, str],
    message: str,
) -> None:
    made = create(jobs, parent, package_job(bucket, files))
    job = ended(made.name)
    assert job.state == JobState.JOB_STATE_FAILED
    assert message in job.error.message


def test_jobs_are_listed_filtered_and_masked(
    jobs: JobServiceClient, parent: str, ended: Callable[[str], CustomJob]
) -> None:
    names = {}
    for word, source in {"good": "pass", "bad": "raise SystemExit(3)"}.items():
        job = custom_job(pool(source)) | {"display_name": f"job_{word}", "labels": {"is": word}}
        names[word] = create(jobs, parent, job).name
    for name in names.values():
        ended(name)

    def listed(text: str) -> list[str]:
        return [
            job.name for job in jobs.list_custom_jobs(request={"parent": parent, "filter": text})
        ]

    assert listed("") == [names["bad"], names["good"]]
    assert listed('state="JOB_STATE_FAILED"') == [names["bad"]]
    assert listed('display_name:"job_g*" AND labels.is=good') == [names["good"]]
    assert listed('NOT display_name="job_good"') == [names["bad"]]
    [masked] = jobs.list_custom_jobs(
        request={"parent": parent, "filter": "labels.is=good", "read_mask": "name,state"}
    )
    assert masked == CustomJob(name=names["good"], state=JobState.JOB_STATE_SUCCEEDED)
    elsewhere = parent.replace("europe-west1", "us-central1")
    assert list(jobs.list_custom_jobs(parent=elsewhere)) == []


NO_IMAGE = {"container_spec": {"command": ["x"]}, "machine_spec": MACHINE, "replica_count": 1}
KEY = "projects/some-project/locations/us-east1/keyRings/r/cryptoKeys/k"
NO_TASK = {"machine_spec": MACHINE, "replica_count": 1}


@pytest.mark.parametrize(
    ("job", "field"),
    [
        ({"job_spec": {"worker_pool_specs": [pool("")]}}, "display_name"),
        (custom_job(), "custom_job.job_spec.worker_pool_specs"),
        (custom_job({}, pool("")), "custom_job.job_spec.worker_pool_specs"),
        (custom_job(pool("", replica_count=2)), "worker_pool_specs[0].replica_count"),
        (custom_job(pool("", machine_spec={})), "worker_pool_specs[0].machine_spec.machine_type"),
        (
            custom_job(pool("", machine_spec={"machine_type": "big"})),
            "worker_pool_specs[0].machine_spec.machine_type",
        ),
        (custom_job(NO_IMAGE), "worker_pool_specs[0].container_spec.image_uri"),
        (custom_job(NO_TASK), "worker_pool_specs[0]"),
        (custom_job(*[pool("")] * 5), "custom_job.job_spec.worker_pool_specs"),
        (
            custom_job(pool(""), service_account="someone@example.com"),
            "custom_job.job_spec.service_account",
        ),
        (
            custom_job(pool(""), experiment="projects/p/locations/l/experiments/churn"),
            "custom_job.job_spec.experiment",
        ),
        (
            custom_job(pool(""), experiment_run="x"),
            "custom_job.job_spec.experiment_run",
        ),
        (
            custom_job(pool(""), base_output_directory={"output_uri_prefix": "/tmp"}),
            "custom_job.job_spec.base_output_directory.output_uri_prefix",
        ),
        (
            custom_job(pool("", disk_spec={"boot_disk_type": "floppy"})),
            "worker_pool_specs[0].disk_spec.boot_disk_type",
        ),
        (
            custom_job(pool(""), scheduling={"timeout": {"seconds": -1}}),
            "custom_job.job_spec.scheduling.timeout",
        ),
        (
            custom_job(pool("")) | {"encryption_spec": {"kms_key_name": KEY}},
            "custom_job.encryption_spec.kms_key_name",
        ),
    ],
)
def test_what_vertex_ai_would_refuse_is_refused_with_the_field(
    jobs: JobServiceClient, parent: str, job: dict[str, Any], field: str
) -> None:
    with pytest.raises(BadRequest) as refused:
        create(jobs, parent, job)
    [detail] = refused.value.details
    assert detail["fieldViolations"][0]["field"].endswith(field)
    assert list(jobs.list_custom_jobs(parent=parent)) == []


@pytest.mark.parametrize(
    ("job", "said"),
    [
        (
            custom_job(
                pool(
                    "",
                    machine_spec={
                        "machine_type": "n1-standard-4",
                        "accelerator_type": "NVIDIA_TESLA_T4",
                        "accelerator_count": 1,
                    },
                )
            ),
            "1 NVIDIA_TESLA_T4",
        ),
        (custom_job(pool("", machine_spec={"machine_type": "a2-highgpu-1g"})), "a2-highgpu-1g"),
        (custom_job(pool(""), pool("", replica_count=16)), "at most 16"),
        (custom_job(pool(""), enable_web_access=True), "enable_web_access"),
        (custom_job(pool(""), persistent_resource_id="some"), "persistent_resource_id"),
    ],
)
def test_what_no_host_can_do_is_said(
    jobs: JobServiceClient, parent: str, job: dict[str, Any], said: str
) -> None:
    with pytest.raises(MethodNotImplemented, match=said):
        create(jobs, parent, job)


def test_a_job_of_an_experiment_is_told_so(
    emulator: Emulator,
    jobs: JobServiceClient,
    parent: str,
    bucket: Bucket,
    ended: Callable[[str], CustomJob],
) -> None:
    store = f"{parent}/metadataStores/default"
    names = (f"{store}/contexts/churn", f"{store}/contexts/churn-first")
    said = dict(zip(("experiment", "experiment_run"), names, strict=True))
    with pytest.raises(NotFound, match="contexts/churn"):
        create(jobs, parent, custom_job(pool("pass"), **said))
    metadata = MetadataServiceClient(**emulator.gapic)
    for name, schema in zip(names, ("Experiment", "ExperimentRun"), strict=True):
        metadata.create_context(
            request={
                "parent": store,
                "context_id": name.rpartition("/")[2],
                "context": {"schema_title": f"system.{schema}", "schema_version": "0.0.1"},
            }
        )
    script = "import os; print(*(os.environ['AIP_EXPERIMENT_' + x] for x in ('NAME', 'RUN_NAME')))"
    job = ended(create(jobs, parent, custom_job(pool(script), bucket=bucket, **said)).name)
    assert job.state == JobState.JOB_STATE_SUCCEEDED, job.error
    assert log(bucket, job.name) == "churn first\n"


def test_an_unknown_image_and_a_missing_bucket_fail_the_job(
    jobs: JobServiceClient, parent: str, ended: Callable[[str], CustomJob]
) -> None:
    unknown = pool("pass")
    unknown["container_spec"]["image_uri"] = "europe-west1-docker.pkg.dev/p/r/trainer:v1"
    nowhere = {"output_uri_prefix": "gs://no-such-bucket-anywhere/base"}
    first = create(jobs, parent, custom_job(unknown))
    second = create(jobs, parent, custom_job(pool("pass"), base_output_directory=nowhere))
    for name, said in ((first.name, "trainer:v1"), (second.name, "no-such-bucket-anywhere")):
        job = ended(name)
        assert job.state == JobState.JOB_STATE_FAILED
        assert said in job.error.message


def test_what_ran_when_the_server_was_killed_is_found_failed(tmp_path: Path) -> None:
    emulator = start(tmp_path / "state")
    parent = "projects/my-project/locations/europe-west1"
    jobs = JobServiceClient(**emulator.gapic)
    made = create(jobs, parent, custom_job(pool("import time; time.sleep(600)")))
    until(jobs, made.name, lambda job: job.state == JobState.JOB_STATE_RUNNING)
    number = {"parameter_id": "n", "integer_value_spec": {"min_value": 1, "max_value": 9}}
    tuning_job = {
        "display_name": "tuning",
        "max_trial_count": 2,
        "parallel_trial_count": 1,
        "study_spec": {
            "metrics": [{"metric_id": "auc", "goal": "MAXIMIZE"}],
            "parameters": [number],
        },
        "trial_job_spec": {"worker_pool_specs": [pool("import time; time.sleep(600)")]},
    }
    tuning = jobs.create_hyperparameter_tuning_job(
        request={"parent": parent, "hyperparameter_tuning_job": tuning_job}
    )
    while not tuning.trials:
        time.sleep(0.02)
        tuning = jobs.get_hyperparameter_tuning_job(name=tuning.name)
    emulator.kill()
    emulator = start(tmp_path / "state")
    jobs = JobServiceClient(**emulator.gapic)
    job = jobs.get_custom_job(name=made.name)
    assert job.state == JobState.JOB_STATE_FAILED
    assert "server stopped" in job.error.message
    tuning = jobs.get_hyperparameter_tuning_job(name=tuning.name)
    assert tuning.state == JobState.JOB_STATE_FAILED
    assert [trial.state for trial in tuning.trials] == [Trial.State.INFEASIBLE]
    assert "server stopped" in tuning.trials[0].infeasible_reason
    again = create(jobs, parent, custom_job(pool("import time; time.sleep(600)")))
    until(jobs, again.name, lambda job: job.state == JobState.JOB_STATE_RUNNING)
    assert emulator.end() == 0  # which ends the job
    assert not any((tmp_path / "state" / "work" / "jobs").iterdir())
