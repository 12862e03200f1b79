"""What pruning takes and what it leaves: whatever the ledger reaches is there afterwards."""

import io
import json
import tarfile
import urllib.request
from typing import Any

import pytest
from google.auth.credentials import AnonymousCredentials
from google.cloud import artifactregistry_v1

from ecluse.cloud import Cloud
from tests.ecluse.conftest import Answer, Commands
from tests.ecluse.test_promotion import cloud_of

ALL = ("--keep", "2", "--older-than", "0s")


def promoted(ecluse: Commands, number: int, image: str | None = None) -> dict[str, Any]:
    """Promote a release of its own code to nonprod, in an image of its own if one is given."""
    file = ecluse.repository.root / "pipelines" / "alpha" / "pipeline.py"
    file.write_text(file.read_text().replace("def pipeline(", f"def pipeline_{number}(", 1))
    components = ecluse.repository.root / "pipelines" / "components" / "measure.py"
    components.write_text(components.read_text() + f"    # version {number}\n")
    release = str(ecluse.repository.root / "dist" / "release")
    ecluse.repository.commit()
    built = ecluse("build", "--output", release, *(("--runtime-image", image) if image else ()))
    assert built.code == 0, built.err
    answer = ecluse.promote("nonprod", "--release", release)
    assert answer.code == 0, answer.err
    found: dict[str, Any] = answer.json
    return found


def pushed(address: str, project: str, number: int) -> str:
    """Push an image as `docker push` does; return its reference by digest."""
    content = f"def accuracy(value: float) -> float:\n    return value + {number} / 1000\n".encode()
    archive = io.BytesIO()
    with tarfile.open(fileobj=archive, mode="w") as tar:
        member = tarfile.TarInfo("business/__init__.py")
        member.size = len(content)
        tar.addfile(member, io.BytesIO(content))
    repository = f"europe-west1-docker.pkg.dev/{project}/images/runtime"
    request = urllib.request.Request(
        f"{address}/gcp-local/images?repository={repository}&tag=v{number}",
        data=archive.getvalue(),
        method="PUT",
        headers={"Content-Type": "application/x-tar"},
    )
    with urllib.request.urlopen(request, timeout=10) as answer:
        return str(json.load(answer)["reference"])


def digest(promotion: dict[str, Any]) -> str:
    return str(promotion["outcomes"][0]["digest"])


def kinds(answer: Answer, *, goes: bool) -> list[str]:
    return sorted(thing["kind"] for thing in answer.json["things"] if thing["goes"] is goes)


def templates(cloud: Cloud) -> set[str]:
    environment = cloud.environment
    repository = (
        f"projects/{environment.project}/locations/{environment.location}"
        f"/repositories/{environment.templates}"
    )
    return {version.digest for version in cloud.packages.versions(repository)}


@pytest.fixture
def project(ecluse: Commands, address: str) -> str:
    """nonprod's project, with an image repository of its own that prod takes its images from."""
    found = cloud_of(ecluse, "nonprod", address).environment.project
    for name in ("dev", "nonprod", "prod"):
        path = f"environments/{name}.yaml"
        ecluse.repository.replace(path, "/test-images/images", f"/{found}/images")
    client = artifactregistry_v1.ArtifactRegistryClient(
        credentials=AnonymousCredentials(),
        transport="rest",
        client_options={"api_endpoint": address},
    )
    client.create_repository(
        parent=f"projects/{found}/locations/europe-west1",
        repository_id="images",
        repository=artifactregistry_v1.Repository(format_="DOCKER"),
    )
    return found


def test_what_the_ledger_cannot_reach_goes_and_the_rest_stays(
    ecluse: Commands, address: str, project: str
) -> None:
    images = [pushed(address, project, number) for number in range(4)]
    line = [promoted(ecluse, number, image) for number, image in enumerate(images)]
    assert ecluse.promote("prod", "--commit", line[1]["commit"]).code == 0
    cloud = cloud_of(ecluse, "nonprod", address)
    shown = ecluse("prune", "nonprod", *ALL, "--json")
    assert shown.code == 0, shown.err
    # The first release; its template, and the second's, which prod has a copy of; its image.
    assert kinds(shown, goes=True) == ["image", "release", "template", "template"]
    assert shown.json["deleted"] == []
    assert templates(cloud) == {digest(each) for each in line}
    done = ecluse("prune", "nonprod", *ALL, "--yes", "--json")
    assert done.code == 0, done.err
    assert len(done.json["deleted"]) == 4
    assert templates(cloud) == {digest(each) for each in line[2:]}
    left = cloud.packages.versions(f"projects/{project}/locations/europe-west1/repositories/images")
    assert {each.digest for each in left} == {image.rsplit("@")[1] for image in images[1:]}
    assert templates(cloud_of(ecluse, "prod", address)) == {digest(line[1])}
    again = ecluse("prune", "nonprod", *ALL, "--yes", "--json")
    assert again.json["deleted"] == []
    # The oldest that is kept can still be promoted; what went says so.
    assert ecluse.promote("prod", "--commit", line[2]["commit"]).code == 0
    gone = ecluse.promote("prod", "--commit", line[0]["commit"])
    assert gone.code == 2
    assert "has no release in nonprod" in gone.err


def test_what_is_young_stays(ecluse: Commands) -> None:
    for number in range(4):
        promoted(ecluse, number)
    shown = ecluse("prune", "nonprod", "--keep", "2", "--json")
    assert kinds(shown, goes=True) == []
    assert "young" in {thing["reason"] for thing in shown.json["things"]}


def test_a_ledger_that_cannot_be_read_prunes_nothing(ecluse: Commands, address: str) -> None:
    for number in range(3):
        promoted(ecluse, number)
    nonprod, prod = (cloud_of(ecluse, name, address) for name in ("nonprod", "prod"))
    ecluse("status")  # lays prod out
    prod.storage.write(f"{prod.environment.ledger}/head.json", b"{}")
    before = templates(nonprod)
    refused = ecluse("prune", "nonprod", *ALL, "--yes")
    assert refused.code == 1
    assert "the ledger cannot be read" in refused.err
    assert templates(nonprod) == before


def test_a_release_under_a_retention_policy_is_told_and_goes_later(
    ecluse: Commands, address: str
) -> None:
    line = [promoted(ecluse, number) for number in range(3)]
    cloud = cloud_of(ecluse, "nonprod", address)
    bucket = cloud.environment.evidence.removeprefix("gs://")

    def retain(seconds: str | None) -> None:
        policy = {"retentionPeriod": seconds} if seconds else None
        request = urllib.request.Request(
            f"{address}/storage/v1/b/{bucket}",
            data=json.dumps({"retentionPolicy": policy}).encode(),
            method="PATCH",
            headers={"Content-Type": "application/json"},
        )
        urllib.request.urlopen(request, timeout=10).close()

    retain("3600")
    held = ecluse("prune", "nonprod", *ALL, "--yes", "--json")
    assert held.code == 1
    (name,) = held.json["could_not"]
    assert name.endswith(f"/releases/{line[0]['commit']}")
    assert templates(cloud) == {digest(each) for each in line[1:]}
    assert "what a retention policy or an immutable tag holds goes when that ends" in held.err
    retain(None)
    assert ecluse("prune", "nonprod", *ALL, "--yes", "--json").json["deleted"] == [name]
    assert not cloud.storage.list(f"{name}/")


def test_a_length_of_time_that_is_none_is_one_line(ecluse: Commands) -> None:
    answer = ecluse("prune", "nonprod", "--older-than", "a week")
    assert answer.code == 2
    assert "`a week` is no length of time" in answer.err
