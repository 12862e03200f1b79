"""The key that signs for service accounts. What it signs is worth nothing outside.

One RSA key signs for all of them. It is made when something is signed for the first time, lies in
the state folder, and only its owner can read it.
"""

from __future__ import annotations

import base64
import hashlib
import json
import os
import uuid
from contextlib import suppress
from functools import cached_property
from typing import TYPE_CHECKING, Any

from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import padding, rsa

from gcp_local import clock

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

ISSUER = "https://accounts.google.com"
_LIFETIME_SECONDS = 3600
_BITS = 2048


class AccountSigner:
    """Signs in the names of service accounts.

    Args:
        path: the key's file; made when it is needed.

    """

    def __init__(self, path: Path) -> None:
        self._path = path

    @property
    def key_id(self) -> str:
        """The key's id, by which a token names it."""
        return hashlib.sha1(self.public_pem(), usedforsecurity=False).hexdigest()

    def sign(self, content: bytes) -> bytes:
        """Sign bytes: RSA, PKCS #1 v1.5, SHA-256."""
        return self._key.sign(content, padding.PKCS1v15(), hashes.SHA256())

    def jwt(self, claims: Mapping[str, Any] | str) -> str:
        """Sign a set of claims, or the very JSON of one, as a JWT (RFC 7519)."""
        header = json.dumps({"alg": "RS256", "kid": self.key_id, "typ": "JWT"})
        body = claims if isinstance(claims, str) else json.dumps(claims)
        content = f"{_encoded(header.encode())}.{_encoded(body.encode())}"
        return f"{content}.{_encoded(self.sign(content.encode()))}"

    def identity_token(self, email: str, audience: str, *, with_email: bool = True) -> str:
        """Make an OpenID Connect token of an account for an audience, good for an hour."""
        now = int(clock.now().timestamp())
        claims: dict[str, Any] = {
            "aud": audience,
            "azp": unique_id(email),
            "exp": now + _LIFETIME_SECONDS,
            "iat": now,
            "iss": ISSUER,
            "sub": unique_id(email),
        }
        if with_email:
            claims |= {"email": email, "email_verified": True}
        return self.jwt(claims)

    def public_pem(self) -> bytes:
        """Give the public key, which verifies what was signed."""
        return self._key.public_key().public_bytes(
            serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo
        )

    @cached_property
    def _key(self) -> rsa.RSAPrivateKey:
        if not self._path.exists():
            self._make()
        key = serialization.load_pem_private_key(self._path.read_bytes(), password=None)
        assert isinstance(key, rsa.RSAPrivateKey)  # `_make` makes no other
        return key

    def _make(self) -> None:
        pem = rsa.generate_private_key(65537, _BITS).private_bytes(
            serialization.Encoding.PEM,
            serialization.PrivateFormat.PKCS8,
            serialization.NoEncryption(),
        )
        self._path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        unfinished = self._path.with_name(f"{uuid.uuid4().hex}.part")
        flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL
        try:
            with os.fdopen(os.open(unfinished, flags, 0o600), "wb") as file:
                file.write(pem)
            # A link is whole or not there, and is refused where there is one already.
            with suppress(FileExistsError):
                self._path.hardlink_to(unfinished)
        finally:
            unfinished.unlink(missing_ok=True)


def unique_id(email: str) -> str:
    """Give an account's number of 21 digits: derived from its address, the same everywhere."""
    digest = hashlib.sha256(email.encode()).digest()
    return str(10**20 + int.from_bytes(digest[:8], "big"))


def _encoded(content: bytes) -> str:
    return base64.urlsafe_b64encode(content).rstrip(b"=").decode()
