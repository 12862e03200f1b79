"""Canonical bytes and their digests: the one place where something becomes comparable."""

import hashlib
import json
import re
from typing import Any

_DIGEST = re.compile(r"sha256:[0-9a-f]{64}")


def canonical_json(value: Any) -> bytes:
    """Return the one JSON text of a value: sorted keys, no insignificant space, UTF-8.

    Two values are equal exactly when their canonical bytes are. NaN and infinities, which JSON
    lacks, raise `ValueError`.
    """
    text = json.dumps(
        value, sort_keys=True, separators=(",", ":"), ensure_ascii=False, allow_nan=False
    )
    return text.encode()


def readable_json(value: Any) -> bytes:
    """Return the same for files that people open: indented, with a final newline."""
    text = json.dumps(value, sort_keys=True, indent=2, ensure_ascii=False, allow_nan=False)
    return text.encode() + b"\n"


def digest_of(content: bytes) -> str:
    """Return `sha256:<64 hex digits>` of some bytes, as registries write it."""
    return f"sha256:{hashlib.sha256(content).hexdigest()}"


def digest_of_value(value: Any) -> str:
    """Return the digest of a value's canonical JSON."""
    return digest_of(canonical_json(value))


def is_digest(text: str) -> bool:
    """Whether a text is a whole sha256 digest."""
    return _DIGEST.fullmatch(text) is not None


def short(digest: str, length: int = 12) -> str:
    """Return the first hex digits of a digest, enough for people to tell two apart."""
    return digest.removeprefix("sha256:")[:length]
