"""Whom the cases are put to: Google, or a server that stands in for it."""

from __future__ import annotations

import time
from dataclasses import dataclass
from typing import TYPE_CHECKING

import requests

from tests.conformance.matching import Answered

if TYPE_CHECKING:
    from collections.abc import Mapping

_TIMEOUT = 120.0
# Seconds before asking again whoever had no time: an object is written at most once a second.
_PATIENCE = (1.0, 2.0, 4.0, 8.0)
_BUSY = (429, 503)
_SCOPE = "https://www.googleapis.com/auth/cloud-platform"


class NoCredentialsError(Exception):
    """There are no application default credentials, or they cannot be used."""


@dataclass(frozen=True)
class Target:
    """Where each service is reached, and with what session."""

    session: requests.Session
    bases: Mapping[str, str]
    name: str

    def send(
        self, service: str, method: str, path: str, headers: Mapping[str, str], content: bytes
    ) -> Answered:
        """Send one request, again if the service has no time; redirects are answers, too."""
        for pause in (*_PATIENCE, 0.0):
            answer = self.session.request(
                method,
                self.bases[service] + path,
                headers={"Accept-Encoding": "identity", **headers},
                data=content,
                timeout=_TIMEOUT,
                allow_redirects=False,
            )
            if answer.status_code not in _BUSY:
                break
            time.sleep(pause)
        lower = {name.lower(): value for name, value in answer.headers.items()}
        return Answered(answer.status_code, lower, answer.content)


def google_bases(location: str) -> dict[str, str]:
    """Give the address of each service of Google's."""
    return {
        "aiplatform": f"https://{location}-aiplatform.googleapis.com",
        "storage": "https://storage.googleapis.com",
        "artifactregistry": "https://artifactregistry.googleapis.com",
        "cloudbuild": f"https://{location}-cloudbuild.googleapis.com",
        "cloudkms": "https://cloudkms.googleapis.com",
        "pubsub": "https://pubsub.googleapis.com",
        "bigquery": "https://bigquery.googleapis.com",
        "kfp": f"https://{location}-kfp.pkg.dev",
    }


def google(location: str) -> Target:
    """Reach Google itself, as whom the application default credentials say.

    Raises:
        NoCredentialsError: there are none.

    """
    import google.auth
    from google.auth.exceptions import DefaultCredentialsError
    from google.auth.transport.requests import AuthorizedSession

    try:
        credentials, _ = google.auth.default(scopes=[_SCOPE])
    except DefaultCredentialsError as error:
        raise NoCredentialsError(str(error)) from None
    return Target(AuthorizedSession(credentials), google_bases(location), "Google")


def local(endpoint: str, location: str) -> Target:
    """Reach a server that answers for all services, such as gcp-local."""
    bases = dict.fromkeys(google_bases(location), endpoint)
    bases["kfp"] = f"{endpoint}/{location}-kfp.pkg.dev"
    return Target(requests.Session(), bases, endpoint)
