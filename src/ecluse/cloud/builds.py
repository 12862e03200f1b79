"""Cloud Build: runs the triggers that Terraform registered, and follows their logs."""

import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from google.cloud.devtools import cloudbuild_v1

from ecluse.cloud import Addresses
from ecluse.cloud.failures import translated
from ecluse.cloud.retries import READING
from ecluse.cloud.storage import Storage
from ecluse.errors import CloudError

_FIRST_POLL_SECONDS, _POLL_SECONDS = 0.25, 5.0
_ENDED = {"SUCCESS", "FAILURE", "INTERNAL_ERROR", "TIMEOUT", "CANCELLED", "EXPIRED"}


@dataclass(frozen=True)
class FinishedBuild:
    """A build that ended well.

    Attributes:
        id: the build's id.
        images: the digest of each image it pushed, by `REPOSITORY/NAME:TAG`.

    """

    id: str
    images: Mapping[str, str]


class Builds:
    """The builds of one environment's project and location."""

    def __init__(self, parent: str, project: str, client: Any, storage: Storage) -> None:
        self._parent = parent
        self._project = project
        self._client = client
        self._storage = storage

    @classmethod
    def connect(cls, addresses: Addresses) -> "Builds":
        """Connect to Cloud Build."""
        environment = addresses.environment
        with translated("Cloud Build"):
            client = cloudbuild_v1.CloudBuildClient(
                credentials=addresses.credentials,
                transport="rest",
                client_options=addresses.client_options("cloudbuild"),
            )
        parent = f"projects/{environment.project}/locations/{environment.location}"
        return cls(parent, environment.project, client, Storage.connect(addresses))

    def run_trigger(
        self,
        trigger: str,
        *,
        commit: str,
        substitutions: Mapping[str, str],
        log: Callable[[str], None],
    ) -> FinishedBuild:
        """Run a registered trigger on a commit and wait for its end.

        Args:
            trigger: its name.
            commit: the commit's sha.
            substitutions: `_NAME` → value.
            log: takes the build's log as it appears.

        Raises:
            CloudError: the build did not succeed.

        """
        name = f"{self._parent}/triggers/{trigger}"
        with translated(name):
            operation = self._client.run_build_trigger(
                {
                    "name": name,
                    "project_id": self._project,
                    "trigger_id": trigger,
                    "source": {"commit_sha": commit, "substitutions": dict(substitutions)},
                }
            )
            build_id = operation.metadata.build.id
        build = self._follow(f"{self._parent}/builds/{build_id}", log)
        if build.status.name != "SUCCESS":
            # Cloud Build says there why a build failed; status_detail is mostly empty.
            why = build.failure_info.detail or build.status_detail or "see its log"
            raise CloudError(
                f"the build ended {build.status.name}: {why}",
                where=build.log_url or name,
            )
        return FinishedBuild(
            id=build.id, images={image.name: image.digest for image in build.results.images}
        )

    def _follow(self, name: str, log: Callable[[str], None]) -> Any:
        """Poll a build to its end. Its log is an object that grows: show what is new each time."""
        shown = 0
        pause = _FIRST_POLL_SECONDS
        while True:
            with translated(name):
                build = self._client.get_build({"name": name}, **READING)
            if build.logs_bucket:
                found = self._storage.read(f"{build.logs_bucket}/log-{build.id}.txt")
                if found is not None and len(found.content) > shown:
                    log(found.content[shown:].decode(errors="replace"))
                    shown = len(found.content)
            if build.status.name in _ENDED:
                return build
            time.sleep(pause)
            pause = min(2 * pause, _POLL_SECONDS)
