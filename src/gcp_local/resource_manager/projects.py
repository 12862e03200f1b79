"""`google.cloud.resourcemanager.v3.Projects`: every well-formed id is a project."""

from __future__ import annotations

import fnmatch
import re
from typing import TYPE_CHECKING

from google.cloud.resourcemanager_v3.types import projects as types

from gcp_local.errors import InvalidArgument, PermissionDenied, Unimplemented
from gcp_local.iam.policies import TestIamPermissionsResponse
from gcp_local.resources.listing import page_of
from gcp_local.rpc.protos import Message, raw

if TYPE_CHECKING:
    from gcp_local.iam.permissions import Permissions
    from gcp_local.iam.policies import Policies
    from gcp_local.resources.projects import Projects

Project = raw(types.Project)
ListProjectsResponse = raw(types.ListProjectsResponse)
SearchProjectsResponse = raw(types.SearchProjectsResponse)
_NAME = re.compile(r"projects/([^/]+)")
_PARENT = re.compile(r"(folders|organizations)/[0-9]+")
_TERM = re.compile(r"(?P<field>\w+)\s*[:=]\s*(?P<value>[\w.*:-]+|\"[^\"]*\")")
_FIELDS = {"id": "project_id", "projectId": "project_id", "name": "display_name",
           "displayName": "display_name"}  # fmt: skip


class ProjectService:
    """Answers the RPCs about projects."""

    def __init__(self, projects: Projects, policies: Policies, permissions: Permissions) -> None:
        self._projects = projects
        self._policies = policies
        self._permissions = permissions

    def get_project(self, request: Message) -> Message:
        """Answer a project, by its id or its number."""
        return self._project(self._id(request.name, "name"))

    def search_projects(self, request: Message) -> Message:
        """Answer the projects that were ever named here."""
        found = [self._project(own) for _, own in self._projects.all()]
        for matched in _terms(request.query):
            field, value = matched["field"], matched["value"].strip('"')
            if field in ("state", "lifecycleState"):
                found = found if value == "ACTIVE" else []
            elif field in _FIELDS:
                found = [
                    each for each in found if fnmatch.fnmatch(getattr(each, _FIELDS[field]), value)
                ]
            else:
                raise Unimplemented(f"The embedded cloud does not search projects by {field!r}.")
        page, token = page_of(found, request, query=request.query)
        return SearchProjectsResponse(projects=page, next_page_token=token)

    def list_projects(self, request: Message) -> Message:
        """Answer the projects of a folder or an organization: there are neither."""
        if not _PARENT.fullmatch(request.parent):
            raise InvalidArgument.of_field("parent", f"Invalid parent {request.parent!r:.100}.")
        message = f"Permission denied on resource '{request.parent}' (or it may not exist)."
        raise PermissionDenied(message)

    def get_iam_policy(self, request: Message) -> Message:
        """Answer a project's policy."""
        return self._policies.get(self._resource(request))

    def set_iam_policy(self, request: Message) -> Message:
        """Keep a project's policy."""
        return self._policies.set(self._resource(request), request)

    def test_iam_permissions(self, request: Message) -> Message:
        """Answer which of some permissions the caller has: all that no test has denied."""
        self._resource(request)
        granted = self._permissions.granted(request.permissions)
        return TestIamPermissionsResponse(permissions=granted)

    def _resource(self, request: Message) -> str:
        return f"projects/{self._id(request.resource, 'resource')}"

    def _id(self, name: str, field: str) -> str:
        matched = _NAME.fullmatch(name)
        if matched is None:
            raise InvalidArgument.of_field(field, f"Invalid project {name!r:.100}: projects/ID.")
        return self._projects.id(matched[1])

    def _project(self, project: str) -> Message:
        return Project(
            name=f"projects/{self._projects.number(project)}",
            project_id=project,
            display_name=project,
            state=types.Project.State.ACTIVE,
        )


def _terms(query: str) -> list[re.Match[str]]:
    """Read a query: `FIELD:VALUE` terms, all of which hold."""
    terms, rest = [], query.strip()
    while rest:
        matched = _TERM.match(rest)
        if matched is None:
            raise InvalidArgument.of_field("query", f"Invalid query {query!r:.200}.")
        terms.append(matched)
        rest = re.sub(r"\A\s+(AND\s+)?|\A\s*\Z", "", rest[matched.end() :])
    return terms
