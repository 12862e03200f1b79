"""Resources: protos kept by their full names."""

from __future__ import annotations

from typing import TYPE_CHECKING, TypeVar

from gcp_local import clock
from gcp_local.errors import AlreadyExists, NotFound
from gcp_local.rpc.protos import Message

if TYPE_CHECKING:
    from collections.abc import Iterator

    from gcp_local.resources.database import Database

M = TypeVar("M", bound=Message)


class Resources:
    """The source of truth for everything that has a resource name and a proto."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def add(self, name: str, message: Message, *, parent: str | None = None) -> None:
        """Keep a new resource; AlreadyExists if the name is taken.

        Its parent, unless given, is the name without its last two segments.
        """
        parent = name.rsplit("/", 2)[0] if parent is None else parent
        changed = self._database.run(
            "INSERT OR IGNORE INTO resources VALUES (?, ?, ?, ?, ?)",
            name,
            _kind(type(message)),
            parent,
            clock.micros(clock.now()),
            message.SerializeToString(),
        )
        if not changed:
            raise AlreadyExists(f"The {_noun(type(message))} {name!r} already exists.")

    def find(self, name: str, kind: type[M]) -> M | None:
        """Give a copy of the resource, if there is one."""
        row = self._database.row(
            "SELECT body FROM resources WHERE name = ? AND kind = ?", name, _kind(kind)
        )
        return _read(row["body"], kind) if row else None

    def get(self, name: str, kind: type[M]) -> M:
        """Give a copy of the resource; NotFound if there is none."""
        found = self.find(name, kind)
        if found is None:
            raise NotFound(f"The {_noun(kind)} {name!r} does not exist.")
        return found

    def replace(self, name: str, message: Message) -> None:
        """Keep a newer state of an existing resource; NotFound if it has gone."""
        changed = self._database.run(
            "UPDATE resources SET body = ? WHERE name = ? AND kind = ?",
            message.SerializeToString(),
            name,
            _kind(type(message)),
        )
        if not changed:
            raise NotFound(f"The {_noun(type(message))} {name!r} does not exist.")

    def delete(self, name: str, kind: type[Message]) -> None:
        """Forget a resource; NotFound if there is none."""
        if not self._database.run(
            "DELETE FROM resources WHERE name = ? AND kind = ?", name, _kind(kind)
        ):
            raise NotFound(f"The {_noun(kind)} {name!r} does not exist.")

    def children(self, parent: str, kind: type[M]) -> Iterator[M]:
        """Go through a parent's resources of one kind, oldest first."""
        rows = self._database.rows(
            "SELECT body FROM resources WHERE kind = ? AND parent = ? ORDER BY created, rowid",
            _kind(kind),
            parent,
        )
        for row in rows:
            yield _read(row["body"], kind)

    def everywhere(self, kind: type[M]) -> Iterator[M]:
        """Go through all resources of one kind, oldest first."""
        rows = self._database.rows(
            "SELECT body FROM resources WHERE kind = ? ORDER BY created, rowid", _kind(kind)
        )
        for row in rows:
            yield _read(row["body"], kind)


def _kind(message: type[Message]) -> str:
    return str(message.DESCRIPTOR.full_name)


def _noun(message: type[Message]) -> str:
    return str(message.DESCRIPTOR.name)


def _read(body: bytes, kind: type[M]) -> M:
    message = kind()
    message.ParseFromString(body)
    return message
