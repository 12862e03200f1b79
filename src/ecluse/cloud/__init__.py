"""Google Cloud as the engine sees it: thin adapters to Google's own clients.

`connect` gives one environment's adapters. On a laptop only addresses and credentials differ: the
clients, the requests and the code paths are the cloud's.
"""

from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Any

from ecluse.repository.settings import Environment

if TYPE_CHECKING:
    from ecluse.cloud.builds import Builds
    from ecluse.cloud.images import Images
    from ecluse.cloud.keys import Keys
    from ecluse.cloud.pipelines import Pipelines
    from ecluse.cloud.registry import Registry
    from ecluse.cloud.storage import Storage
    from ecluse.ledger.records import Ledger


@dataclass(frozen=True)
class Addresses:
    """Where the services of one environment are reached.

    Attributes:
        environment: the environment.
        local: the embedded cloud's address, such as `http://127.0.0.1:8123`; none for Google's.

    """

    environment: Environment
    local: str | None

    @property
    def credentials(self) -> Any:
        """Anonymous on the embedded cloud, else none: the client finds the caller's own."""
        if self.local is None:
            return None
        from google.auth.credentials import AnonymousCredentials

        return AnonymousCredentials()

    def client_options(self, service: str, *, regional: bool = False) -> dict[str, str]:
        """Return the client options of a service, such as `aiplatform`."""
        if self.local is not None:
            return {"api_endpoint": self.local}
        prefix = f"{self.environment.location}-" if regional else ""
        return {"api_endpoint": f"{prefix}{service}.googleapis.com"}


class Cloud:
    """The services of one environment, each connected on first use."""

    def __init__(self, environment: Environment, local: str | None) -> None:
        self.environment = environment
        self.addresses = Addresses(environment, local)

    @cached_property
    def storage(self) -> "Storage":
        """Cloud Storage."""
        from ecluse.cloud.storage import Storage

        return Storage.connect(self.addresses)

    @cached_property
    def pipelines(self) -> "Pipelines":
        """Vertex AI Pipelines."""
        from ecluse.cloud.pipelines import Pipelines

        return Pipelines.connect(self.addresses)

    @cached_property
    def registry(self) -> "Registry":
        """The template repository."""
        from ecluse.cloud.registry import Registry

        return Registry.connect(self.addresses)

    @cached_property
    def images(self) -> "Images":
        """The image repository."""
        from ecluse.cloud.images import Images

        return Images.connect(self.addresses)

    @cached_property
    def keys(self) -> "Keys":
        """Cloud KMS."""
        from ecluse.cloud.keys import Keys

        return Keys.connect(self.addresses)

    @cached_property
    def builds(self) -> "Builds":
        """Cloud Build."""
        from ecluse.cloud.builds import Builds

        return Builds.connect(self.addresses)

    @property
    def ledger(self) -> "Ledger":
        """The environment's ledger."""
        from ecluse.ledger.records import Ledger

        return Ledger(self.storage, self.environment)


def connect(environment: Environment, *, local: str | None = None) -> Cloud:
    """Return the adapters of an environment; nothing is called yet."""
    return Cloud(environment, local)
