"""Private keys, one file each, readable by their owner alone."""

from __future__ import annotations

import contextlib
import hashlib
import os
import uuid
from typing import TYPE_CHECKING

from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.asymmetric.utils import Prehashed

if TYPE_CHECKING:
    from pathlib import Path


class KeyStore:
    """The source of truth for key material (ECDSA on P-256)."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)

    def create(self, name: str) -> None:
        """Make the private key of a key version's name; an existing one stays as it is."""
        pem = ec.generate_private_key(ec.SECP256R1()).private_bytes(
            serialization.Encoding.PEM,
            serialization.PrivateFormat.PKCS8,
            serialization.NoEncryption(),
        )
        unfinished = self._folder / f"{uuid.uuid4().hex}.part"
        flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL
        try:
            with os.fdopen(os.open(unfinished, flags, 0o600), "wb") as file:
                file.write(pem)
            # A link is whole or not there, and is refused where there is one already.
            with contextlib.suppress(FileExistsError):
                self._path(name).hardlink_to(unfinished)
        finally:
            unfinished.unlink(missing_ok=True)

    def public_pem(self, name: str) -> bytes:
        """Give the public key as PEM."""
        return (
            self._private(name)
            .public_key()
            .public_bytes(
                serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo
            )
        )

    def sign(self, name: str, digest: bytes) -> bytes:
        """Sign a SHA-256 digest: ECDSA, DER-encoded."""
        return self._private(name).sign(digest, ec.ECDSA(Prehashed(hashes.SHA256())))

    def _private(self, name: str) -> ec.EllipticCurvePrivateKey:
        key = serialization.load_pem_private_key(self._path(name).read_bytes(), password=None)
        assert isinstance(key, ec.EllipticCurvePrivateKey)  # `create` makes no other
        return key

    def _path(self, name: str) -> Path:
        return self._folder / f"{hashlib.sha256(name.encode()).hexdigest()}.pem"
