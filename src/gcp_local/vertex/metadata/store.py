"""The graph of ML Metadata: artifacts, executions and contexts, and what connects them.

Who makes or looks up artifacts by itself (the recorder of pipeline runs, an importer, a pipeline's
input artifacts) uses this; the services in this package are for clients.

    graph.artifact(f"{store}/artifacts/{artifact_id}")   # the message, or None
    graph.ensure_store(location)                         # the default store's name
    graph.put(artifact)                                  # new, or a newer state of it
"""

from __future__ import annotations

from typing import TYPE_CHECKING, TypeVar

from gcp_local import clock
from gcp_local.errors import AlreadyExists, NotFound
from gcp_local.rpc.protos import Message, timestamp
from gcp_local.vertex.metadata.kinds import (
    Artifact,
    Context,
    Event,
    Execution,
    MetadataSchema,
    MetadataStore,
    store_of,
)

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from gcp_local.resources.collection import Resources
    from gcp_local.resources.database import Database

M = TypeVar("M", bound=Message)
DEFAULT_STORE = "default"


def default_store(location: str) -> str:
    """Name the default store of `projects/NUMBER/locations/LOCATION`."""
    return f"{location}/metadataStores/{DEFAULT_STORE}"


class MetadataGraph:
    """The source of truth for nodes, events and who belongs to which context.

    Names carry the project's number, as Vertex AI answers them.
    """

    def __init__(self, resources: Resources, database: Database) -> None:
        self._resources = resources
        self._database = database

    # Stores

    def ensure_store(self, location: str) -> str:
        """Give the name of a location's default store, and make it if it is not there yet.

        Args:
            location: `projects/NUMBER/locations/LOCATION`.

        """
        name = default_store(location)
        with self._database.transaction():
            if self._resources.find(name, MetadataStore) is None:
                now = timestamp(clock.now())
                store = MetadataStore(name=name, create_time=now, update_time=now)
                self._resources.add(name, store)
        return name

    def open_store(self, name: str) -> None:
        """Make sure of a store; the default one comes into being when it is first used.

        Raises:
            NotFound: there is no such store.

        """
        location, _, own = name.partition("/metadataStores/")
        if own == DEFAULT_STORE:
            self.ensure_store(location)
        self._resources.get(name, MetadataStore)

    def delete_store(self, name: str) -> None:
        """Forget a store with all that is in it; NotFound if there is none."""
        with self._database.transaction():
            self._resources.delete(name, MetadataStore)
            for kind in (Artifact, Execution, Context, MetadataSchema):
                for node in list(self._resources.children(name, kind)):
                    self._resources.delete(node.name, kind)
            inside = (f"{name}/", f"{name}0")  # "0" comes after "/"
            self._database.run(
                "DELETE FROM metadata_events WHERE execution > ? AND execution < ?", *inside
            )
            self._database.run(
                "DELETE FROM metadata_members WHERE context > ? AND context < ?", *inside
            )
            self._database.run("DELETE FROM metadata_uris WHERE store = ?", name)

    # Nodes

    def artifact(self, name: str) -> Message | None:
        """Give a copy of an artifact, if there is one of that name."""
        return self.find(name, Artifact)

    def artifacts_at(self, store: str, uri: str) -> list[Message]:
        """Give a store's artifacts with that URI, the newest first."""
        rows = self._database.rows(
            "SELECT artifact FROM metadata_uris WHERE store = ? AND uri = ?", store, uri
        )
        found = [self._resources.get(row["artifact"], Artifact) for row in rows]
        return sorted(found, key=lambda node: node.create_time.ToNanoseconds(), reverse=True)

    def find(self, name: str, kind: type[M]) -> M | None:
        """Give a copy of a node, if there is one."""
        return self._resources.find(name, kind)

    def get(self, name: str, kind: type[M]) -> M:
        """Give a copy of a node; NotFound if there is none."""
        return self._resources.get(name, kind)

    def nodes(self, store: str, kind: type[M]) -> Iterator[M]:
        """Go through a store's nodes of one kind, oldest first."""
        return self._resources.children(store, kind)

    def add(self, node: Message) -> Message:
        """Keep a new node, as `put` does; AlreadyExists if its name is taken."""
        with self._database.transaction():
            if self._resources.find(node.name, type(node)) is not None:
                noun = node.DESCRIPTOR.name
                raise AlreadyExists(f"The {noun} {node.name!r} already exists.")
            return self.put(node)

    def put(self, node: Message) -> Message:
        """Keep a new node, or a newer state of one; its times and its etag are set in it.

        An etag is the time of the last change in microseconds and always grows.
        """
        kind = type(node)
        with self._database.transaction():
            earlier = self._resources.find(node.name, kind)
            now = clock.now()
            stamp = clock.micros(now)
            if earlier is not None:
                node.create_time.CopyFrom(earlier.create_time)
                stamp = max(stamp, int(earlier.etag or 0) + 1)
            elif not node.HasField("create_time"):
                node.create_time.CopyFrom(timestamp(now))
            node.update_time.CopyFrom(timestamp(clock.from_micros(stamp)))
            node.etag = str(stamp)
            node.metadata.SetInParent()  # the high-level SDK counts on it, empty or not
            if earlier is None:
                self._resources.add(node.name, node)
            else:
                self._resources.replace(node.name, node)
            if kind is Artifact:
                self._database.run(
                    "INSERT OR REPLACE INTO metadata_uris VALUES (?, ?, ?)",
                    node.name,
                    store_of(node.name),
                    node.uri,
                )
        return node

    def delete(self, name: str, kind: type[Message]) -> None:
        """Forget a node and what connects it; NotFound if there is none."""
        with self._database.transaction():
            self._resources.delete(name, kind)
            self._database.run(
                "DELETE FROM metadata_events WHERE execution = ? OR artifact = ?", name, name
            )
            self._database.run(
                "DELETE FROM metadata_members WHERE context = ? OR member = ?", name, name
            )
            self._database.run("DELETE FROM metadata_uris WHERE artifact = ?", name)
            if kind is Context:
                for child in list(self.nodes(store_of(name), Context)):
                    if name in child.parent_contexts:
                        child.parent_contexts.remove(name)
                        self._resources.replace(child.name, child)

    # Events

    def add_event(self, execution: str, artifact: str, kind: int, labels: object = None) -> None:
        """Connect an artifact with an execution; nothing happens if they are connected already.

        Args:
            execution: the execution's name.
            artifact: the artifact's name.
            kind: `INPUT` or `OUTPUT`.
            labels: the event's own labels.

        """
        event = Event(execution=execution, artifact=artifact, type_=kind, labels=labels or {})
        event.event_time.CopyFrom(timestamp(clock.now()))
        self._database.run(
            "INSERT OR IGNORE INTO metadata_events VALUES (?, ?, ?)",
            execution,
            artifact,
            event.SerializeToString(),
        )

    def events_of(self, name: str) -> list[Message]:
        """Give the events of an execution or an artifact, oldest first."""
        rows = self._database.rows(
            "SELECT body FROM metadata_events WHERE execution = ?1 OR artifact = ?1 ORDER BY rowid",
            name,
        )
        events = []
        for row in rows:
            event = Event()
            event.ParseFromString(row["body"])
            events.append(event)
        return events

    # Contexts

    def add_members(self, context: str, names: Iterable[str]) -> None:
        """Put artifacts and executions into a context; those that are in it are passed over."""
        for name in names:
            self._database.run(
                "INSERT OR IGNORE INTO metadata_members VALUES (?, ?)", context, name
            )

    def members(self, context: str) -> frozenset[str]:
        """Name the artifacts and executions in a context."""
        rows = self._database.rows("SELECT member FROM metadata_members WHERE context = ?", context)
        return frozenset(row["member"] for row in rows)

    def set_parents(self, context: Message, parents: Iterable[str]) -> None:
        """Set a context's parents. Its etag stays: who holds it may still update the context."""
        del context.parent_contexts[:]
        context.parent_contexts.extend(parents)
        self._resources.replace(context.name, context)

    def ancestors(self, context: str) -> frozenset[str]:
        """Name a context, its parents, theirs, and so on."""
        seen: set[str] = set()
        waiting = [context]
        while waiting:
            name = waiting.pop()
            if name in seen:
                continue
            seen.add(name)
            found = self._resources.find(name, Context)
            waiting.extend(found.parent_contexts if found is not None else ())
        return frozenset(seen)

    def check_all(self, names: Iterable[str], kind: type[Message]) -> None:
        """Raise NotFound, naming it, for the first of the nodes that is not there."""
        for name in names:
            if self._resources.find(name, kind) is None:
                raise NotFound(f"The {kind.DESCRIPTOR.name} {name!r} does not exist.")
