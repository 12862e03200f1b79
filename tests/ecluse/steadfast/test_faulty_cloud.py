"""A fifth of all calls fails: refused, or answered with an error after they had their effect."""

import pytest

from ecluse.cloud import connect
from tests.ecluse.steadfast.commands import WarmParent
from tests.ecluse.steadfast.fleet import Place, State, at_rest, commit_of, promoted, state_of
from tests.ecluse.steadfast.instruments import Faults

SHARE = 0.2
KINDS: list[dict[str, object]] = [{"error": 429}, {"error": 500}, {"error": 503}, {"reset": True}]
WHENS = ["before", "after"]


def a_fifth(seed: int) -> list[dict[str, object]]:
    """Return rules by which together a fifth of all calls fails, each kind as often."""
    kinds = [{**kind, "when": when} for kind in KINDS for when in WHENS]
    # The first rule that strikes a call spares it the others.
    rate = 1 - (1 - SHARE) ** (1 / len(kinds))
    return [
        {**kind, "path": "/*", "rate": rate, "seed": 100 * seed + number}
        for number, kind in enumerate(kinds)
    ]


@pytest.mark.parametrize("seed", range(1, 7))
def test_promotions_and_rollbacks_succeed_though_a_fifth_of_all_calls_fails(
    seed: int, place: Place, commands: WarmParent, address: str, faults: Faults
) -> None:
    nonprod = connect(place.environment("nonprod"), local=address)
    before = State({}, {}, {}, {}, {}, lease_is_free=True)
    seen = failed = 0
    for number in (0, 1, 3):
        with faults.ordered(*a_fifth(seed + 10 * number)):
            promotion = commands.run(*place.promotion(number))
            rules = faults.rules
        assert promotion.code == 0, promotion.err
        seen += max(rule["seen"] for rule in rules)
        failed += sum(rule["fired"] for rule in rules)
        now = state_of(nonprod, address, commit=commit_of(number))
        assert now == promoted(before, place.fleet.manifest(number))
        before = now
    with faults.ordered(*a_fifth(seed)):
        rollback = commands.run(*place.rollback("--reason", "a test"))
    assert rollback.code == 0, rollback.err
    older = place.fleet.manifest(1).pipelines
    live = {name: pipeline.digest for name, pipeline in older.items()}
    runs = [pipeline.digest for pipeline in place.fleet.manifest(3).pipelines.values()]
    now = state_of(nonprod, address, commit=commit_of(3))
    assert now == at_rest(before, live, changed=live, runs=runs)
    assert 0.5 * SHARE < failed / seen < 1.5 * SHARE
