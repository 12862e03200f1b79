"""Cloud KMS: signs, and gives the public key that a signature is verified with.

The private key never leaves KMS. The algorithm is EC_SIGN_P256_SHA256.
"""

import hashlib
from contextlib import suppress
from typing import Any

from google.api_core import exceptions
from google.cloud import kms_v1

from ecluse.cloud import Addresses
from ecluse.cloud.calls import ONCE, Calls
from ecluse.cloud.failures import translated


class Keys:
    """Key versions by their resource names."""

    def __init__(self, client: Any, calls: Calls) -> None:
        self._client = client
        self._calls = calls
        self._public: dict[str, str] = {}

    @classmethod
    def connect(cls, addresses: Addresses) -> "Keys":
        """Connect to Cloud KMS."""
        with translated("Cloud KMS"):
            client = addresses.typed(kms_v1.KeyManagementServiceClient, "cloudkms")
        return cls(client, addresses.calls)

    def sign(self, key_version: str, content: bytes) -> bytes:
        """Return the DER-encoded ECDSA signature of some content."""
        digest = {"sha256": hashlib.sha256(content).digest()}
        answer = self._calls.call(
            key_version,
            lambda: self._client.asymmetric_sign(name=key_version, digest=digest, **ONCE),
        )
        return bytes(answer.signature)

    def public_key(self, key_version: str) -> str:
        """Return a key version's public key as PEM text. It never changes: it is asked for once."""
        if key_version not in self._public:
            found = self._calls.call(
                key_version, lambda: self._client.get_public_key(name=key_version, **ONCE)
            )
            self._public[key_version] = str(found.pem)
        return self._public[key_version]

    def ensure_key(self, key_version: str) -> None:
        """Create a key ring and a signing key unless they exist. The embedded cloud's set-up."""
        key, _, _ = key_version.partition("/cryptoKeyVersions/")
        ring, _, key_id = key.partition("/cryptoKeys/")
        location, _, ring_id = ring.partition("/keyRings/")
        signing = {
            "purpose": "ASYMMETRIC_SIGN",
            "version_template": {"algorithm": "EC_SIGN_P256_SHA256"},
        }
        with suppress(exceptions.Conflict):
            self._calls.call(
                ring,
                lambda: self._client.create_key_ring(
                    parent=location, key_ring_id=ring_id, key_ring={}, **ONCE
                ),
                expecting=exceptions.Conflict,
            )
        with suppress(exceptions.Conflict):
            self._calls.call(
                key,
                lambda: self._client.create_crypto_key(
                    parent=ring, crypto_key_id=key_id, crypto_key=signing, **ONCE
                ),
                expecting=exceptions.Conflict,
            )


def verifies(public_key: str, content: bytes, signature: bytes) -> bool:
    """Whether a signature of some content was made with the private half of a public key."""
    from cryptography.exceptions import InvalidSignature
    from cryptography.hazmat.primitives.asymmetric import ec
    from cryptography.hazmat.primitives.hashes import SHA256
    from cryptography.hazmat.primitives.serialization import load_pem_public_key

    key = load_pem_public_key(public_key.encode())
    if not isinstance(key, ec.EllipticCurvePublicKey):
        return False
    try:
        key.verify(signature, content, ec.ECDSA(SHA256()))
    except InvalidSignature:
        return False
    return True
