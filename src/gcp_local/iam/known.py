"""The resources of other services that have policies: those that are kept by their names."""

from __future__ import annotations

from typing import TYPE_CHECKING

from gcp_local.kms.service import CryptoKey, KeyRing
from gcp_local.registry.packages import Repository

if TYPE_CHECKING:
    from collections.abc import Callable

    from gcp_local.resources.collection import Resources
    from gcp_local.resources.projects import Projects
    from gcp_local.rpc.protos import Message

_PLACE = "projects/[^/]+/locations/[^/]+"
_KINDS: dict[str, type[Message]] = {
    f"{_PLACE}/keyRings/[^/]+": KeyRing,
    f"{_PLACE}/keyRings/[^/]+/cryptoKeys/[^/]+": CryptoKey,
    f"{_PLACE}/repositories/[^/]+": Repository,
}


def kept(resources: Resources, projects: Projects) -> dict[str, Callable[[str], str]]:
    """Give, for the patterns of these resources, what finds the name that one is kept by."""

    def finder(kind: type[Message]) -> Callable[[str], str]:
        return lambda name: str(resources.get(projects.named(name), kind).name)

    return {pattern: finder(kind) for pattern, kind in _KINDS.items()}
