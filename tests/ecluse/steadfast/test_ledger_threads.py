"""The ledger and the lease, wanted by several threads and processes at the same moment."""

import os
import signal
import time as system_time
from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from threading import Barrier, Event

import pytest

from ecluse.cloud import Cloud, connect
from ecluse.errors import CloudError, LeaseHeld, LeaseLost, LedgerMoved
from ecluse.ledger.journal import Journal
from ecluse.ledger.lease import Claim, Holding, Lease, acquire
from ecluse.ledger.records import Entry, Head, Ledger
from tests.ecluse.steadfast.instruments import Faults, entry


def lease_of(cloud: Cloud, *, seconds: float = 60.0) -> Lease:
    address = f"{cloud.environment.ledger}/lease.json"
    return acquire(cloud.storage, address, Claim("ann", "tests", seconds))


def holding_of(cloud: Cloud) -> Holding:
    found = cloud.storage.read(f"{cloud.environment.ledger}/lease.json")
    assert found is not None
    return Holding.model_validate_json(found.content)


def test_of_eight_who_come_at_once_one_gets_the_lease(nonprod: Cloud) -> None:
    together = Barrier(8)

    def come(_: int) -> int:
        together.wait()
        try:
            return lease_of(nonprod).token
        except LeaseHeld:
            return 0

    with ThreadPoolExecutor(8) as pool:
        assert sorted(pool.map(come, range(8))) == [0] * 7 + [1]


def test_of_eight_writes_on_one_head_one_wins_and_seven_are_told(nonprod: Cloud) -> None:
    head = nonprod.ledger.head()
    together = Barrier(8)

    def write(number: int) -> str:
        page = {"alpha": entry("activate", f"write {number}")}
        together.wait()
        try:
            return nonprod.ledger.commit(head, page, token=1).pipelines["alpha"].reason
        except LedgerMoved:
            return ""

    with ThreadPoolExecutor(8) as pool:
        told = sorted(pool.map(write, range(8)))
    assert told[:7] == [""] * 7
    assert [past.reason for past in nonprod.ledger.history("alpha")] == told[7:]


def test_threads_that_write_at_once_lose_nothing_and_share_writes_of_the_head(
    nonprod: Cloud,
) -> None:
    together = Barrier(8)
    generations = set()

    def write(journal: Journal, number: int) -> None:
        together.wait()
        for turn in range(3):
            page = {
                f"own{number}": entry("activate", f"{turn}"),
                "shared": entry("activate", f"{number} {turn}"),
            }
            generations.add(journal.add({"shared": page.pop("shared")}).generation)
            generations.add(journal.add(page).generation)

    with lease_of(nonprod) as lease:
        journal = Journal(nonprod.ledger, lease)
        with ThreadPoolExecutor(8) as pool:
            list(pool.map(lambda number: write(journal, number), range(8)))
    for number in range(8):
        history = nonprod.ledger.history(f"own{number}")
        assert [past.reason for past in history] == ["2", "1", "0"]
    shared = [past.reason for past in nonprod.ledger.history("shared")]
    assert sorted(shared) == sorted(f"{n} {turn}" for n in range(8) for turn in range(3))
    assert len(generations) < 8 * 3 * 2


class Failing(Ledger):
    """A ledger whose first write meets what nobody foresaw, while another page waits for it."""

    def __init__(self, cloud: Cloud, waits: Event) -> None:
        super().__init__(cloud.storage, cloud.environment)
        self._waits = waits

    def commit(self, head: Head, entries: Mapping[str, Entry], *, token: int) -> Head:
        self._waits.wait(10)
        raise MemoryError("no more")


def test_a_write_that_fails_in_an_unforeseen_way_is_acknowledged_to_nobody(nonprod: Cloud) -> None:
    begun = Event()
    with lease_of(nonprod) as lease:
        journal = Journal(Failing(nonprod, begun), lease)
        with ThreadPoolExecutor(3) as pool:
            writes = [
                pool.submit(journal.add, {f"p{number}": entry("activate", "")})
                for number in range(3)
            ]
            begun.set()
            for write in writes:
                assert isinstance(write.exception(10), MemoryError)
    assert not nonprod.ledger.head().pipelines


@pytest.mark.parametrize("reaped", [True, False])
def test_the_lease_of_a_process_that_was_killed_here_is_taken_at_once(
    nonprod: Cloud, address: str, reaped: bool
) -> None:
    its_own = connect(nonprod.environment, local=address)
    pid = os.fork()
    if pid == 0:
        try:
            lease_of(its_own).__enter__()
        finally:
            os.kill(os.getpid(), signal.SIGKILL)
    os.waitid(os.P_PID, pid, os.WEXITED | os.WNOWAIT)
    if reaped:
        os.waitpid(pid, 0)
    try:
        assert holding_of(nonprod).process.split("/")[1] == str(pid)
        assert lease_of(nonprod).token == 2
    finally:
        if not reaped:
            os.waitpid(pid, 0)


def test_a_renewal_that_fails_after_its_effect_does_not_cost_the_lease(
    nonprod: Cloud, faults: Faults
) -> None:
    lease = lease_of(nonprod)
    bucket = nonprod.environment.ledger.removeprefix("gs://")
    upload = {"path": f"/upload/storage/v1/b/{bucket}/*", "error": 403, "when": "after"}
    with faults.ordered({**upload, "times": 1}), pytest.raises(CloudError):
        lease.renew()
    lease.renew()
    lease.check()
    acquire(nonprod.storage, f"gs://{bucket}/lease.json", Claim("b", "t", 60, take_over=True))
    with pytest.raises(LeaseLost):
        lease.renew()
    with pytest.raises(LeaseLost):
        lease.check()


def test_a_lease_that_is_held_is_renewed_and_then_given_back(nonprod: Cloud) -> None:
    with lease_of(nonprod, seconds=4) as lease:
        first = holding_of(nonprod)
        until = system_time.monotonic() + 10
        while holding_of(nonprod).nonce == first.nonce:
            assert system_time.monotonic() < until, "nobody renews it"
            system_time.sleep(0.02)
        lease.check()
        assert not holding_of(nonprod).released
    assert holding_of(nonprod).released
    assert lease_of(nonprod).token == 2
