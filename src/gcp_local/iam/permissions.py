"""Permissions: everybody has them all, but those that a test denies.

There are no identities here. So that a program which asks what it may do can be tested,
`/gcp-local/permissions` denies what patterns name; like the faults, they do not outlive the server.
"""

from __future__ import annotations

import fnmatch
import re
import threading
from typing import TYPE_CHECKING, Any

from gcp_local.errors import InvalidArgument

if TYPE_CHECKING:
    from collections.abc import Iterable

# `SERVICE.RESOURCE.VERB`; wildcards are no permissions.
_PERMISSION = re.compile(r"[a-z][a-zA-Z0-9]*(\.[a-zA-Z][a-zA-Z0-9]*){2,3}")
_MOST = 100


class Permissions:
    """The source of truth for what is denied."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._denied: list[str] = []

    def granted(self, asked: Iterable[str]) -> list[str]:
        """Tell which of some permissions the caller has.

        Raises:
            InvalidArgument: one is not well formed, or they are more than 100.

        """
        wanted = list(asked)
        if len(wanted) > _MOST:
            raise InvalidArgument.of_field("permissions", f"More than {_MOST} permissions.")
        for permission in wanted:
            if not _PERMISSION.fullmatch(permission):
                raise InvalidArgument.of_field(
                    "permissions",
                    f"Permission {permission!r:.100} is not valid for this resource.",
                )
        with self._lock:
            denied = list(self._denied)
        return [
            permission
            for permission in wanted
            if not any(fnmatch.fnmatchcase(permission, pattern) for pattern in denied)
        ]

    def replace(self, said: Any) -> None:
        """Deny exactly these, from `{"deny": ["cloudkms.*", …]}`; InvalidArgument if not that."""
        patterns = said.get("deny") if isinstance(said, dict) and len(said) == 1 else None
        if not isinstance(patterns, list) or not all(
            isinstance(pattern, str) and pattern for pattern in patterns
        ):
            raise InvalidArgument.of_field(
                "deny", 'The body must be {"deny": [PATTERN, …]}, like "cloudkms.*".'
            )
        with self._lock:
            self._denied = list(patterns)

    def as_json(self) -> dict[str, Any]:
        """Tell what is denied."""
        with self._lock:
            return {"deny": list(self._denied)}
