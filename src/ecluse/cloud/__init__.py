"""Google Cloud as the engine sees it: thin adapters to Google's own clients.

`connect` gives one environment's adapters. On a laptop only addresses and credentials differ: the
clients, the requests and the code paths are the cloud's. Threads may share all of it.
"""

from dataclasses import dataclass
from functools import cached_property
from threading import RLock
from typing import TYPE_CHECKING, Any, Protocol, Self, TypeVar

from ecluse.repository.settings import Environment

if TYPE_CHECKING:
    from ecluse.cloud.builds import Builds
    from ecluse.cloud.calls import Calls
    from ecluse.cloud.images import Images
    from ecluse.cloud.keys import Keys
    from ecluse.cloud.models import Models
    from ecluse.cloud.packages import Packages
    from ecluse.cloud.pipelines import Pipelines
    from ecluse.cloud.registry import Registry
    from ecluse.cloud.schedules import Schedules
    from ecluse.cloud.storage import Storage
    from ecluse.cloud.triggers import Triggers
    from ecluse.ledger.records import Ledger


_SCOPE = "https://www.googleapis.com/auth/cloud-platform"
# How many hosts an HTTP session keeps connections to: the service, and the one that gives tokens.
_HOSTS = 4


@dataclass(frozen=True)
class Addresses:
    """Where the services of one environment are reached, and the way that calls go there.

    Attributes:
        environment: the environment.
        local: the embedded cloud's address, such as `http://127.0.0.1:8123`; none for Google's.
        calls: the environment's budget and patience, shared by all of its adapters.

    """

    environment: Environment
    local: str | None
    calls: "Calls"

    @cached_property
    def credentials(self) -> Any:
        """The caller's own, found once and with one token for all clients; locally anonymous ones.

        Raises:
            DefaultCredentialsError: there are none.

        """
        if self.local is None:
            import google.auth

            return google.auth.default(scopes=[_SCOPE])[0]
        from google.auth.credentials import AnonymousCredentials

        return AnonymousCredentials()

    def client_options(self, service: str, *, regional: bool = False) -> dict[str, str]:
        """Return the client options of a service, such as `aiplatform`."""
        if self.local is not None:
            return {"api_endpoint": self.local}
        prefix = f"{self.environment.location}-" if regional else ""
        return {"api_endpoint": f"{prefix}{service}.googleapis.com"}

    def typed(self, client: type[Any], service: str, *, regional: bool = False) -> Any:
        """Return one of Google's typed clients, over REST, for as many calls as the budget has."""
        made = client(
            credentials=self.credentials,
            transport="rest",
            client_options=self.client_options(service, regional=regional),
        )
        self.make_room(made.transport._session)
        return made

    def make_room(self, session: Any) -> None:
        """Let an HTTP session keep a connection for each call in flight.

        By default it keeps ten, and opens and closes one for each call beyond them. The adapters
        are made bigger in place, since one of them may carry a client's certificate.
        """
        for adapter in session.adapters.values():
            adapter.init_poolmanager(_HOSTS, self.calls.budget.calls)


class _Adapter(Protocol):
    @classmethod
    def connect(cls, addresses: Addresses, /) -> Self: ...


_A = TypeVar("_A", bound=_Adapter)


class Cloud:
    """The services of one environment, each connected once, on first use.

    Attributes:
        environment: the environment.
        addresses: where its services are.
        calls: its budget and patience.
        run_slots: a place for each run that one promotion may have under way.

    """

    def __init__(self, environment: Environment, local: str | None) -> None:
        from ecluse.cloud.calls import Calls
        from ecluse.cloud.slots import Slots

        self.environment = environment
        self.calls = Calls(environment.budget)
        self.run_slots = Slots(environment.budget.runs)
        self.addresses = Addresses(environment, local, self.calls)
        self._adapters: dict[type[Any], Any] = {}
        self._connecting = RLock()

    @property
    def storage(self) -> "Storage":
        """Cloud Storage."""
        from ecluse.cloud.storage import Storage

        return self._connected(Storage)

    @property
    def pipelines(self) -> "Pipelines":
        """Vertex AI Pipelines."""
        from ecluse.cloud.pipelines import Pipelines

        return self._connected(Pipelines)

    @property
    def models(self) -> "Models":
        """Vertex AI's model registry and endpoints."""
        from ecluse.cloud.models import Models

        return self._connected(Models)

    @property
    def schedules(self) -> "Schedules":
        """Vertex AI's schedules."""
        from ecluse.cloud.schedules import Schedules

        return self._connected(Schedules)

    @property
    def registry(self) -> "Registry":
        """The template repository."""
        from ecluse.cloud.registry import Registry

        return self._connected(Registry)

    @property
    def images(self) -> "Images":
        """The image repository."""
        from ecluse.cloud.images import Images

        return self._connected(Images)

    @property
    def packages(self) -> "Packages":
        """Artifact Registry's packages at large."""
        from ecluse.cloud.packages import Packages

        return self._connected(Packages)

    @property
    def keys(self) -> "Keys":
        """Cloud KMS."""
        from ecluse.cloud.keys import Keys

        return self._connected(Keys)

    @property
    def builds(self) -> "Builds":
        """Cloud Build."""
        from ecluse.cloud.builds import Builds

        return self._connected(Builds)

    @property
    def triggers(self) -> "Triggers":
        """Cloud Build's triggers that messages fire."""
        from ecluse.cloud.triggers import Triggers

        return self._connected(Triggers)

    @property
    def ledger(self) -> "Ledger":
        """The environment's ledger."""
        from ecluse.ledger.records import Ledger

        return Ledger(self.storage, self.environment)

    def _connected(self, adapter: type[_A]) -> _A:
        """Return the adapter, connected by whichever thread was first to ask for it."""
        with self._connecting:
            if adapter not in self._adapters:
                self._adapters[adapter] = adapter.connect(self.addresses)
            found: _A = self._adapters[adapter]
            return found


def connect(environment: Environment, *, local: str | None = None) -> Cloud:
    """Return the adapters of an environment; nothing is called yet."""
    return Cloud(environment, local)
