"""A build's source, and what it leaves behind: images, files, a manifest."""

from __future__ import annotations

import hashlib
import io
import json
import lzma
import random
import tarfile
import zipfile
from typing import Any

import pytest
from google.api_core import exceptions
from google.cloud import artifactregistry_v1

from tests.gcp_local.builds.place import COMMIT, Place, shell, tar_of

DOCKER = "gcr.io/cloud-builders/docker"


def test_a_tar_in_cloud_storage_is_unpacked_at_its_generation(place: Place) -> None:
    blob = place.bucket(f"{place.project}-logs").blob("source.tgz")
    content = tar_of({"run.sh": "#!/bin/sh\necho first\n"})
    blob.upload_from_string(content)
    source = {"storage_source": {"bucket": blob.bucket.name, "object_": blob.name}}
    build = place.run(
        {"name": "ubuntu", "args": ["./run.sh"]},
        source=source,
        options={"requested_verify_option": "VERIFIED"},
    )
    log = place.log(build)
    uri = f"gs://{blob.bucket.name}/source.tgz#{blob.generation}"
    assert f"FETCHSOURCE\nFetching storage object: {uri}\n" in log
    assert "first\n" in log
    assert set(build.timing) == {"FETCHSOURCE", "BUILD"}
    resolved = build.source_provenance
    assert resolved.resolved_storage_source.generation == blob.generation
    (found,) = resolved.file_hashes[uri].file_hash
    assert (found.type_.name, found.value) == ("SHA256", hashlib.sha256(content).digest())


def test_a_build_made_again_has_the_same_source_whatever_came_since(place: Place) -> None:
    bucket = place.storage.bucket(f"{place.project}-logs")
    bucket.versioning_enabled = True
    bucket.patch()
    blob = bucket.blob("source.tgz")
    blob.upload_from_string(tar_of({"said": "old"}))
    source = {"storage_source": {"bucket": bucket.name, "object_": blob.name}}
    build = place.run(shell("cat said; exit 1"), source=source)
    blob.upload_from_string(tar_of({"said": "new"}))
    again = place.ended(place.client.retry_build(name=build.name).metadata.build)
    assert "old" in place.log(again)
    newer = place.run(shell("cat said"), source=source)
    assert "new" in place.log(newer)


def test_a_zip_is_unpacked_with_its_modes(place: Place) -> None:
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w") as archive:
        entry = zipfile.ZipInfo("bin/run")
        entry.external_attr = 0o100755 << 16
        archive.writestr(entry, "#!/bin/sh\necho from a zip\n")
    blob = place.bucket(f"{place.project}-logs").blob("source.zip")
    blob.upload_from_string(packed.getvalue())
    source = {"storage_source": {"bucket": blob.bucket.name, "object_": blob.name}}
    build = place.run({"name": "ubuntu", "args": ["bin/run"]}, source=source)
    assert "from a zip" in place.log(build)


def climbing_tar() -> bytes:
    packed = io.BytesIO()
    with tarfile.open(fileobj=packed, mode="w:gz") as archive:
        archive.addfile(tarfile.TarInfo("../climbed"))
    return packed.getvalue()


def damaged_xz() -> bytes:
    noise = random.Random(1).randbytes(9999).hex()
    content = bytearray(lzma.compress(tar_of({"noise": noise}, "w")))
    content[len(content) // 2] ^= 255
    return bytes(content)


def encrypted_zip() -> bytes:
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w") as archive:
        archive.writestr("secret", "")
    content = bytearray(packed.getvalue())
    # The flags of the file, before it and in the list at the end.
    content[6] |= 1
    content[content.index(b"PK\1\2") + 8] |= 1
    return bytes(content)


def climbing_zip() -> bytes:
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w") as archive:
        archive.writestr("../climbed", "")
    return packed.getvalue()


def leading_out_by_a_link() -> bytes:
    packed = io.BytesIO()
    with tarfile.open(fileobj=packed, mode="w:gz") as archive:
        entry = tarfile.TarInfo("out")
        entry.type, entry.linkname = tarfile.SYMTYPE, "/etc"
        archive.addfile(entry)
    return packed.getvalue()


@pytest.mark.parametrize(
    "content",
    [
        b"no archive",
        climbing_tar(),
        climbing_zip(),
        leading_out_by_a_link(),
        damaged_xz(),
        encrypted_zip(),
    ],
    # Not the bytes, which hold the time: all workers must collect the same tests.
    ids=["nothing", "climbing tar", "climbing zip", "link", "damaged xz", "encrypted zip"],
)
def test_a_source_that_cannot_be_unpacked_fails_the_build(place: Place, content: bytes) -> None:
    blob = place.bucket(f"{place.project}-logs").blob("source")
    blob.upload_from_string(content)
    source = {"storage_source": {"bucket": blob.bucket.name, "object_": blob.name}}
    build = place.run(shell("true"), source=source)
    assert build.status.name == "FAILURE"
    assert build.failure_info.type_.name == "FETCH_SOURCE_FAILED"
    assert build.steps[0].status.name == "QUEUED"


def test_a_commit_that_was_put_here_is_a_source(place: Place) -> None:
    url = f"https://github.com/acme/{place.project}.git"
    place.push(url, {"app/said": "hello"}, "refs/heads/main")
    build = place.run(
        shell("cat said"),
        source={"git_source": {"url": url, "revision": "main", "dir_": "app"}},
    )
    assert "hello" in place.log(build)
    assert build.source_provenance.resolved_git_source.revision == COMMIT
    with pytest.raises(exceptions.MethodNotImplemented, match="reaches no git host"):
        place.start(shell("true"), source={"git_source": {"url": url, "revision": "other"}})


def test_images_are_pushed_when_the_build_has_succeeded(place: Place) -> None:
    image = f"{place.image_repository()}/app"
    dockerfile = "FROM python:3.11\nCOPY app.py /srv/\nENV PYTHONPATH=/srv\n"
    dockerfile += 'ENTRYPOINT ["python3", "-m", "app"]\n'
    files = {"Dockerfile": dockerfile, "app.py": "print('the app runs')\n"}
    place.push("https://x/y", files, sha=COMMIT)
    source = {"git_source": {"url": "https://x/y", "revision": COMMIT}}
    build = place.run(
        {"name": DOCKER, "args": ["build", "-t", f"{image}:1", "-t", f"{image}:2", "."]},
        {"name": f"{image}:1"},
        source=source,
        images=[image],
    )
    log = place.log(build)
    assert build.status.name == "SUCCESS", log
    assert "Step #1: the app runs\n" in log
    assert f"PUSH\nPushing {image}:1\n" in log
    assert [found.name for found in build.results.images] == [f"{image}:1", f"{image}:2"]
    (digest,) = {found.digest for found in build.results.images}
    assert build.results.images[0].push_timing.start_time
    package = f"projects/{place.project}/locations/europe-west1/repositories/images/packages/app"
    assert build.results.images[0].artifact_registry_package == package
    assert list(build.images) == list(build.artifacts.images)
    registry = artifactregistry_v1.ArtifactRegistryClient(**place.emulator.gapic)
    tag = registry.get_tag(name=f"{package}/tags/2")
    assert tag.version == f"{package}/versions/{digest}"
    later = place.run({"name": f"{image}@{digest}"}, shell("true"))
    assert later.status.name == "SUCCESS", place.log(later)
    assert later.results.build_step_images[0] == digest
    assert "Step #0: the app runs\n" in place.log(later)


def test_an_image_that_no_step_made_fails_the_build(place: Place) -> None:
    build = place.run(shell("true"), images=["europe-west1-docker.pkg.dev/p/images/none:1"])
    assert build.status.name == "FAILURE"
    assert build.failure_info.type_.name == "PUSH_IMAGE_NOT_FOUND"
    assert "failed to find one or more images after execution" in place.log(build)


@pytest.mark.parametrize("repository", ["gcr.io/acme", "europe-west1-docker.pkg.dev/acme-0/none"])
def test_an_image_cannot_be_pushed_to_a_repository_that_is_not_here(
    place: Place, repository: str
) -> None:
    image = f"{repository}/app:1"
    steps = [
        shell("printf 'FROM scratch\\n' > Dockerfile"),
        {"name": DOCKER, "args": ["build", "-t", image, "."]},
    ]
    build = place.run(*steps, images=[image])
    assert (build.status.name, build.failure_info.type_.name) == ("FAILURE", "PUSH_FAILED")
    build = place.run(*steps, {"name": DOCKER, "args": ["push", image]})
    assert (build.status.name, build.failure_info.type_.name) == ("FAILURE", "USER_BUILD_STEP")


def test_a_step_pushes_at_once_and_a_tag_that_is_immutable_stays(place: Place) -> None:
    image = f"{place.image_repository(immutable=True)}/app:1"
    steps = [
        shell('printf "FROM scratch\\nENV A=$A\\n" > Dockerfile', env=["A=$_A"]),
        {"name": DOCKER, "args": ["build", "-t", "app", "."]},
        {"name": DOCKER, "args": ["tag", "app", image]},
        {"name": DOCKER, "args": ["push", image]},
    ]
    for value, ends in (("1", "SUCCESS"), ("1", "SUCCESS"), ("2", "FAILURE")):
        build = place.run(*steps, substitutions={"_A": value})
        assert build.status.name == ends, place.log(build)
    assert "tag immutability" in place.log(build)


def test_nothing_is_pushed_when_a_step_fails(place: Place) -> None:
    image = f"{place.image_repository()}/app:1"
    build = place.run(
        shell("printf 'FROM scratch\\n' > Dockerfile"),
        {"name": DOCKER, "args": ["build", "-t", image, "."]},
        shell("false"),
        images=[image],
    )
    assert not build.results.images
    assert "PUSH" not in place.log(build)
    assert place.run({"name": image}).status.name == "FAILURE"


def test_files_are_uploaded_with_a_manifest(place: Place) -> None:
    build = place.run(
        shell("mkdir out; echo a > out/a.txt; echo b > out/b.txt; echo c > c.log"),
        artifacts={"objects": {"location": f"{place.logs}/kept", "paths": ["out/*.txt", "c.log"]}},
    )
    assert build.status.name == "SUCCESS", place.log(build)
    assert build.results.num_artifacts == 3
    assert build.results.artifact_manifest == f"{place.logs}/kept/artifacts-{build.id}.json"
    bucket = place.bucket(f"{place.project}-logs")
    lines = bucket.blob(f"kept/artifacts-{build.id}.json").download_as_text().splitlines()
    blob = bucket.get_blob("kept/a.txt")
    assert blob is not None
    assert json.loads(lines[0])["location"] == f"{place.logs}/kept/a.txt#{blob.generation}"
    missing = {"objects": {"location": f"{place.logs}/kept", "paths": ["*.none"]}}
    assert place.run(shell("true"), artifacts=missing).status.name == "FAILURE"


def test_a_tag_that_artifact_registry_moves_or_deletes_names_what_is_run(place: Place) -> None:
    image = f"{place.image_repository()}/team/app"
    steps = [
        shell('printf "FROM scratch\\nENV A=$A\\n" > Dockerfile', env=["A=$_A"]),
        {"name": DOCKER, "args": ["build", "-t", f"{image}:$_A", "."]},
    ]
    first, second = (
        place.run(*steps, substitutions={"_A": value}, images=[f"{image}:$_A"]).results.images[0]
        for value in ("one", "two")
    )
    registry: Any = artifactregistry_v1.ArtifactRegistryClient(**place.emulator.gapic)
    package = first.artifact_registry_package
    moved = {"name": f"{package}/tags/two", "version": f"{package}/versions/{first.digest}"}
    registry.update_tag(tag=moved, update_mask={"paths": ["version"]})
    ran = place.run({"name": f"{image}:two", "script": "echo it is $A"})
    assert ran.results.build_step_images[0] == first.digest
    assert "it is one\n" in place.log(ran)
    registry.delete_tag(name=moved["name"])
    registry.delete_version(name=f"{package}/versions/{second.digest}").result()
    for reference in (f"{image}:two", f"{image}@{second.digest}"):
        ran = place.run({"name": reference, "script": "true"})
        assert "pull access denied" in place.log(ran)


def test_tags_that_are_immutable_are_neither_moved_nor_deleted(place: Place) -> None:
    image = f"{place.image_repository(immutable=True)}/app"
    docker_file = shell("printf 'FROM scratch\\n' > Dockerfile")
    build = place.run(
        docker_file,
        {"name": DOCKER, "args": ["build", "-t", f"{image}:1", "."]},
        images=[f"{image}:1"],
    )
    registry: Any = artifactregistry_v1.ArtifactRegistryClient(**place.emulator.gapic)
    (made,) = build.results.images
    version = f"{made.artifact_registry_package}/versions/{made.digest}"
    tag = {"name": f"{made.artifact_registry_package}/tags/1", "version": version}
    with pytest.raises(exceptions.BadRequest, match="tag immutability"):
        registry.update_tag(tag=tag)
    with pytest.raises(exceptions.BadRequest, match="tag immutability"):
        registry.delete_tag(name=tag["name"])
    with pytest.raises(exceptions.BadRequest, match="tag immutability"):
        registry.delete_version({"name": version, "force": True})
    created = registry.create_tag(parent=made.artifact_registry_package, tag_id="2", tag=tag)
    assert created.version == version
    remote = {"format_": "DOCKER", "mode": "REMOTE_REPOSITORY"}
    with pytest.raises(exceptions.MethodNotImplemented, match="no remote"):
        registry.create_repository(parent=place.parent, repository_id="r", repository=remote)
