"""Vertex AI's model registry and endpoints: a version's aliases, and how endpoints share traffic.

Models are not made here: pipelines register them, and people deploy them.
"""

import re
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import Any, Final

from google.api_core import exceptions
from google.cloud import aiplatform_v1

from ecluse.cloud import Addresses
from ecluse.cloud.calls import ONCE, Calls
from ecluse.cloud.failures import translated
from ecluse.errors import CloudError
from ecluse.repository.settings import Environment

_VERSION: Final = re.compile(
    r"projects/[^/]+/locations/(?P<location>[^/]+)/models/(?P<model>[^/@]+)@(?P<version>[^/@]+)"
)
_CHANGED_MEANWHILE: Final = (exceptions.Aborted, exceptions.FailedPrecondition)
_LOOKS: Final = 5


@dataclass(frozen=True)
class ModelVersion:
    """A version of a registered model.

    Attributes:
        name: `projects/…/locations/…/models/MODEL@VERSION`.
        location, model, version: its parts. The project may be written as its id or its number.

    """

    name: str
    location: str
    model: str
    version: str

    @classmethod
    def parse(cls, name: str) -> "ModelVersion | None":
        """Return a version by its resource name; none where the name has no version."""
        match = _VERSION.fullmatch(name)
        return cls(name, **match.groupdict()) if match is not None else None

    @property
    def number(self) -> int:
        """The version as the number that Vertex AI gives it; 0 for whatever else there may be."""
        return int(self.version) if self.version.isdecimal() else 0


def newest_of_each(names: Iterable[str]) -> tuple[ModelVersion, ...]:
    """Return the newest version of each model among some; what names no version is left out."""
    newest: dict[tuple[str, str], ModelVersion] = {}
    found = (ModelVersion.parse(name) for name in names)
    for version in sorted(filter(None, found), key=lambda each: each.number):
        newest[version.location, version.model] = version
    return tuple(newest.values())


@dataclass(frozen=True)
class Deployed:
    """A model version that is deployed to an endpoint.

    Attributes:
        id: the deployment's id there.
        model: the model's id.
        version: the version's.

    """

    id: str
    model: str
    version: str


@dataclass(frozen=True)
class Endpoint:
    """An endpoint: what is deployed there, and who gets how much of its traffic.

    Attributes:
        name: its resource name.
        display_name: what people call it.
        deployed: what is deployed there.
        traffic: percent by the id of a deployment.
        etag: tells this state of it from any other.

    """

    name: str
    display_name: str
    deployed: tuple[Deployed, ...]
    traffic: Mapping[str, int]
    etag: str


class Models:
    """The model registry and the endpoints of one environment."""

    def __init__(self, environment: Environment, models: Any, endpoints: Any, calls: Calls) -> None:
        self._parent = f"projects/{environment.project}/locations/{environment.location}"
        self._models = models
        self._endpoints = endpoints
        self._calls = calls

    @classmethod
    def connect(cls, addresses: Addresses) -> "Models":
        """Connect to the environment's Vertex AI."""
        with translated("Vertex AI"):
            models = addresses.typed(aiplatform_v1.ModelServiceClient, "aiplatform", regional=True)
            endpoints = addresses.typed(
                aiplatform_v1.EndpointServiceClient, "aiplatform", regional=True
            )
        return cls(addresses.environment, models, endpoints, addresses.calls)

    def aliases(self, version: str) -> frozenset[str] | None:
        """Return the aliases of a model version; none if there is no such version."""
        try:
            found = self._calls.call(
                version,
                lambda: self._models.get_model(name=version, **ONCE),
                expecting=exceptions.NotFound,
            )
        except exceptions.NotFound:
            return None
        return frozenset(found.version_aliases)

    def give_alias(self, version: str, alias: str) -> None:
        """Give a model version an alias, which whoever of its model had it before loses."""
        self._calls.call(
            version,
            lambda: self._models.merge_version_aliases(
                name=version, version_aliases=[alias], **ONCE
            ),
        )

    def endpoints(self) -> tuple[Endpoint, ...]:
        """Return every endpoint."""
        pages = self._calls.pages(
            f"{self._parent}/endpoints",
            lambda token: self._endpoints.list_endpoints(
                request={"parent": self._parent, "page_token": token}, **ONCE
            ),
        )
        return tuple(_endpoint(found) for page in pages for found in page.endpoints)

    def share(
        self, endpoint: Endpoint, decide: Callable[[Endpoint], Mapping[str, int] | None]
    ) -> bool:
        """Share an endpoint's traffic anew, unless it is shared like that already.

        Args:
            endpoint: as it was seen last.
            decide: how to share it, in percent by the id of a deployment; none to leave it. Asked
                again where somebody changed the endpoint meanwhile.

        Returns:
            Whether anything was changed.

        """
        for _ in range(_LOOKS):
            split = decide(endpoint)
            if split is None:
                return False
            try:
                self._update(endpoint, split)
            except _CHANGED_MEANWHILE:
                # By somebody else, or by us, and only the answer was lost.
                endpoint = self._seen(endpoint.name)
            else:
                return True
        raise CloudError(
            "somebody goes on changing the endpoint", where=endpoint.name, fix="try again"
        )

    def _update(self, endpoint: Endpoint, split: Mapping[str, int]) -> None:
        changed = aiplatform_v1.Endpoint(
            name=endpoint.name, traffic_split=dict(split), etag=endpoint.etag
        )
        self._calls.call(
            endpoint.name,
            lambda: self._endpoints.update_endpoint(
                endpoint=changed, update_mask={"paths": ["traffic_split"]}, **ONCE
            ),
            expecting=_CHANGED_MEANWHILE,
        )

    def _seen(self, name: str) -> Endpoint:
        return _endpoint(
            self._calls.call(name, lambda: self._endpoints.get_endpoint(name=name, **ONCE))
        )


def _endpoint(found: Any) -> Endpoint:
    return Endpoint(
        name=str(found.name),
        display_name=str(found.display_name),
        deployed=tuple(
            Deployed(
                id=str(each.id),
                model=str(each.model).rsplit("/", 1)[-1].partition("@")[0],
                version=str(each.model_version_id),
            )
            for each in found.deployed_models
        ),
        traffic={str(key): int(share) for key, share in found.traffic_split.items() if share},
        etag=str(found.etag),
    )
