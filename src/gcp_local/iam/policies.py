"""Policies: kept and given back, but not enforced, for there are no identities."""

from __future__ import annotations

import hashlib
import re
from typing import TYPE_CHECKING

from google.iam.v1 import iam_policy_pb2, policy_pb2  # type: ignore[import-untyped]

from gcp_local.errors import Aborted, InvalidArgument, Unimplemented
from gcp_local.resources.collection import policy_name
from gcp_local.rpc.protos import Message, copy_of

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from gcp_local.iam.permissions import Permissions
    from gcp_local.resources.collection import Resources
    from gcp_local.resources.database import Database

Policy: type[Message] = policy_pb2.Policy
TestIamPermissionsResponse: type[Message] = iam_policy_pb2.TestIamPermissionsResponse
_ROLE = re.compile(r"roles/[A-Za-z0-9_.]+|(projects|organizations)/[^/]+/roles/[A-Za-z0-9_.]+")
_MEMBER = re.compile(
    r"allUsers|allAuthenticatedUsers|(deleted:)?(user|serviceAccount|group):[^@\s]+@[^@\s]+"
    r"|serviceAccount:[a-z0-9.:-]+\.svc\.id\.goog\[[^/\]\s]+/[^/\]\s]+\]|domain:[a-z0-9.-]+"
    r"|(deleted:)?(principal|principalSet)://\S+|project(Owner|Editor|Viewer):\S+"
)
_WITH_CONDITIONS = 3
_MOST_MEMBERS = 1500


class Policies:
    """The source of truth for resources' policies."""

    def __init__(self, resources: Resources, database: Database) -> None:
        self._resources = resources
        self._database = database

    def get(self, resource: str) -> Message:
        """Give a resource's policy; an empty one if none was set."""
        found = self._resources.find(policy_name(resource), Policy)
        return _stamped(found if found is not None else Policy(version=1))

    def set(self, resource: str, request: Message) -> Message:
        """Keep a policy, from a SetIamPolicyRequest.

        Raises:
            InvalidArgument: not well formed; the error names the field.
            Aborted: it has the etag of another state.

        """
        wanted = copy_of(request.policy)
        check_policy(wanted)
        for path in request.update_mask.paths:
            if path not in ("bindings", "etag", "version"):
                raise InvalidArgument.of_field("update_mask", f"Invalid path {path!r}.")
        with self._database.transaction():
            before = self.get(resource)
            if wanted.etag and wanted.etag != before.etag:
                raise Aborted(
                    "There were concurrent policy changes. Please retry the whole"
                    " read-modify-write with exponential backoff."
                )
            wanted.version = wanted.version or 1
            wanted.ClearField("etag")
            if self._resources.find(policy_name(resource), Policy) is None:
                self._resources.add(policy_name(resource), wanted, parent="policies")
            else:
                self._resources.replace(policy_name(resource), wanted)
        return _stamped(wanted)


class IAMPolicy:
    """`google.iam.v1.IAMPolicy`, which several services share: the resource's name tells whose.

    Args:
        policies: where policies are kept.
        permissions: what the caller may do.
        known: for the patterns of resources that have policies, what gives the name that one is
            kept by, or raises if there is no such resource.

    """

    def __init__(
        self,
        policies: Policies,
        permissions: Permissions,
        known: Mapping[str, Callable[[str], str]],
    ) -> None:
        self._policies = policies
        self._permissions = permissions
        self._known = [(re.compile(pattern), find) for pattern, find in known.items()]

    def get_iam_policy(self, request: Message) -> Message:
        """Answer a resource's policy."""
        return self._policies.get(self._name(request.resource))

    def set_iam_policy(self, request: Message) -> Message:
        """Keep a resource's policy."""
        return self._policies.set(self._name(request.resource), request)

    def test_iam_permissions(self, request: Message) -> Message:
        """Answer which of some permissions the caller has."""
        self._name(request.resource)
        granted = self._permissions.granted(request.permissions)
        return TestIamPermissionsResponse(permissions=granted)

    def _name(self, resource: str) -> str:
        for pattern, find in self._known:
            if pattern.fullmatch(resource):
                return find(resource)
        raise Unimplemented(f"The embedded cloud keeps no policy of {resource!r:.200}.")


def check_policy(policy: Message) -> None:
    """Refuse a policy that is not well formed."""
    if policy.audit_configs:
        raise Unimplemented("The embedded cloud keeps no audit_configs.")
    if policy.version not in (0, 1, _WITH_CONDITIONS):
        raise InvalidArgument.of_field("policy.version", "The version of a policy is 0, 1 or 3.")
    for number, binding in enumerate(policy.bindings):
        at = f"policy.bindings[{number}]"
        if not _ROLE.fullmatch(binding.role):
            raise InvalidArgument.of_field(f"{at}.role", f"Invalid role {binding.role!r:.100}.")
        for member in binding.members:
            if not _MEMBER.fullmatch(member):
                raise InvalidArgument.of_field(f"{at}.members", f"Invalid member {member!r:.100}.")
        if binding.HasField("condition") and policy.version != _WITH_CONDITIONS:
            raise InvalidArgument.of_field(
                f"{at}.condition", "A policy with conditions has version 3."
            )
    if sum(len(binding.members) for binding in policy.bindings) > _MOST_MEMBERS:
        raise InvalidArgument.of_field("policy.bindings", f"More than {_MOST_MEMBERS} members.")


def _stamped(policy: Message) -> Message:
    """Give a policy its etag: that of its content."""
    shown = copy_of(policy)
    shown.ClearField("etag")
    shown.etag = hashlib.sha256(shown.SerializeToString(deterministic=True)).digest()[:8]
    return shown
