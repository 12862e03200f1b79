"""What the catalog keeps of a dataset, or of something in one."""

from __future__ import annotations

import hashlib
import json
import uuid
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from gcp_local import clock
from gcp_local.bigquery.schema import Schema, read_schema

if TYPE_CHECKING:
    from sqlite3 import Row


@dataclass(frozen=True)
class Entry:
    """A dataset, or something in one.

    Attributes:
        uid: never that of another, even one of the same name.
        created: microseconds since the epoch; `modified` likewise.
        body: the resource's JSON.

    """

    uid: str
    created: int
    modified: int
    body: dict[str, Any] = field(hash=False)

    @classmethod
    def new(cls, body: dict[str, Any]) -> Entry:
        """Make an entry of what is made now."""
        now = clock.micros(clock.now())
        return cls(uuid.uuid4().hex, now, now, body)

    @classmethod
    def of(cls, row: Row) -> Entry:
        """Read what `columns` wrote."""
        return cls(row["uid"], row["created"], row["modified"], json.loads(row["body"]))

    @property
    def columns(self) -> tuple[str, int, int, str]:
        """What is kept of it in the database, in the order of the tables' columns."""
        return self.uid, self.created, self.modified, json.dumps(self.body)

    def changed(self, body: dict[str, Any]) -> Entry:
        """Give its state after a change that is made now."""
        return Entry(self.uid, self.created, clock.micros(clock.now()), body)

    @property
    def etag(self) -> str:
        """A mark of this very state."""
        text = json.dumps([self.uid, self.modified, self.body], sort_keys=True)
        return hashlib.sha256(text.encode()).hexdigest()[:22]

    @property
    def schema(self) -> Schema:
        """The columns of a table or view."""
        return read_schema(self.body.get("schema", {}).get("fields", ()))

    @property
    def kind(self) -> str:
        """What a table is: TABLE, VIEW, MATERIALIZED_VIEW, SNAPSHOT, EXTERNAL."""
        return str(self.body.get("type", "TABLE"))
