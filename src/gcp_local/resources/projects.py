"""Projects: every well-formed id is one, and has a number.

Vertex AI takes a project's id or its number and answers with the number; the number here is
derived from the id, so it is the same on every machine.
"""

from __future__ import annotations

import hashlib
import re
from typing import TYPE_CHECKING

from gcp_local.errors import InvalidArgument, PermissionDenied

if TYPE_CHECKING:
    from gcp_local.resources.database import Database

_ID = re.compile(r"([a-z][a-z0-9.-]*:)?[a-z][a-z0-9-]{4,28}[a-z0-9]")
_PREFIX = re.compile(r"projects/([^/]+)")
_SMALLEST, _SPAN = 100_000_000_000, 900_000_000_000


class Projects:
    """The source of truth for which project has which number."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def number(self, project: str) -> str:
        """Give the number of a project named by its id or its number.

        Raises:
            InvalidArgument: not a project's id.
            PermissionDenied: a number that no project here has.

        """
        if project.isdecimal():
            self.id(project)
            return project
        if not _ID.fullmatch(project):
            raise InvalidArgument(f"Invalid resource field value: project {project!r}.")
        digest = hashlib.sha256(project.encode()).digest()
        number = str(_SMALLEST + int.from_bytes(digest[:8], "big") % _SPAN)
        self._database.run("INSERT OR IGNORE INTO projects VALUES (?, ?)", number, project)
        return number

    def id(self, project: str) -> str:
        """Give the id of a project named by its id or its number; errors as `number`."""
        if not project.isdecimal():
            self.number(project)
            return project
        row = self._database.row("SELECT id FROM projects WHERE number = ?", project)
        if row is None:
            message = f"Permission denied on resource project {project} (or it may not exist)."
            raise PermissionDenied(message)
        return str(row["id"])

    def find(self, project: str) -> tuple[str, str] | None:
        """Give number and id of a project that has been heard of; unlike the others, only look."""
        row = self._database.row("SELECT * FROM projects WHERE ? IN (number, id)", project)
        return (str(row["number"]), str(row["id"])) if row else None

    def all(self) -> list[tuple[str, str]]:
        """Give number and id of each project that has been heard of, by their ids."""
        rows = self._database.rows("SELECT * FROM projects ORDER BY id")
        return [(str(row["number"]), str(row["id"])) for row in rows]

    def numbered(self, name: str) -> str:
        """Rewrite a resource name that begins with `projects/…` to the project's number."""
        return _PREFIX.sub(lambda match: f"projects/{self.number(match[1])}", name, count=1)

    def named(self, name: str) -> str:
        """Rewrite a resource name that begins with `projects/…` to the project's id."""
        return _PREFIX.sub(lambda match: f"projects/{self.id(match[1])}", name, count=1)
