"""Signed documents: JSON in an envelope with its signature, by an environment's key in Cloud KMS.

    {"document": {…}, "key": "projects/…/cryptoKeyVersions/1", "signature": "base64"}

The signature is ECDSA P-256 over the document's canonical JSON. It is verified with the key that
the environment's settings name, never with the one that the envelope names.
"""

import base64
import binascii
import json
from collections.abc import Mapping
from typing import Any

from ecluse.canonical import canonical_json
from ecluse.cloud import Cloud
from ecluse.errors import NotQualified

_FIX = "find out who wrote it; qualify again from the release's commit"


def signed(cloud: Cloud, document: Mapping[str, Any]) -> dict[str, Any]:
    """Return an envelope, signed with an environment's key."""
    key = cloud.environment.signing_key
    signature = cloud.keys.sign(key, canonical_json(document))
    return {
        "document": document,
        "key": key,
        "signature": base64.b64encode(signature).decode(),
    }


def opened(cloud: Cloud, envelope: bytes, address: str) -> Mapping[str, Any]:
    """Return the document of an envelope that an environment signed.

    Raises:
        NotQualified: it is no envelope, or its signature does not fit.

    """
    from ecluse.cloud.keys import verifies

    try:
        parsed = json.loads(envelope)
        document: Mapping[str, Any] = parsed["document"]
        signature = base64.b64decode(parsed["signature"], validate=True)
        content = canonical_json(document)
    except (ValueError, KeyError, TypeError, RecursionError, binascii.Error):
        raise NotQualified("is no signed document", where=address, fix=_FIX) from None
    public_key = cloud.keys.public_key(cloud.environment.signing_key)
    if not verifies(public_key, content, signature):
        raise NotQualified(
            "the signature does not fit: it was altered, or signed with another key",
            where=address,
            fix=_FIX,
        )
    return document
