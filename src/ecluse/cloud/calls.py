"""The one way in which an environment's cloud is called: a budget, patience, and our own errors.

Every call of every adapter goes through `Calls.call`. It waits for its turn (so many calls are in
flight at most), is repeated after a passing failure with exponential backoff and full jitter (see
`failures`), waits as long as `Retry-After` says, gives up at a deadline, and raises our errors. The
clients' own retries are off (`ONCE`), so that this one policy holds.

What may be repeated blindly: calls that read, and writes whose repetition finds its own work done.
Others say with `look` how to find out whether the first try had its effect after all.
"""

import logging
import time
from collections.abc import Callable, Iterable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import partial
from threading import Event, Lock
from typing import Any, Final, TypeVar

from tenacity import RetryCallState, Retrying, retry_if_exception
from tenacity.nap import sleep_using_event
from tenacity.stop import stop_before_delay, stop_when_event_set
from tenacity.wait import wait_random_exponential

from ecluse.cloud.failures import Passing, passing, reason, translated
from ecluse.cloud.slots import Slots
from ecluse.errors import CloudError
from ecluse.repository.settings import Budget

log = logging.getLogger(__name__)

_T = TypeVar("_T")
_Item = TypeVar("_Item")
Exceptions = type[Exception] | tuple[type[Exception], ...]


@dataclass(frozen=True)
class Patience:
    """How long a call is tried, in seconds.

    Attributes:
        deadline: no try begins later than this after the first one.
        first: the upper bound of the first wait; it doubles with each.
        longest: the upper bound of every wait that the service did not ask for.
        silence: after failing for so long the user is told, and again after as long.

    """

    deadline: float = 60.0
    first: float = 0.2
    longest: float = 10.0
    silence: float = 5.0


PATIENCE = Patience()

TRY_SECONDS: Final = 30.0
"""How long one try waits for the service to say something."""

ONCE: Final[Mapping[str, Any]] = {"retry": None, "timeout": TRY_SECONDS}
"""Arguments for the clients' methods: no retries of their own, and no waiting for ever."""

_LONGEST_PAUSE = 10.0


class Calls:
    """The calls to one environment's cloud.

    Attributes:
        budget: how much may go on at once.

    """

    def __init__(self, budget: Budget, patience: Patience | None = None) -> None:
        self.budget = budget
        self._patience = patience if patience is not None else PATIENCE
        self._slots = Slots(budget.calls)
        self._lock = Lock()
        self._paused_until = 0.0
        self._told = float("-inf")
        self._hurried = Event()

    def call(
        self,
        resource: str,
        function: Callable[[], _T],
        *,
        expecting: Exceptions = (),
        look: Callable[[Passing], _T | None] | None = None,
    ) -> _T:
        """Return what a call returns, repeating it while it fails in passing.

        Args:
            resource: what it is about, for the error.
            function: makes the call, once (see `ONCE`); nothing else is called inside.
            expecting: answers of the service that the caller understands; they pass as they are.
            look: for a call that must not have its effect twice. Before each repetition it is
                asked for what an earlier try may have made; none means that there certainly is
                nothing. If it cannot tell it raises.

        Raises:
            CloudError: the call failed, and goes on failing.

        """
        failure: Passing | None = None

        def attempt() -> _T:
            nonlocal failure
            if failure is not None and look is not None:
                found = look(failure)
                if found is not None:
                    return found
            try:
                return self._in_turn(function)
            except Exception as error:
                failure = passing(error)
                raise

        began = time.monotonic()
        retrying = self._retrying(resource)
        try:
            with translated(resource, expecting=expecting):
                return retrying(attempt)
        except CloudError as error:
            tries = int(retrying.statistics.get("attempt_number", 1))
            if failure is None or tries == 1:
                raise
            seconds = time.monotonic() - began
            raise CloudError(
                f"{error.what} (tried {tries} times in {seconds:.0f} s)",
                where=error.where,
                fix=error.fix,
            ) from error.__cause__

    def pages(self, resource: str, function: Callable[[str], Any]) -> Iterator[Any]:
        """Yield the pages of a typed client's list, each asked for by a call of its own.

        So a failure costs one page and not the whole list.

        Args:
            resource: what is listed.
            function: given a page token, `""` for the first page, returns the client's pager.

        """
        token = ""
        while True:
            page = self.call(resource, partial(_first_page, function, token))
            yield page
            token = page.next_page_token
            if not token:
                return

    def side_by_side(self, function: Callable[[_Item], _T], items: Iterable[_Item]) -> list[_T]:
        """Return a function's value for each item, computed as far abreast as the budget allows.

        The first failure, in the items' order, is raised; what has not begun by then never does.
        """
        todo = list(items)
        if len(todo) < 2:
            return [function(item) for item in todo]
        pool = ThreadPoolExecutor(min(len(todo), self.budget.calls))
        try:
            return list(pool.map(function, todo))
        finally:
            pool.shutdown(wait=False, cancel_futures=True)

    def hurry(self) -> None:
        """Lose patience, because the user wants to leave: from now on each call gets one try."""
        self._hurried.set()

    def _retrying(self, resource: str) -> Retrying:
        patience = self._patience
        backoff = wait_random_exponential(multiplier=patience.first, max=patience.longest)
        spread = wait_random_exponential(multiplier=patience.first, max=patience.first)

        def wait(state: RetryCallState) -> float:
            failure = _failure(state)
            if failure.retry_after is not None:
                # All were told the same moment: not all at once, then.
                return failure.retry_after + spread(state)
            return backoff(state)

        def before_sleep(state: RetryCallState) -> None:
            failure = _failure(state)
            if failure.throttled:
                self._pause(state.upcoming_sleep)
            log.info(
                "%s: %s; try %d in %.1f s",
                resource, reason(failure.error), state.attempt_number + 1, state.upcoming_sleep,
            )  # fmt: skip
            if state.seconds_since_start is not None and self._tells(state.seconds_since_start):
                log.warning(
                    "  waiting: %s fails for %.0f s already and is tried again: %s",
                    resource, state.seconds_since_start, reason(failure.error)[:100],
                )  # fmt: skip

        return Retrying(
            retry=retry_if_exception(lambda error: passing(error) is not None),
            stop=stop_before_delay(patience.deadline) | stop_when_event_set(self._hurried),
            wait=wait,
            before_sleep=before_sleep,
            sleep=sleep_using_event(self._hurried),
            reraise=True,
        )

    def _tells(self, seconds: float) -> bool:
        """Whether to tell the user of a call that fails for so long: of one, for all of them."""
        now = time.monotonic()
        with self._lock:
            if seconds < self._patience.silence or now - self._told < self._patience.silence:
                return False
            self._told = now
            return True

    def _in_turn(self, function: Callable[[], _T]) -> _T:
        with self._slots.taken():
            # Whoever waits here keeps the others waiting for a place: that is what a pause is for.
            pause = self._paused_until - time.monotonic()
            if pause > 0:
                self._hurried.wait(pause)
            return function()

    def _pause(self, seconds: float) -> None:
        """Let every call of the environment wait: one of them was told that there are too many."""
        until = time.monotonic() + min(seconds, _LONGEST_PAUSE)
        with self._lock:
            self._paused_until = max(self._paused_until, until)


def _first_page(function: Callable[[str], Any], token: str) -> Any:
    return next(function(token).pages)


def _failure(state: RetryCallState) -> Passing:
    error = state.outcome.exception() if state.outcome is not None else None
    failure = passing(error) if error is not None else None
    assert failure is not None, "only what passes is tried again"
    return failure
