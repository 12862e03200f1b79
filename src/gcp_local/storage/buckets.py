"""Buckets: named once in the whole cloud, each belonging to a project."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass, field, replace
from typing import TYPE_CHECKING, Any

from gcp_local import clock
from gcp_local.errors import (
    AlreadyExists,
    ConditionNotMet,
    InvalidArgument,
    NotFound,
    NotModified,
    PermissionDenied,
    Unimplemented,
)
from gcp_local.storage.locations import kind_of
from gcp_local.storage.names import check_bucket_name
from gcp_local.storage.values import Preconditions

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from gcp_local.resources.database import Database


_FORGET = (
    "DELETE FROM uploads WHERE json_extract(body, '$.bucket') = ?",
    "DELETE FROM multipart_parts WHERE upload IN"
    " (SELECT id FROM multipart_uploads WHERE json_extract(body, '$.bucket') = ?)",
    "DELETE FROM multipart_uploads WHERE json_extract(body, '$.bucket') = ?",
    "DELETE FROM bucket_notifications WHERE bucket = ?",
    "DELETE FROM pubsub_attachments WHERE topic = 'buckets/' || ?",
    "DELETE FROM pubsub_deliveries WHERE queue IN"
    " (SELECT name FROM event_targets WHERE source = 'buckets/' || ?)",
    "DELETE FROM event_targets WHERE source = 'buckets/' || ?",
    "DELETE FROM buckets WHERE name = ?",
)


@dataclass(frozen=True, kw_only=True)
class Bucket:
    """A bucket, as far as this stand-in keeps one. Times are microseconds.

    Attributes:
        versioning: whether what is replaced or deleted stays as a noncurrent generation; None
            if nobody ever said.
        retention: for how many seconds an object can be neither replaced nor deleted.
        retention_since: when that was said.
        retention_locked: whether it can be lengthened only.
        event_based_hold: whether new objects have one.

    """

    name: str
    project: str
    created: int
    updated: int
    metageneration: int = 1
    location: str = "US"
    storage_class: str = "STANDARD"
    labels: Mapping[str, str] = field(default_factory=dict)
    uniform_access: bool = False
    public_access_prevention: str = "inherited"
    policy: Mapping[str, Any] = field(default_factory=dict)
    versioning: bool | None = None
    retention: int | None = None
    retention_since: int | None = None
    retention_locked: bool = False
    event_based_hold: bool | None = None


class BucketStore:
    """The source of truth for which buckets there are."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def create(
        self,
        name: str,
        project: str,
        *,
        location: str = "US",
        storage_class: str = "STANDARD",
        **said: Any,
    ) -> Bucket:
        """Make a bucket.

        Raises:
            AlreadyExists: the name is taken; names are shared by all projects.
            InvalidArgument: no bucket may have this name, or be there.

        """
        check_bucket_name(name)
        return self._create(name, project, location, storage_class, said)

    def ensure_googles(self, name: str, project: str) -> None:
        """Make a bucket that Google itself makes, with a name that nobody else may give."""
        if self.find(name) is None:
            self._create(name, project, "US", "STANDARD", {})

    def _create(
        self, name: str, project: str, location: str, storage_class: str, said: Mapping[str, Any]
    ) -> Bucket:
        _check_agreement(said.get("versioning"), said.get("retention"))
        if kind_of(location.upper()) is None:
            raise InvalidArgument(f"The specified location constraint is not valid: {location!a}")
        now = clock.micros(clock.now())
        bucket = Bucket(
            name=name,
            project=project,
            created=now,
            updated=now,
            location=location.upper(),
            storage_class=storage_class,
            **said,
        )
        with self._database.transaction():
            owner = self.find(name)
            if owner is not None:
                mine = owner.project == project
                raise AlreadyExists(
                    "Your previous request to create the named bucket succeeded and you already"
                    " own it."
                    if mine
                    else "The requested bucket name is not available. The bucket namespace is"
                    " shared by all users of the system. Please select a different name and try"
                    " again."
                )
            self._put(bucket)
        return bucket

    def find(self, name: str) -> Bucket | None:
        """Describe the bucket, if there is one."""
        row = self._database.row("SELECT body FROM buckets WHERE name = ?", name)
        return Bucket(**json.loads(row["body"])) if row else None

    def get(self, name: str) -> Bucket:
        """Describe the bucket; NotFound if there is none."""
        bucket = self.find(name)
        if bucket is None:
            raise NotFound("The specified bucket does not exist.")
        return bucket

    def list(self, project: str, prefix: str = "") -> list[Bucket]:
        """List a project's buckets by name."""
        rows = self._database.rows(
            "SELECT body FROM buckets WHERE project = ? ORDER BY name", project
        )
        buckets = [Bucket(**json.loads(row["body"])) for row in rows]
        return [bucket for bucket in buckets if bucket.name.startswith(prefix)]

    def counts(self) -> dict[str, int]:
        """Count the buckets of each project that has one."""
        rows = self._database.rows("SELECT project, count(*) AS many FROM buckets GROUP BY project")
        return {row["project"]: row["many"] for row in rows}

    def patch(
        self,
        name: str,
        changes_to: Callable[[Bucket], Mapping[str, Any]],
        preconditions: Preconditions,
    ) -> Bucket:
        """Change a bucket.

        `changes_to`, given the bucket as it is, gives the new values of its fields; nobody else
        changes it meanwhile.
        """
        with self._database.transaction():
            bucket = self.get(name)
            check_metageneration(bucket, preconditions)
            changes = changes_to(bucket)
            _check_lock(bucket, changes)
            changed = replace(
                bucket,
                metageneration=bucket.metageneration + 1,
                updated=clock.micros(clock.now()),
                **changes,
            )
            _check_agreement(changed.versioning, changed.retention)
            self._put(changed)
        return changed

    def lock_retention(self, name: str, metageneration: int) -> Bucket:
        """Lock a bucket's retention policy, for ever.

        Raises:
            ConditionNotMet: the bucket has another metageneration.
            InvalidArgument: it has no retention policy.

        """

        def locked(bucket: Bucket) -> dict[str, Any]:
            if bucket.retention is None:
                raise InvalidArgument(f"The bucket {name!r} has no retention policy to lock.")
            return {"retention_locked": True}

        return self.patch(name, locked, Preconditions(if_metageneration_match=metageneration))

    def delete(self, name: str, preconditions: Preconditions) -> None:
        """Delete an empty bucket; AlreadyExists (409, as Cloud Storage says) if it is not empty.

        Uploads into it that are under way are forgotten; their files go at the next start.
        """
        with self._database.transaction():
            check_metageneration(self.get(name), preconditions)
            for table in ("objects", "noncurrent"):
                if self._database.row(f"SELECT 1 FROM {table} WHERE bucket = ?", name):  # noqa: S608
                    raise AlreadyExists("The bucket you tried to delete is not empty.")
            for statement in _FORGET:
                self._database.run(statement, name)

    def _put(self, bucket: Bucket) -> None:
        self._database.run(
            "INSERT OR REPLACE INTO buckets (name, project, body) VALUES (?, ?, ?)",
            bucket.name,
            bucket.project,
            json.dumps(asdict(bucket)),
        )


def _check_lock(bucket: Bucket, changes: Mapping[str, Any]) -> None:
    if not bucket.retention_locked or "retention" not in changes:
        return
    wanted = changes["retention"]
    if wanted is None or wanted < (bucket.retention or 0):
        raise PermissionDenied(
            "Cannot reduce retention duration of a locked Retention Policy for bucket"
            f" '{bucket.name}'."
        )


def _check_agreement(versioning: bool | None, retention: int | None) -> None:
    if versioning and retention is not None:
        raise Unimplemented("The embedded cloud keeps no versions under a retention policy.")


def check_metageneration(
    bucket: Bucket, preconditions: Preconditions, *, reading: bool = False
) -> None:
    """Hold a bucket against the only two preconditions that buckets know."""
    if preconditions.if_metageneration_match not in (None, bucket.metageneration):
        raise ConditionNotMet
    if preconditions.if_metageneration_not_match == bucket.metageneration:
        raise NotModified("The bucket has not changed.") if reading else ConditionNotMet()
