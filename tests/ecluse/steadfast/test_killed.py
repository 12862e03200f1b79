"""Promotions and rollbacks are killed at every call to the cloud, and simply run again.

A command is killed with SIGKILL just before its k-th call over HTTP, or just after the call has had
its effect and before anybody took note of the answer. Then the same command is run again, to its
end. What the environment looks like then must be what an undisturbed command leaves: the ledger and
its history, schedules, tags, and one run of each pipeline. k grows until a command ends by itself.
"""

from collections.abc import Callable, Iterator
from itertools import count

import pytest

from ecluse.cloud import Cloud, connect
from tests.ecluse.steadfast.commands import Strike, WarmParent
from tests.ecluse.steadfast.fleet import Place, State, at_rest, commit_of, promoted, state_of

pytestmark = pytest.mark.timeout(900)  # a minute each where nothing else runs

SHARDS = 6
"""So many tests share the kill points, for as many workers to share the work."""


class Killing:
    """Kills commands at this shard's kill points, and counts them."""

    def __init__(self, commands: WarmParent, shard: int) -> None:
        self._commands = commands
        self._shard = shard
        self.points = 0

    def at_each_point(self, command: Callable[[int], list[str]]) -> Iterator[str]:
        """Yield after a command was killed and run again: what it was killed at, for a message.

        Args:
            command: the words of the n-th command, counted from 0.

        """
        number = 0
        for call in count(1 + self._shard, SHARDS):
            undisturbed = True
            for when in ("before", "after"):
                words = command(number)
                first = self._commands.run(*words, strike=Strike(call, when))
                what = f"{when} call {call}: {first.calls[-1]}"
                if first.was_killed:
                    undisturbed = False
                    self.points += 1
                    again = self._commands.run(*words)
                    assert again.code == 0, f"killed {what}; then: {again.err}"
                else:
                    assert first.code == 0, first.err
                    what = "never"
                yield what
                number += 1
            if undisturbed:
                return


@pytest.fixture
def nonprod(place: Place, address: str) -> Cloud:
    return connect(place.environment("nonprod"), local=address)


@pytest.mark.parametrize("shard", range(SHARDS))
def test_a_promotion_killed_anywhere_is_finished_by_the_same_command(
    shard: int,
    place: Place,
    nonprod: Cloud,
    commands: WarmParent,
    address: str,
    kill_points: Callable[[str, int], None],
) -> None:
    killing = Killing(commands, shard)
    before = State({}, {}, {}, {}, {}, lease_is_free=True)
    points = killing.at_each_point(lambda number: place.promotion(number, "--parallel", "1"))
    for number, what in enumerate(points):
        now = state_of(nonprod, address, commit=commit_of(number))
        assert now == promoted(before, place.fleet.manifest(number)), f"killed {what}"
        before = now
    kill_points("promotion", killing.points)


@pytest.mark.parametrize("shard", range(SHARDS))
def test_a_rollback_killed_anywhere_is_finished_by_the_same_command(
    shard: int,
    place: Place,
    nonprod: Cloud,
    commands: WarmParent,
    address: str,
    kill_points: Callable[[str, int], None],
) -> None:
    killing = Killing(commands, shard)
    before: State

    def promote_twice(number: int) -> list[str]:
        nonlocal before
        for even in (4 * number, 4 * number + 2):
            promotion = commands.run(*place.promotion(even))
            assert promotion.code == 0, promotion.err
        before = state_of(nonprod, address, commit=commit_of(4 * number + 2))
        return place.rollback("--reason", "a test")

    for number, what in enumerate(killing.at_each_point(promote_twice)):
        older, newer = place.fleet.manifest(4 * number), place.fleet.manifest(4 * number + 2)
        live = {name: pipeline.digest for name, pipeline in older.pipelines.items()}
        runs = [pipeline.digest for pipeline in newer.pipelines.values()]
        now = state_of(nonprod, address, commit=newer.commit)
        assert now == at_rest(before, live, changed=live, runs=runs), f"killed {what}"
    kill_points("rollback", killing.points)
