"""Drift: what an environment's cloud has that its ledger did not say, and the way back.

The check only reads. The repair takes the environment's lease first, looks again under it, and
changes what can be changed; what it did not get done the next repair or promotion finds.
"""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

from ecluse.cloud import Cloud
from ecluse.ledger.alone import alone
from ecluse.ledger.lease import Holding
from ecluse.upkeep.convergence.converging import Mended, look, mend

_LOOKS = 3


@dataclass(frozen=True)
class Drift:
    """What was found in an environment, and what became of it.

    Attributes:
        environment: its name.
        found: each difference; with what was done about it, after a repair.

    """

    environment: str
    found: tuple[Mended, ...]

    @property
    def left(self) -> tuple[Mended, ...]:
        """What is still not as the ledger says."""
        return tuple(each for each in self.found if not each.done)

    def advice(self, each: Mended) -> str:
        """Return the next command to type about something that is left."""
        if each.error is not None:
            return each.error.fix or f"ecluse drift {self.environment} --repair"
        return each.difference.fix or f"ecluse drift {self.environment} --repair"

    def as_json(self) -> dict[str, Any]:
        """Return the drift as plain values."""
        return {
            "environment": self.environment,
            "differences": [
                {
                    **each.difference.as_json(),
                    "done": each.done,
                    "error": each.error.as_json() if each.error is not None else None,
                    "next": "" if each.done else self.advice(each),
                }
                for each in self.found
            ],
        }


def check_drift(cloud: Cloud) -> Drift:
    """Compare everything that an environment has with its ledger. Changes nothing.

    A promotion may be at work: where the ledger moved under the comparison, it is made again.
    """
    head = cloud.ledger.head()
    for _ in range(_LOOKS):
        found = look(cloud, head)
        now = cloud.ledger.head() if found else head
        if now.nonce == head.nonce:
            break
        head = now
    return Drift(cloud.environment.name, tuple(Mended(difference) for difference in found))


def repair_drift(
    cloud: Cloud,
    *,
    by: str,
    wait: timedelta | None = None,
    waiting: Callable[[Holding], None] = lambda _: None,
) -> Drift:
    """Make an environment's cloud again as its ledger says, where that can be done.

    Args:
        cloud: the environment.
        by: who repairs.
        wait: how long to wait for whoever holds the environment's lease.
        waiting: told of whoever holds it.

    Raises:
        LeaseHeld: somebody else is at work here; nothing was done.

    """
    seen = check_drift(cloud)
    if not any(each.difference.mendable for each in seen.found):
        return seen
    with alone(cloud, by=by, purpose="repairs drift", wait=wait, waiting=waiting) as journal:
        differences = look(cloud, journal.head)
        mended = mend(cloud, journal.head, differences, allowed=journal.check)
    return Drift(cloud.environment.name, tuple(mended))
