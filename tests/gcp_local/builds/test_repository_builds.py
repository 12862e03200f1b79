"""The repository's own builds, as they come: image, release and promotion, run by their triggers.

A small pipeline takes the place of the example; all else is this repository's, and a commit of it.
"""

from __future__ import annotations

import io
import json
import shutil
import tarfile
import uuid
from pathlib import Path
from typing import Any

import pytest
import yaml
from google.cloud.devtools import cloudbuild_v1
from google.protobuf import json_format

from ecluse.cloud import connect
from ecluse.errors import CloudError
from ecluse.repository.catalog import Catalog
from tests.ecluse.repositories import MEASURE, Repository, make_repository
from tests.gcp_local.builds.place import Place
from tests.gcp_local.emulators import Emulator

ROOT = Path(__file__).parents[3]


def small_repository(root: Path, suffix: str) -> tuple[Repository, str]:
    """Make a commit of this repository with one small pipeline; give its sha, too."""
    repository = make_repository(root, suffix, runtime_image=True)
    for name in ("Dockerfile", ".dockerignore", "pyproject.toml", "uv.lock"):
        shutil.copy(ROOT / name, root / name)
    for name in ("churn", "ecluse"):
        leave = shutil.ignore_patterns("__pycache__")
        shutil.copytree(ROOT / "src" / name, root / "src" / name, ignore=leave)
    for environment in ("dev", "nonprod", "prod"):
        own = f"test-nonprod-{suffix}/images"
        repository.replace(f"environments/{environment}.yaml", "test-images/images", own)
    measure = MEASURE.format(image="runtime", imports="import churn", value="accuracy")
    repository.write("pipelines/components/measure.py", measure)
    return repository, repository.commit("As it comes")


def registered(place: Place, repository: str, name: str, file: str) -> None:
    """Register a build as docs/setting-up.md does."""
    build = cloudbuild_v1.Build()
    said = yaml.safe_load((ROOT / "cloudbuild" / file).read_text())
    json_format.ParseDict(said, cloudbuild_v1.Build.pb(build))
    account = build.service_account.replace("${PROJECT_ID}", place.project)
    place.client.create_build_trigger(
        parent=place.parent,
        trigger={
            "name": name,
            "source_to_build": {"repository": repository, "ref": "refs/heads/main"},
            "build": build,
            "service_account": account,
        },
    )


def ran(place: Place, name: str, commit: str, **substitutions: str) -> Any:
    """Run a trigger as the engine does, to the end of its build."""
    operation = place.client.run_build_trigger(
        {
            "name": f"{place.parent}/triggers/{name}",
            "project_id": place.project,
            "trigger_id": name,
            "source": {"commit_sha": commit, "substitutions": substitutions},
        }
    )
    build = place.ended(operation.metadata.build)
    assert build.status.name == "SUCCESS", place.log(build)
    return build


def test_image_release_and_promotion_run_as_they_come(emulator: Emulator, tmp_path: Path) -> None:
    suffix = uuid.uuid4().hex[:8]
    repository, commit = small_repository(tmp_path / "repository", suffix)
    archive = io.BytesIO()
    with tarfile.open(fileobj=archive, mode="w") as tar:
        tar.add(repository.root, ".")
    nonprod, prod = (Place(emulator, f"test-{name}-{suffix}") for name in ("nonprod", "prod"))
    connected = f"{nonprod.parent}/connections/github/repositories/acme-ml"
    emulator.ask(
        "PUT",
        f"/gcp-local/sources?repository={connected}&commit={commit}&ref=refs/heads/main",
        archive.getvalue(),
    )
    for place in (nonprod, prod):
        place.storage.create_bucket(f"{place.project}-builds")
    registered(nonprod, connected, "ecluse-image", "image.yaml")
    registered(nonprod, connected, "ecluse-release", "release.yaml")
    registered(prod, connected, "ecluse-promote", "promote.yaml")

    repository_of_images = nonprod.image_repository(immutable=True)
    engine = connect(Catalog(repository.root).environment("nonprod"), local=emulator.endpoint)
    images = {}
    for target in ("runtime", "tool"):
        name = f"{repository_of_images}/{target}:{suffix}"
        said: list[str] = []
        finished = engine.builds.run_trigger(
            "ecluse-image",
            commit=commit,
            substitutions={"_TARGET": target, "_IMAGE": name},
            log=said.append,
        )
        assert "".join(said).endswith("\nDONE\n")
        digest = engine.images.digest(repository_of_images, target, suffix)
        assert finished.images == {name: digest}
        images[target] = f"{repository_of_images}/{target}@{digest}"
    with pytest.raises(CloudError, match="step exited with non-zero status: 1"):
        engine.builds.run_trigger(
            "ecluse-image",
            commit=commit,
            substitutions={"_IMAGE": f"{images['tool'].partition('@')[0]}:x", "_TARGET": "nowhere"},
            log=said.append,
        )

    build = ran(
        nonprod,
        "ecluse-release",
        commit,
        _RUNTIME_IMAGE=images["runtime"],
        _TOOL_IMAGE=images["tool"],
        _ACTOR="ann@example.com",
    )
    assert build.logs_bucket == f"gs://{nonprod.project}-builds"
    assert 'Step #1 - "promote":   ✓ alpha  live in nonprod\n' in nonprod.log(build)

    build = ran(
        prod,
        "ecluse-promote",
        commit,
        _VERSION="v1.0.0",
        _TOOL_IMAGE=images["tool"],
        _ACTOR="ann@example.com",
    )
    assert "✓ alpha  live in prod\n" in prod.log(build)
    ledgers = [
        json.loads(place.bucket(f"{name}-{suffix}-ledger").blob("head.json").download_as_text())
        for place, name in ((nonprod, "nonprod"), (prod, "prod"))
    ]
    assert ledgers[1]["pipelines"]["alpha"]["by"] == "ann@example.com"
    digests = {ledger["pipelines"]["alpha"]["digest"] for ledger in ledgers}
    assert len(digests) == 1, "what nonprod qualified is what prod has"

    # As Cloud Scheduler does it each night, by docs/setting-up.md.
    registered(nonprod, connected, "ecluse-watch", "watch.yaml")
    substitutions = {"_ENVIRONMENT": "nonprod", "_TOOL_IMAGE": images["tool"]}
    asked = {
        "projectId": nonprod.project,
        "triggerId": "ecluse-watch",
        "source": {"branchName": "main", "substitutions": substitutions},
    }
    answer = emulator.ask(
        "POST", f"/v1/{nonprod.parent}/triggers/ecluse-watch:run", json.dumps(asked).encode()
    )
    name = f"{nonprod.parent}/builds/{answer['metadata']['build']['id']}"
    build = nonprod.ended(nonprod.client.get_build({"name": name}))
    assert build.status.name == "SUCCESS", nonprod.log(build)
    assert "nothing live in nonprod asks for a `watch:`" in nonprod.log(build)
