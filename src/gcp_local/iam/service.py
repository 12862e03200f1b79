"""What there is of IAM, put together."""

from __future__ import annotations

from typing import TYPE_CHECKING

from gcp_local.iam.accounts import ServiceAccounts
from gcp_local.iam.credentials import IAMCredentials
from gcp_local.iam.permissions import Permissions
from gcp_local.iam.policies import IAMPolicy, Policies
from gcp_local.iam.signing import AccountSigner
from gcp_local.resource_manager.projects import ProjectService

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence
    from pathlib import Path

    from gcp_local.resources.collection import Resources
    from gcp_local.resources.database import Database
    from gcp_local.resources.projects import Projects


class IAM:
    """Accounts, their signatures, policies and permissions, and the projects that have these.

    Args:
        resources: where accounts and policies are kept.
        database: theirs.
        projects: which project has which id.
        folder: where the key of the accounts is.

    Attributes:
        signer: signs for service accounts.
        permissions: what the caller may do.
        policies: of any resource.

    """

    def __init__(
        self, *, resources: Resources, database: Database, projects: Projects, folder: Path
    ) -> None:
        self.signer = AccountSigner(folder / "service-accounts.pem")
        self.permissions = Permissions()
        self.policies = Policies(resources, database)
        self._accounts = ServiceAccounts(resources, projects, self.policies, self.permissions)
        self._projects = ProjectService(projects, self.policies, self.permissions)

    def services(self, known: Mapping[str, Callable[[str], str]]) -> dict[str, Sequence[object]]:
        """Give the objects that answer, by the service's full name.

        Args:
            known: see `IAMPolicy`.

        """
        return {
            "google.cloud.resourcemanager.v3.Projects": [self._projects],
            "google.iam.admin.v1.IAM": [self._accounts],
            "google.iam.credentials.v1.IAMCredentials": [IAMCredentials(self.signer)],
            "google.iam.v1.IAMPolicy": [IAMPolicy(self.policies, self.permissions, known)],
        }
