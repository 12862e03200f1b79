"""One environment on an embedded cloud, whose calls can be struck by faults."""

import uuid
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass
from typing import Any

from ecluse.cloud import Cloud, connect
from ecluse.cloud.run import RunRequest
from ecluse.repository.settings import Environment
from gcp_local.testing import LocalCloud

Struck = AbstractContextManager[None]


@dataclass(frozen=True)
class Place:
    """An environment of its own, laid out.

    Attributes:
        server: the embedded cloud.
        cloud: the adapters.
        package, digest: of a compiled pipeline that is in the registry.
        content: its bytes.

    """

    server: LocalCloud
    cloud: Cloud
    package: str
    digest: str
    content: bytes

    @property
    def environment(self) -> Environment:
        return self.cloud.environment

    def address(self, name: str) -> str:
        """Return the address of an object."""
        return f"{self.environment.ledger}/{name}"

    def fresh(self, **budget: int) -> Cloud:
        """Connect anew to the same environment."""
        environment = self.environment.model_validate(
            {**self.environment.model_dump(), "budget": budget}
        )
        return connect(environment, local=self.server.endpoint)

    def request(self, run_id: str, **parameters: Any) -> RunRequest:
        """Return what a run of the pipeline is created from."""
        return RunRequest(
            run_id=run_id,
            display_name=run_id,
            template=self.environment.template_uri(self.package, self.digest),
            parameters={"run_key": run_id, **parameters},
            labels={"ecluse-pipeline": "quiet"},
        )

    @contextmanager
    def counted(self, calls: list[dict[str, Any]]) -> Iterator[None]:
        """Append the calls that are made as long as a `with` lasts."""
        self.server.faults.clear()
        yield
        calls += self.server.faults.calls


def environment(suffix: str) -> Environment:
    """Return the settings of an environment that nobody else uses."""
    project = f"test-{suffix}"
    return Environment.model_validate(
        {
            "name": "nonprod",
            "project": project,
            "location": "europe-west1",
            "bucket": f"gs://{project}-pipelines",
            "ledger": f"gs://{project}-ledger",
            "evidence": f"gs://{project}-evidence",
            "templates": "pipelines",
            "images": f"europe-west1-docker.pkg.dev/{project}/images",
            "service_account": f"pipelines@{project}.iam.gserviceaccount.com",
            "signing_key": f"projects/{project}/locations/europe-west1/keyRings/ecluse"
            "/cryptoKeys/q/cryptoKeyVersions/1",
        }
    )


def unused() -> str:
    """Return a name that nothing has yet."""
    return f"x{uuid.uuid4().hex[:10]}"


Way = Callable[[Place, str, Struck], None]
