"""The methods of `projects`."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from gcp_local.bigquery.call import listed

if TYPE_CHECKING:
    from gcp_local.bigquery.call import Call
    from gcp_local.resources.projects import Projects


class ProjectService:
    """`bigquery.projects`."""

    def __init__(self, projects: Projects) -> None:
        self._projects = projects

    def projects_list(self, call: Call) -> dict[str, Any]:
        """Answer the projects that this server has heard of."""
        found = self._projects.all()
        page, token = call.page(found)
        items = [
            {
                "kind": "bigquery#project",
                "id": name,
                "numericId": number,
                "projectReference": {"projectId": name},
                "friendlyName": name,
            }
            for number, name in page
        ]
        return listed("bigquery#projectList", "projects", items, token, totalItems=len(found))

    def projects_get_service_account(self, call: Call) -> dict[str, Any]:
        """Answer by which account BigQuery would use a key of the project's."""
        number = self._projects.number(call.project)
        return {
            "kind": "bigquery#getServiceAccountResponse",
            "email": f"bq-{number}@bigquery-encryption.iam.gserviceaccount.com",
        }
