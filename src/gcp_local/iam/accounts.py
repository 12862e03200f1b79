"""`google.iam.admin.v1.IAM`: service accounts."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from google.cloud.iam_admin_v1.types import iam as types

from gcp_local.errors import AlreadyExists, InvalidArgument, NotFound
from gcp_local.iam.policies import TestIamPermissionsResponse
from gcp_local.iam.signing import unique_id
from gcp_local.resources.listing import page_of
from gcp_local.rpc.protos import Empty, Message, raw

if TYPE_CHECKING:
    from gcp_local.iam.permissions import Permissions
    from gcp_local.iam.policies import Policies
    from gcp_local.resources.collection import Resources
    from gcp_local.resources.projects import Projects

ServiceAccount = raw(types.ServiceAccount)
ListServiceAccountsResponse = raw(types.ListServiceAccountsResponse)
_ID = re.compile(r"[a-z]([-a-z0-9]{4,28}[a-z0-9])")
_PROJECT = re.compile(r"projects/([^/]+)")
_NAME = re.compile(r"projects/([^/]+)/serviceAccounts/([^/]+)")
_LONGEST_NAME, _LONGEST_DESCRIPTION = 100, 256


class ServiceAccounts:
    """Answers the RPCs about accounts; the source of truth for which were made."""

    def __init__(
        self,
        resources: Resources,
        projects: Projects,
        policies: Policies,
        permissions: Permissions,
    ) -> None:
        self._resources = resources
        self._projects = projects
        self._policies = policies
        self._permissions = permissions

    def create_service_account(self, request: Message) -> Message:
        """Make an account."""
        project = self._project(request.name)
        if not _ID.fullmatch(request.account_id):
            raise InvalidArgument.of_field(
                "account_id",
                f"Invalid account_id {request.account_id!r:.80}: 6 to 30 lower-case letters, digits"
                " and hyphens, the first a letter, the last no hyphen.",
            )
        said = request.service_account
        if len(said.display_name.encode()) > _LONGEST_NAME:
            raise InvalidArgument.of_field(
                "service_account.display_name", f"At most {_LONGEST_NAME} bytes."
            )
        if len(said.description.encode()) > _LONGEST_DESCRIPTION:
            raise InvalidArgument.of_field(
                "service_account.description", f"At most {_LONGEST_DESCRIPTION} bytes."
            )
        email = f"{request.account_id}@{project}.iam.gserviceaccount.com"
        name = f"projects/{project}/serviceAccounts/{email}"
        made = ServiceAccount(
            name=name,
            project_id=project,
            unique_id=unique_id(email),
            email=email,
            display_name=said.display_name,
            description=said.description,
            oauth2_client_id=unique_id(email),
        )
        try:
            self._resources.add(name, made)
        except AlreadyExists:
            message = (
                f"Service account {request.account_id} already exists within project"
                f" projects/{project}."
            )
            raise AlreadyExists(message) from None
        return made

    def get_service_account(self, request: Message) -> Message:
        """Answer an account, by its address or its unique id."""
        return self._get(request.name)

    def list_service_accounts(self, request: Message) -> Message:
        """Answer a project's accounts."""
        project = self._project(request.name)
        found = list(self._resources.children(f"projects/{project}", ServiceAccount))
        page, token = page_of(found, request, query=project)
        return ListServiceAccountsResponse(accounts=page, next_page_token=token)

    def delete_service_account(self, request: Message) -> Message:
        """Delete an account."""
        self._resources.delete(self._get(request.name).name, ServiceAccount)
        return Empty()

    def enable_service_account(self, request: Message) -> Message:
        """Let an account be used again."""
        return self._switched(request.name, disabled=False)

    def disable_service_account(self, request: Message) -> Message:
        """Keep an account from being used, as it says of itself; what it runs here goes on."""
        return self._switched(request.name, disabled=True)

    def get_iam_policy(self, request: Message) -> Message:
        """Answer an account's policy."""
        return self._policies.get(self._get(request.resource).name)

    def set_iam_policy(self, request: Message) -> Message:
        """Keep an account's policy."""
        return self._policies.set(self._get(request.resource).name, request)

    def test_iam_permissions(self, request: Message) -> Message:
        """Answer which of some permissions the caller has: all that no test has denied."""
        self._get(request.resource)
        granted = self._permissions.granted(request.permissions)
        return TestIamPermissionsResponse(permissions=granted)

    def _switched(self, name: str, *, disabled: bool) -> Message:
        account = self._get(name)
        account.disabled = disabled
        self._resources.replace(account.name, account)
        return Empty()

    def _get(self, name: str) -> Message:
        matched = _NAME.fullmatch(name)
        if matched is None:
            raise InvalidArgument.of_field("name", f"Invalid service account name {name!r:.200}.")
        project, account = matched.groups()
        if project == "-":
            everywhere = self._resources.everywhere(ServiceAccount)
        else:
            parent = f"projects/{self._projects.id(project)}"
            everywhere = self._resources.children(parent, ServiceAccount)
        for found in everywhere:
            if account in (found.email, found.unique_id):
                return found
        raise NotFound(f"Unknown service account: {account}")

    def _project(self, name: str) -> str:
        matched = _PROJECT.fullmatch(name)
        if matched is None:
            raise InvalidArgument.of_field("name", f"Invalid project {name!r:.200}: projects/ID.")
        return self._projects.id(matched[1])
