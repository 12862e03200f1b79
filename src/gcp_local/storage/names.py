"""The rules for names of buckets and objects.

Sources: https://cloud.google.com/storage/docs/buckets#naming and
https://cloud.google.com/storage/docs/objects#naming.
"""

from __future__ import annotations

import ipaddress
import re

from gcp_local.errors import InvalidArgument

_BUCKET = re.compile(r"[a-z0-9][a-z0-9._-]*[a-z0-9]")
_MIN_BUCKET, _MAX_LABEL, _MAX_DOTTED = 3, 63, 222
_MAX_OBJECT_BYTES = 1024


def check_bucket_name(name: str) -> None:
    """Raise InvalidArgument unless the name is one that a bucket may have."""
    fits = _MIN_BUCKET <= len(name) <= (_MAX_DOTTED if "." in name else _MAX_LABEL)
    formed = _BUCKET.fullmatch(name) and ".." not in name and not _is_address(name)
    labels = all(len(part) <= _MAX_LABEL for part in name.split("."))
    reserved = name.startswith("goog") or "google" in name
    if not (fits and formed and labels) or reserved:
        raise InvalidArgument(f"Invalid bucket name: '{name}'")


def check_object_name(name: str) -> None:
    """Raise InvalidArgument unless the name is one that an object may have.

    Slashes, `..` in the middle and any other Unicode are harmless: names are keys, never paths.
    """
    try:
        size = len(name.encode())
    except UnicodeEncodeError:
        raise InvalidArgument("Object names must be valid UTF-8.") from None
    if not name:
        raise InvalidArgument("Required parameter: name", reason="required")
    if size > _MAX_OBJECT_BYTES:
        raise InvalidArgument(f"An object name has at most {_MAX_OBJECT_BYTES} bytes, not {size}.")
    forbidden = name in (".", "..") or name.startswith(".well-known/acme-challenge/")
    if forbidden or "\r" in name or "\n" in name or "\0" in name:
        raise InvalidArgument(f"Invalid object name: {name!r}")


def _is_address(name: str) -> bool:
    try:
        ipaddress.ip_address(name)
    except ValueError:
        return False
    return True
