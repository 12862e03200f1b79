"""Several at once in one environment: promotions, a rollback, and one who was stopped and wakes."""

import random
import signal
import time
from collections.abc import Callable
from itertools import pairwise

import pytest

from ecluse.cloud import Cloud, connect
from ecluse.ledger.lease import Holding
from ecluse.ledger.records import Entry
from tests.ecluse.steadfast.commands import Ended, Strike, WarmParent
from tests.ecluse.steadfast.fleet import Place, commit_of, promoted, state_of


@pytest.fixture
def nonprod(place: Place, address: str) -> Cloud:
    return connect(place.environment("nonprod"), local=address)


def histories(cloud: Cloud) -> dict[str, list[Entry]]:
    """Return each pipeline's entries, the oldest first, and check that they are a whole chain."""
    head = cloud.ledger.head()
    found = {name: list(cloud.ledger.history(name, head=head))[::-1] for name in head.pipelines}
    for history in found.values():
        assert [entry.sequence for entry in history] == list(range(1, len(history) + 1))
        assert all(older.token < newer.token for older, newer in pairwise(history))
        assert history[-1].token <= head.fence
    return found


def token_of(cloud: Cloud) -> int:
    found = cloud.storage.read(f"{cloud.environment.ledger}/lease.json")
    assert found is not None
    return Holding.model_validate_json(found.content).token


def refuse_what_drifted(commands: WarmParent, place: Place) -> None:
    """Check that the cloud is as the ledger says."""
    root = str(place.repository.root)
    drift = commands.run("drift", "nonprod", "--json", "--repository", root)
    assert drift.code == 0, drift.out


@pytest.mark.parametrize("many", [2, 8])
def test_of_promotions_at_once_one_goes_at_a_time_and_the_newest_wins(
    many: int, place: Place, nonprod: Cloud, commands: WarmParent, address: str
) -> None:
    numbers = list(range(many))
    random.Random(many).shuffle(numbers)
    running = {n: commands.start(*place.promotion(n, "--wait", "5m")) for n in numbers}
    ended = {number: one.wait() for number, one in running.items()}
    assert ended[many - 1].code == 0, ended[many - 1].err
    went = [number for number in range(many) if ended[number].code == 0]
    for number in sorted(ended.keys() - set(went)):
        assert ended[number].code == 1
        assert "does not descend from" in ended[number].err, ended[number].err
        assert not state_of(nonprod, address, commit=commit_of(number)).runs
    assert token_of(nonprod) == many
    alpha = histories(nonprod)["alpha"]
    assert [entry.commit for entry in alpha] == [commit_of(number) for number in went]
    for number in went:
        manifest = place.fleet.manifest(number)
        runs = state_of(nonprod, address, commit=commit_of(number)).runs
        digests = [pipeline.digest for pipeline in manifest.pipelines.values()]
        assert runs == {(digest, "PIPELINE_STATE_SUCCEEDED"): 1 for digest in digests}
    live = {name: pipeline.digest for name, pipeline in manifest.pipelines.items()}
    assert {name: entry.digest for name, entry in nonprod.ledger.head().all_live.items()} == live
    refuse_what_drifted(commands, place)


def test_a_rollback_among_promotions_goes_in_its_turn_and_loses_nothing(
    place: Place, nonprod: Cloud, commands: WarmParent
) -> None:
    for number in (0, 2):
        assert commands.run(*place.promotion(number)).code == 0
    wait = ("--wait", "5m")
    before = [commands.start(*place.promotion(number, *wait)) for number in (4, 6)]
    rollback = commands.start(*place.rollback("--reason", "a race", *wait))
    after = [commands.start(*place.promotion(number, *wait)) for number in (8, 10)]
    assert rollback.wait().code == 0
    ended = dict(zip((4, 6, 8, 10), [one.wait() for one in (*before, *after)], strict=True))
    assert ended[10].code == 0, ended[10].err
    assert token_of(nonprod) == 7
    found = histories(nonprod)
    assert sorted(found) == ["alpha", "beta", "even"]
    for name, history in found.items():
        number_of = {commit_of(number): number for number in (0, 2, 4, 6, 8, 10)}
        went = {number for number in (4, 6, 8, 10) if ended[number].code == 0}
        numbers = [number_of[entry.commit] for entry in history]
        promoted = [n for n, e in zip(numbers, history, strict=True) if e.action == "activate"]
        assert sorted(promoted) == sorted({0, 2, *went})
        # Each newer than what was live before it: which after the rollback may be less than the
        # greatest that ever was.
        for before_it, number, entry in zip(numbers, numbers[1:], history[1:], strict=False):
            assert (number > before_it) == (entry.action == "activate")
        (back,) = (entry for entry in history if entry.action == "rollback")
        assert back.restores is not None
        restored = history[back.restores - 1]
        assert (back.digest, back.run) == (restored.digest, restored.run)
        assert back.restores == back.sequence - 2, f"{name} went back by more than one"
    refuse_what_drifted(commands, place)


STOPS = {
    "the ledger": Strike(2, of="head.json", signal=signal.SIGSTOP),  # the first one shuts out
    "a tag": Strike(1, of="tags/live?updateMask", signal=signal.SIGSTOP),
    "a schedule": Strike(1, of="/schedules/", signal=signal.SIGSTOP),
}


@pytest.fixture
def overtake(
    place: Place, nonprod: Cloud, commands: WarmParent, address: str
) -> Callable[[str], Ended]:
    """Stop a promotion just before it writes, let a newer one take over, and wake the first.

    The first one holds its lease for four seconds, and the newer one waits for that.
    """

    def run(where: str) -> Ended:
        assert commands.run(*place.promotion(0)).code == 0
        before = state_of(nonprod, address, commit=commit_of(0))
        settings = place.repository.root / "environments" / "nonprod.yaml"
        patient = settings.read_text()
        settings.write_text(f"{patient}lease_seconds: 4\n")
        words = place.promotion(2, "--parallel", "1")
        stopped = commands.start(*words, strike=STOPS[where])
        until = time.monotonic() + 60
        while not stopped.is_stopped:
            assert time.monotonic() < until, "it never came so far"
            time.sleep(0.02)
        settings.write_text(patient)
        newer = commands.run(*place.promotion(4, "--wait", "1m"))
        assert newer.code == 0, newer.err
        now = state_of(nonprod, address, commit=commit_of(4))
        if where == "the ledger":
            assert now == promoted(before, place.fleet.manifest(4))
        stopped.wake()
        return stopped.wait()

    return run


def test_who_was_stopped_for_longer_than_the_lease_cannot_commit(
    overtake: Callable[[str], Ended], place: Place, nonprod: Cloud, commands: WarmParent
) -> None:
    late = overtake("the ledger")
    assert late.code == 1
    assert "the lease was taken over: its fencing token was 2, the ledger is at 3" in late.out
    for history in histories(nonprod).values():
        assert [entry.commit for entry in history] == [commit_of(0), commit_of(4)]
    refuse_what_drifted(commands, place)


@pytest.mark.parametrize("where", ["a tag", "a schedule"])
@pytest.mark.parametrize("by", ["drift --repair", "the next promotion"])
def test_what_a_stopped_one_still_writes_is_found_and_mended(
    where: str,
    by: str,
    overtake: Callable[[str], Ended],
    place: Place,
    nonprod: Cloud,
    commands: WarmParent,
    address: str,
) -> None:
    late = overtake(where)
    assert late.code == 1
    assert "lease" in late.out
    root = ("--json", "--repository", str(place.repository.root))
    drift = commands.run("drift", "nonprod", *root)
    assert drift.code == 1, "what it wrote is not there"
    (difference,) = drift.json["differences"]
    assert difference["kind"] == {"a tag": "live tag", "a schedule": "schedule"}[where]
    assert difference["trouble"] == "changed"
    if by == "drift --repair":
        assert commands.run("drift", "nonprod", "--repair", *root).code == 0
    else:
        assert commands.run(*place.promotion(4)).code == 0
    refuse_what_drifted(commands, place)
    live = {name: p.digest for name, p in place.fleet.manifest(4).pipelines.items()}
    state = state_of(nonprod, address, commit=commit_of(4))
    assert (state.live, state.tags) == (live, live)
    assert state.schedules == {name: [("ACTIVE", digest)] for name, digest in live.items()}
