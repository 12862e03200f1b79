"""A model of the ledger and the lease, held against the real ones over the real protocol.

Hypothesis drives three writers on three machines whose clocks differ: they come, wait, renew, give
back, take over, are stopped and wake, die, lose answers. After every step what the ledger says must
be what the model says.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import timedelta
from functools import partial
from typing import Any

import hypothesis.strategies as st
import pytest
from hypothesis import HealthCheck, Phase, settings
from hypothesis.stateful import (
    RuleBasedStateMachine,
    initialize,
    invariant,
    precondition,
    rule,
    run_state_machine_as_test,
)

from ecluse import clock
from ecluse.cloud import Cloud
from ecluse.cloud.storage import Storage
from ecluse.errors import CloudError, LeaseHeld, LeaseLost, LedgerMoved
from ecluse.ledger.journal import Journal
from ecluse.ledger.lease import Claim, Lease, acquire
from ecluse.ledger.records import Entry, Ledger
from ecluse.repository.settings import Environment
from tests.ecluse.steadfast.instruments import Faults, Time, Waiting, entry

LASTS = 60.0
SKEW = 600.0  # how far the lease lets two machines' clocks be apart

WRITERS = st.sampled_from([0, 1, 2])
SOME = st.lists(st.sampled_from(["alpha", "beta"]), min_size=1, max_size=2, unique=True)
OPENING = st.sampled_from(["", "lost", "misreported", "not now"])
FAULTS = st.lists(
    st.sampled_from(["", "lost", "reset", "misreported", "refused", "doubtful"]),
    min_size=1,
    max_size=3,
)
ACTIONS = st.sampled_from(["activate", "retire", "rollback"])


class Stopping(Storage):
    """Cloud Storage for a process that is stopped (as by SIGSTOP) just before one of its writes."""

    def __init__(self, storage: Storage) -> None:
        super().__init__(storage._client, storage._calls)
        self._writes = 0
        self._meanwhile: Callable[[], None] | None = None

    def stop_before(self, write: int, meanwhile: Callable[[], None]) -> None:
        """Be stopped before the write of this number, counted from now; meanwhile others act."""
        self._writes, self._meanwhile = write, meanwhile

    def forget(self) -> None:
        """Be stopped no more."""
        self._meanwhile = None

    def write(self, *arguments: Any, **named: Any) -> int:
        self._writes -= 1
        if self._writes == 0 and self._meanwhile is not None:
            meanwhile, self._meanwhile = self._meanwhile, None
            meanwhile()
        return super().write(*arguments, **named)


@dataclass
class Writer:
    """Somebody who promotes, on a machine whose clock is wrong."""

    wrong: timedelta
    storage: Stopping
    lease: Lease | None = None
    journal: Journal | None = None
    renewed: float = 0.0
    knows_of_loss: bool = False
    in_doubt: bool = False

    @property
    def token(self) -> int:
        assert self.lease is not None
        return self.lease.token

    def go(self) -> None:
        """Be gone without a word."""
        self.lease = self.journal = None
        self.knows_of_loss = self.in_doubt = False


def has_lease(writer: Writer) -> bool:
    return writer.lease is not None


def has_journal(writer: Writer) -> bool:
    return writer.journal is not None


def could_open(writer: Writer) -> bool:
    return has_lease(writer) and not has_journal(writer)


class LedgerModel(RuleBasedStateMachine):
    """The lease and the ledger of one environment, and what has to be in them."""

    def __init__(
        self, storage: Storage, environment: Environment, time: Time, faults: Faults
    ) -> None:
        super().__init__()
        self.time = time
        self.faults = faults
        self.environment = environment
        self.address = f"{environment.ledger}/lease.json"
        self.ledger = Ledger(storage, environment)
        self.storage = storage
        # The model:
        self.token = 0
        self.owner: Writer | None = None
        self.released = True
        self.last_renewal = clock.now()
        self.fence = 0
        self.chains: dict[str, list[str]] = {}
        self.acknowledged: list[tuple[str, str]] = []
        self.entries = 0

    @initialize(skews=st.lists(st.sampled_from([-240, 0, 240]), min_size=3, max_size=3))
    def begin(self, skews: list[int]) -> None:
        self.writers = [Writer(timedelta(seconds=s), Stopping(self.storage)) for s in skews]

    # The lease

    @rule(
        number=WRITERS, how=st.sampled_from(["at once", "waits", "waits longer"]), opening=OPENING
    )
    def come(self, number: int, how: str, opening: str) -> None:
        """Come while the holder, if there is one, does nothing."""
        writer = self.at(number)
        patience = {"at once": 0, "waits": 50, "waits longer": 90}[how]
        wait = timedelta(seconds=patience) if patience else None
        if patience > LASTS or self.free_in(patience):
            self.acquired(writer, wait=wait, opening=opening)
        else:
            with pytest.raises(LeaseHeld):
                self.acquired(writer, wait=wait)

    @precondition(lambda self: self.owner is not None and not self.free_in(0))
    @rule(number=WRITERS, patience=st.sampled_from([90, 200]))
    def come_while_the_holder_renews(self, number: int, patience: int) -> None:
        holder = self.holding()
        if self.writers[number] is holder:
            return
        writer = self.at(number)
        if self.free_in(0):
            return  # by this machine's clock, where it was not by the last one's

        class Renewing(Waiting):
            step = 30

            def wait(waiting, timeout: float | None = None) -> bool:  # noqa: N805
                self.renewed(holder)
                self.time.wrong = writer.wrong
                return super().wait(timeout)

        with pytest.raises(LeaseHeld):
            self.acquired(writer, wait=timedelta(seconds=patience), waiting=Renewing(self.time))

    @rule(number=WRITERS, opening=OPENING)
    def take_over(self, number: int, opening: str) -> None:
        self.acquired(self.at(number), take_over=True, opening=opening)

    @precondition(lambda self: self.those(could_open))
    @rule(data=st.data(), fault=OPENING)
    def open_the_journal(self, data: st.DataObject, fault: str) -> None:
        self.opened(data.draw(st.sampled_from(self.those(could_open))), fault)

    @precondition(lambda self: self.those(has_lease))
    @rule(data=st.data(), fault=st.sampled_from(["lost", "doubtful"]))
    def renew(self, data: st.DataObject, fault: str) -> None:
        writer = data.draw(st.sampled_from(self.those(has_lease)))
        assert writer.lease is not None
        if self.owner is not writer:
            with pytest.raises(LeaseLost):
                self.renewed(writer)
            writer.knows_of_loss = True
            with pytest.raises(LeaseLost):
                writer.lease.check()
            return
        if fault == "doubtful":
            self.time.wrong = writer.wrong
            with self.broken(fault), pytest.raises(CloudError):
                writer.lease.renew()
            fault = ""  # the next renewal finds the first one's trace
        with self.broken(fault):
            self.renewed(writer)
        writer.lease.check()

    @precondition(lambda self: self.those(has_lease))
    @rule(data=st.data(), dies=st.booleans())
    def leave(self, data: st.DataObject, dies: bool) -> None:
        """Give the lease back, or die with it."""
        writer = data.draw(st.sampled_from(self.those(has_lease)))
        assert writer.lease is not None
        if self.owner is not writer:
            if not (dies or writer.knows_of_loss):
                with pytest.raises(LeaseLost):
                    writer.lease.release()
        else:
            self.owner = None
            if not dies:
                writer.lease.release()
                self.released = True
        writer.go()

    @rule(seconds=st.sampled_from([1, 20, 61, 700]))
    def pass_time(self, seconds: int) -> None:
        self.time.seconds += seconds

    # The ledger

    @precondition(lambda self: self.those(has_journal))
    @rule(data=st.data(), names=SOME, action=ACTIONS, faults=FAULTS)
    def write(self, data: st.DataObject, names: list[str], action: str, faults: list[str]) -> None:
        writer = data.draw(st.sampled_from(self.those(has_journal)))
        for fault in faults:
            self.written(writer, names, action, fault)

    def written(self, writer: Writer, names: list[str], action: str, fault: str) -> None:
        assert writer.journal is not None
        page = self.page(names, action)
        write = partial(writer.journal.add, page)
        if self.is_shut_out(writer):
            with pytest.raises(LeaseLost):
                write()
            writer.in_doubt = True
        elif self.is_behind(writer):
            with pytest.raises(LedgerMoved):
                write()
            writer.in_doubt = True
        elif fault in ("refused", "doubtful") and not writer.in_doubt:
            with self.broken(fault), pytest.raises(CloudError):
                write()
            writer.in_doubt = True
            if fault == "doubtful":
                self.landed(page, writer.token)
        else:
            with self.broken("" if fault in ("refused", "doubtful") else fault):
                write()
            writer.in_doubt = False
            self.landed(page, writer.token)
            self.acknowledged += [(name, written.reason) for name, written in page.items()]

    @precondition(lambda self: self.those(self.could_write))
    @rule(
        data=st.data(),
        names=SOME,
        action=ACTIONS,
        stop=st.integers(1, 3),
        far=st.sampled_from(["acquires", "fences", "writes"]),
    )
    def be_stopped_and_wake(
        self, data: st.DataObject, names: list[str], action: str, stop: int, far: str
    ) -> None:
        """Be stopped in the middle of a write, while another one takes over and gets so far."""
        writer = data.draw(st.sampled_from(self.those(self.could_write)))
        newcomer = data.draw(st.sampled_from([w for w in self.writers if w is not writer]))
        assert writer.journal is not None
        page = self.page(names, action)
        overtaken = False

        def meanwhile() -> None:
            nonlocal overtaken
            self.time.seconds += 1 + LASTS
            self.begin_anew(newcomer)
            overtaken = far != "acquires"
            opening = "" if overtaken else "not now"
            self.acquired(newcomer, wait=timedelta(seconds=2 * LASTS), opening=opening)
            if far == "writes":
                assert newcomer.journal is not None
                newcomer.journal.add(written := self.page(names, "activate"))
                self.landed(written, newcomer.token)

        writer.storage.stop_before(stop, meanwhile)
        try:
            writer.journal.add(page)
        except LeaseLost:
            assert overtaken, "refused, and nobody with a greater token was there"
            writer.in_doubt = True
        else:
            writer.storage.forget()
            assert not overtaken, "a lesser token went past a greater one"
            writer.in_doubt = False
            self.landed(page, writer.token)
            self.acknowledged += [(name, written.reason) for name, written in page.items()]

    @precondition(lambda self: self.those(has_lease))
    @rule(data=st.data(), names=SOME, action=ACTIONS)
    def write_past_the_journal(self, data: st.DataObject, names: list[str], action: str) -> None:
        """Commit on the newest head with one's own token, whatever the lease says."""
        writer = data.draw(st.sampled_from(self.those(has_lease)))
        page = self.page(names, action)
        head = self.ledger.head()
        if self.fence > writer.token:
            with pytest.raises(LeaseLost):
                self.ledger.commit(head, page, token=writer.token)
        else:
            self.ledger.commit(head, page, token=writer.token)
            self.landed(page, writer.token)

    # What always holds

    @invariant()
    def the_head_is_the_models(self) -> None:
        head = self.ledger.head()
        assert head.fence == self.fence
        said = {name: (last.sequence, last.reason) for name, last in head.pipelines.items()}
        assert said == {name: (len(c), c[-1]) for name, c in self.chains.items()}

    def teardown(self) -> None:
        head = self.ledger.head()
        for name, chain in self.chains.items():
            history = list(self.ledger.history(name, head=head))
            assert [past.reason for past in history] == chain[::-1]
            assert [past.sequence for past in history] == list(range(len(chain), 0, -1))
            assert history[-1].previous is None
            tokens = [past.token for past in history]
            assert tokens == sorted(tokens, reverse=True)
        for name, reason in self.acknowledged:
            assert reason in self.chains[name], "an acknowledged entry was lost"

    # Doing and foreseeing

    def at(self, number: int) -> Writer:
        """Return a writer who begins anew, at a machine's clock."""
        return self.begin_anew(self.writers[number])

    def those(self, condition: Callable[[Writer], bool]) -> list[Writer]:
        """Return the writers of whom something holds."""
        return [writer for writer in self.writers if condition(writer)]

    def could_write(self, writer: Writer) -> bool:
        if writer.journal is None or writer.in_doubt:
            return False
        return not self.is_shut_out(writer) and not self.is_behind(writer)

    def begin_anew(self, writer: Writer) -> Writer:
        if self.owner is writer:
            self.owner = None
        writer.go()
        self.time.wrong = writer.wrong
        return writer

    def holding(self) -> Writer:
        """Return whose the lease is."""
        assert self.owner is not None
        return self.owner

    def free_in(self, seconds: int) -> bool:
        """Whether the lease is free by then, by what anybody can read, if nobody touches it."""
        age = (clock.now() - self.last_renewal).total_seconds() + seconds
        return self.released or age > LASTS + SKEW

    def acquired(
        self,
        writer: Writer,
        *,
        wait: timedelta | None = None,
        take_over: bool = False,
        waiting: Waiting | None = None,
        opening: str = "not now",
    ) -> None:
        lease = acquire(
            writer.storage,
            self.address,
            Claim("ann", "promotes", LASTS, wait=wait, take_over=take_over),
            floor=self.ledger.head().fence,
            stop=waiting if waiting is not None else Waiting(self.time),
        )
        assert lease.token > max(self.token, self.fence), "tokens only grow"
        self.token, self.owner, self.released = lease.token, writer, False
        self.last_renewal = clock.now()
        writer.lease, writer.renewed = lease, self.time.seconds
        self.opened(writer, opening)

    def renewed(self, writer: Writer) -> None:
        assert writer.lease is not None
        self.time.wrong = writer.wrong
        writer.lease.renew()
        self.last_renewal = clock.now()
        writer.renewed = self.time.seconds

    def opened(self, writer: Writer, fault: str) -> None:
        assert writer.lease is not None
        ledger = Ledger(writer.storage, self.environment)
        if fault == "not now":
            return
        with self.broken(fault):
            if self.fence > writer.token:
                with pytest.raises(LeaseLost):
                    Journal(ledger, writer.lease)
            else:
                writer.journal = Journal(ledger, writer.lease)
                self.fence = writer.token

    def is_shut_out(self, writer: Writer) -> bool:
        overdue = self.time.seconds - writer.renewed > LASTS
        return overdue or writer.knows_of_loss or self.fence > writer.token

    def is_behind(self, writer: Writer) -> bool:
        """Whether the head was changed past a writer's journal, which does not suspect it."""
        assert writer.journal is not None
        now = self.ledger.head().generation
        return not writer.in_doubt and writer.journal.head.generation != now

    def page(self, names: Sequence[str], action: str) -> dict[str, Entry]:
        self.entries += 1
        return {name: entry(action, f"{name} {self.entries}") for name in names}

    def landed(self, page: dict[str, Entry], token: int) -> None:
        for name, written in page.items():
            self.chains.setdefault(name, []).append(written.reason)
        self.fence = max(self.fence, token)

    def broken(self, fault: str) -> Any:
        """Break the next write to the ledger's bucket.

        `lost`, `reset`: it has its effect, and the answer does not arrive; the next try finds out.
        `misreported`: it has, and the answer says no. `doubtful`: also, and nothing can be read.
        `refused`: it has none.
        """
        bucket = self.environment.ledger.removeprefix("gs://").split("/")[0]
        upload = {"path": f"/upload/storage/v1/b/{bucket}/*", "nth": 1}
        reading = {"path": f"/download/storage/v1/b/{bucket}/*", "verb": "GET", "error": 403}
        return self.faults.ordered(
            *{
                "": [],
                "lost": [{**upload, "error": 503, "when": "after"}],
                "reset": [{**upload, "reset": True, "when": "after"}],
                "misreported": [{**upload, "error": 403, "when": "after"}],
                "refused": [{**upload, "error": 403}],
                "doubtful": [{**upload, "error": 403, "when": "after"}, reading],
            }[fault]
        )


def test_no_writer_can_lose_or_undo_what_the_ledger_acknowledged(
    nonprod: Cloud, time: Time, faults: Faults
) -> None:
    environment = nonprod.environment
    examples = iter(range(10_000))

    def begin() -> Any:
        number = next(examples)
        its_own = environment.model_copy(
            update={
                "ledger": f"{environment.ledger}/{number}",
                "evidence": f"{environment.evidence}/{number}",
            }
        )
        return LedgerModel(nonprod.storage, its_own, time, faults)

    factory: Any = begin
    run_state_machine_as_test(
        factory,
        settings=settings(
            max_examples=16,
            stateful_step_count=25,
            derandomize=True,
            phases=[Phase.generate],  # to shrink a failure over HTTP would take minutes
            deadline=None,
            database=None,
            suppress_health_check=list(HealthCheck),
        ),
    )
