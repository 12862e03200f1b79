"""Images that the host cannot run: mapped to commands of this machine, or refused clearly."""

# mypy: disable-error-code="no-any-return, untyped-decorator"
# KFP reads annotations as they are written.

import sys
import time
import uuid
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml
from kfp import compiler, dsl

from gcp_local.cli import main
from gcp_local.images.mapping import ImageMapping, ImageMappings, MappingError
from tests.gcp_local.containers.test_images import tar_of
from tests.gcp_local.emulators import Emulator, start

TRAINER = "gcr.io/my-project/team/trainer:v3"
STORED = "europe-west1-docker.pkg.dev/my-project/images/stored"
ENTRY_POINT = """
import os, pathlib, sys
print("entry point", *sys.argv[1:])
pathlib.Path(sys.argv[-1]).write_text("by the entry point")
"""
GPU = {"resourceType": "NVIDIA_TESLA_T4", "resourceCount": "2"}


@dsl.container_component
def train(text: str, said: dsl.OutputPath(str)):  # type: ignore[no-untyped-def, valid-type]
    return dsl.ContainerSpec(image=TRAINER, args=["--text", text, said])


@dsl.container_component
def own_command(said: dsl.OutputPath(str)):  # type: ignore[no-untyped-def, valid-type]
    script = 'mkdir -p "$(dirname "$0")"; printf "%s" "by its own command" > "$0"'
    return dsl.ContainerSpec(image=TRAINER, command=["sh", "-c", script], args=[said])


@dsl.component(base_image="nvcr.io/nvidia/pytorch:25.01", install_kfp_package=False)
def learn() -> str:
    return "learnt"


@dsl.component(base_image=f"{STORED}:v1", install_kfp_package=False)
def from_the_store() -> str:
    import stored  # type: ignore[import-not-found]

    return stored.WORD


@dsl.pipeline(name="mapped")
def mapped(text: str = "a b; c") -> None:
    train(text=text)
    own_command()
    learn().set_accelerator_type("NVIDIA_TESLA_T4").set_accelerator_limit(2)
    from_the_store()


@pytest.fixture(scope="module")
def spec(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    path = tmp_path_factory.mktemp("compiled") / "mapped.yaml"
    compiler.Compiler().compile(mapped, str(path))
    return yaml.safe_load(path.read_text())


@pytest.fixture(scope="module")
def mapping(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Emulator]:
    """A server that was told what to run for some images."""
    folder = tmp_path_factory.mktemp("mapping")
    script = folder / "the entry point.py"
    script.write_text(ENTRY_POINT)
    file = folder / "images.txt"
    file.write_text(f"# ours\n\nnvcr.io/*=\n{STORED}*=\ngcr.io/*=false\n")
    command = f"gcr.io/*/trainer:*=python3 '{script}' --fixed"
    emulator = start(
        folder / "state", "--image", command, "--images", str(file), "--ignore-accelerators"
    )
    emulator.call(
        "PUT",
        f"/gcp-local/images?repository={STORED}&tag=v1",
        data=tar_of({"stored.py": b"WORD = 'from the store'"}),
    )
    yield emulator
    assert emulator.end() == 0


def run(emulator: Emulator, spec: dict[str, Any]) -> dict[str, Any]:
    bucket = f"bucket-{uuid.uuid4().hex}"
    emulator.call("POST", "/storage/v1/b?project=my-project", json={"name": bucket})
    body = {"pipelineSpec": spec, "runtimeConfig": {"gcsOutputDirectory": f"gs://{bucket}/r"}}
    jobs = "/v1/projects/my-project/locations/europe-west1/pipelineJobs"
    job = emulator.call("POST", jobs, json=body).json()
    while job.get("state") in ("PIPELINE_STATE_PENDING", "PIPELINE_STATE_RUNNING"):
        time.sleep(0.02)
        job = emulator.call("GET", f"/v1/{job['name']}").json()
    return job


def tasks_of(job: dict[str, Any]) -> dict[str, dict[str, Any]]:
    return {task["taskName"]: task for task in job["jobDetail"]["taskDetails"]}


def test_a_mapped_image_runs_the_command_and_a_containers_own_command_goes_first(
    mapping: Emulator, spec: dict[str, Any]
) -> None:
    job = run(mapping, spec)
    assert job["state"] == "PIPELINE_STATE_SUCCEEDED", job
    outputs = {
        name: value
        for name, task in tasks_of(job).items()
        for key, value in task["execution"]["metadata"].items()
        if key.startswith("output:")
    }
    assert outputs == {
        "train": "by the entry point",
        "own-command": "by its own command",
        "learn": "learnt",
        "from-the-store": "from the store",
    }
    bucket = job["runtimeConfig"]["gcsOutputDirectory"].split("/")[2]
    listed = mapping.call("GET", f"/storage/v1/b/{bucket}/o").json()["items"]
    (name,) = [
        item["name"] for item in listed if "/train_" in item["name"] and "log" in item["name"]
    ]
    log = mapping.call(
        "GET", f"/download/storage/v1/b/{bucket}/o/{name.replace('/', '%2F')}?alt=media"
    )
    # One word stays one word: no shell has read it.
    assert log.text.startswith("entry point --fixed --text a b; c /")


def without_accelerator(spec: dict[str, Any]) -> dict[str, Any]:
    executors = spec["deploymentSpec"]["executors"]
    learning = {**executors["exec-learn"]["container"]}
    del learning["resources"]
    executors = {**executors, "exec-learn": {"container": learning}}
    return {**spec, "deploymentSpec": {"executors": executors}}


def test_an_unknown_image_fails_its_task_and_both_remedies_are_named(
    emulator: Emulator, spec: dict[str, Any]
) -> None:
    job = run(emulator, without_accelerator(spec))
    assert job["state"] == "PIPELINE_STATE_FAILED"
    for name, image in (("train", TRAINER), ("own-command", TRAINER), ("learn", "nvcr.io/nvidia")):
        message = tasks_of(job)[name]["error"]["message"]
        assert image in message
        assert "PUT /gcp-local/images" in message
        assert "--image 'PATTERN=COMMAND'" in message


def test_an_accelerator_is_refused_by_name_with_the_way_out(
    emulator: Emulator, spec: dict[str, Any]
) -> None:
    refused = run(emulator, spec)["error"]
    assert refused["code"] == 501
    for part in ("'learn'", "2 NVIDIA_TESLA_T4", "--ignore-accelerators"):
        assert part in refused["message"]


def test_the_first_pattern_that_matches_counts() -> None:
    mappings = ImageMappings.parsed(["a/*:v?=true x 'y z'", "a/*=", "*=false"], "/usr/bin:/bin")
    true = mappings.entry_point("a/b/c:v1")
    assert true is not None
    assert true[0].startswith("/")
    assert true[0].endswith("/true")
    assert true[1:] == ("x", "y z")
    assert mappings.entry_point("a/b:v10") == ()
    assert mappings.entry_point("A/b") != ()  # capitals count
    assert ImageMappings().entry_point("a") is None


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("no-command", "is not PATTERN=COMMAND"),
        ("=true", "is not PATTERN=COMMAND"),
        ("a b=true", "is not PATTERN=COMMAND"),
        ("a='true", "No closing quotation"),
        ("a=no-such-program-here", "there is no program 'no-such-program-here'"),
        ("a=./no-such-file", "there is no program"),
    ],
)
def test_a_mapping_that_cannot_be_meant_is_refused(text: str, message: str) -> None:
    with pytest.raises(MappingError, match=message):
        ImageMapping.parsed(text, "/usr/bin:/bin")


def test_a_wrong_mapping_ends_the_server_before_it_starts(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    for wrong in (["--image", "x"], ["--images", str(tmp_path / "missing")]):
        assert main(["serve", "--state", str(tmp_path / "state"), *wrong]) == 2
        assert capsys.readouterr().err.startswith("gcp-local: ")
    (tmp_path / "bytes").write_bytes(b"\xff")
    assert main(["serve", "--state", str(tmp_path), "--images", str(tmp_path / "bytes")]) == 2
    assert not (tmp_path / "state").exists()


def test_a_program_is_found_where_containers_find_theirs_first() -> None:
    from gcp_local.containers.host import PROGRAMS

    mapping = ImageMapping.parsed("a=python3 -V", PROGRAMS)
    assert Path(mapping.words[0]).parent == Path(sys.executable).parent
