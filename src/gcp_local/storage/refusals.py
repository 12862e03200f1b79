"""What a request may ask beside its body that nothing here would do: refused, not passed over."""

from __future__ import annotations

from typing import TYPE_CHECKING

from gcp_local.errors import Unimplemented

if TYPE_CHECKING:
    from gcp_local.web.messages import Request

_PARAMETERS = {
    "predefinedacl": "access control lists",
    "predefineddefaultobjectacl": "access control lists",
    "destinationpredefinedacl": "access control lists",
    "copysourceacl": "access control lists",
    "kmskeyname": "customer-managed encryption keys",
    "destinationkmskeyname": "customer-managed encryption keys",
    "enableobjectretention": "retention of single objects",
    "overrideunlockedretention": "retention of single objects",
    "deletesourceobjects": "deletion of what was composed",
    "softdeleted": "objects that were deleted",
    "restoretoken": "objects that were deleted",
}
_HEADERS = {
    "x-goog-encryption-": "customer-supplied encryption keys",
    "x-goog-copy-source-encryption-": "customer-supplied encryption keys",
    "x-goog-acl": "access control lists",
}


def check_possible(request: Request) -> None:
    """Raise Unimplemented for a parameter or header that asks for what there is not."""
    for name, value in request.query:
        what = _PARAMETERS.get(name.lower())
        if what is not None and value.lower() not in ("", "false"):
            raise Unimplemented(f"The embedded cloud's Cloud Storage has no {what} ({name!r}).")
    for name in request.headers:
        for prefix, what in _HEADERS.items():
            if name.startswith(prefix):
                raise Unimplemented(f"The embedded cloud's Cloud Storage has no {what} ({name!r}).")
