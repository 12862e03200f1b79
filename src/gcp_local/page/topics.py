"""Pub/Sub: a project's topics, who is subscribed to them, and what waits to be taken."""

from __future__ import annotations

from typing import TYPE_CHECKING

from gcp_local.page.view import Cell, Table
from gcp_local.pubsub import kinds
from gcp_local.pubsub.messages import waiting

if TYPE_CHECKING:
    from gcp_local.page.site import Visit

_MOST = 200


def table(visit: Visit, project: str) -> Table:
    """List a project's topics with their subscriptions."""
    newest = visit.sources.resources.newest
    parent = f"projects/{project}"
    left = waiting(visit.sources.database, project)
    subscribed = [each for _, each in newest(kinds.Subscription, parent, limit=_MOST) if each]
    rows = []
    for _, topic in newest(kinds.Topic, parent, limit=_MOST):
        if topic is None:
            continue
        own = topic.name.rpartition("/")[2]
        subscriptions = [each for each in subscribed if each.topic == topic.name]
        rows += [
            [
                Cell(own),
                Cell(each.name.rpartition("/")[2]),
                Cell(each.push_config.push_endpoint or "whoever pulls", code=True),
                Cell(str(left.get(each.name, 0)), number=True),
            ]
            for each in subscriptions
        ] or [[Cell(own), Cell("none"), Cell("–"), Cell("–", number=True)]]
    return Table(
        "Pub/Sub topics",
        ["Topic", "Subscription", "Delivers to", "Waiting"],
        rows,
        empty="No topic.",
        example=f'publisher.create_topic(name="{parent}/topics/my-topic")',
    )
