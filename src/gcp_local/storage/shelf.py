"""The rows of objects: the live generations, and those that are live no more."""

from __future__ import annotations

import json
from dataclasses import asdict, replace
from typing import TYPE_CHECKING

from gcp_local.storage.values import Object, check_headers

if TYPE_CHECKING:
    from collections.abc import Iterator

    from gcp_local.resources.database import Database

_CHUNK = 1000
_LIVE = 9223372036854775807  # the live generation comes after all others of its name


class Shelf:
    """The source of truth for which generations of which objects there are."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def live(self, bucket: str, name: str) -> Object | None:
        """Find the live generation."""
        row = self._database.row(
            "SELECT body FROM objects WHERE bucket = ? AND name = ?", bucket, name
        )
        return Object(**json.loads(row["body"])) if row else None

    def find(self, bucket: str, name: str, generation: int | None) -> Object | None:
        """Find a generation, live or not; None stands for the live one."""
        live = self.live(bucket, name)
        if generation is None or (live is not None and live.generation == generation):
            return live
        row = self._database.row(
            "SELECT body FROM noncurrent WHERE bucket = ? AND name = ? AND generation = ?",
            bucket,
            name,
            generation,
        )
        return Object(**json.loads(row["body"])) if row else None

    def scan(
        self, bucket: str, prefix: str = "", start: str = "", *, versions: bool = False
    ) -> Iterator[Object]:
        """Go through a bucket from the name `start` on, in the order of UTF-8 and of age.

        Args:
            bucket: the bucket's name.
            prefix: how the names begin.
            start: the first name that may come.
            versions: give the generations that are live no more, too.

        """
        tables = ("objects", "noncurrent") if versions else ("objects",)
        after = (max(prefix, start, key=str.encode), -1)
        while True:
            key = (bucket, after[0], *after)
            rows = self._database.rows(_scan(tables), *key * len(tables))
            for row in rows:
                if not row["name"].startswith(prefix):
                    return
                yield Object(**json.loads(row["body"]))
            if len(rows) < _CHUNK:
                return
            after = (rows[-1]["name"], rows[-1]["generation"])

    def first(self, bucket: str, start: str) -> Object | None:
        """Find the first live object from the name `start` on."""
        row = self._database.row(
            "SELECT body FROM objects WHERE bucket = ? AND name >= ? ORDER BY name LIMIT 1",
            bucket,
            start,
        )
        return Object(**json.loads(row["body"])) if row else None

    def generations(self, bucket: str, name: str) -> tuple[Object, ...]:
        """List an object's generations, the newest first."""
        rows = self._database.rows(
            "SELECT body FROM noncurrent WHERE bucket = ? AND name = ? ORDER BY generation DESC",
            bucket,
            name,
        )
        live = self.live(bucket, name)
        older = (Object(**json.loads(row["body"])) for row in rows)
        return tuple(older) if live is None else (live, *older)

    def put(self, described: Object) -> None:
        """Enter a generation, or what is said of it anew; InvalidArgument if no header can."""
        check_headers(described)
        body = json.dumps(asdict(described))
        place = (described.bucket, described.name)
        if described.deleted is None:
            self._database.run("INSERT OR REPLACE INTO objects VALUES (?, ?, ?)", *place, body)
        else:
            self._database.run(
                "INSERT OR REPLACE INTO noncurrent VALUES (?, ?, ?, ?)",
                *place,
                described.generation,
                body,
            )

    def archive(self, live: Object, now: int) -> None:
        """Keep the live generation as one that is live no more."""
        self.remove(live)
        self.put(replace(live, deleted=now))

    def remove(self, described: Object) -> None:
        """Take a generation out."""
        place = (described.bucket, described.name)
        if described.deleted is None:
            self._database.run("DELETE FROM objects WHERE bucket = ? AND name = ?", *place)
        else:
            self._database.run(
                "DELETE FROM noncurrent WHERE bucket = ? AND name = ? AND generation = ?",
                *place,
                described.generation,
            )

    def blobs(self) -> set[str]:
        """Name the files of all generations."""
        bodies = self._database.rows(
            "SELECT body FROM objects UNION ALL SELECT body FROM noncurrent"
        )
        return {json.loads(row["body"])["blob"] for row in bodies}


def _scan(tables: tuple[str, ...]) -> str:
    """Write the query of a chunk: so much of each table from the key on, merged in order."""
    generation = {"objects": str(_LIVE), "noncurrent": "generation"}
    parts = (
        f"SELECT * FROM (SELECT name, {generation[table]} AS generation, body FROM {table}"  # noqa: S608
        f" WHERE bucket = ? AND name >= ? AND (name, {generation[table]}) > (?, ?)"
        f" ORDER BY name, {generation[table]} LIMIT {_CHUNK})"
        for table in tables
    )
    return f"{' UNION ALL '.join(parts)} ORDER BY name, generation LIMIT {_CHUNK}"
