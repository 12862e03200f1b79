"""Cloud KMS, through Google's client: a signature that the public key verifies."""

from __future__ import annotations

import hashlib
import stat
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import google_crc32c
import pytest
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from google.api_core import exceptions
from google.cloud import kms_v1
from google.protobuf.field_mask_pb2 import FieldMask

from gcp_local.kms.keys import KeyStore
from tests.gcp_local.emulators import Emulator

SIGNING = kms_v1.CryptoKey(
    purpose=kms_v1.CryptoKey.CryptoKeyPurpose.ASYMMETRIC_SIGN,
    version_template=kms_v1.CryptoKeyVersionTemplate(
        algorithm=kms_v1.CryptoKeyVersion.CryptoKeyVersionAlgorithm.EC_SIGN_P256_SHA256
    ),
)


@pytest.fixture
def kms(emulator: Emulator) -> kms_v1.KeyManagementServiceClient:
    return kms_v1.KeyManagementServiceClient(**emulator.gapic)


@pytest.fixture
def ring(kms: kms_v1.KeyManagementServiceClient, project: str) -> str:
    parent = f"projects/{project}/locations/europe-west1"
    made = kms.create_key_ring(parent=parent, key_ring_id="ecluse", key_ring=kms_v1.KeyRing())
    assert made.name == f"{parent}/keyRings/ecluse"
    return str(made.name)


@pytest.fixture
def version(kms: kms_v1.KeyManagementServiceClient, ring: str) -> str:
    key = kms.create_crypto_key(parent=ring, crypto_key_id="sign", crypto_key=SIGNING)
    name = f"{key.name}/cryptoKeyVersions/1"
    found = kms.get_crypto_key_version(name=name)
    assert found.state == kms_v1.CryptoKeyVersion.CryptoKeyVersionState.ENABLED
    return name


def sign(kms: kms_v1.KeyManagementServiceClient, version: str, content: bytes) -> Any:
    digest = hashlib.sha256(content).digest()
    return kms.asymmetric_sign(
        request={
            "name": version,
            "digest": {"sha256": digest},
            "digest_crc32c": google_crc32c.value(digest),
        }
    )


def verify(
    kms: kms_v1.KeyManagementServiceClient, version: str, content: bytes, signed: Any
) -> None:
    public = kms.get_public_key(name=version)
    assert public.pem_crc32c == google_crc32c.value(public.pem.encode())
    key = serialization.load_pem_public_key(public.pem.encode())
    assert isinstance(key, ec.EllipticCurvePublicKey)
    key.verify(signed.signature, content, ec.ECDSA(hashes.SHA256()))


def test_what_it_signs_the_public_key_verifies(
    kms: kms_v1.KeyManagementServiceClient, version: str
) -> None:
    signed = sign(kms, version, b"evidence")
    assert signed.name == version
    assert signed.verified_digest_crc32c
    assert signed.signature_crc32c == google_crc32c.value(signed.signature)
    verify(kms, version, b"evidence", signed)
    with pytest.raises(InvalidSignature):
        verify(kms, version, b"other", signed)


def test_data_is_digested_by_the_service(
    kms: kms_v1.KeyManagementServiceClient, version: str
) -> None:
    signed = kms.asymmetric_sign(request={"name": version, "data": b"evidence"})
    verify(kms, version, b"evidence", signed)


def test_a_wrong_checksum_or_digest_is_refused(
    kms: kms_v1.KeyManagementServiceClient, version: str
) -> None:
    digest = hashlib.sha256(b"x").digest()
    for request in (
        {"digest": {"sha256": digest}, "digest_crc32c": 1},
        {"digest": {"sha256": b"short"}},
        {"digest": {"sha512": hashlib.sha512(b"x").digest()}},
        {},
    ):
        with pytest.raises(exceptions.BadRequest):
            kms.asymmetric_sign(request={"name": version, **request})


def test_a_disabled_version_does_not_sign(
    kms: kms_v1.KeyManagementServiceClient, version: str
) -> None:
    state = kms_v1.CryptoKeyVersion.CryptoKeyVersionState.DISABLED
    wanted = kms_v1.CryptoKeyVersion(name=version, state=state)
    kms.update_crypto_key_version(crypto_key_version=wanted, update_mask=FieldMask(paths=["state"]))
    with pytest.raises(exceptions.BadRequest, match="not enabled"):
        sign(kms, version, b"x")


def test_versions_made_at_once_are_numbered_one_by_one_and_each_has_its_key(
    kms: kms_v1.KeyManagementServiceClient, version: str
) -> None:
    key = version.partition("/cryptoKeyVersions/")[0]

    def create(_: int) -> tuple[str, str]:
        made = kms.create_crypto_key_version(
            parent=key, crypto_key_version=kms_v1.CryptoKeyVersion()
        )
        return made.name, kms.get_public_key(name=made.name).pem

    with ThreadPoolExecutor(8) as pool:
        made = dict(pool.map(create, range(24)))
    assert made.keys() == {f"{key}/cryptoKeyVersions/{number}" for number in range(2, 26)}
    assert len(set(made.values())) == 24
    for name, pem in made.items():
        assert kms.get_public_key(name=name).pem == pem
        verify(kms, name, b"evidence", sign(kms, name, b"evidence"))


def test_a_keys_file_is_never_replaced(tmp_path: Path) -> None:
    keys = KeyStore(tmp_path)

    def create(number: int) -> tuple[int, bytes]:
        keys.create(f"name {number // 4}")
        return number // 4, keys.public_pem(f"name {number // 4}")

    with ThreadPoolExecutor(4) as pool:
        seen = set(pool.map(create, range(160)))
    assert len(seen) == 40
    assert len(list(tmp_path.iterdir())) == 40


def test_names_are_taken_once_and_unknown_ones_not_found(
    kms: kms_v1.KeyManagementServiceClient, ring: str, version: str
) -> None:
    with pytest.raises(exceptions.Conflict):
        kms.create_crypto_key(parent=ring, crypto_key_id="sign", crypto_key=SIGNING)
    with pytest.raises(exceptions.NotFound):
        kms.create_crypto_key(parent=f"{ring}x", crypto_key_id="sign", crypto_key=SIGNING)
    with pytest.raises(exceptions.NotFound):
        kms.get_public_key(name=version.replace("Versions/1", "Versions/2"))
    assert [key.name for key in kms.list_crypto_keys(parent=ring)] == [f"{ring}/cryptoKeys/sign"]


def test_other_kinds_of_key_are_not_pretended(
    kms: kms_v1.KeyManagementServiceClient, ring: str
) -> None:
    purpose = kms_v1.CryptoKey.CryptoKeyPurpose.ENCRYPT_DECRYPT
    key = kms_v1.CryptoKey(purpose=purpose)
    with pytest.raises(exceptions.MethodNotImplemented):
        kms.create_crypto_key(parent=ring, crypto_key_id="encrypt", crypto_key=key)


def test_key_files_are_their_owners_alone(emulator: Emulator, version: str) -> None:
    files = list((emulator.state / "keys").iterdir())
    assert files
    for file in files:
        assert stat.S_IMODE(file.stat().st_mode) == 0o600
