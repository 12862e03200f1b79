"""The methods of Cloud Storage's JSON API, and which of them are here.

Source: the API's discovery document, https://storage.googleapis.com/$discovery/rest?version=v1.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from gcp_local.errors import Unimplemented

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from gcp_local.web.messages import Request

_ROOT = ("storage", "v1")
_B, _O = "b/{bucket}", "b/{bucket}/o/{object}"
METHODS: Mapping[str, tuple[str, str]] = {
    "anywhereCaches.disable": ("POST", f"{_B}/anywhereCaches/{{cache}}/disable"),
    "anywhereCaches.get": ("GET", f"{_B}/anywhereCaches/{{cache}}"),
    "anywhereCaches.insert": ("POST", f"{_B}/anywhereCaches"),
    "anywhereCaches.list": ("GET", f"{_B}/anywhereCaches"),
    "anywhereCaches.pause": ("POST", f"{_B}/anywhereCaches/{{cache}}/pause"),
    "anywhereCaches.resume": ("POST", f"{_B}/anywhereCaches/{{cache}}/resume"),
    "anywhereCaches.update": ("PATCH", f"{_B}/anywhereCaches/{{cache}}"),
    "bucketAccessControls.delete": ("DELETE", f"{_B}/acl/{{entity}}"),
    "bucketAccessControls.get": ("GET", f"{_B}/acl/{{entity}}"),
    "bucketAccessControls.insert": ("POST", f"{_B}/acl"),
    "bucketAccessControls.list": ("GET", f"{_B}/acl"),
    "bucketAccessControls.patch": ("PATCH", f"{_B}/acl/{{entity}}"),
    "bucketAccessControls.update": ("PUT", f"{_B}/acl/{{entity}}"),
    "buckets.delete": ("DELETE", _B),
    "buckets.get": ("GET", _B),
    "buckets.getIamPolicy": ("GET", f"{_B}/iam"),
    "buckets.getStorageLayout": ("GET", f"{_B}/storageLayout"),
    "buckets.insert": ("POST", "b"),
    "buckets.list": ("GET", "b"),
    "buckets.lockRetentionPolicy": ("POST", f"{_B}/lockRetentionPolicy"),
    "buckets.patch": ("PATCH", _B),
    "buckets.relocate": ("POST", f"{_B}/relocate"),
    "buckets.restore": ("POST", f"{_B}/restore"),
    "buckets.setIamPolicy": ("PUT", f"{_B}/iam"),
    "buckets.testIamPermissions": ("GET", f"{_B}/iam/testPermissions"),
    "buckets.update": ("PUT", _B),
    "buckets.operations.advanceRelocateBucket": (
        "POST",
        f"{_B}/operations/{{operation}}/advanceRelocateBucket",
    ),
    "buckets.operations.cancel": ("POST", f"{_B}/operations/{{operation}}/cancel"),
    "buckets.operations.get": ("GET", f"{_B}/operations/{{operation}}"),
    "buckets.operations.list": ("GET", f"{_B}/operations"),
    "defaultObjectAccessControls.delete": ("DELETE", f"{_B}/defaultObjectAcl/{{entity}}"),
    "defaultObjectAccessControls.get": ("GET", f"{_B}/defaultObjectAcl/{{entity}}"),
    "defaultObjectAccessControls.insert": ("POST", f"{_B}/defaultObjectAcl"),
    "defaultObjectAccessControls.list": ("GET", f"{_B}/defaultObjectAcl"),
    "defaultObjectAccessControls.patch": ("PATCH", f"{_B}/defaultObjectAcl/{{entity}}"),
    "defaultObjectAccessControls.update": ("PUT", f"{_B}/defaultObjectAcl/{{entity}}"),
    "folders.delete": ("DELETE", f"{_B}/folders/{{folder}}"),
    "folders.deleteRecursive": ("POST", f"{_B}/folders/{{folder}}/deleteRecursive"),
    "folders.get": ("GET", f"{_B}/folders/{{folder}}"),
    "folders.insert": ("POST", f"{_B}/folders"),
    "folders.list": ("GET", f"{_B}/folders"),
    "folders.rename": ("POST", f"{_B}/folders/{{folder}}/renameTo/folders/{{other}}"),
    "managedFolders.delete": ("DELETE", f"{_B}/managedFolders/{{folder}}"),
    "managedFolders.get": ("GET", f"{_B}/managedFolders/{{folder}}"),
    "managedFolders.getIamPolicy": ("GET", f"{_B}/managedFolders/{{folder}}/iam"),
    "managedFolders.insert": ("POST", f"{_B}/managedFolders"),
    "managedFolders.list": ("GET", f"{_B}/managedFolders"),
    "managedFolders.setIamPolicy": ("PUT", f"{_B}/managedFolders/{{folder}}/iam"),
    "managedFolders.testIamPermissions": (
        "GET",
        f"{_B}/managedFolders/{{folder}}/iam/testPermissions",
    ),
    "managedFolders.update": ("PATCH", f"{_B}/managedFolders/{{folder}}"),
    "notifications.delete": ("DELETE", f"{_B}/notificationConfigs/{{notification}}"),
    "notifications.get": ("GET", f"{_B}/notificationConfigs/{{notification}}"),
    "notifications.insert": ("POST", f"{_B}/notificationConfigs"),
    "notifications.list": ("GET", f"{_B}/notificationConfigs"),
    "objectAccessControls.delete": ("DELETE", f"{_O}/acl/{{entity}}"),
    "objectAccessControls.get": ("GET", f"{_O}/acl/{{entity}}"),
    "objectAccessControls.insert": ("POST", f"{_O}/acl"),
    "objectAccessControls.list": ("GET", f"{_O}/acl"),
    "objectAccessControls.patch": ("PATCH", f"{_O}/acl/{{entity}}"),
    "objectAccessControls.update": ("PUT", f"{_O}/acl/{{entity}}"),
    "objects.bulkRestore": ("POST", f"{_B}/o/bulkRestore"),
    "objects.compose": ("POST", f"{_O}/compose"),
    "objects.copy": ("POST", f"{_O}/copyTo/b/{{toBucket}}/o/{{toObject}}"),
    "objects.delete": ("DELETE", _O),
    "objects.get": ("GET", _O),
    "objects.getIamPolicy": ("GET", f"{_O}/iam"),
    "objects.insert": ("POST", f"{_B}/o"),
    "objects.list": ("GET", f"{_B}/o"),
    "objects.move": ("POST", f"{_O}/moveTo/o/{{toObject}}"),
    "objects.patch": ("PATCH", _O),
    "objects.restore": ("POST", f"{_O}/restore"),
    "objects.rewrite": ("POST", f"{_O}/rewriteTo/b/{{toBucket}}/o/{{toObject}}"),
    "objects.setIamPolicy": ("PUT", f"{_O}/iam"),
    "objects.testIamPermissions": ("GET", f"{_O}/iam/testPermissions"),
    "objects.update": ("PUT", _O),
    "objects.viewFullContext": ("GET", f"{_O}/viewFullContext"),
    "projects.hmacKeys.create": ("POST", "projects/{project}/hmacKeys"),
    "projects.hmacKeys.delete": ("DELETE", "projects/{project}/hmacKeys/{key}"),
    "projects.hmacKeys.get": ("GET", "projects/{project}/hmacKeys/{key}"),
    "projects.hmacKeys.list": ("GET", "projects/{project}/hmacKeys"),
    "projects.hmacKeys.update": ("PUT", "projects/{project}/hmacKeys/{key}"),
    "projects.serviceAccount.get": ("GET", "projects/{project}/serviceAccount"),
    "rapidCaches.disable": ("POST", f"{_B}/rapidCaches/{{cache}}/disable"),
    "rapidCaches.get": ("GET", f"{_B}/rapidCaches/{{cache}}"),
    "rapidCaches.insert": ("POST", f"{_B}/rapidCaches"),
    "rapidCaches.list": ("GET", f"{_B}/rapidCaches"),
    "rapidCaches.update": ("PATCH", f"{_B}/rapidCaches/{{cache}}"),
}
IMPLEMENTED = frozenset(
    {
        "buckets.delete", "buckets.get", "buckets.getIamPolicy", "buckets.insert", "buckets.list",
        "buckets.lockRetentionPolicy", "buckets.patch", "buckets.setIamPolicy",
        "buckets.testIamPermissions", "buckets.update", "notifications.delete",
        "notifications.get", "notifications.insert", "notifications.list", "objects.compose",
        "objects.copy", "objects.delete", "objects.get", "objects.insert", "objects.list",
        "objects.patch", "objects.rewrite", "objects.update", "projects.serviceAccount.get",
    }
)  # fmt: skip
_PATHS = {
    name: (verb, tuple(None if part.startswith("{") else part for part in path.split("/")))
    for name, (verb, path) in METHODS.items()
    if name not in IMPLEMENTED
}


def check_implemented(request: Request) -> None:
    """Raise Unimplemented, naming the method, for one that Cloud Storage has and this has not."""
    if request.segments[:2] != _ROOT:
        return
    for name, (verb, parts) in _PATHS.items():
        if verb == request.method and _fits(request.segments[2:], parts):
            message = f"The embedded cloud's Cloud Storage has no method storage.{name}."
            raise Unimplemented(message)


def _fits(segments: Sequence[str], parts: Sequence[str | None]) -> bool:
    return len(segments) == len(parts) and all(
        part in (None, segment) for segment, part in zip(segments, parts, strict=True)
    )
