"""`https://LOCATION-kfp.pkg.dev/PROJECT/REPOSITORY`, reached as `/LOCATION-kfp.pkg.dev/…` here.

Uploads and downloads are of this host's own kind; everything under `packages` is the Artifact
Registry API by a shorter path, as KFP's client uses it at a host that it does not know.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from gcp_local.errors import InvalidArgument, NotFound
from gcp_local.rpc.dispatch import Call
from gcp_local.web.messages import Answer, Request
from gcp_local.web.multipart import Part, split

if TYPE_CHECKING:
    from gcp_local.registry.packages import PackageRegistry
    from gcp_local.resources.projects import Projects
    from gcp_local.rpc.dispatch import Dispatcher

HOST = re.compile(r"(?P<location>[a-z0-9-]+)-kfp\.pkg\.dev")
_REPOSITORY_DEPTH = 3


class RegistryHost:
    """Answers what is asked of a `kfp.pkg.dev` host."""

    def __init__(
        self, packages: PackageRegistry, dispatcher: Dispatcher, projects: Projects
    ) -> None:
        self._packages = packages
        self._dispatcher = dispatcher
        self._projects = projects

    def answer(self, request: Request) -> Answer:
        """Upload, download, or hand on to the Artifact Registry API."""
        host, *rest = request.segments
        match = HOST.fullmatch(host)
        if match is None or len(rest) < _REPOSITORY_DEPTH - 1:
            raise NotFound(f"Not found: {request.path}")
        project, repository, *inner = rest
        place = f"projects/{self._projects.id(project)}/locations/{match['location']}"
        name = f"{place}/repositories/{repository}"
        match (request.method, inner):
            case ("POST", []):
                return self._upload(name, request)
            case (_, ["packages", *_]):
                return self._metadata(name, request)
            case ("GET", [package, version]):
                return self._download(f"{name}/packages/{package}", version)
        raise NotFound(f"Not found: {request.method} {request.path}")

    def _upload(self, repository: str, request: Request) -> Answer:
        content_type = request.headers.get("content-type", "")
        if not content_type.startswith("multipart/form-data"):
            raise InvalidArgument("A pipeline is uploaded as multipart/form-data.")
        content: bytes | None = None
        tags: list[str] = []
        for part in split(content_type, request.body):
            if part.name == "content" and content is None:
                content = part.content
            elif part.name == "tags":
                tags += [tag.strip() for tag in _text(part).split(",") if tag.strip()]
            else:
                raise InvalidArgument(f"Unexpected form field {part.name!r}.")
        if content is None:
            raise InvalidArgument("The form has no field 'content'.")
        uploaded = self._packages.upload(repository, content, tags)
        return Answer.of_text(f"{uploaded.package}/{uploaded.version}")

    def _download(self, package: str, reference: str) -> Answer:
        self._packages.require_repository(package.rpartition("/packages/")[0])
        version = self._packages.resolve(package, reference)
        content = self._packages.content(version)
        return Answer(200, content, {"content-type": "application/octet-stream"})

    def _metadata(self, repository: str, request: Request) -> Answer:
        inner = "/".join(request.path.strip("/").split("/")[_REPOSITORY_DEPTH:])
        call = Call(request.method, f"/v1/{repository}/{inner}", request.query, request.body)
        return Answer.of_json(self._dispatcher.call(call))


def _text(part: Part) -> str:
    try:
        return part.content.decode()
    except UnicodeDecodeError:
        raise InvalidArgument(f"The form field {part.name!r} is not UTF-8.") from None
