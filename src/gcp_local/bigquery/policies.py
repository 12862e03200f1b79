"""The access policies of tables and routines: kept and given back; nobody is kept out."""

from __future__ import annotations

import base64
import hashlib
import json
import re
from typing import TYPE_CHECKING, Any

from gcp_local.bigquery.errors import BigQueryError
from gcp_local.bigquery.references import TableRef
from gcp_local.errors import Aborted

if TYPE_CHECKING:
    from collections.abc import Mapping

    from gcp_local.bigquery.call import Call
    from gcp_local.bigquery.catalog import Catalog, Entry
    from gcp_local.iam.permissions import Permissions
    from gcp_local.resources.database import Database

_ROLE = re.compile(r"(roles|(projects|organizations)/[^/]+/roles)/[A-Za-z0-9_.]+")
_MEMBER = re.compile(
    r"allUsers|allAuthenticatedUsers"
    r"|(user|group|serviceAccount):[^@\s]+@[^@\s]+|domain:[a-z0-9.-]+"
    r"|(deleted|principal|principalSet|projectOwner|projectEditor|projectViewer):\S+"
)


class PolicyService:
    """`getIamPolicy`, `setIamPolicy`, `testIamPermissions` of `bigquery.tables` and `.routines`."""

    def __init__(self, catalog: Catalog, database: Database, permissions: Permissions) -> None:
        self._catalog = catalog
        self._database = database
        self._permissions = permissions

    def tables_get_iam_policy(self, call: Call) -> dict[str, Any]:
        """Answer who may do what with a table."""
        return self._given(call, "table")

    def tables_set_iam_policy(self, call: Call) -> dict[str, Any]:
        """Keep who may do what with a table."""
        return self._kept(call, "table")

    def tables_test_iam_permissions(self, call: Call) -> dict[str, Any]:
        """Answer what the caller may do with a table: all that is asked and not denied."""
        return self._tested(call, "table")

    def routines_get_iam_policy(self, call: Call) -> dict[str, Any]:
        """Answer who may do what with a routine."""
        return self._given(call, "routine")

    def routines_set_iam_policy(self, call: Call) -> dict[str, Any]:
        """Keep who may do what with a routine."""
        return self._kept(call, "routine")

    def routines_test_iam_permissions(self, call: Call) -> dict[str, Any]:
        """Answer what the caller may do with a routine: all that is asked and not denied."""
        return self._tested(call, "routine")

    def _given(self, call: Call, noun: str) -> dict[str, Any]:
        return _written(self._policy(self._catalog.get(_ref(call, noun), noun)))

    def _kept(self, call: Call, noun: str) -> dict[str, Any]:
        said = call.body.get("policy")
        if said is None:
            raise BigQueryError("required", "Required parameter is missing: policy")
        _check(said)
        with self._catalog.transaction():
            entry = self._catalog.get(_ref(call, noun), noun)
            now = _written(self._policy(entry))
            if said.get("etag") not in (None, now["etag"]):
                raise Aborted(
                    "There were concurrent policy changes. Please retry the whole"
                    " read-modify-write with exponential backoff."
                )
            kept = {"bindings": said["bindings"]} if said.get("bindings") else {}
            self._database.run(
                "INSERT OR REPLACE INTO bigquery_policies VALUES (?, ?)",
                entry.uid,
                json.dumps(kept),
            )
        return _written(kept)

    def _policy(self, entry: Entry) -> dict[str, Any]:
        row = self._database.row("SELECT body FROM bigquery_policies WHERE uid = ?", entry.uid)
        return {} if row is None else dict(json.loads(row["body"]))

    def _tested(self, call: Call, noun: str) -> dict[str, Any]:
        self._catalog.get(_ref(call, noun), noun)
        granted = self._permissions.granted(call.body.get("permissions", []))
        return {"permissions": granted} if granted else {}


def _ref(call: Call, noun: str) -> TableRef:
    return TableRef(call.project, call.variables["datasetId"], call.variables[f"{noun}Id"])


def _check(policy: Mapping[str, Any]) -> None:
    if policy.get("auditConfigs"):
        raise BigQueryError.lacking("audit logs (policy.auditConfigs)")
    if policy.get("version", 1) not in (0, 1, 3):
        raise BigQueryError("invalid", "Invalid value for policy.version: it must be 0, 1 or 3")
    for at, binding in enumerate(policy.get("bindings", [])):
        if "condition" in binding:
            raise BigQueryError.lacking(f"conditions of access (policy.bindings[{at}])")
        if not _ROLE.fullmatch(binding.get("role", "")):
            message = f"Role {binding.get('role', '')!r:.200} is not supported for this resource."
            raise BigQueryError("invalid", message)
        for member in binding.get("members", []):
            if not _MEMBER.fullmatch(member):
                message = f"Invalid member {member!r:.200} in policy.bindings[{at}]."
                raise BigQueryError("invalid", message)


def _written(policy: Mapping[str, Any]) -> dict[str, Any]:
    content = json.dumps(policy, sort_keys=True).encode()
    etag = base64.b64encode(hashlib.sha256(content).digest()[:12]).decode()
    return {"version": 1, "etag": etag, **policy}
