"""Who may do what with a dataset: kept and held to the rules, not enforced (nobody is anybody).

Source: https://cloud.google.com/bigquery/docs/reference/rest/v2/datasets#Access.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from gcp_local.bigquery.errors import BigQueryError
from gcp_local.bigquery.references import TableRef
from gcp_local.metadata_server.rest import EMAIL

# Roles by which an entry may be written, and what BigQuery answers.
_BASIC = {
    "roles/bigquery.dataOwner": "OWNER",
    "roles/bigquery.dataEditor": "WRITER",
    "roles/bigquery.dataViewer": "READER",
}
_ROLE = re.compile(r"(roles|(projects|organizations)/[^/]+/roles)/[A-Za-z0-9_.]+")
_SPECIAL = ("projectOwners", "projectReaders", "projectWriters", "allAuthenticatedUsers")
_EMAIL = re.compile(r"[^@\s]+@[^@\s]+\.[^@\s]+")
_DOMAIN = re.compile(r"[a-z0-9-]+(\.[a-z0-9-]+)+")
_MEMBER = re.compile(
    r"allUsers|allAuthenticatedUsers"
    r"|(user|group|serviceAccount|domain|deleted|principal|principalSet):.+"
)
_AUTHORISED = ("view", "routine", "dataset")
_WHO = ("userByEmail", "groupByEmail", "domain", "specialGroup", "iamMember", *_AUTHORISED)

DEFAULTS: Sequence[Mapping[str, Any]] = (
    {"role": "WRITER", "specialGroup": "projectWriters"},
    {"role": "OWNER", "specialGroup": "projectOwners"},
    {"role": "OWNER", "userByEmail": EMAIL},
    {"role": "READER", "specialGroup": "projectReaders"},
)


def checked(
    entries: Sequence[Mapping[str, Any]], exists: Callable[[str, TableRef], bool]
) -> list[dict[str, Any]]:
    """Hold a dataset's `access` to the rules, and give it as BigQuery writes it.

    Args:
        entries: as a client said them.
        exists: tells whether there is such a `table` or `routine`.

    Raises:
        BigQueryError: `invalid`; `notFound` of a view or routine; what the stand-in lacks.

    """
    written = [_checked(entry, f"access[{at}]", exists) for at, entry in enumerate(entries)]
    return [entry for at, entry in enumerate(written) if entry not in written[:at]]


def _checked(
    entry: Mapping[str, Any], at: str, exists: Callable[[str, TableRef], bool]
) -> dict[str, Any]:
    who = [name for name in _WHO if name in entry]
    if len(who) != 1:
        raise BigQueryError("invalid", f"Exactly one of {', '.join(_WHO)} must be set in {at}.")
    if "condition" in entry:
        raise BigQueryError.lacking(f"conditions of access ({at})")
    kind = who[0]
    if kind in _AUTHORISED:
        if "role" in entry:
            raise BigQueryError("invalid", f"{at}: an authorized {kind} must not have a role.")
        _check_authorised(kind, entry[kind], at, exists)
        return dict(entry)
    _check_member(kind, entry[kind], at)
    role = entry.get("role", "")
    role = _BASIC.get(role, role)
    if role not in _BASIC.values() and not _ROLE.fullmatch(role):
        raise BigQueryError("invalid", f"Invalid value for role in {at}: {role!r:.200}")
    return {**entry, "role": role}


def _check_member(kind: str, said: str, at: str) -> None:
    good = {
        "userByEmail": _EMAIL.fullmatch(said),
        "groupByEmail": _EMAIL.fullmatch(said),
        "domain": _DOMAIN.fullmatch(said),
        "specialGroup": said in _SPECIAL,
        "iamMember": _MEMBER.fullmatch(said),
    }[kind]
    if not good:
        raise BigQueryError("invalid", f"Invalid value for {kind} in {at}: {said!r:.200}")


def _check_authorised(
    kind: str, said: Mapping[str, Any], at: str, exists: Callable[[str, TableRef], bool]
) -> None:
    if kind == "dataset":
        if not said.get("dataset", {}).get("datasetId") or not said.get("targetTypes"):
            raise BigQueryError("required", f"Required parameter is missing: {at}.dataset")
        if set(said["targetTypes"]) != {"VIEWS"}:
            raise BigQueryError("invalid", f"{at}.dataset.targetTypes must be VIEWS.")
        return
    noun = "table" if kind == "view" else "routine"
    missing = [key for key in ("projectId", "datasetId", f"{noun}Id") if not said.get(key)]
    if missing:
        raise BigQueryError("required", f"Required parameter is missing: {at}.{kind}.{missing[0]}")
    ref = TableRef.from_json(dict(said), noun)
    if not exists(noun, ref):
        raise BigQueryError.not_found(noun.capitalize(), ref)
