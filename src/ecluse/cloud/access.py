"""Access: what is there, and what the caller may do with it. Reads, and changes nothing.

Every method answers from one or two calls of Google's clients, or raises `Trouble`. The
clients of IAM and of Pub/Sub speak gRPC only; the documented REST APIs of these are asked through
google-auth's session instead.
"""

import time
from collections.abc import Callable, Iterable, Mapping
from email.utils import parsedate_to_datetime
from functools import cached_property
from typing import Any, Literal, TypeVar

from google.api_core import exceptions

from ecluse.cloud import Addresses
from ecluse.cloud.answers import (
    AccountFacts,
    BucketFacts,
    ClockFacts,
    KeyFacts,
    ReaderFacts,
    RepositoryFacts,
    TriggerFacts,
    Trouble,
    trouble_of,
)
from ecluse.cloud.calls import ONCE, TRY_SECONDS, Calls, Patience
from ecluse.cloud.identity import SCOPES
from ecluse.errors import CloudError

_T = TypeVar("_T")
# Somebody waits for the answer, and a service that cannot be reached is an answer, too.
PATIENCE = Patience(deadline=15.0, longest=3.0)
_READING_ROLES = frozenset(
    f"roles/artifactregistry.{role}" for role in ("reader", "writer", "repoAdmin", "admin")
)


class Access:
    """Asks one environment's services what is there and what the caller may do."""

    def __init__(self, addresses: Addresses, patience: Patience = PATIENCE) -> None:
        self._addresses = addresses
        self._calls = Calls(addresses.environment.budget, patience)

    def bucket(self, name: str) -> BucketFacts:
        """Look at a bucket, given its bare name."""
        found = self._ask("storage", name, lambda: self._storage.get_bucket(name, **ONCE))
        access = found.iam_configuration
        return BucketFacts(
            location=str(found.location).lower(),
            uniform=bool(access.uniform_bucket_level_access_enabled),
            private=access.public_access_prevention == "enforced",
            versioned=bool(found.versioning_enabled),
            retention=found.retention_period,
        )

    def bucket_permissions(self, name: str, wanted: Iterable[str]) -> frozenset[str]:
        """Tell which of some permissions the caller has on a bucket."""
        asked = list(wanted)
        return frozenset(
            self._ask(
                "storage",
                name,
                lambda: self._storage.bucket(name).test_iam_permissions(asked, **ONCE),
            )
        )

    def repository(self, name: str) -> RepositoryFacts:
        """Look at a repository of Artifact Registry."""
        found = self._ask(
            "artifactregistry", name, lambda: self._registry.get_repository(name=name, **ONCE)
        )
        return RepositoryFacts(format=found.format_.name)

    def repository_permissions(self, name: str, wanted: Iterable[str]) -> frozenset[str]:
        """Tell which of some permissions the caller has on a repository."""
        return self._tested("artifactregistry", self._registry, name, wanted)

    def readers(self, repository: str, project: str) -> ReaderFacts:
        """Tell who may read a repository by its own policy, and the number of a project."""
        policy = self._ask(
            "artifactregistry",
            repository,
            lambda: self._registry.get_iam_policy(request={"resource": repository}, **ONCE),
        )
        members = (
            member
            for binding in policy.bindings
            if binding.role in _READING_ROLES
            for member in binding.members
        )
        return ReaderFacts(frozenset(members), self._project_number(project))

    def public_key(self, version: str) -> KeyFacts:
        """Look at a key version as a verifier does: by its public half, which is enabled."""
        found = self._ask(
            "cloudkms", version, lambda: self._keys.get_public_key(name=version, **ONCE)
        )
        return KeyFacts(algorithm=found.algorithm.name)

    def key_permissions(self, key: str, wanted: Iterable[str]) -> frozenset[str]:
        """Tell which of some permissions the caller has on a key."""
        return self._tested("cloudkms", self._keys, key, wanted)

    def absent_part(self, version: str) -> Literal["ring", "key", "version"]:
        """Tell which part of a key version that is not there is missing first."""
        key = version.partition("/cryptoKeyVersions/")[0]
        ring = key.partition("/cryptoKeys/")[0]
        try:
            self._ask("cloudkms", ring, lambda: self._keys.get_key_ring(name=ring, **ONCE))
        except Trouble as trouble:
            # Whoever may not look is told to make the key: of rings there is mostly one.
            return "ring" if trouble.kind == "absent" else "key"
        try:
            self._ask("cloudkms", key, lambda: self._keys.get_crypto_key(name=key, **ONCE))
        except Trouble:
            return "key"
        return "version"

    def account(self, email: str) -> AccountFacts:
        """Look at a service account."""
        return AccountFacts(disabled=bool(self._iam("GET", email).get("disabled")))

    def account_permissions(self, email: str, wanted: Iterable[str]) -> frozenset[str]:
        """Tell which of some permissions the caller has on a service account."""
        asked = {"permissions": list(wanted)}
        answer = self._iam("POST", f"{email}:testIamPermissions", asked)
        return frozenset(answer.get("permissions", ()))

    def project_permissions(self, project: str, wanted: Iterable[str]) -> frozenset[str]:
        """Tell which of some permissions the caller has on a project."""
        return self._tested("cloudresourcemanager", self._projects, f"projects/{project}", wanted)

    def runs(self) -> None:
        """Ask Vertex AI, in the environment's location, for a run."""
        environment = self._addresses.environment
        parent = f"projects/{environment.project}/locations/{environment.location}"
        asked = {"parent": parent, "page_size": 1}
        self._ask(
            "aiplatform",
            parent,
            lambda: self._pipelines.list_pipeline_jobs(request=asked, **ONCE),
        )

    def trigger(self, name: str) -> TriggerFacts:
        """Look at a build trigger, by its resource name."""
        project, trigger = name.split("/")[1], name.rsplit("/", 1)[1]
        asked = {"name": name, "project_id": project, "trigger_id": trigger}
        found = self._ask(
            "cloudbuild", name, lambda: self._builds.get_build_trigger(request=asked, **ONCE)
        )
        account = found.service_account or found.build.service_account
        return TriggerFacts(disabled=found.disabled, account=account.rsplit("/", 1)[-1])

    def topic(self, name: str) -> None:
        """Look at a Pub/Sub topic, by its resource name."""
        self._by_rest("pubsub", "GET", name)

    def clock(self, here: Callable[[], float] = time.time) -> ClockFacts:
        """Compare the clock here with Google's, from the date that every answer carries."""
        from google.auth.transport.requests import Request

        address = self._addresses.local or "https://storage.googleapis.com"
        answer = self._ask(
            "storage",
            address,
            lambda: Request()(f"{address}/storage/v1/b", method="HEAD", timeout=TRY_SECONDS),
        )
        there = parsedate_to_datetime(answer.headers["date"])
        return ClockFacts(ahead=here() - there.timestamp())

    def _ask(self, service: str, resource: str, question: Callable[[], _T]) -> _T:
        """Ask by a call, repeated as every call of the engine is, but for a shorter time.

        Raises:
            Trouble: there is no answer, or it is no.

        """
        try:
            return self._calls.call(resource, question, expecting=exceptions.GoogleAPICallError)
        except exceptions.GoogleAPICallError as error:
            raise trouble_of(error, f"{service}.googleapis.com") from error
        except CloudError as error:
            raise Trouble("unreachable", error.what) from error

    def _tested(
        self, service: str, client: Any, resource: str, wanted: Iterable[str]
    ) -> frozenset[str]:
        asked = {"resource": resource, "permissions": list(wanted)}
        answer = self._ask(
            service, resource, lambda: client.test_iam_permissions(request=asked, **ONCE)
        )
        return frozenset(answer.permissions)

    def _project_number(self, project: str) -> str:
        name = f"projects/{project}"
        found = self._ask(
            "cloudresourcemanager", name, lambda: self._projects.get_project(name=name, **ONCE)
        )
        return str(found.name).removeprefix("projects/")

    def _iam(
        self, verb: str, path: str, body: Mapping[str, Any] | None = None
    ) -> Mapping[str, Any]:
        return self._by_rest("iam", verb, f"projects/-/serviceAccounts/{path}", body)

    def _by_rest(
        self, service: str, verb: str, path: str, body: Mapping[str, Any] | None = None
    ) -> Mapping[str, Any]:
        """Ask a service whose client speaks gRPC only by its documented REST API, version 1."""
        base = self._addresses.local or f"https://{service}.googleapis.com"

        def asked() -> Mapping[str, Any]:
            url = f"{base}/v1/{path}"
            answer = self._session.request(verb, url, json=body, timeout=TRY_SECONDS)
            if not answer.ok:
                raise exceptions.from_http_response(answer)  # type: ignore[no-untyped-call]
            found: Mapping[str, Any] = answer.json()
            return found

        return self._ask(service, path, asked)

    @cached_property
    def _session(self) -> Any:
        import google.auth
        from google.auth.transport.requests import AuthorizedSession

        credentials = self._addresses.credentials
        if credentials is None:
            credentials, _ = google.auth.default(scopes=SCOPES)
        return AuthorizedSession(credentials)

    @cached_property
    def _storage(self) -> Any:
        from google.cloud.storage import Client

        local = self._addresses.local is not None
        return Client(
            project=self._addresses.environment.project,
            credentials=self._addresses.credentials,
            client_options=self._addresses.client_options("storage") if local else None,
        )

    @cached_property
    def _registry(self) -> Any:
        from google.cloud.artifactregistry_v1 import ArtifactRegistryClient

        return self._addresses.typed(ArtifactRegistryClient, "artifactregistry")

    @cached_property
    def _keys(self) -> Any:
        from google.cloud.kms_v1 import KeyManagementServiceClient

        return self._addresses.typed(KeyManagementServiceClient, "cloudkms")

    @cached_property
    def _projects(self) -> Any:
        from google.cloud.resourcemanager_v3 import ProjectsClient

        return self._addresses.typed(ProjectsClient, "cloudresourcemanager")

    @cached_property
    def _pipelines(self) -> Any:
        from google.cloud.aiplatform_v1 import PipelineServiceClient

        return self._addresses.typed(PipelineServiceClient, "aiplatform", regional=True)

    @cached_property
    def _builds(self) -> Any:
        from google.cloud.devtools.cloudbuild_v1 import CloudBuildClient

        return self._addresses.typed(CloudBuildClient, "cloudbuild")
