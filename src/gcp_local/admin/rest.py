"""`/gcp-local/…`: asks and drives the embedded cloud itself.

GET  /gcp-local/server                     whose server this is
PUT  /gcp-local/images?repository=…&tag=…  a tar: stands in for `docker build` and `docker push`
PUT  /gcp-local/sources?repository=…&commit=…&ref=…  a tar: a commit, for Cloud Build
PUT  /gcp-local/secrets?version=…          a value, for Cloud Build in Secret Manager's place
GET  /gcp-local/clock                      what time it is
POST /gcp-local/clock  {"advance": "60s"}  sets the clock forward
GET  /gcp-local/faults                     what is ordered to go wrong, and what was called
PUT  /gcp-local/faults {"faults": [RULE]}  orders exactly these faults: see `gcp_local.faults`
POST /gcp-local/faults RULE                orders one more
DELETE /gcp-local/faults                   orders nothing, and forgets what was called
GET  /gcp-local/event-targets              who gets CloudEvents
PUT  /gcp-local/event-targets {"targets": [TARGET]}  exactly these: see `gcp_local.pubsub.targets`
POST /gcp-local/event-targets TARGET       one more
DELETE /gcp-local/event-targets            nobody
GET  /gcp-local/permissions                what nobody may do
PUT  /gcp-local/permissions {"deny": ["cloudkms.*"]}  says so
GET  /gcp-local/signing-key                the public key (PEM) of what service accounts sign
"""

from __future__ import annotations

import io
import re
from datetime import timedelta
from typing import TYPE_CHECKING

from gcp_local import clock
from gcp_local.cli import package_version
from gcp_local.errors import InvalidArgument, NotFound
from gcp_local.rpc.dispatch import parse_json
from gcp_local.web.messages import Answer, Request

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from gcp_local.builds.commits import CommitStore
    from gcp_local.builds.secrets import SecretStore
    from gcp_local.faults import Faults
    from gcp_local.iam.service import IAM
    from gcp_local.pubsub.targets import EventTargets
    from gcp_local.registry.images import ImageRegistry

_SECONDS = re.compile(r"[0-9]{1,12}(\.[0-9]{1,6})?s")


class AdminEndpoint:
    """Answers everything under `/gcp-local/`."""

    def __init__(
        self,
        state: Path,
        images: ImageRegistry,
        faults: Faults,
        *,
        grpc_endpoint: str,
        commits: CommitStore,
        secrets: SecretStore,
        targets: EventTargets,
        iam: IAM,
    ) -> None:
        self._state = state
        self._grpc_endpoint = grpc_endpoint
        self._commits = commits
        self._secrets = secrets
        self._targets = targets
        self._iam = iam
        self._faults = faults
        self._images = images
        self._handlers: dict[tuple[str, str], Callable[[Request], Answer]] = {
            ("GET", "server"): self._server,
            ("PUT", "images"): self._image,
            ("PUT", "sources"): self._source,
            ("PUT", "secrets"): self._secret,
            ("GET", "clock"): self._clock,
            ("POST", "clock"): self._advance,
            ("GET", "faults"): self._tell_faults,
            ("PUT", "faults"): self._order_faults,
            ("POST", "faults"): self._order_fault,
            ("DELETE", "faults"): self._end_faults,
            ("GET", "event-targets"): self._tell_targets,
            ("PUT", "event-targets"): self._set_targets,
            ("POST", "event-targets"): self._add_target,
            ("DELETE", "event-targets"): self._end_targets,
            ("GET", "permissions"): self._tell_permissions,
            ("PUT", "permissions"): self._deny_permissions,
            ("GET", "signing-key"): self._signing_key,
        }

    def answer(self, request: Request) -> Answer:
        """Answer one request; NotFound if there is no such thing."""
        _, *rest = request.segments
        handler = self._handlers.get((request.method, "/".join(rest)))
        if handler is None:
            raise NotFound(f"Not found: {request.method} {request.path}")
        return handler(request)

    def _server(self, _request: Request) -> Answer:
        # A port may change hands, a state folder does not.
        told = {"state": str(self._state), "version": package_version()}
        return Answer.of_json({**told, "grpc_endpoint": self._grpc_endpoint})

    def _image(self, request: Request) -> Answer:
        """Record the tar in the body; answer its digest and reference."""
        repository = request.parameters.get("repository")
        if not repository:
            raise InvalidArgument("The query parameter 'repository' is required.")
        tag = request.parameters.get("tag")
        tar = io.BytesIO(request.body)
        if request.parameters.get("push"):  # as `docker push`: there must be such a repository
            digest = self._images.push(repository, tar, tag or "latest")
        else:
            digest = self._images.put(repository, tar, tag)
        return Answer.of_json({"digest": digest, "reference": f"{repository}@{digest}"})

    def _source(self, request: Request) -> Answer:
        """Record the tar in the body as a commit's files."""
        refs = [value for name, value in request.query if name == "ref"]
        said = request.parameters
        repository, sha = said.get("repository", ""), said.get("commit", "")
        commit = self._commits.put(repository, sha, request.body, refs)
        return Answer.of_json({"repository": commit.repository, "commit": commit.sha, "refs": refs})

    def _secret(self, request: Request) -> Answer:
        """Record the body as the value of a secret's version."""
        version = request.parameters.get("version", "")
        self._secrets.put(version, request.body)
        return Answer.of_json({"version": version})

    def _clock(self, _request: Request) -> Answer:
        return Answer.of_json({"now": clock.rfc3339(clock.now())})

    def _advance(self, request: Request) -> Answer:
        said = parse_json(request.body)
        step = said.get("advance") if isinstance(said, dict) and len(said) == 1 else None
        if not isinstance(step, str) or not _SECONDS.fullmatch(step):
            raise InvalidArgument('The body must be like {"advance": "3600s"}.')
        try:
            moment = clock.advance(timedelta(seconds=float(step[:-1])))
        except (ValueError, OverflowError) as error:
            raise InvalidArgument(f"{step!r}: {error}") from None
        return Answer.of_json({"now": clock.rfc3339(moment)})

    def _tell_faults(self, _request: Request) -> Answer:
        return Answer.of_json(self._faults.as_json())

    def _order_faults(self, request: Request) -> Answer:
        self._faults.replace(parse_json(request.body))
        return Answer.of_json(self._faults.as_json())

    def _order_fault(self, request: Request) -> Answer:
        self._faults.add(parse_json(request.body))
        return Answer.of_json(self._faults.as_json())

    def _end_faults(self, _request: Request) -> Answer:
        self._faults.clear()
        return Answer.of_json({})

    def _tell_targets(self, _request: Request) -> Answer:
        return Answer.of_json(self._targets.as_json())

    def _set_targets(self, request: Request) -> Answer:
        self._targets.replace(parse_json(request.body))
        return Answer.of_json(self._targets.as_json())

    def _add_target(self, request: Request) -> Answer:
        self._targets.add(parse_json(request.body))
        return Answer.of_json(self._targets.as_json())

    def _end_targets(self, _request: Request) -> Answer:
        self._targets.clear()
        return Answer.of_json({})

    def _tell_permissions(self, _request: Request) -> Answer:
        return Answer.of_json(self._iam.permissions.as_json())

    def _deny_permissions(self, request: Request) -> Answer:
        self._iam.permissions.replace(parse_json(request.body))
        return Answer.of_json(self._iam.permissions.as_json())

    def _signing_key(self, _request: Request) -> Answer:
        return Answer.of_text(self._iam.signer.public_pem().decode())
