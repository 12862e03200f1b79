"""Whom the cases are put to: Google, or a server that stands in for it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import requests

from tests.conformance.matching import Answered

if TYPE_CHECKING:
    from collections.abc import Mapping

_TIMEOUT = 120.0
_SCOPE = "https://www.googleapis.com/auth/cloud-platform"


@dataclass(frozen=True)
class Target:
    """Where each service is reached, and with what session."""

    session: requests.Session
    bases: Mapping[str, str]
    name: str

    def send(
        self, service: str, method: str, path: str, headers: Mapping[str, str], content: bytes
    ) -> Answered:
        """Send one request; redirects are answers, too."""
        answer = self.session.request(
            method,
            self.bases[service] + path,
            headers={"Accept-Encoding": "identity", **headers},
            data=content,
            timeout=_TIMEOUT,
            allow_redirects=False,
        )
        lower = {name.lower(): value for name, value in answer.headers.items()}
        return Answered(answer.status_code, lower, answer.content)


def google(location: str) -> Target:
    """Reach Google itself, as whom the application default credentials say.

    Raises:
        google.auth.exceptions.DefaultCredentialsError: there are none.

    """
    import google.auth
    from google.auth.transport.requests import AuthorizedSession

    credentials, _ = google.auth.default(scopes=[_SCOPE])
    bases = {
        "aiplatform": f"https://{location}-aiplatform.googleapis.com",
        "storage": "https://storage.googleapis.com",
        "artifactregistry": "https://artifactregistry.googleapis.com",
        "cloudkms": "https://cloudkms.googleapis.com",
        "kfp": f"https://{location}-kfp.pkg.dev",
    }
    return Target(AuthorizedSession(credentials), bases, "Google")


def local(endpoint: str, location: str) -> Target:
    """Reach a server that answers for all services, such as gcp-local."""
    services = ("aiplatform", "storage", "artifactregistry", "cloudkms")
    bases = {**dict.fromkeys(services, endpoint), "kfp": f"{endpoint}/{location}-kfp.pkg.dev"}
    return Target(requests.Session(), bases, endpoint)
