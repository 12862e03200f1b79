"""Alone in an environment: whoever changes it holds its lease."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import timedelta

from ecluse.cloud import Cloud
from ecluse.ledger.journal import Journal
from ecluse.ledger.lease import Claim, Holding, acquire


@contextmanager
def alone(
    cloud: Cloud,
    *,
    by: str,
    purpose: str,
    wait: timedelta | None = None,
    take_over: bool = False,
    waiting: Callable[[Holding], None] = lambda _: None,
) -> Iterator[Journal]:
    """Hold an environment's lease for as long as a `with` lasts, older holders shut out.

    Args:
        cloud: the environment.
        by: who.
        purpose: what for, for whoever comes meanwhile.
        wait: how long to wait for whoever holds it; none to leave at once.
        take_over: take it from whoever holds it, without waiting.
        waiting: told once of every holder that is waited for.

    Yields:
        The journal through which the ledger is written.

    Raises:
        LeaseHeld: somebody else is at work here; nothing was done.

    """
    environment = cloud.environment
    lease = acquire(
        cloud.storage,
        f"{environment.ledger}/lease.json",
        Claim(
            holder=by,
            purpose=purpose,
            seconds=environment.lease_seconds,
            wait=wait,
            take_over=take_over,
        ),
        floor=cloud.ledger.head().fence,
        waiting=waiting,
    )
    with lease:
        yield Journal(cloud.ledger, lease)
