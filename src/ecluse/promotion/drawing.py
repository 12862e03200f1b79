"""Draws a plan: reads the ledger and the calendar, and none of what only a promotion needs."""

from collections.abc import Sequence

from ecluse import clock
from ecluse.cloud import Cloud
from ecluse.promotion.freeze import window_at
from ecluse.promotion.plan import Plan, make_plan
from ecluse.release.manifest import Release


def draw_plan(release: Release, cloud: Cloud, *, only: Sequence[str] = ()) -> Plan:
    """Return what a promotion would do now. Reads the ledger once, and changes nothing.

    Args:
        release: what would be promoted.
        cloud: the environment.
        only: restrict the plan to these pipelines.

    """
    plan = make_plan(release, cloud.ledger.head(), cloud.environment, only=only)
    window = window_at(cloud.environment.freezes, clock.now()) if plan.changes else None
    return plan.model_copy(update={"freeze": window.words}) if window is not None else plan
