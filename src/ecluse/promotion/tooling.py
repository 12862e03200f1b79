"""Which image an environment's triggers run in: settled by a promotion before it does anything."""

from ecluse.cloud import Cloud
from ecluse.ledger.records import Head
from ecluse.ledger.tool_image import (
    given_tool_image,
    no_tool_image,
    record_tool_image,
    recorded_tool_image,
)
from ecluse.local import lay_topics
from ecluse.promotion.order import Order
from ecluse.promotion.plan import Plan
from ecluse.release.manifest import Release
from ecluse.release.runtime_image import resolve_image
from ecluse.workplace import Workplace


def refuse_without_tool_image(order: Order, plan: Plan, head: Head) -> None:
    """Check that an image is known for triggers to run in, where triggers are wanted.

    Raises:
        NoToolImage: they are, and there is no image, neither given now nor recorded before.

    """
    if (
        order.tool_image is None
        and wants_triggers(order, plan, head)
        and recorded_tool_image(order.cloud) is None
    ):
        raise no_tool_image(order.cloud.environment.name)


def settle_tool_image(order: Order, plan: Plan, head: Head) -> None:
    """Record the promotion's own tool image for triggers, where triggers are wanted."""
    if order.tool_image is not None and wants_triggers(order, plan, head):
        record_tool_image(order.cloud, order.tool_image, by=order.by)


def wants_triggers(order: Order, plan: Plan, head: Head) -> bool:
    """Whether anything has triggers once the plan is done, or had them until then. Pure."""
    environment = order.cloud.environment.name
    lifted = {action.pipeline for action in plan.actions if action.target is not None}
    settings = [order.release.pipelines[name].parsed_settings() for name in lifted]
    settings += [entry.parsed_settings() for entry in head.all_live.values()]
    return any(each.triggers_in(environment) for each in settings)


def tool_image(workplace: Workplace, release: Release, cloud: Cloud) -> str | None:
    """Return the image that this very promotion runs in, for triggers to run in; none if unknown.

    On the embedded cloud it is made from the tree, where a pipeline has triggers; their topics,
    which Terraform makes in Google's, are made there, too.

    Raises:
        InvalidInput: the variable that says it holds no image by digest.

    """
    given = given_tool_image()
    environment = cloud.environment
    topics = {
        trigger.topic
        for pipeline in release.pipelines.values()
        for trigger in pipeline.parsed_settings().triggers_in(environment.name)
    }
    if workplace.address is not None:
        lay_topics(workplace.address, environment.project, topics)
    if given is not None or not topics or not workplace.local:
        return given
    catalog = workplace.catalog
    if "tool" not in catalog.project.images:
        return None
    return resolve_image(catalog, cloud, "tool", commit="", log=lambda _: None)
