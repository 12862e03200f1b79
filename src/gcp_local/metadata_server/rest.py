"""`http://metadata.google.internal`, as far as `google.auth.default()` asks it.

Components find it by GCE_METADATA_HOST. The token is a plain dummy: it opens nothing anywhere.
Source: https://cloud.google.com/compute/docs/metadata/predefined-metadata-keys.
"""

from __future__ import annotations

from gcp_local.errors import NotFound, PermissionDenied
from gcp_local.web.messages import Answer, Request

DEFAULT_PROJECT = "gcp-local"
DEFAULT_NUMBER = "100000000000"
TOKEN = "gcp-local-dummy-token"  # noqa: S105  it opens nothing
EMAIL = f"{DEFAULT_NUMBER}-compute@developer.gserviceaccount.com"
_ACCOUNT = ("computeMetadata", "v1", "instance", "service-accounts")
_FLAVOR = "Metadata-Flavor"


class MetadataServer:
    """Answers who the machine is."""

    def answer(self, request: Request) -> Answer:
        """Answer a key's value, with the header by which clients know the server."""
        headers = {_FLAVOR: "Google", "Server": "Metadata Server for VM"}
        if request.path == "/":
            return Answer(200, b"computeMetadata/\n", {"content-type": "text/plain", **headers})
        if request.headers.get(_FLAVOR.lower()) != "Google":
            raise PermissionDenied(f"The header {_FLAVOR}: Google is missing.")
        if request.method != "GET":
            raise NotFound("The metadata server only answers GET.")
        account = {
            "aliases": ["default"],
            "email": EMAIL,
            "scopes": ["https://www.googleapis.com/auth/cloud-platform"],
        }
        match request.segments:
            case ("computeMetadata", "v1", "project", "project-id"):
                answer = Answer.of_text(DEFAULT_PROJECT)
            case ("computeMetadata", "v1", "project", "numeric-project-id"):
                answer = Answer.of_text(DEFAULT_NUMBER)
            case (*start, name) if tuple(start) == _ACCOUNT and name in ("default", EMAIL):
                answer = Answer.of_json(account)
            case (*start, _, "email") if tuple(start) == _ACCOUNT:
                answer = Answer.of_text(EMAIL)
            case (*start, _, "scopes") if tuple(start) == _ACCOUNT:
                answer = Answer.of_text(account["scopes"][0])
            case (*start, _, "token") if tuple(start) == _ACCOUNT:
                token = {"access_token": TOKEN, "expires_in": 3600, "token_type": "Bearer"}
                answer = Answer.of_json(token)
            case ("computeMetadata", "v1", "universe", "universe-domain"):
                answer = Answer.of_text("googleapis.com")
            case _:
                raise NotFound(f"The metadata server has no key {request.path}.")
        return Answer(answer.status, answer.body, {**answer.headers, **headers})
