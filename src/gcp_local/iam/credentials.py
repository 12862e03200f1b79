"""`google.iam.credentials.v1.IAMCredentials`: tokens and signatures of service accounts.

There are no identities here, so any account that could be one is impersonated without leave, and
what it is given opens nothing outside.
"""

from __future__ import annotations

import re
import secrets
from datetime import timedelta
from typing import TYPE_CHECKING, Any

from google.cloud.iam_credentials_v1.types import common as types

from gcp_local import clock
from gcp_local.errors import InvalidArgument
from gcp_local.rpc.dispatch import parse_json
from gcp_local.rpc.protos import Message, raw, timestamp

if TYPE_CHECKING:
    from gcp_local.iam.signing import AccountSigner

GenerateAccessTokenResponse = raw(types.GenerateAccessTokenResponse)
GenerateIdTokenResponse = raw(types.GenerateIdTokenResponse)
SignBlobResponse = raw(types.SignBlobResponse)
SignJwtResponse = raw(types.SignJwtResponse)

_NAME = re.compile(r"projects/-/serviceAccounts/([^/]+)")
_EMAIL = re.compile(r"[a-z0-9-]+@([a-z0-9-]+\.)+gserviceaccount\.com")
_UNIQUE_ID = re.compile(r"[0-9]{21}")
_HOUR, _HALF_A_DAY = timedelta(hours=1), timedelta(hours=12)


class IAMCredentials:
    """Answers the RPCs."""

    def __init__(self, signer: AccountSigner) -> None:
        self._signer = signer

    def generate_access_token(self, request: Message) -> Message:
        """Give a token that looks like one."""
        _email_of(request)
        if not request.scope:
            raise InvalidArgument.of_field("scope", "Scope required.")
        lifetime = request.lifetime.ToTimedelta() if request.HasField("lifetime") else _HOUR
        if not timedelta() < lifetime <= _HOUR:
            raise InvalidArgument.of_field("lifetime", "The lifetime is at most 3600 seconds.")
        return GenerateAccessTokenResponse(
            access_token=f"gcp-local.{secrets.token_urlsafe(32)}",
            expire_time=timestamp(clock.now() + lifetime),
        )

    def generate_id_token(self, request: Message) -> Message:
        """Give an OpenID Connect token, signed with the state folder's key."""
        email = _email_of(request)
        if not request.audience:
            raise InvalidArgument.of_field("audience", "Audience required.")
        token = self._signer.identity_token(
            email, request.audience, with_email=request.include_email
        )
        return GenerateIdTokenResponse(token=token)

    def sign_blob(self, request: Message) -> Message:
        """Sign bytes."""
        _email_of(request)
        if not request.payload:
            raise InvalidArgument.of_field("payload", "Payload required.")
        return SignBlobResponse(
            key_id=self._signer.key_id, signed_blob=self._signer.sign(request.payload)
        )

    def sign_jwt(self, request: Message) -> Message:
        """Sign a set of claims as it is."""
        _email_of(request)
        claims = parse_json(request.payload.encode())
        if not isinstance(claims, dict):
            raise InvalidArgument.of_field("payload", "The payload is not a JSON object of claims.")
        _check_expiry(claims)
        return SignJwtResponse(
            key_id=self._signer.key_id, signed_jwt=self._signer.jwt(request.payload)
        )


def _email_of(request: Message) -> str:
    matched = _NAME.fullmatch(request.name)
    if matched is None or not (_EMAIL.fullmatch(matched[1]) or _UNIQUE_ID.fullmatch(matched[1])):
        raise InvalidArgument.of_field(
            "name",
            f"Invalid name {request.name!r:.200}: expected projects/-/serviceAccounts/ACCOUNT, with"
            " an account's e-mail address or unique id.",
        )
    for delegate in request.delegates:
        if not _NAME.fullmatch(delegate):
            raise InvalidArgument.of_field("delegates", f"Invalid delegate {delegate!r:.200}.")
    return matched[1]


def _check_expiry(claims: dict[str, Any]) -> None:
    """Refuse claims that do not end within 12 hours, as the RPC documents."""
    if "exp" not in claims:
        return
    expiry, now = claims["exp"], clock.now().timestamp()
    if not isinstance(expiry, int) or not now < expiry <= now + _HALF_A_DAY.total_seconds():
        raise InvalidArgument.of_field(
            "payload", "exp must be a whole number of seconds, in the next 12 hours."
        )
