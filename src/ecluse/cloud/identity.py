"""Who calls Google Cloud: the account behind the application default credentials."""

from dataclasses import dataclass
from typing import Any

from ecluse.cloud import Addresses

SCOPES = ("https://www.googleapis.com/auth/cloud-platform",)


@dataclass(frozen=True)
class Identity:
    """An account.

    Attributes:
        email: its address; none where the credentials do not tell.

    """

    email: str | None

    @property
    def is_person(self) -> bool:
        """Whether it is a person's account."""
        return self.email is not None and not self.email.endswith("gserviceaccount.com")

    @property
    def member(self) -> str | None:
        """The account as policies name it: `user:…` or `serviceAccount:…`."""
        if self.email is None:
            return None
        return f"{'user' if self.is_person else 'serviceAccount'}:{self.email}"


def caller(addresses: Addresses) -> Identity:
    """Return who calls; the embedded cloud knows nobody.

    Raises:
        GoogleAuthError: there are no credentials, or they are worth nothing any more.

    """
    if addresses.local is not None:
        return Identity(None)
    import google.auth
    from google.auth.transport.requests import Request

    credentials, _ = google.auth.default(scopes=SCOPES)
    credentials.refresh(Request())
    return identity_of(credentials)


def identity_of(credentials: Any) -> Identity:
    """Return the account behind some refreshed credentials.

    A person's token says who it is by its identity token, if the log-in asked for one, as gcloud's
    does; service accounts, impersonated ones and federated ones have their address.
    """
    from google.auth import jwt

    for name in ("service_account_email", "signer_email", "account"):
        email = getattr(credentials, name, None)
        if isinstance(email, str) and "@" in email:
            return Identity(email)
    token = getattr(credentials, "id_token", None)
    if isinstance(token, str):
        try:
            claims = jwt.decode(token, verify=False)
        except ValueError:
            return Identity(None)
        email = claims.get("email")
        if isinstance(email, str) and "@" in email:
            return Identity(email)
    return Identity(None)
