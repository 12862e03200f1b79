"""Artifact Registry for KFP packages, through KFP's own client and Google's."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path

import pytest
import requests
from google.api_core import exceptions
from google.cloud import artifactregistry_v1
from kfp.registry import ApiAuth, RegistryClient

from tests.gcp_local.emulators import Emulator
from tests.gcp_local.pipelines import compiled

LOCATION = "europe-west1"


@pytest.fixture
def registry(emulator: Emulator) -> artifactregistry_v1.ArtifactRegistryClient:
    return artifactregistry_v1.ArtifactRegistryClient(**emulator.gapic)


@pytest.fixture
def repository(registry: artifactregistry_v1.ArtifactRegistryClient, project: str) -> str:
    operation = registry.create_repository(
        parent=f"projects/{project}/locations/{LOCATION}",
        repository_id="pipelines",
        repository=artifactregistry_v1.Repository(format_="KFP", description="compiled"),
    )
    return str(operation.result(timeout=5).name)  # type: ignore[no-untyped-call]


@pytest.fixture(params=["built-in context", "config file"])
def client(
    request: pytest.FixtureRequest,
    emulator: Emulator,
    repository: str,
    project: str,
    tmp_path: Path,
) -> RegistryClient:
    """The client in both ways that docs/gcp-local.md shows."""
    host = f"{emulator.endpoint}/{LOCATION}-kfp.pkg.dev/{project}/pipelines"
    if request.param == "built-in context":
        return RegistryClient(host=host, auth=ApiAuth("anything"))
    package = f"{repository}/packages/{{package_name}}"
    api = f"{emulator.endpoint}/v1/{package}"
    context = {
        "get_package_url": api,
        "list_packages_url": f"{emulator.endpoint}/v1/{repository}/packages",
        "delete_package_url": api,
        "get_tag_url": f"{api}/tags/{{tag}}",
        "list_tags_url": f"{api}/tags",
        "delete_tag_url": f"{api}/tags/{{tag}}",
        "create_tag_url": f"{api}/tags?tagId={{tag}}",
        "update_tag_url": f"{api}/tags/{{tag}}?updateMask=version",
        "get_version_url": f"{api}/versions/{{version}}?view=FULL",
        "list_versions_url": f"{api}/versions?view=FULL",
        "delete_version_url": f"{api}/versions/{{version}}",
        "package_format": package,
        "tag_format": f"{package}/tags/{{tag}}",
        "version_format": f"{package}/versions/{{version}}",
    }
    file = tmp_path / "context.json"
    file.write_text(json.dumps(context))
    return RegistryClient(host=host, auth=ApiAuth("anything"), config_file=str(file))


@pytest.fixture
def pipeline(tmp_path: Path) -> Path:
    file = tmp_path / "doubling.yaml"
    file.write_bytes(compiled("doubling"))
    return file


def test_the_version_is_the_hash_of_the_bytes_that_come_back(
    client: RegistryClient, pipeline: Path, tmp_path: Path
) -> None:
    package, version = client.upload_pipeline(str(pipeline), tags=["v1", "latest"])
    digest = hashlib.sha256(pipeline.read_bytes()).hexdigest()
    assert (package, version) == ("doubling", f"sha256:{digest}")
    for reference in ({"version": version}, {"tag": "v1"}, {"tag": "latest"}):
        target = str(tmp_path / "down.yaml")
        client.download_pipeline(package, file_name=target, **reference)
        assert Path(target).read_bytes() == pipeline.read_bytes()


def test_every_method_of_the_client(client: RegistryClient, pipeline: Path) -> None:
    package, first = client.upload_pipeline(str(pipeline), tags="v1")
    pipeline.write_bytes(pipeline.read_bytes() + b"# changed\n")
    _, second = client.upload_pipeline(str(pipeline))
    assert client.get_package(package)["name"].endswith("/packages/doubling")
    assert len(client.list_packages()) == 1
    assert client.get_version(package, first)["name"].endswith(first)
    assert {each["name"].rpartition("/")[2] for each in client.list_versions(package)} == {
        first,
        second,
    }
    assert client.get_tag(package, "v1")["version"].endswith(first)
    assert client.create_tag(package, second, "live")["version"].endswith(second)
    assert client.update_tag(package, first, "live")["version"].endswith(first)
    assert {each["name"].rpartition("/")[2] for each in client.list_tags(package)} == {"v1", "live"}
    client.delete_tag(package, "live")
    with pytest.raises(requests.HTTPError, match="404"):
        client.get_tag(package, "live")
    assert client.delete_version(package, second)
    with pytest.raises(requests.HTTPError, match="400"):
        client.delete_version(package, first)  # a tag points to it
    assert client.delete_package(package)
    assert client.list_packages() == {}


def test_an_upload_moves_its_tags(client: RegistryClient, pipeline: Path) -> None:
    package, _ = client.upload_pipeline(str(pipeline), tags="latest")
    pipeline.write_bytes(pipeline.read_bytes() + b"# changed\n")
    _, second = client.upload_pipeline(str(pipeline), tags="latest")
    assert client.get_tag(package, "latest")["version"].endswith(second)


def test_a_package_is_named_with_dashes(client: RegistryClient, tmp_path: Path) -> None:
    file = tmp_path / "p.yaml"
    file.write_bytes(compiled("sleeping"))
    assert client.upload_pipeline(str(file))[0] == "sleeping-beauty"


@pytest.mark.parametrize(
    "content", [b"", b"text", b"- a\n- b\n", b"a: b\n", b"a: [", b"\xff\xfe\x00", b"!!python/x {}"]
)
def test_what_is_no_compiled_pipeline_is_refused(
    client: RegistryClient, tmp_path: Path, content: bytes
) -> None:
    file = tmp_path / "bad.yaml"
    file.write_bytes(content)
    with pytest.raises(requests.HTTPError, match="400"):
        client.upload_pipeline(str(file))


def test_a_missing_repository_is_not_found(
    emulator: Emulator, project: str, pipeline: Path
) -> None:
    host = f"{emulator.endpoint}/{LOCATION}-kfp.pkg.dev/{project}/missing"
    client = RegistryClient(host=host, auth=ApiAuth("anything"))
    with pytest.raises(requests.HTTPError, match="404"):
        client.upload_pipeline(str(pipeline))
    with pytest.raises(requests.HTTPError, match="404"):
        client.list_packages()


def test_repositories_through_googles_client(
    registry: artifactregistry_v1.ArtifactRegistryClient, repository: str, project: str
) -> None:
    found = registry.get_repository(name=repository)
    assert found.format_ == artifactregistry_v1.Repository.Format.KFP
    parent = f"projects/{project}/locations/{LOCATION}"
    assert [each.name for each in registry.list_repositories(parent=parent)] == [repository]
    with pytest.raises(exceptions.Conflict):
        registry.create_repository(
            parent=parent,
            repository_id="pipelines",
            repository=artifactregistry_v1.Repository(format_="KFP"),
        )
    registry.delete_repository(name=repository).result(timeout=5)  # type: ignore[no-untyped-call]
    with pytest.raises(exceptions.NotFound):
        registry.get_repository(name=repository)


def test_a_version_of_another_package_cannot_be_tagged(
    registry: artifactregistry_v1.ArtifactRegistryClient,
    client: RegistryClient,
    pipeline: Path,
    repository: str,
) -> None:
    package, version = client.upload_pipeline(str(pipeline))
    with pytest.raises(exceptions.NotFound):
        registry.create_tag(
            parent=f"{repository}/packages/{package}",
            tag_id="v1",
            tag=artifactregistry_v1.Tag(
                version=f"{repository}/packages/{package}/versions/sha256:{'0' * 64}"
            ),
        )
    with pytest.raises(exceptions.BadRequest):
        registry.create_tag(
            parent=f"{repository}/packages/{package}",
            tag_id="v1",
            tag=artifactregistry_v1.Tag(version=f"{repository}/packages/x/versions/{version}"),
        )
