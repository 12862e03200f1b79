"""A bucket's access policy: kept and given back, but not enforced, for there are no identities."""

from __future__ import annotations

import base64
import hashlib
import json
from typing import TYPE_CHECKING, Any

from gcp_local.errors import ConditionNotMet, NotFound
from gcp_local.iam.policies import Policy, check_policy
from gcp_local.rpc.protos import from_json, to_json
from gcp_local.storage import wire
from gcp_local.storage.values import ANY
from gcp_local.web.messages import Answer, Request

if TYPE_CHECKING:
    from collections.abc import Mapping

    from gcp_local.iam.permissions import Permissions
    from gcp_local.storage.buckets import Bucket, BucketStore

_IGNORED = {"kind", "resourceId", "etag"}


def answer(buckets: BucketStore, request: Request, bucket: str, permissions: Permissions) -> Answer:
    """Answer `getIamPolicy`, `setIamPolicy` and `testIamPermissions`."""
    policy = buckets.get(bucket).policy
    match (request.method, request.segments[5:]):
        case ("GET", ()):
            return Answer.of_json(_written(policy, bucket))
        case ("PUT", ()):
            said = wire.mapping(request.body)
            etag, kept = wire.text(said, "etag"), _read(said)

            def replaced(now: Bucket) -> dict[str, Any]:
                if etag not in (None, _etag(now.policy)):
                    raise ConditionNotMet
                return {"policy": kept}

            buckets.patch(bucket, replaced, ANY)
            return Answer.of_json(_written(kept, bucket))
        case ("GET", ("testPermissions",)):
            asked = [value for name, value in request.query if name == "permissions"]
            kind = "storage#testIamPermissionsResponse"
            granted = permissions.granted(asked)
            return Answer.of_json({"kind": kind, **({"permissions": granted} if granted else {})})
    raise NotFound(f"Not found: {request.method} {request.path}")


def _read(said: Mapping[str, Any]) -> dict[str, Any]:
    """Read a policy; InvalidArgument if it is not well formed."""
    policy = from_json({name: said[name] for name in said.keys() - _IGNORED}, Policy)
    check_policy(policy)
    return {"bindings": to_json(policy).get("bindings", []), "version": policy.version or 1}


def _written(policy: Mapping[str, Any], bucket: str) -> dict[str, Any]:
    return {
        "kind": "storage#policy",
        "resourceId": f"projects/_/buckets/{bucket}",
        "version": policy.get("version", 1),
        "bindings": policy.get("bindings", []),
        "etag": _etag(policy),
    }


def _etag(policy: Mapping[str, Any]) -> str:
    content = json.dumps(policy, sort_keys=True).encode()
    return base64.b64encode(hashlib.sha256(content).digest()[:6]).decode()
