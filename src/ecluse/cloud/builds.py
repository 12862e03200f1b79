"""Cloud Build: runs the triggers that Terraform registered, and follows their logs."""

import shlex
import time
import uuid
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from google.cloud.devtools import cloudbuild_v1

from ecluse.cloud import Addresses
from ecluse.cloud.calls import ONCE, Calls
from ecluse.cloud.failures import Passing, reason, translated
from ecluse.cloud.storage import Storage
from ecluse.errors import CloudError
from ecluse.repository.settings import Environment

_FIRST_POLL_SECONDS, _POLL_SECONDS = 0.25, 5.0
# How often, and after how many seconds each time, a build that may have been started is looked for.
_LOOKS, _LOOK_SECONDS = 3, 1.0
_MARK = "_ECLUSE_REQUEST"
"""A substitution by which a build is told from all others.

It need not be declared: triggered builds always have ALLOW_LOOSE, says Cloud Build's proto of
`BuildOptions.substitution_option`."""
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

    def __init__(
        self, environment: Environment, client: Any, calls: Calls, storage: Storage
    ) -> None:
        self._project = environment.project
        self._location = environment.location
        self._parent = f"projects/{environment.project}/locations/{environment.location}"
        self._client = client
        self._calls = calls
        self._storage = storage

    @classmethod
    def connect(cls, addresses: Addresses) -> "Builds":
        """Connect to Cloud Build."""
        with translated("Cloud Build"):
            client = addresses.typed(cloudbuild_v1.CloudBuildClient, "cloudbuild")
        return cls(addresses.environment, client, addresses.calls, Storage.connect(addresses))

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
            CloudError: the build did not succeed; or nobody can tell whether it was started.

        """
        name = f"{self._parent}/triggers/{trigger}"
        build_id = self._start(name, trigger, commit, substitutions)
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

    def _start(self, name: str, trigger: str, commit: str, substitutions: Mapping[str, str]) -> str:
        """Start a build and return its id. Cloud Build would start another one each time."""
        mark = uuid.uuid4().hex
        request = {
            "name": name,
            "project_id": self._project,
            "trigger_id": trigger,
            "source": {"commit_sha": commit, "substitutions": {**substitutions, _MARK: mark}},
        }

        def run() -> str:
            return str(self._client.run_build_trigger(request, **ONCE).metadata.build.id)

        return self._calls.call(name, run, look=lambda failure: self._started(name, mark, failure))

    def _started(self, name: str, mark: str, failure: Passing) -> str | None:
        """Return the id of the build that a failed try may have started; none if there is none.

        Raises:
            CloudError: there may be one that is not listed yet.

        """
        query = f'substitutions.{_MARK}="{mark}"'
        for look in range(_LOOKS):
            if look:
                time.sleep(_LOOK_SECONDS)
            for page in self._calls.pages(
                f"{self._parent}/builds",
                lambda token: self._client.list_builds(
                    {
                        "parent": self._parent,
                        "project_id": self._project,
                        "filter": query,
                        "page_token": token,
                    },
                    **ONCE,
                ),
            ):
                for build in page.builds:
                    if build.substitutions.get(_MARK) == mark:
                        return str(build.id)
            if failure.without_effect:
                return None
        words = ["gcloud", "builds", "list", f"--project={self._project}"]
        words += [f"--region={self._location}", f"--filter={query}"]
        raise CloudError(
            f"a build may have been started, but none can be found: {reason(failure.error)}",
            where=name,
            fix=f"look for it with `{shlex.join(words)}`; if there is none, run the command again",
        )

    def _follow(self, name: str, log: Callable[[str], None]) -> Any:
        """Poll a build to its end. Its log is an object that grows: show what is new each time."""
        shown = 0
        pause = _FIRST_POLL_SECONDS
        while True:
            build = self._calls.call(name, lambda: self._client.get_build({"name": name}, **ONCE))
            if build.logs_bucket:
                found = self._storage.read(f"{build.logs_bucket}/log-{build.id}.txt")
                if found is not None and len(found.content) > shown:
                    log(found.content[shown:].decode(errors="replace"))
                    shown = len(found.content)
            if build.status.name in _ENDED:
                return build
            time.sleep(pause)
            pause = min(2 * pause, _POLL_SECONDS)
