"""The lease: one writer at a time in an environment, with a fencing token.

    LEDGER/lease.json   who holds it, until when, and the token: one more with every holder

A holder renews its lease; one that is not renewed for as long as it lasts is taken over. The old
holder may not know yet (it was stopped, or cut off): its token is then less than the ledger's
fence, and the ledger takes nothing from it.
"""

import threading
import uuid
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from datetime import timedelta
from types import TracebackType
from typing import Self

from pydantic import AwareDatetime, BaseModel, ConfigDict, ValidationError

from ecluse import clock
from ecluse.cloud.storage import PreconditionFailed, Storage
from ecluse.errors import EcluseError, Interrupted, LeaseHeld, LeaseLost, Refused
from ecluse.ledger.process import is_gone, this_process

_RENEWALS = 4  # so many times in a lease's length it is renewed
_POLL_SECONDS = 1.0
_PATIENCE_SECONDS = 10.0  # with a renewal that is under way when the lease is given back
_SKEW = timedelta(minutes=10)  # how far two machines' clocks may be apart


class Holding(BaseModel):
    """What the lease's object says.

    Attributes:
        token: the fencing token: greater than any before it.
        holder: who has it, as people know them.
        purpose: what for.
        process: the holder's process, so that a death on this very machine is known at once.
        since: since when.
        renewed: when it was last renewed, by the holder's clock.
        seconds: how long it lasts without a renewal.
        released: whether it was given back.
        nonce: tells this write from any other.

    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    token: int
    holder: str
    purpose: str
    process: str
    since: AwareDatetime
    renewed: AwareDatetime
    seconds: float
    released: bool = False
    nonce: str

    @property
    def words(self) -> str:
        """Who holds it and for what, for a message."""
        age = clock.age(self.since, clock.now())
        return f"{self.holder} holds the lease since {age}: {self.purpose}"


@dataclass(frozen=True)
class Claim:
    """Who wants the lease, and how.

    Attributes:
        holder, purpose: as in `Holding`.
        seconds: how long it lasts without a renewal.
        wait: how long to wait for whoever has it; none to leave at once.
        take_over: take it from whoever has it, without waiting.

    """

    holder: str
    purpose: str
    seconds: float
    wait: timedelta | None = None
    take_over: bool = False


class Lease:
    """A lease that is held, and renewed by a thread until it is given back."""

    def __init__(self, storage: Storage, address: str, holding: Holding, generation: int) -> None:
        self._storage = storage
        self._address = address
        self._holding = holding
        self._generation = generation
        self._renewed = clock.steady()
        self._ended = threading.Event()
        self._lost = threading.Event()
        self._thread = threading.Thread(target=self._keep_renewed, name="lease", daemon=True)

    @property
    def token(self) -> int:
        """The fencing token."""
        return self._holding.token

    def check(self) -> None:
        """Make sure that nobody else may have it by now.

        Raises:
            LeaseLost: it was taken over, could not be renewed in time, or was given back.

        """
        if self._ended.is_set():
            raise self._loss("the lease was given back already")
        overdue = clock.steady() - self._renewed > self._holding.seconds
        if self._lost.is_set() or overdue:
            raise self._loss("the lease was not renewed in time, and somebody else may have it now")

    def __enter__(self) -> Self:
        """Begin to renew it."""
        self._thread.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        """Give it back, if it is still ours."""
        self._ended.set()
        self._thread.join(_PATIENCE_SECONDS)
        # Who cannot give it back lets it run out.
        if not self._thread.is_alive():
            with suppress(EcluseError):
                self.release()

    def renew(self) -> None:
        """Make it last anew.

        Raises:
            LeaseLost: somebody else has it.
            CloudError: it could not be renewed now; maybe the next time.

        """
        self._write(released=False)

    def release(self) -> None:
        """Give it back, so that nobody needs to wait until it has run out.

        Raises:
            LeaseLost: somebody else has it.
            CloudError: it could not be given back: it runs out.

        """
        if not self._lost.is_set():
            self._write(released=True)

    def _keep_renewed(self) -> None:
        while not self._ended.wait(self._holding.seconds / _RENEWALS):
            try:
                self.renew()
            except LeaseLost:
                return
            except EcluseError:
                continue  # `check` says no once it is overdue

    def _write(self, *, released: bool) -> None:
        began = clock.steady()
        changed = self._holding.model_copy(
            update={"renewed": clock.now(), "released": released, "nonce": uuid.uuid4().hex}
        )
        content = _content(changed)
        while True:
            try:
                self._generation = self._storage.write(
                    self._address, content, if_generation=self._generation
                )
            except PreconditionFailed:
                self._generation = self._own_generation()
            else:
                self._renewed = began
                return

    def _own_generation(self) -> int:
        """Return the object's generation if it still says that the lease is ours.

        Then it was we who changed it: in a try that we took for failed.
        """
        found = self._storage.read(self._address)
        if found is not None:
            holding = _parsed(found.content, self._address)
            if (holding.token, holding.process) == (self.token, self._holding.process):
                return found.generation
        self._lost.set()
        raise self._loss("somebody else has the lease now")

    def _loss(self, what: str) -> LeaseLost:
        return LeaseLost(
            what,
            where=self._address,
            fix="run the same command again: it joins what was begun",
        )


def acquire(
    storage: Storage,
    address: str,
    claim: Claim,
    *,
    floor: int = 0,
    waiting: Callable[[Holding], None] = lambda _: None,
    stop: threading.Event | None = None,
) -> Lease:
    """Take an environment's lease, and return it; `with` it is renewed and given back.

    Args:
        storage: where it is kept.
        address: its object's.
        claim: who wants it, and how.
        floor: the new token is greater than this: the ledger's fence.
        waiting: told once for every holder that is waited for.
        stop: ends the waiting.

    Raises:
        LeaseHeld: somebody else has it, and did not give it back in time.
        Interrupted: `stop` was set first.

    """
    deadline = clock.steady() + (claim.wait.total_seconds() if claim.wait is not None else 0)
    watched: tuple[int, float] = (-1, 0.0)
    told = 0
    while True:
        found = storage.read(address)
        holding = _parsed(found.content, address) if found is not None else None
        generation = found.generation if found is not None else 0
        now = clock.steady()
        if generation != watched[0]:
            watched = (generation, now)
        if holding is None or claim.take_over or _is_free(holding, unchanged=now - watched[1]):
            lease = _taken(storage, address, claim, holding, generation, floor)
            if lease is not None:
                return lease
            continue  # somebody was quicker
        if now >= deadline:
            raise LeaseHeld(
                holding.words,
                where=address,
                fix="wait for it with --wait 30m; a holder that died is taken over after "
                f"{holding.seconds:g} s",
            )
        if holding.token != told:
            told = holding.token
            waiting(holding)
        pause = min(_POLL_SECONDS, holding.seconds / _RENEWALS, max(0.0, deadline - now))
        if (stop or threading.Event()).wait(max(pause, 0.02)):
            raise Interrupted("no longer waiting for the lease", where=address)


def current_holding(storage: Storage, address: str) -> Holding | None:
    """Return who holds a lease by what its object says; none if nobody does."""
    found = storage.read(address)
    holding = _parsed(found.content, address) if found is not None else None
    return None if holding is None or _is_free(holding, unchanged=0) else holding


def _taken(
    storage: Storage,
    address: str,
    claim: Claim,
    before: Holding | None,
    generation: int,
    floor: int,
) -> Lease | None:
    """Take the lease at a generation; none if it is another by now."""
    now = clock.now()
    holding = Holding(
        token=max(before.token if before is not None else 0, floor) + 1,
        holder=claim.holder,
        purpose=claim.purpose,
        process=this_process(),
        since=now,
        renewed=now,
        seconds=claim.seconds,
        nonce=uuid.uuid4().hex,
    )
    try:
        written = storage.write(address, _content(holding), if_generation=generation)
    except PreconditionFailed:
        return None
    return Lease(storage, address, holding, written)


def _is_free(holding: Holding, *, unchanged: float) -> bool:
    """Whether a lease may be taken.

    It may where it was given back, where its holder was a process of this machine that is no more,
    and where it was not renewed for as long as it lasts: by our own clock since we first saw it,
    or by everybody's, allowing for clocks that differ.
    """
    if holding.released or is_gone(holding.process):
        return True
    lasts = timedelta(seconds=holding.seconds)
    return unchanged > holding.seconds or clock.now() - holding.renewed > lasts + _SKEW


def _content(holding: Holding) -> bytes:
    return holding.model_dump_json(indent=1).encode()


def _parsed(content: bytes, where: str) -> Holding:
    try:
        return Holding.model_validate_json(content)
    except ValidationError:
        raise Refused(
            "the lease cannot be read",
            where=where,
            fix=f"look who wrote it; with nobody at work, `gcloud storage rm {where}`",
        ) from None
