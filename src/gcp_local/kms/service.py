"""Cloud KMS's KeyManagementService, as far as signing goes."""

from __future__ import annotations

import hashlib
import re
from typing import TYPE_CHECKING, NoReturn

import google_crc32c
from google.cloud.kms_v1.types import resources as kms_types
from google.cloud.kms_v1.types import service as service_types

from gcp_local import clock
from gcp_local.errors import FailedPrecondition, InvalidArgument, NotFound, Unimplemented
from gcp_local.resources.labels import check_labels
from gcp_local.resources.listing import list_page
from gcp_local.rpc.protos import Message, copy_of, raw, timestamp

if TYPE_CHECKING:
    from gcp_local.kms.keys import KeyStore
    from gcp_local.resources.collection import Resources
    from gcp_local.resources.database import Database
    from gcp_local.resources.projects import Projects

KeyRing = raw(kms_types.KeyRing)
CryptoKey = raw(kms_types.CryptoKey)
CryptoKeyVersion = raw(kms_types.CryptoKeyVersion)
PublicKey = raw(kms_types.PublicKey)
AsymmetricSignResponse = raw(service_types.AsymmetricSignResponse)
ListKeyRingsResponse = raw(service_types.ListKeyRingsResponse)
ListCryptoKeysResponse = raw(service_types.ListCryptoKeysResponse)
ListCryptoKeyVersionsResponse = raw(service_types.ListCryptoKeyVersionsResponse)

_Algorithm = kms_types.CryptoKeyVersion.CryptoKeyVersionAlgorithm
_State = kms_types.CryptoKeyVersion.CryptoKeyVersionState
_Purpose = kms_types.CryptoKey.CryptoKeyPurpose
_Format = kms_types.PublicKey.PublicKeyFormat
_ID = re.compile(r"[a-zA-Z0-9_-]{1,63}")
_LOCATION = re.compile(r"projects/[^/]+/locations/[a-z0-9-]+")
_SHA256_BYTES = 32


class KeyManagementService:
    """`google.cloud.kms.v1.KeyManagementService`: EC_SIGN_P256_SHA256, in software."""

    def __init__(
        self, *, resources: Resources, database: Database, projects: Projects, keys: KeyStore
    ) -> None:
        self._resources = resources
        self._database = database
        self._projects = projects
        self._keys = keys

    def create_key_ring(self, request: Message) -> Message:
        """Make an empty key ring; it can never be deleted."""
        parent = self._projects.named(request.parent)
        if not _LOCATION.fullmatch(parent):
            raise InvalidArgument.of_field("parent", f"Invalid location {request.parent!r}.")
        _check_id("key_ring_id", request.key_ring_id)
        name = f"{parent}/keyRings/{request.key_ring_id}"
        ring = KeyRing(name=name, create_time=timestamp(clock.now()))
        self._resources.add(name, ring)
        return ring

    def get_key_ring(self, request: Message) -> Message:
        """Answer a key ring."""
        return self._resources.get(self._projects.named(request.name), KeyRing)

    def list_key_rings(self, request: Message) -> Message:
        """Answer a location's key rings."""
        found = self._resources.children(self._projects.named(request.parent), KeyRing)
        page, token = list_page(found, request, KeyRing, filterable={"name": "name"})
        return ListKeyRingsResponse(key_rings=page, next_page_token=token)

    def create_crypto_key(self, request: Message) -> Message:
        """Make a key for signing and, unless told otherwise, its version 1."""
        parent = self._projects.named(request.parent)
        self._resources.get(parent, KeyRing)
        _check_id("crypto_key_id", request.crypto_key_id)
        key: Message = copy_of(request.crypto_key)
        check_labels(key.labels)
        template = key.version_template
        if key.purpose != _Purpose.ASYMMETRIC_SIGN:
            _lacks("keys of any purpose but ASYMMETRIC_SIGN")
        if template.algorithm != _Algorithm.EC_SIGN_P256_SHA256:
            _lacks("signing algorithms other than EC_SIGN_P256_SHA256")
        if template.protection_level not in (0, kms_types.ProtectionLevel.SOFTWARE):
            _lacks("protection levels other than SOFTWARE")
        if key.HasField("rotation_period") or key.HasField("next_rotation_time"):
            raise InvalidArgument("Keys for asymmetric signing cannot be rotated automatically.")
        template.protection_level = kms_types.ProtectionLevel.SOFTWARE
        key.name = f"{parent}/cryptoKeys/{request.crypto_key_id}"
        key.create_time.CopyFrom(timestamp(clock.now()))
        with self._database.transaction():
            self._resources.add(key.name, key)
            if not request.skip_initial_version_creation:
                self._add_version(key.name)
        return key

    def get_crypto_key(self, request: Message) -> Message:
        """Answer a key."""
        return self._resources.get(self._projects.named(request.name), CryptoKey)

    def list_crypto_keys(self, request: Message) -> Message:
        """Answer a ring's keys."""
        parent = self._projects.named(request.parent)
        self._resources.get(parent, KeyRing)
        found = self._resources.children(parent, CryptoKey)
        page, token = list_page(found, request, CryptoKey, filterable={"name": "name"})
        return ListCryptoKeysResponse(crypto_keys=page, next_page_token=token)

    def create_crypto_key_version(self, request: Message) -> Message:
        """Make a key's next version."""
        parent = self._projects.named(request.parent)
        with self._database.transaction():
            self._resources.get(parent, CryptoKey)
            return self._add_version(parent)

    def get_crypto_key_version(self, request: Message) -> Message:
        """Answer a version."""
        return self._resources.get(self._projects.named(request.name), CryptoKeyVersion)

    def list_crypto_key_versions(self, request: Message) -> Message:
        """Answer a key's versions."""
        parent = self._projects.named(request.parent)
        self._resources.get(parent, CryptoKey)
        found = self._resources.children(parent, CryptoKeyVersion)
        page, token = list_page(found, request, CryptoKeyVersion, filterable={"state": "state"})
        return ListCryptoKeyVersionsResponse(crypto_key_versions=page, next_page_token=token)

    def update_crypto_key_version(self, request: Message) -> Message:
        """Enable or disable a version; nothing else of it can change."""
        if list(request.update_mask.paths) != ["state"]:
            raise InvalidArgument.of_field("update_mask", "The update mask must be 'state'.")
        wanted = request.crypto_key_version.state
        if wanted not in (_State.ENABLED, _State.DISABLED):
            raise InvalidArgument("A version can be set to ENABLED or DISABLED.")
        name = self._projects.named(request.crypto_key_version.name)
        with self._database.transaction():
            version = self._resources.get(name, CryptoKeyVersion)
            version.state = wanted
            self._resources.replace(name, version)
        return version

    def get_public_key(self, request: Message) -> Message:
        """Answer the public key as PEM, with its checksum."""
        version = self._enabled(request.name)
        if request.public_key_format not in (0, _Format.PEM):
            _lacks("public keys in formats other than PEM")
        pem = self._keys.public_pem(version.name)
        answer = PublicKey(
            pem=pem.decode(),
            algorithm=version.algorithm,
            name=version.name,
            protection_level=version.protection_level,
            public_key_format=_Format.PEM,
        )
        answer.pem_crc32c.value = google_crc32c.value(pem)
        answer.public_key.data = pem
        answer.public_key.crc32c_checksum.value = google_crc32c.value(pem)
        return answer

    def asymmetric_sign(self, request: Message) -> Message:
        """Sign a SHA-256 digest, or data whose digest is taken here."""
        version = self._enabled(request.name)
        digest = self._digest(request)
        signature = self._keys.sign(version.name, digest)
        answer = AsymmetricSignResponse(
            signature=signature,
            verified_digest_crc32c=request.HasField("digest_crc32c"),
            verified_data_crc32c=request.HasField("data_crc32c"),
            name=version.name,
            protection_level=version.protection_level,
        )
        answer.signature_crc32c.value = google_crc32c.value(signature)
        return answer

    @staticmethod
    def _digest(request: Message) -> bytes:
        given = bytes(request.digest.sha256)
        _check_crc("digest_crc32c", request, given)
        _check_crc("data_crc32c", request, bytes(request.data))
        if request.HasField("digest") == bool(request.data):
            raise InvalidArgument("Either digest or data must be given, and not both.")
        if request.data:
            return hashlib.sha256(request.data).digest()
        if len(given) != _SHA256_BYTES:
            raise InvalidArgument.of_field(
                "digest.sha256", "EC_SIGN_P256_SHA256 signs a sha256 digest of 32 bytes."
            )
        return given

    def _enabled(self, name: str) -> Message:
        name = self._projects.named(name)
        if "/cryptoKeyVersions/" not in name:
            raise NotFound(f"The CryptoKeyVersion {name!r} does not exist.")
        version = self._resources.get(name, CryptoKeyVersion)
        if version.state != _State.ENABLED:
            raise FailedPrecondition(f"{name} is not enabled, current state is: DISABLED.")
        return version

    def _add_version(self, key: str) -> Message:
        """Make a key's next version; within a transaction, so that no one else counts the same."""
        number = 1 + sum(1 for _ in self._resources.children(key, CryptoKeyVersion))
        now = timestamp(clock.now())
        version = CryptoKeyVersion(
            name=f"{key}/cryptoKeyVersions/{number}",
            state=_State.ENABLED,
            protection_level=kms_types.ProtectionLevel.SOFTWARE,
            algorithm=_Algorithm.EC_SIGN_P256_SHA256,
            create_time=now,
            generate_time=now,
        )
        self._keys.create(version.name)
        self._resources.add(version.name, version)
        return version


def _check_id(field: str, value: str) -> None:
    if not _ID.fullmatch(value):
        raise InvalidArgument.of_field(field, f"Invalid {field} {value!r}: [a-zA-Z0-9_-]{{1,63}}.")


def _check_crc(field: str, request: Message, content: bytes) -> None:
    if request.HasField(field) and getattr(request, field).value != google_crc32c.value(content):
        raise InvalidArgument.of_field(field, f"The checksum in {field} did not match the data.")


def _lacks(what: str) -> NoReturn:
    raise Unimplemented(f"The embedded cloud's Cloud KMS does not have {what}.")
