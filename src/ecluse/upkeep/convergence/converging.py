"""Convergence: all keepers together. Looks first, and writes only where something differs."""

from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass
from itertools import groupby
from threading import Lock

from ecluse.cloud import Cloud
from ecluse.errors import EcluseError
from ecluse.ledger.records import Head
from ecluse.upkeep.convergence.aliases import KIND as ALIAS
from ecluse.upkeep.convergence.aliases import AliasKeeper
from ecluse.upkeep.convergence.difference import Difference, Keeper
from ecluse.upkeep.convergence.schedules import KIND as SCHEDULE
from ecluse.upkeep.convergence.schedules import ScheduleKeeper
from ecluse.upkeep.convergence.tags import KIND as TAG
from ecluse.upkeep.convergence.tags import TagKeeper
from ecluse.upkeep.convergence.templates import KIND as TEMPLATE
from ecluse.upkeep.convergence.templates import TemplateKeeper
from ecluse.upkeep.convergence.triggers import KIND as TRIGGER
from ecluse.upkeep.convergence.triggers import TriggerKeeper

# In the order in which they are mended: a tag needs its version, a schedule its template.
_KEEPERS: dict[str, Callable[[Cloud], Keeper]] = {
    TEMPLATE: TemplateKeeper,
    TAG: TagKeeper,
    ALIAS: AliasKeeper,
    SCHEDULE: ScheduleKeeper,
    TRIGGER: TriggerKeeper,
}
# A promotion has just verified the bytes of what it makes live.
_OF_A_PROMOTION = (TAG, ALIAS, SCHEDULE, TRIGGER)


@dataclass(frozen=True)
class Mended:
    """A difference and what became of it.

    Attributes:
        difference: what was not as the ledger says.
        done: what was done about it, in words; empty if nothing was.
        error: why it could not be mended, if that was tried.

    """

    difference: Difference
    done: str = ""
    error: EcluseError | None = None


def look(
    cloud: Cloud,
    head: Head,
    pipelines: Collection[str] | None = None,
    *,
    kinds: Collection[str] = tuple(_KEEPERS),
) -> list[Difference]:
    """Return what is not as the ledger says, in the order in which it is to be mended. Only reads.

    Args:
        cloud: the environment.
        head: what the ledger says.
        pipelines: only what belongs to these; none for everything there is.
        kinds: which kinds of things.

    """
    keepers = [keeper(cloud) for kind, keeper in _KEEPERS.items() if kind in kinds]
    found = cloud.calls.side_by_side(lambda keeper: keeper.differences(head, pipelines), keepers)
    return [difference for differences in found for difference in differences]


def mend(
    cloud: Cloud,
    head: Head,
    differences: Sequence[Difference],
    *,
    allowed: Callable[[], None] = lambda: None,
) -> list[Mended]:
    """Mend what can be mended, pipelines side by side, each in its own order.

    What cannot be mended stops nothing else.

    Args:
        cloud: the environment.
        head: what the ledger says.
        differences: what `look` found.
        allowed: called before each change; raises where this process may change nothing any more.

    """

    def in_turn(ours: Sequence[Difference]) -> list[Mended]:
        return [_mended(cloud, head, difference, allowed) for difference in ours]

    by_pipeline = [
        list(group)
        for _, group in groupby(
            sorted(differences, key=lambda each: each.pipeline), key=lambda each: each.pipeline
        )
    ]
    return [each for group in cloud.calls.side_by_side(in_turn, by_pipeline) for each in group]


def converge(
    cloud: Cloud,
    head: Head,
    pipelines: Collection[str],
    *,
    allowed: Callable[[], None] = lambda: None,
) -> list[Mended]:
    """Make schedules and tags of some pipelines as the ledger says; what is right is not touched.

    Args:
        cloud: the environment.
        head: what the ledger says.
        pipelines: whose. Of one they are looked up by name, of several everything is listed once.
        allowed: called before each change; raises where this process may change nothing any more.

    Raises:
        EcluseError: the first that could not be mended. The rest was.

    """
    found = look(cloud, head, pipelines, kinds=_OF_A_PROMOTION)
    return _all_mended(mend(cloud, head, found, allowed=allowed))


def unconverged(cloud: Cloud, head: Head, pipelines: Collection[str]) -> frozenset[str]:
    """Return those of some pipelines of which `converge` would mend something. Only reads."""
    if not pipelines:
        return frozenset()
    found = look(cloud, head, pipelines, kinds=_OF_A_PROMOTION)
    return frozenset(each.pipeline for each in found if each.mendable)


class Unchanged:
    """What a promotion leaves as it is: looked at once, for all of it, and mended one by one.

    Args:
        cloud: the environment.
        head: what the ledger says.
        pipelines: those that the promotion does not change.
        allowed: called before each change; raises where this process may change nothing any more.

    """

    def __init__(
        self,
        cloud: Cloud,
        head: Head,
        pipelines: Collection[str],
        *,
        allowed: Callable[[], None] = lambda: None,
    ) -> None:
        self._cloud = cloud
        self._head = head
        self._pipelines = pipelines
        self._allowed = allowed
        self._looking = Lock()
        self._found: list[Difference] | None = None

    def mended(self, pipeline: str) -> list[Mended]:
        """Mend what is not as the ledger says about one of them.

        Raises:
            EcluseError: the first that could not be mended. The rest was.

        """
        with self._looking:
            if self._found is None:
                self._found = look(self._cloud, self._head, self._pipelines, kinds=_OF_A_PROMOTION)
        ours = [difference for difference in self._found if difference.pipeline == pipeline]
        return _all_mended(mend(self._cloud, self._head, ours, allowed=self._allowed))


def _all_mended(mended: list[Mended]) -> list[Mended]:
    for each in mended:
        if each.error is not None:
            raise each.error
    return mended


def _mended(
    cloud: Cloud, head: Head, difference: Difference, allowed: Callable[[], None]
) -> Mended:
    if not difference.mendable:
        return Mended(difference)
    try:
        allowed()
        return Mended(difference, _KEEPERS[difference.kind](cloud).mend(head, difference))
    except EcluseError as error:
        return Mended(difference, error=error)
