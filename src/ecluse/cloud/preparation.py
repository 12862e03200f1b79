"""Preparation: what Terraform makes around the services, made in the embedded cloud.

Every call finds its work done or does it. Nothing here is ever called on Google's cloud.
"""

from contextlib import suppress
from typing import Any, Final

from google.api_core import exceptions
from google.auth.transport.requests import AuthorizedSession
from google.cloud import artifactregistry_v1, resourcemanager_v3

from ecluse.cloud import Addresses
from ecluse.cloud.answers import AGENTS
from ecluse.cloud.calls import ONCE, TRY_SECONDS

_READER: Final = "roles/artifactregistry.reader"
_TRIES: Final = 5


class Preparation:
    """Makes accounts, repositories and policies on the embedded cloud."""

    def __init__(self, addresses: Addresses) -> None:
        assert addresses.local is not None, "only the embedded cloud is prepared so"
        self._address = addresses.local
        self._calls = addresses.calls
        self._session: Any = AuthorizedSession(addresses.credentials)
        self._registry = addresses.typed(
            artifactregistry_v1.ArtifactRegistryClient, "artifactregistry"
        )
        self._projects = addresses.typed(resourcemanager_v3.ProjectsClient, "cloudresourcemanager")

    def ensure_account(self, email: str) -> None:
        """Make a service account, unless there is one."""
        name, _, domain = email.partition("@")
        url = f"{self._address}/v1/projects/{domain.partition('.')[0]}/serviceAccounts"

        def create() -> None:
            answer = self._session.post(url, json={"accountId": name}, timeout=TRY_SECONDS)
            if not answer.ok:
                raise exceptions.from_http_response(answer)  # type: ignore[no-untyped-call]

        with suppress(exceptions.Conflict):
            self._calls.call(email, create, expecting=exceptions.Conflict)

    def ensure_image_repository(self, name: str) -> None:
        """Make a repository for images, by its resource name, unless there is one."""
        parent, _, repository_id = name.partition("/repositories/")
        with suppress(exceptions.Conflict):
            self._calls.call(
                name,
                lambda: self._registry.create_repository(
                    parent=parent,
                    repository_id=repository_id,
                    repository={"format_": "DOCKER"},
                    **ONCE,
                ),
                expecting=exceptions.Conflict,
            )

    def ensure_agents_read(self, repository: str, project: str) -> None:
        """Let the Vertex AI service agents of a project read a repository.

        Others may let theirs read it at the same time: the policy's etag keeps both.
        """
        name = f"projects/{project}"
        found = self._calls.call(name, lambda: self._projects.get_project(name=name, **ONCE))
        number = found.name.partition("/")[2]
        wanted = {
            f"serviceAccount:service-{number}@{agent}.iam.gserviceaccount.com" for agent in AGENTS
        }
        for tries_left in reversed(range(_TRIES)):
            try:
                self._calls.call(
                    repository,
                    lambda: self._add_readers(repository, wanted),
                    expecting=exceptions.Conflict,
                )
            except exceptions.Conflict:
                if not tries_left:
                    raise
            else:
                return

    def _add_readers(self, repository: str, wanted: set[str]) -> None:
        policy = self._registry.get_iam_policy(request={"resource": repository}, **ONCE)
        readers = next((each for each in policy.bindings if each.role == _READER), None)
        if readers is None:
            readers = policy.bindings.add(role=_READER)
        readers.members.extend(sorted(wanted - set(readers.members)))
        self._registry.set_iam_policy(request={"resource": repository, "policy": policy}, **ONCE)
