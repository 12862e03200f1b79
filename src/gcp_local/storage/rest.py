"""Cloud Storage's JSON API: `/storage/v1`, `/upload/storage/v1`, `/download/storage/v1`, `/batch`.

Source: https://cloud.google.com/storage/docs/json_api/v1.
"""

from __future__ import annotations

import json
from dataclasses import replace
from typing import TYPE_CHECKING

from gcp_local.errors import NotFound
from gcp_local.storage import batch, download, fields, iam
from gcp_local.storage.bucket_rest import BucketEndpoint
from gcp_local.storage.methods import check_implemented
from gcp_local.storage.multipart_uploads import MultipartUploads
from gcp_local.storage.object_rest import ObjectEndpoint
from gcp_local.storage.refusals import check_possible
from gcp_local.storage.upload_rest import UploadEndpoint
from gcp_local.storage.uploads import Uploads
from gcp_local.storage.xml_rest import MultipartEndpoint
from gcp_local.web.messages import Answer, Request

if TYPE_CHECKING:
    from gcp_local.iam.permissions import Permissions
    from gcp_local.resources.database import Database
    from gcp_local.resources.projects import Projects
    from gcp_local.storage.buckets import BucketStore
    from gcp_local.storage.notification_rest import NotificationEndpoint
    from gcp_local.storage.objects import ObjectStore


class StorageEndpoint:
    """Finds who answers a request of Cloud Storage's.

    Attributes:
        xml: what there is of the XML API, whose paths begin with a bucket's name.

    """

    def __init__(
        self,
        database: Database,
        buckets: BucketStore,
        objects: ObjectStore,
        projects: Projects,
        notifications: NotificationEndpoint,
        permissions: Permissions,
    ) -> None:
        self._permissions = permissions
        self._projects = projects
        self._notifications = notifications
        self._bucket_store = buckets
        self._object_store = objects
        self._buckets = BucketEndpoint(buckets, projects)
        self._objects = ObjectEndpoint(buckets, objects)
        self._uploads = UploadEndpoint(buckets, objects, Uploads(database, objects))
        self.xml = MultipartEndpoint(MultipartUploads(database, objects))

    def answer(self, request: Request) -> Answer:
        """Answer a request, or as much of the answer as its `fields` name."""
        if request.segments[:3] == ("batch", "storage", "v1"):
            return batch.answer(request, self.answer)
        check_implemented(request)
        check_possible(request)
        said = request.parameters.get("fields")
        selection = fields.parse(said) if said else None
        answered = self._answer(request)
        kind = answered.headers.get("content-type", "")
        if selection is None or not _is_answer(request) or not kind.startswith("application/json"):
            return answered
        assert isinstance(answered.body, bytes)
        chosen = Answer.of_json(fields.select(json.loads(answered.body), selection))
        return replace(chosen, headers={**answered.headers, **chosen.headers})

    def _answer(self, request: Request) -> Answer:
        match request.segments:
            case ("upload", "storage", "v1", "b", bucket, "o"):
                return self._uploads.answer(request, bucket)
            case ("download", "storage", "v1", "b", bucket, "o", name):
                return download.answer(self._object_store, request, bucket, name)
            case ("storage", "v1", "b", bucket, "iam", *_):
                return iam.answer(self._bucket_store, request, bucket, self._permissions)
            case ("storage", "v1", "b", bucket, "notificationConfigs", *more):
                return self._notifications.answer(request, bucket, more)
            case ("storage", "v1", "projects", project, "serviceAccount"):
                return self._service_account(request, project)
            case ("storage", "v1", "b", *rest):
                return self._resource(request, rest)
        raise _unknown(request)

    def _service_account(self, request: Request, project: str) -> Answer:
        """Tell as whom Cloud Storage publishes a project's notifications."""
        if request.method != "GET":
            raise _unknown(request)
        number = self._projects.number(project)
        email = f"service-{number}@gs-project-accounts.iam.gserviceaccount.com"
        return Answer.of_json({"kind": "storage#serviceAccount", "email_address": email})

    def _resource(self, request: Request, rest: list[str]) -> Answer:
        match (request.method, rest):
            case ("GET", []):
                return self._buckets.page(request)
            case ("POST", []):
                return self._buckets.create(request)
            case (_, [bucket]):
                return self._buckets.one(request, bucket)
            case ("POST", [bucket, "lockRetentionPolicy"]):
                return self._buckets.lock(request, bucket)
        return self._object(request, rest)

    def _object(self, request: Request, rest: list[str]) -> Answer:
        match (request.method, rest):
            case ("GET", [bucket, "o"]):
                return self._objects.page(request, bucket)
            case (_, [bucket, "o", name]):
                return self._objects.one(request, bucket, name)
            case ("POST", [bucket, "o", name, "compose" | "copyTo" | "rewriteTo" as how, *more]):
                return self._objects.action(request, bucket, name, [how, *more])
        raise _unknown(request)


def _is_answer(request: Request) -> bool:
    """Tell whether the body would be an answer of the API's, not an object's own bytes."""
    return request.segments[0] != "download" and request.parameters.get("alt") != "media"


def _unknown(request: Request) -> NotFound:
    return NotFound(f"Not found: {request.method} {request.path}")
