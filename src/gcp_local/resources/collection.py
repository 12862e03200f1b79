"""Resources: protos kept by their full names.

A row that cannot be read (one written by another version, or damaged) is its own misfortune: lists
pass over it and log it, and only who asks for it by name is told.
"""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING, Any, TypeVar

from google.protobuf.message import DecodeError

from gcp_local import clock
from gcp_local.errors import AlreadyExists, Internal, InvalidArgument, NotFound
from gcp_local.resources.outlines import without
from gcp_local.rpc.protos import Message

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping, Sequence
    from sqlite3 import Row

    from gcp_local.resources.database import Database

M = TypeVar("M", bound=Message)
Position = tuple[int, int]
"""Where a resource stands among those of its kind: when it was made, and a number."""
log = logging.getLogger(__name__)


class Resources:
    """The source of truth for everything that has a resource name and a proto."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def add(self, name: str, message: Message, *, parent: str | None = None) -> None:
        """Keep a new resource. Its parent, unless given, is the name but for two segments.

        Raises:
            AlreadyExists: the name is taken.
            InvalidArgument: the message could not be read again.

        """
        parent = name.rsplit("/", 2)[0] if parent is None else parent
        body = message.SerializeToString()
        try:
            type(message)().ParseFromString(body)
        except DecodeError:
            noun = _noun(type(message))
            raise InvalidArgument(f"The {noun} {name!r} is nested too deeply.") from None
        changed = self._database.run(
            "INSERT OR IGNORE INTO resources VALUES (?, ?, ?, ?, ?)",
            name,
            _kind(type(message)),
            parent,
            clock.micros(clock.now()),
            body,
        )
        if not changed:
            raise AlreadyExists(f"The {_noun(type(message))} {name!r} already exists.")

    def find(self, name: str, kind: type[M]) -> M | None:
        """Give a copy of the resource, if there is one; Internal if it cannot be read."""
        row = self._database.row(
            "SELECT body FROM resources WHERE name = ? AND kind = ?", name, _kind(kind)
        )
        return _read(name, row["body"], kind) if row else None

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
        """Forget a resource, and its access policy; NotFound if there is none."""
        with self._database.transaction():
            if not self._database.run(
                "DELETE FROM resources WHERE name = ? AND kind = ?", name, _kind(kind)
            ):
                raise NotFound(f"The {_noun(kind)} {name!r} does not exist.")
            self._database.run("DELETE FROM resources WHERE name = ?", policy_name(name))

    def delete_children(self, parent: str, kind: type[Message]) -> int:
        """Forget all of a parent's resources of one kind, and count them."""
        return self._database.run(
            "DELETE FROM resources WHERE kind = ? AND parent = ?", _kind(kind), parent
        )

    def children(self, parent: str, kind: type[M]) -> Iterator[M]:
        """Go through a parent's resources of one kind, oldest first."""
        rows = self._database.rows(
            "SELECT name, body FROM resources WHERE kind = ? AND parent = ?"
            " ORDER BY created, rowid",
            _kind(kind),
            parent,
        )
        return _readable(rows, kind)

    def mentioning(self, parent: str, kind: type[M], text: str) -> Iterator[M]:
        """Go through those of a parent's resources of one kind that hold a text somewhere.

        Sooner than `children` where there are many, for a caller who looks for few of them.
        """
        rows = self._database.rows(
            "SELECT name, body FROM resources WHERE kind = ? AND parent = ? AND instr(body, ?)"
            " ORDER BY created, rowid",
            _kind(kind),
            parent,
            text.encode(),
        )
        return _readable(rows, kind)

    def newest(
        self,
        kind: type[M],
        parent: str | None = None,
        *,
        before: Position | None = None,
        limit: int,
        omit: Sequence[str] = (),
    ) -> list[tuple[Position, M | None]]:
        """Give the newest resources of one kind, and where each stands.

        Reads no more than it gives.

        Args:
            kind: the resources' message class.
            parent: whose; None for everybody's.
            before: only those that are older than the one at that position.
            limit: how many at most.
            omit: fields that are not read, as `outlines.without` has them.

        Returns:
            Positions and messages; None for one that cannot be read.

        """
        older = "" if before is None else " AND (created, rowid) < (?, ?)"
        owned = "" if parent is None else " AND parent = ?"
        rows = self._database.rows(
            "SELECT name, body, created, rowid FROM resources WHERE rowid IN"  # noqa: S608
            f" (SELECT rowid FROM resources WHERE kind = ?{owned}{older}"
            " ORDER BY created DESC, rowid DESC LIMIT ?) ORDER BY created DESC, rowid DESC",
            _kind(kind),
            *(() if parent is None else (parent,)),
            *(before or ()),
            limit,
        )
        found: list[tuple[Position, M | None]] = []
        for row in rows:
            body = without(row["body"], kind.DESCRIPTOR, omit) if omit else row["body"]
            read = next(_readable([{"name": row["name"], "body": body}], kind), None)
            found.append(((row["created"], row["rowid"]), read))
        return found

    def newest_mentioning(
        self, parent: str, kind: type[M], text: str, *, limit: int, omit: Sequence[str] = ()
    ) -> list[M]:
        """Give the newest of those that hold a text somewhere, without the fields to omit."""
        rows = self._database.rows(
            "SELECT name, body FROM resources WHERE kind = ? AND parent = ? AND instr(body, ?)"
            " ORDER BY created DESC, rowid DESC LIMIT ?",
            _kind(kind),
            parent,
            text.encode(),
            limit,
        )
        outlines = [
            {"name": row["name"], "body": without(row["body"], kind.DESCRIPTOR, omit)}
            for row in rows
        ]
        return list(_readable(outlines, kind))

    def newest_parents(self, kind: type[Message], prefix: str, limit: int) -> list[str]:
        """Name the parents of one kind of resource whose names begin so, the newest child first."""
        rows = self._database.rows(
            "SELECT parent FROM resources WHERE kind = ? AND parent >= ? AND parent < ?"
            " GROUP BY parent ORDER BY max(created) DESC LIMIT ?",
            _kind(kind),
            prefix,
            f"{prefix[:-1]}{chr(ord(prefix[-1]) + 1)}",
            limit,
        )
        return [str(row["parent"]) for row in rows]

    def counts(self, kinds: Iterable[type[Message]]) -> dict[tuple[str, str], int]:
        """Count the resources of some kinds: by their kind's full name and their parent."""
        names = [_kind(kind) for kind in kinds]
        rows = self._database.rows(
            "SELECT kind, parent, count(*) AS many FROM resources"  # noqa: S608
            f" WHERE kind IN ({', '.join('?' * len(names))}) GROUP BY kind, parent",
            *names,
        )
        return {(row["kind"], row["parent"]): row["many"] for row in rows}

    def everywhere(self, kind: type[M]) -> Iterator[M]:
        """Go through all resources of one kind, oldest first."""
        rows = self._database.rows(
            "SELECT name, body FROM resources WHERE kind = ? ORDER BY created, rowid", _kind(kind)
        )
        return _readable(rows, kind)


def policy_name(resource: str) -> str:
    """Give the name by which a resource's access policy is kept."""
    return f"policies/{resource}"


def _kind(message: type[Message]) -> str:
    return str(message.DESCRIPTOR.full_name)


def _noun(message: type[Message]) -> str:
    return str(message.DESCRIPTOR.name)


def _read(name: str, body: bytes, kind: type[M]) -> M:
    message = kind()
    try:
        message.ParseFromString(body)
    except DecodeError as error:
        raise Internal(f"The {_noun(kind)} {name!r} is kept but cannot be read: {error}") from None
    return message


def _readable(rows: Iterable[Row | Mapping[str, Any]], kind: type[M]) -> Iterator[M]:
    for row in rows:
        try:
            yield _read(row["name"], row["body"], kind)
        except Internal as error:
            log.warning("%s", error.message)
