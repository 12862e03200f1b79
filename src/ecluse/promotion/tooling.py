"""Which image an environment's triggers run in: settled by a promotion before it does anything."""

from ecluse.ledger.records import Head
from ecluse.ledger.tool_image import no_tool_image, record_tool_image, recorded_tool_image
from ecluse.promotion.order import Order
from ecluse.promotion.plan import Plan


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
