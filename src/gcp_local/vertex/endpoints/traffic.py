"""How an endpoint's traffic is split among its deployed models. Pure."""

from __future__ import annotations

from typing import TYPE_CHECKING

from gcp_local.errors import FailedPrecondition, InvalidArgument

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping

Split = dict[str, int]
_WHOLE = 100
_BEING_DEPLOYED = "0"


def check_split(split: Mapping[str, int], known: Collection[str]) -> None:
    """Refuse a split that is not of deployed models, or does not add up to 100; none is fine."""
    for name, share in split.items():
        if name not in known:
            message = f"The traffic split names {name!r}, which is no DeployedModel's ID."
            raise InvalidArgument.of_field("traffic_split", message)
        if not 0 <= share <= _WHOLE:
            message = f"The traffic of {name!r} must be from 0 to 100, not {share}."
            raise InvalidArgument.of_field("traffic_split", message)
    total = sum(split.values())
    if split and total != _WHOLE:
        message = f"The traffic percentage values must add up to 100, not {total}."
        raise InvalidArgument.of_field("traffic_split", message)


def after_deploying(
    current: Mapping[str, int], asked: Mapping[str, int], new: str, others: Collection[str]
) -> Split:
    """Give the split once a model is deployed. In what is asked for, "0" stands for that model.

    Args:
        current: the split as it is.
        asked: the request's; empty leaves the current one.
        new: the ID of the model that is deployed.
        others: those of the models that are there already.

    """
    if not asked:
        return dict(current)
    check_split(asked, {_BEING_DEPLOYED, *others})
    return {new if name == _BEING_DEPLOYED else name: share for name, share in asked.items()}


def after_undeploying(
    current: Mapping[str, int], asked: Mapping[str, int], gone: str, left: Collection[str]
) -> Split:
    """Give the split once a model is undeployed.

    Args:
        current: the split as it is.
        asked: the request's; empty leaves the current one.
        gone: the ID of the model that is undeployed; it must have no traffic, unless it is the
            last.
        left: the IDs of the models that stay.

    """
    if not left:
        return {}
    check_split(asked, {gone, *left})
    split = dict(asked or current)
    if split.pop(gone, 0):
        raise FailedPrecondition(
            f"The DeployedModel {gone!r} still has traffic. Give a traffic_split in which it has"
            " none."
        )
    return split


def chosen(split: Mapping[str, int], draw: float) -> str:
    """Choose a deployed model by a number that is drawn from 0 to 100, the end excluded."""
    passed = 0
    for name, share in split.items():
        passed += share
        if draw < passed:
            return name
    raise AssertionError(f"{split} does not add up to 100")
