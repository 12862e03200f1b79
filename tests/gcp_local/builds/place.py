"""A project's Cloud Build as its tests see it, through Google's own client."""

from __future__ import annotations

import io
import tarfile
import time
import urllib.parse
from collections.abc import Callable, Mapping
from typing import Any

from google.cloud import artifactregistry_v1
from google.cloud.devtools import cloudbuild_v1
from google.cloud.storage import Bucket, Client

from tests.gcp_local.emulators import Emulator

ENDED = {"SUCCESS", "FAILURE", "INTERNAL_ERROR", "TIMEOUT", "CANCELLED", "EXPIRED"}
COMMIT = "0123456789abcdef0123456789abcdef01234567"


class Place:
    """One project and its builds in one location."""

    def __init__(self, emulator: Emulator, project: str, location: str = "europe-west1") -> None:
        self.emulator = emulator
        self.project = project
        self.parent = f"projects/{project}/locations/{location}"
        self.client: Any = cloudbuild_v1.CloudBuildClient(**emulator.gapic)
        self.logs = f"gs://{project}-logs"

    @property
    def storage(self) -> Client:
        return Client(
            project=self.project,
            credentials=self.emulator.gapic["credentials"],
            client_options={"api_endpoint": self.emulator.endpoint},
        )

    def bucket(self, name: str) -> Bucket:
        return self.storage.bucket(name)

    def start(self, *steps: Mapping[str, Any], **build: Any) -> Any:
        """Start a build; give it as its operation first tells of it."""
        said = {"steps": list(steps), "logs_bucket": self.logs, **build}
        operation = self.client.create_build(parent=self.parent, build=said)
        return operation.metadata.build

    def run(self, *steps: Mapping[str, Any], **build: Any) -> Any:
        """Run a build to its end."""
        return self.ended(self.start(*steps, **build))

    def get(self, build: Any) -> Any:
        return self.client.get_build(name=build.name)

    def ended(self, build: Any) -> Any:
        return self.wait(build, lambda found: found.status.name in ENDED)

    def wait(self, build: Any, holds: Callable[[Any], bool]) -> Any:
        deadline = time.monotonic() + 20
        while time.monotonic() < deadline:
            found = self.get(build)
            if holds(found):
                return found
            time.sleep(0.02)
        raise AssertionError(f"the build stays as it is: {self.get(build)}")

    def image_repository(self, *, immutable: bool = False) -> str:
        """Make a repository for images; give its address."""
        client: Any = artifactregistry_v1.ArtifactRegistryClient(**self.emulator.gapic)
        repository = {"format_": "DOCKER", "docker_config": {"immutable_tags": immutable}}
        client.create_repository(parent=self.parent, repository_id="images", repository=repository)
        return f"europe-west1-docker.pkg.dev/{self.project}/images"

    def log(self, build: Any) -> str:
        """Give the build's log as it is in its bucket; nothing if it is not there."""
        bucket = build.logs_bucket.removeprefix("gs://")
        blob = self.bucket(bucket).blob(f"log-{build.id}.txt")
        return str(blob.download_as_text()) if blob.exists() else ""

    def push(self, repository: str, files: Mapping[str, str], *refs: str, sha: str = COMMIT) -> str:
        """Put a commit into the embedded cloud, as a git host would have it."""
        query = [("repository", repository), ("commit", sha), *(("ref", ref) for ref in refs)]
        path = f"/gcp-local/sources?{urllib.parse.urlencode(query)}"
        self.emulator.ask("PUT", path, tar_of(files))
        return sha


def tar_of(files: Mapping[str, str], mode: str = "w:gz") -> bytes:
    archive = io.BytesIO()
    with tarfile.open(fileobj=archive, mode=mode) as tar:  # type: ignore[call-overload]
        for name, content in files.items():
            entry = tarfile.TarInfo(name)
            entry.size = len(content.encode())
            entry.mode = 0o755 if content.startswith("#!") else 0o644
            tar.addfile(entry, io.BytesIO(content.encode()))
    return archive.getvalue()


def shell(script: str, **step: Any) -> dict[str, Any]:
    """Make a step that runs a shell line."""
    return {"name": "ubuntu", "script": script, **step}
